// What do smart pointers cost compared with plain pointers: to make and drop, and to use?
#include <memory>
#include <vector>

#include "heap.hpp"
#include "measure.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

/// 64 bytes, of which only the number is written.
struct thing {
  explicit thing(std::uint64_t number) : next(number) {}
  std::uint64_t next;
  std::byte rest[56];
};

constexpr std::size_t things = 64;  ///< all of them fit into the first cache

/// The holders of a thing: the type of the holder, how it is made, and how the thing is reached.
struct value {
  static constexpr const char* name = "value";
  using holder = thing;
  static holder make(std::uint64_t number) { return thing(number); }
  static const thing& reach(const holder& it) { return it; }
  static void drop(holder&) {}
};
struct raw {
  static constexpr const char* name = "raw";
  using holder = thing*;
  static holder make(std::uint64_t number) { return new thing(number); }
  static const thing& reach(const holder& it) { return *it; }
  static void drop(holder& it) { delete it; }
};
/// A smart pointer drops its thing in its destructor.
template <class Holder>
struct smart {
  using holder = Holder;
  static const thing& reach(const holder& it) { return *it; }
  static void drop(holder&) {}
};
struct unique_ptr : smart<std::unique_ptr<thing>> {
  static constexpr const char* name = "unique_ptr";
  static holder make(std::uint64_t number) { return std::make_unique<thing>(number); }
};
struct shared_ptr : smart<std::shared_ptr<thing>> {
  static constexpr const char* name = "shared_ptr";
  static holder make(std::uint64_t number) { return holder(new thing(number)); }
};
struct make_shared : smart<std::shared_ptr<thing>> {
  static constexpr const char* name = "make_shared";
  static holder make(std::uint64_t number) { return std::make_shared<thing>(number); }
};

struct making {
  /// The sizes of the thing, of a separate count, and of both in one block.
  new_delete process_heap{{}};
  on_heap<new_delete> heap{process_heap, heap_state::resident, {sizeof(thing), 24, sizeof(thing) + 16}};
};

template <class Kind>
void make_and_drop(benchmark::State& state, making&) {
  const measured measuring(state);
  for (auto _ : state) {
    typename Kind::holder made = Kind::make(1);
    escape(&Kind::reach(made));
    Kind::drop(made);
  }
}

/// An array of holders, whose things hold the index of the next holder: one cycle through all of them.
template <class Kind>
struct using_ {
  using_() {
    generator random(seed);
    for (const std::uint32_t next : random_cycle(things, random)) table.push_back(Kind::make(next));
    std::uint64_t at = 0;
    std::size_t steps = 0;
    do at = Kind::reach(table[at]).next, ++steps;
    while (at != 0 && steps <= things);
    if (steps != things) throw verification_error("the things are not one full cycle");
  }
  using_(const using_&) = delete;
  using_& operator=(const using_&) = delete;
  ~using_() {
    for (auto& held : table) Kind::drop(held);
  }
  std::vector<typename Kind::holder> table;
};

template <class Kind>
void use(benchmark::State& state, using_<Kind>& in) {
  std::uint64_t at = 0;
  const measured measuring(state);
  while (state.KeepRunningBatch(things)) {
    for (std::size_t i = 0; i < things; ++i) at = Kind::reach(in.table[at]).next;
    keep(at);
  }
}

template <class Kind>
void add_kind(benchmark_registry& registry) {
  registry.add("", {{"op", "make"}, {"kind", Kind::name}}, [] { return std::make_shared<making>(); }, make_and_drop<Kind>);
  registry.add("", {{"op", "use"}, {"kind", Kind::name}}, [] { return std::make_shared<using_<Kind>>(); }, use<Kind>);
}

const family smart_pointers({
    .question = "What does a smart pointer cost compared with a plain pointer: to make and drop, and to use?",
    .operation = "make: make a 64-byte object, write its number, drop it; use: reach an object through its holder and "
                 "read from it which of the 64 holders is next",
    .untimed = "making the 64 holders; following them once round",
    .heap = "resident: the process's own malloc, at least four live blocks of every size used",
    .held_against = "kind:value: the object itself, on the stack or in the array",
    .controls = "kind:value$",
    .unfairness = "shared_ptr is made from a plain pointer: two allocations; make_shared makes one allocation. No "
                  "object is ever shared, and a C++ library may count without atomic instructions then: refcount "
                  "measures the cost of counting otherwise. All 64 objects fit into the first cache: use measures "
                  "the steps, not cache misses. A shared_ptr is as wide as two pointers, which costs an arithmetic "
                  "step in an array of them.",
    .core = {"^smart_pointer/op:make/kind:(unique_ptr|make_shared)$"},
    .operations = {{.benchmark = "smart_pointer/op:make/kind:value", .notes = blocks_of(64, 0), .preload = true},
                   {.benchmark = "smart_pointer/op:make/kind:raw", .notes = blocks_of(64, 1), .calls = 2, .preload = true},
                   {.benchmark = "smart_pointer/op:make/kind:unique_ptr", .notes = blocks_of(64, 1), .calls = 2, .preload = true},
                   {.benchmark = "smart_pointer/op:make/kind:shared_ptr", .notes = blocks_of(64, 1, blocks_of(24, 1)),
                    .calls = 4, .preload = true},
                   {.benchmark = "smart_pointer/op:make/kind:make_shared", .notes = blocks_of(80, 1), .calls = 2, .preload = true},
                   {.benchmark = "smart_pointer/op:use/kind:make_shared", .notes = blocks_of(80, 0), .preload = true}},
    .least_times = {{"smart_pointer/op:use/", 2}},
}, [](benchmark_registry& registry) {
  add_kind<value>(registry);
  add_kind<raw>(registry);
  add_kind<unique_ptr>(registry);
  add_kind<shared_ptr>(registry);
  add_kind<make_shared>(registry);
});

}  // namespace
}  // namespace stackheap

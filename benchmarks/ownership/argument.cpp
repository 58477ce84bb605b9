// From which size on should a struct not be passed by value?
#include <memory>
#include <utility>

#include "family.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

template <std::size_t Bytes>
struct record {
  std::uint64_t words[Bytes / sizeof(std::uint64_t)];
};

/// The callees. They are called through pointers that the compiler does not know: neither inlined nor specialised. Each
/// reads the first word of its argument.
template <class Record>
void take_value(Record given) {
  keep(given.words[0]);
}
template <class Record>
void take_reference(const Record& lent) {
  keep(lent.words[0]);
}
template <class Record>
std::unique_ptr<Record> take_unique_ptr(std::unique_ptr<Record> given) {
  keep(given->words[0]);
  return given;
}
void take_nothing() { asm volatile(""); }

/// Whether the caller put the argument into memory: it then lies where the frame of this function begins, or above.
template <class Record>
[[gnu::noinline]] bool is_on_stack(Record given) {
  escape(&given);
  return reinterpret_cast<std::uintptr_t>(&given) >= reinterpret_cast<std::uintptr_t>(__builtin_dwarf_cfa());
}

template <class Record>
struct fixture {
  fixture() : owner(std::make_unique<Record>()) {
    std::uint64_t number = 1;
    for (std::uint64_t& word : plain.words) word = number++;
    *owner = plain;
  }
  Record plain;
  std::unique_ptr<Record> owner;
};

template <class Record>
void by_none(benchmark::State& state, fixture<Record>&) {
  void (*const callee)() = hide(&take_nothing);
  const measured measuring(state);
  for (auto _ : state) callee();
}

template <class Record>
void by_value(benchmark::State& state, fixture<Record>& in) {
  void (*const callee)(Record) = hide(&take_value<Record>);
  state.counters["on_stack"] = is_on_stack(in.plain) ? 1 : 0;
  const measured measuring(state);
  for (auto _ : state) callee(in.plain);
}

template <class Record>
void by_reference(benchmark::State& state, fixture<Record>& in) {
  void (*const callee)(const Record&) = hide(&take_reference<Record>);
  const measured measuring(state);
  for (auto _ : state) callee(in.plain);
}

template <class Record>
void by_unique_ptr(benchmark::State& state, fixture<Record>& in) {
  std::unique_ptr<Record> (*const callee)(std::unique_ptr<Record>) = hide(&take_unique_ptr<Record>);
  {
    const measured measuring(state);
    for (auto _ : state) in.owner = callee(std::move(in.owner));
  }
  if (in.owner == nullptr || in.owner->words[0] != in.plain.words[0])
    throw verification_error("the struct did not come back");
}

template <std::size_t Bytes>
void add_size(benchmark_registry& registry) {
  using Record = record<Bytes>;
  const auto add = [&](const char* way, void (*run)(benchmark::State&, fixture<Record>&)) {
    registry.add("", {{"bytes", Bytes}, {"how", way}}, [] { return std::make_shared<fixture<Record>>(); }, run);
  };
  add("none", by_none<Record>);
  add("value", by_value<Record>);
  add("reference", by_reference<Record>);
  add("unique_ptr", by_unique_ptr<Record>);
}

template <std::size_t... Bytes>
void add_sizes(benchmark_registry& registry, std::index_sequence<Bytes...>) {
  (add_size<Bytes>(registry), ...);
}

const family argument({
    .question = "From which size on should a struct not be passed by value?",
    .operation = "call a function that is not inlined with a struct of n bytes: by value, by reference, or by a "
                 "unique_ptr that is passed in and returned; the function reads the first word",
    .untimed = "making the structs; one call by value, which reports where its argument is: on_stack is 1 if the caller "
               "put it onto the stack, and 0 if it is passed in registers",
    .heap = "does not matter: nothing is allocated",
    .held_against = "how:none: the call alone",
    .controls = "how:none$",
    .unfairness = "The unique_ptr already exists: smart_pointer measures the cost of making one. It is moved twice, "
                  "in and out. Up to 16 bytes are passed in registers where the calling convention allows it.",
    .least_times = {{"argument/.*how:(none|reference|unique_ptr)", 1},
                    {"argument/bytes:8/how:value", 1},
                    {"argument/bytes:4096/how:value", 16}},
}, [](benchmark_registry& registry) {
  switch (registry.chosen()) {
    case profile::smoke: return add_sizes(registry, std::index_sequence<8, 4096>());
    case profile::quick: return add_sizes(registry, std::index_sequence<8, 16, 64, 256, 1024, 4096>());
    case profile::full:
      return add_sizes(registry, std::index_sequence<8, 16, 24, 32, 64, 128, 256, 512, 1024, 2048, 4096>());
  }
});

}  // namespace
}  // namespace stackheap

// Does an aged heap scatter later allocations? A list is walked whose nodes a malloc placed.
#include <algorithm>

#include "heap.hpp"
#include "measure.hpp"
#include "placement.hpp"
#include "shared_cache.hpp"

namespace stackheap {
namespace {

struct node {
  node* next;
  std::uint64_t value;
  std::byte rest[48];
};
constexpr std::size_t nodes = 100'000;
constexpr std::int64_t stride = 1000;

/// Heaps that were aged in this process: they cannot be `empty` later.
std::vector<std::string>& aged_here() {
  static std::vector<std::string> names;
  return names;
}

template <owns Strategy>
struct fixture {
  fixture(strategy_factory<Strategy> factory, heap_state state)
      : strategy(factory.make()), heap(strategy, checked(factory.name, state), {}) {
    node* before = nullptr;
    for (std::size_t i = 0; i < nodes; ++i) {
      auto* const fresh = ::new (take(strategy, sizeof(node))) node{nullptr, i, {}};
      (before != nullptr ? before->next : first) = fresh;
      before = fresh;
    }
    before->next = first;  // round and round
    position = first;
    verify();
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  ~fixture() {
    for (std::size_t i = 0; i < nodes; ++i) {
      node* const next = first->next;
      strategy.deallocate(first, sizeof(node));
      first = next;
    }
  }

  static heap_state checked(const std::string& name, heap_state state) {
    std::vector<std::string>& aged = aged_here();
    const bool was = std::find(aged.begin(), aged.end(), name) != aged.end();
    if (state == heap_state::empty && was)
      throw verification_error("this heap was aged before: run this benchmark in a process of its own");
    if (state == heap_state::aged && !was) aged.push_back(name);
    return state;
  }

  void verify() {
    std::uint64_t sum = 0;
    placement places;
    const node* walker = first;
    for (std::size_t i = 0; i < nodes; ++i, walker = walker->next) {
      sum += walker->value;
      places.visit(walker);
    }
    if (walker != first || sum != std::uint64_t{nodes} * (nodes - 1) / 2)
      throw verification_error("the list lost a node");
    neighbours = places.neighbours();
    for (std::size_t i = nodes; i < rounds_before_timing * nodes; ++i) walker = walker->next;
    escape(walker);
  }

  Strategy strategy;
  on_heap<Strategy> heap;
  node* first = nullptr;
  const node* position = nullptr;
  double neighbours = 0;
};

template <owns Strategy>
void walk(benchmark::State& state, fixture<Strategy>& in) {
  std::uint64_t sum = 0;
  const node* walker = in.position;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(stride))
      for (std::int64_t i = 0; i < stride; ++i, walker = walker->next) sum += walker->value;
    keep(sum);
  }
  in.position = walker;
  state.counters["neighbours"] = in.neighbours;
}

const family list_walk({
    .question = "Does an aged heap scatter the nodes of a list that is built on it?",
    .operation = "visit one node of a list of 100,000 nodes of 64 bytes that one malloc allocated in order",
    .untimed = "ageing the heap; building the list; walking it eight times, once verified, so that the last cache "
               "holds as much as it keeps of such a list",
    .heap = "empty: the benchmark never had a block there (the control); aged: 65,536 blocks of 16 to 1,024 B were "
            "allocated and a random half of them freed before the list is built",
    .held_against = "heap:empty of the same malloc: the same list, built on a heap that was never used",
    .controls = "heap:empty$",
    .unfairness = "neighbours is the share of steps of at most 256 bytes, in either direction. A list of 64-byte nodes "
                  "fills only a part of the gaps that ageing left: nodes that do not fit there are placed in new "
                  "memory, in order.",
    .core = {"^list_walk/malloc/heap:aged$"},
    .least_times = {{"list_walk/", 2}},
    .past_second_cache = ".",
}, [](benchmark_registry& registry) {
  for (const heap_state state : {heap_state::empty, heap_state::aged})
    every_strategy(beside(state, {sizeof(node), nodes}), [&]<owns Strategy>(strategy_factory<Strategy> factory) {
      // every block of mmap is a page, and none has only one block
      if (std::is_same_v<Strategy, mmap_> || std::is_same_v<Strategy, none>) return;
      registry.add(
          factory.name, {{"heap", name_of(state)}}, [=] { return std::make_shared<fixture<Strategy>>(factory, state); },
          walk<Strategy>);
    });
});

}  // namespace
}  // namespace stackheap

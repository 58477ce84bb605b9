// Does an aged heap scatter what is allocated later? A list is walked whose nodes each malloc placed.
#include <algorithm>

#include "heap.hpp"
#include "measure.hpp"
#include "placement.hpp"

namespace stackheap {
namespace {

struct node {
  node* next;
  std::uint64_t value;
  std::byte rest[48];
};
constexpr std::size_t nodes = 100'000;
constexpr std::int64_t stride = 1000;

/// Heaps that were aged in this process: a later `empty` would not be.
std::vector<std::string>& aged_here() {
  static std::vector<std::string> names;
  return names;
}

template <owns Strategy>
struct world {
  world(contender<Strategy> by, heap_state state) : strategy(by.make()), heap(strategy, checked(by.name, state), {}) {
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
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world() {
    for (std::size_t i = 0; i < nodes; ++i) {
      node* const next = first->next;
      strategy.deallocate(first, sizeof(node));
      first = next;
    }
  }

  static heap_state checked(const std::string& name, heap_state state) {
    std::vector<std::string>& aged = aged_here();
    const bool was = std::find(aged.begin(), aged.end(), name) != aged.end();
    if (state == heap_state::empty && was) throw wrong_work("this heap was aged before: run this benchmark in a process of its own");
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
    if (walker != first || sum != std::uint64_t{nodes} * (nodes - 1) / 2) throw wrong_work("the list lost a node");
    neighbours = places.neighbours();
  }

  Strategy strategy;
  on_heap<Strategy> heap;
  node* first = nullptr;
  const node* position = nullptr;
  double neighbours = 0;
};

template <owns Strategy>
void walk(benchmark::State& state, world<Strategy>& in) {
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
    .operation = "visit one node of a list of 100,000 nodes of 64 bytes, built in order by one malloc",
    .untimed = "ageing the heap, building the list, walking it once to verify it",
    .heap = "empty: nothing of ours was ever there (the control); aged: 65,536 blocks of 16 to 1,024 B allocated, a random "
            "half freed, before the list is built",
    .unfairness = "neighbours is the share of steps that go at most 256 bytes, either way. A list of 64-byte nodes fills the "
                  "holes that ageing left only in part: what does not fit there is placed anew, in order.",
}, [](enrolment& into) {
  for (const heap_state state : {heap_state::empty, heap_state::aged})
    every_strategy(beside(state, {sizeof(node), nodes}), [&]<owns Strategy>(contender<Strategy> by) {
      if (std::is_same_v<Strategy, mmap_> || std::is_same_v<Strategy, none>) return;  // one a page; one for all
      into.add(
          by.name, {{"heap", name_of(state)}}, [=] { return std::make_shared<world<Strategy>>(by, state); }, walk<Strategy>);
    });
});

}  // namespace
}  // namespace stackheap

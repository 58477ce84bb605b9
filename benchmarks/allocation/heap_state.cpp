// Does it matter what else is live, and whether the program has ever had a second thread?
#include <algorithm>
#include <optional>

#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// Heaps that were aged in this process: a later `empty` would not be.
std::vector<std::string>& aged_here() {
  static std::vector<std::string> names;
  return names;
}

/// What a strategy that only lends has live beside it is live on the process's heap.
template <class Strategy>
struct world {
  using owner_type = std::conditional_t<owns<Strategy>, Strategy, new_delete>;

  world(contender<Strategy> by, std::size_t bytes, heap_state state, bool ever_threads) : strategy(by.make()) {
    if (ever_threads) have_had_threads();
    if (!ever_threads && had_threads()) throw wrong_work("this process has had a thread: run this benchmark in one of its own");
    std::vector<std::string>& aged = aged_here();
    if (state != heap_state::aged && std::find(aged.begin(), aged.end(), by.name) != aged.end())
      throw wrong_work("this heap was aged before: run this benchmark in a process of its own");
    if (state == heap_state::aged) aged.push_back(by.name);
    heap.emplace(owner(), state, std::vector{bytes});
  }

  Strategy strategy;
  new_delete process_heap{{}};
  std::optional<on_heap<owner_type>> heap;

 private:
  owner_type& owner() {
    if constexpr (owns<Strategy>) return strategy;
    else return process_heap;
  }
};

template <class Strategy>
void take_and_give_back(benchmark::State& state, world<Strategy>& at, std::size_t bytes) {
  bytes = opaque(bytes);
  const measured measuring(state);
  for (auto _ : state) lend(at.strategy, bytes, touch_first{});
}

void enroll_state(enrolment& into, std::size_t bytes, heap_state state, bool ever_threads) {
  every_strategy(beside(state, {bytes, 1}), [&]<class Strategy>(contender<Strategy> by)
                   requires(lends<Strategy> || owns<Strategy>)
  {
    if (std::is_same_v<Strategy, mmap_>) return;  // 65,536 mappings are more than a process may have
    into.add(
        by.name, {{"bytes", bytes}, {"state", name_of(state)}, {"threads", ever_threads ? "ever" : "never"}},
        [=] {
          auto made = std::make_shared<world<Strategy>>(by, bytes, state, ever_threads);
          verify_lends(made->strategy, bytes);
          return made;
        },
        [=](benchmark::State& at, world<Strategy>& in) { take_and_give_back(at, in, bytes); });
  });
}

const family heap_states({
    .question = "Does taking memory cost more on an empty, a lived-in or an aged heap, or once a thread has existed?",
    .operation = "take 64 bytes (or 2,048, more than glibc keeps in a thread's own cache), write the first, give them back",
    .untimed = "putting the heap into its state, one verified round",
    .heap = "empty: nothing of ours is live; resident: four live blocks of the same size; aged: 65,536 blocks of 16 to 1,024 B "
            "allocated, a random half freed",
    .unfairness = "Each state is measured in a process of its own, or an empty heap would be one that was aged before. The "
                  "process's own malloc is never quite empty: the program and its libraries live there. For a strategy that "
                  "only lends, such as the stack, the state is that of the process's heap.",
    .parts = {"^heap_state/.*/state:empty/threads:never$", "^heap_state/.*/state:resident/threads:never$",
              "^heap_state/.*/state:aged/threads:never$", "^heap_state/.*/state:empty/threads:ever$",
              "^heap_state/.*/state:resident/threads:ever$", "^heap_state/.*/state:aged/threads:ever$"},
    .before_threads = true,
}, [](enrolment& into) {
  for (const bool ever_threads : {false, true})
    for (const heap_state state : {heap_state::empty, heap_state::resident, heap_state::aged})
      for (const std::size_t bytes : into.pick<std::size_t>({64}, {64, 2048}, {64, 2048})) enroll_state(into, bytes, state, ever_threads);
});

}  // namespace
}  // namespace stackheap

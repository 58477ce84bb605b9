// Does the cost depend on other live blocks, and on whether the program has ever had a second thread?
#include <optional>

#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// For a strategy that only lends, the live blocks are on the process's heap.
template <class Strategy>
struct fixture {
  using owner_type = std::conditional_t<owns<Strategy>, Strategy, new_delete>;

  fixture(strategy_factory<Strategy> factory, std::size_t bytes, heap_state state, bool ever_threads) : strategy(factory.make()) {
    if (ever_threads) have_had_threads();
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
void take_and_give_back(benchmark::State& state, fixture<Strategy>& at, std::size_t bytes) {
  bytes = hide(bytes);
  const measured measuring(state);
  for (auto _ : state) lend(at.strategy, bytes, touch_first{});
}

void add_state(benchmark_registry& registry, std::size_t bytes, heap_state state, bool ever_threads) {
  every_strategy(beside(state, {bytes, 1}), [&]<class Strategy>(strategy_factory<Strategy> factory)
                   requires(lends<Strategy> || owns<Strategy>)
  {
    if (std::is_same_v<Strategy, mmap_>) return;  // a process may not have 65,536 mappings
    registry.add(
        factory.name, {{"bytes", bytes}, {"state", name_of(state)}, {"threads", ever_threads ? "ever" : "never"}},
        [=] {
          auto made = std::make_shared<fixture<Strategy>>(factory, bytes, state, ever_threads);
          verify_lends(made->strategy, bytes);
          return made;
        },
        [=](benchmark::State& at, fixture<Strategy>& in) { take_and_give_back(at, in, bytes); });
  });
}

const family heap_states({
    .question = "Does taking memory cost more on an empty, a resident or an aged heap, or after a thread has existed?",
    .operation = "take 64 bytes (or 2,048, more than glibc keeps in a thread's own cache), write the first byte, free "
                 "the block",
    .untimed = "bringing the heap into its state; one verified round",
    .heap = "empty: the benchmark has no live block; resident: a few live blocks of the same size; aged: 65,536 blocks "
            "of 16 to 1,024 B were allocated and a random half of them freed",
    .held_against = "none: the same round with one block that always exists; state:empty of the same malloc is what "
                    "a state adds to",
    .controls = "^heap_state/none/",
    .unfairness = "The heap of the process's own malloc is never completely empty: the program and its libraries use "
                  "it. For a strategy that only lends, such as the stack, the state is that of the process's heap.",
    .before_threads = true,
    .core = {"^heap_state/(glibc|malloc)/bytes:64/state:(resident|aged)/threads:ever$"},
    .operations = {{.benchmark = "heap_state/witness/bytes:64/state:empty/threads:ever",
                    .notes = one_block(64, {{"first_written", 1}}), .calls = 2, .in_process = {{"live_at_last_taking", 1}}},
                   {.benchmark = "heap_state/witness/bytes:64/state:resident/threads:ever",
                    .notes = one_block(64, {{"first_written", 1}}), .calls = 2, .in_process = {{"live_at_last_taking", live_beside_resident(1, 64)}}},
                   {.benchmark = "heap_state/witness/bytes:64/state:aged/threads:ever",
                    .notes = one_block(64, {{"first_written", 1}}), .calls = 2, .in_process = {{"live_at_last_taking", 32769}}}},
}, [](benchmark_registry& registry) {
  for (const bool ever_threads : {false, true})
    for (const heap_state state : {heap_state::empty, heap_state::resident, heap_state::aged})
      for (const std::size_t bytes : registry.pick<std::size_t>({64}, {64, 2048}, {64, 2048})) {
        // An aged heap takes longer to make than to measure; of the larger block, a quick run asks for the threads only.
        if (registry.chosen() == profile::quick && bytes > 64 && state != heap_state::resident) continue;
        add_state(registry, bytes, state, ever_threads);
      }
});

}  // namespace
}  // namespace stackheap

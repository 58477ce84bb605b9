// What does it cost when one thread allocates and another frees?
#include <atomic>

#include "heap.hpp"
#include "measure.hpp"
#include "queue.hpp"
#include "team_heap.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t bytes = 64;
constexpr std::int64_t blocks_a_round = 1 << 12;

/// The number in a block: atomic, which costs nothing, because both threads use the one block of the control at once.
std::atomic_ref<std::int64_t> number_in(void* block) { return std::atomic_ref(*static_cast<std::int64_t*>(block)); }

template <shares Strategy>
struct fixture {
  fixture(strategy_factory<Strategy> factory, unsigned pairs)
      : strategy(factory.make()), heap(strategy, heap_state::resident, {bytes}), threads(2 * pairs) {
    for (unsigned pair = 0; pair < pairs; ++pair) queues.push_back(std::make_unique<handoff_queue>());
    consumed.resize(pairs);
    threads.round([this](unsigned thread) { round(thread); });
    verify();
  }

  /// Thread 2i allocates and writes; thread 2i+1 reads, frees and counts. Each block carries its number.
  void round(unsigned thread) {
    handoff_queue& queue = *queues[thread / 2];
    if (thread % 2 == 0) {
      for (std::int64_t i = 0; i < blocks_a_round; ++i) {
        void* const block = ::new (strategy.allocate(bytes)) std::int64_t;
        number_in(block).store(i, std::memory_order_relaxed);
        queue.push(block);
      }
    } else {
      std::int64_t sum = 0;
      for (std::int64_t i = 0; i < blocks_a_round; ++i) {
        void* const block = queue.pop();
        sum += number_in(block).load(std::memory_order_relaxed);
        strategy.deallocate(block, bytes);
      }
      consumed[thread / 2].sum = sum;
    }
  }

  void verify() const {
    for (const tally& received : consumed)
      if (!std::is_same_v<Strategy, none> && received.sum != blocks_a_round * (blocks_a_round - 1) / 2)
        throw verification_error("a block was lost or changed on its way");
  }

  struct alignas(128) tally {
    std::int64_t sum = 0;
  };

  Strategy strategy;
  on_heap<Strategy> heap;
  team threads;
  std::vector<std::unique_ptr<handoff_queue>> queues;
  std::vector<tally> consumed;
};

const family handoff({
    .question = "What does it cost when one thread allocates and another frees?",
    .operation = "one thread allocates 64 B, writes a number and passes the block on; another thread reads the number "
                 "and frees the block; all pairs at once, timed until all are done",
    .untimed = "blocks that threads of another process mark, hold and check at once; starting and pinning the threads; "
               "one verified round, and more for 10 ms",
    .heap = "resident: at least four live blocks of the same size",
    .held_against = "none: the same block goes through the queue: the cost of the queue, the team, and a cache line "
                    "that travels",
    .controls = "^handoff/none/",
    .unfairness = "The queue holds 256 blocks; a producer that is ahead waits, so the slower side sets the pace. A "
                  "pair on one core takes turns instead of working in parallel.",
    .core = {"^handoff/(glibc|malloc)/pairs:1$"},
    .operations = {{"handoff/witness/pairs:1", one_block(64, {{"first_written", nearly_all}, {"frees_elsewhere", 1}}), 1}},
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  const unsigned most = std::max(1U, this_machine().cores() / 2);
  std::vector<unsigned> counts{1};
  if (registry.chosen() != profile::smoke)
    for (const unsigned pairs : thread_counts(most))
      if (pairs > 1 && pairs <= most) counts.push_back(pairs);
  for (const unsigned pairs : counts)
    every_strategy(beside(heap_state::resident, {bytes, 1}), [&]<shares Strategy>(strategy_factory<Strategy> factory) {
      if (std::is_same_v<Strategy, mmap_>) return;
      registry.add(
          factory.name, {{"pairs", pairs}},
          [=] {
            verify_apart(factory, 2 * pairs, std::vector<std::uint32_t>(1024, bytes));
            return std::make_shared<fixture<Strategy>>(factory, pairs);
          },
          [](benchmark::State& state, fixture<Strategy>& in) {
            measure_rounds(state, in.threads, blocks_a_round, [&](unsigned thread) { in.round(thread); });
            in.verify();
            state.counters["items_per_second"] = state.counters["items_per_second"] / 2;  // two threads an item
          });
    });
});

}  // namespace
}  // namespace stackheap

// Does a malloc scale when each thread keeps to itself, with the smallest blocks there are?
// The workload is that of E. Berger, K. McKinley, R. Blumofe and P. Wilson ("Hoard: a scalable memory allocator for
// multithreaded applications", ASPLOS 2000). Theirs divides 100,000 blocks among its threads, so that ideal time falls
// with threads; here each thread has a batch of 10,000 whatever their number, so that ideal time is flat, as in the
// other families. The optional work between two calls, which theirs has, is left out: the price of the calls is what is
// asked.
#include "heap.hpp"
#include "measure.hpp"
#include "team_heap.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t bytes = 8;
constexpr std::size_t batch = 10'000;

template <shares Strategy>
struct world {
  world(contender<Strategy> by, unsigned count)
      : heap(by, count), threads(count), batches(count, std::vector<std::uint64_t*>(batch)) {
    if (std::is_same_v<Strategy, none>) return;  // the control's blocks are one and the same
    threads.round([this](unsigned thread) { allocate(thread); });
    for (const auto& each : batches)
      for (std::size_t i = 0; i < batch; ++i)
        if (*each[i] != number(each, i)) throw wrong_work("two blocks overlap");
    threads.round([this](unsigned thread) { free(thread); });
  }

  /// Each block's content: unlike any other's, whichever thread's.
  static std::uint64_t number(const std::vector<std::uint64_t*>& blocks, std::size_t index) {
    return reinterpret_cast<std::uintptr_t>(blocks.data() + index);
  }

  void allocate(unsigned thread) {
    Strategy& strategy = heap.of(thread);
    std::vector<std::uint64_t*>& blocks = batches[thread];
    for (std::size_t i = 0; i < batch; ++i) {
      blocks[i] = ::new (strategy.allocate(bytes)) std::uint64_t{number(blocks, i)};
      escape(blocks[i]);
    }
  }

  void free(unsigned thread) {
    Strategy& strategy = heap.of(thread);
    for (std::uint64_t* block : batches[thread]) strategy.deallocate(block, bytes);
  }

  team_heap<Strategy> heap;
  team threads;
  std::vector<std::vector<std::uint64_t*>> batches;
};

const family threadtest({
    .question = "Does a malloc scale when each thread allocates and frees small blocks of its own?",
    .operation = "allocate 8 B and write them; when 10,000 are there, free them in the order of their making; by each "
                 "thread at once, timed until all are done",
    .untimed = "starting and pinning the threads, one checked batch",
    .heap = "empty but for the blocks of the batch",
    .unfairness = "Mallocs differ in how large their smallest block is, so in how much of a batch the cache holds. "
                  "From more threads than cores on, threads take turns: the time per operation grows with the turns.",
}, [](enrolment& into) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : into.chosen() == profile::smoke ? std::vector{1U, 2U} : thread_counts(cores))
    every_strategy({team_heap<none>::apart_bytes, 1}, [&]<shares Strategy>(contender<Strategy> by) {
      if (std::is_same_v<Strategy, mmap_>) return;  // a page a block
      into.add(
          by.name, {{"threads", count}}, [=] { return std::make_shared<world<Strategy>>(by, count); },
          [](benchmark::State& state, world<Strategy>& in) {
            measure_rounds(state, in.threads, batch, [&](unsigned thread) {
              in.allocate(thread);
              in.free(thread);
            });
          });
    });
});

}  // namespace
}  // namespace stackheap

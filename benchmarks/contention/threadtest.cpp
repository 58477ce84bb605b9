// Does a malloc scale when each thread uses only blocks of its own, of the smallest size?
// The workload is that of E. Berger, K. McKinley, R. Blumofe and P. Wilson ("Hoard: a scalable memory allocator for
// multithreaded applications", ASPLOS 2000). The original divides 100,000 blocks among its threads, so that the ideal
// time falls with the number of threads; here each thread has a batch of 10,000 whatever their number, so that the ideal
// time is flat, as in the other families. The optional work between two calls of the original is left out: only the calls
// are measured.
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
struct fixture {
  fixture(strategy_factory<Strategy> factory, unsigned count)
      : heap(factory, count), threads(count), batches(count, std::vector<std::uint64_t*>(batch)) {
    if (std::is_same_v<Strategy, none>) return;  // the control's blocks are one and the same
    threads.round([this](unsigned thread) { allocate(thread); });
    for (const auto& blocks : batches)
      for (std::size_t i = 0; i < batch; ++i)
        if (*blocks[i] != number(blocks, i)) throw verification_error("two blocks overlap");
    threads.round([this](unsigned thread) { free(thread); });
  }

  /// The content of a block: different from that of any other block of any thread.
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
    .question = "Does a malloc scale when every thread allocates and frees small blocks of its own?",
    .operation = "allocate 8 B and write them; after 10,000 blocks, free them in the order of allocation; all threads "
                 "at once, timed until all are done",
    .untimed = "starting and pinning the threads; one verified batch",
    .heap = "empty apart from the blocks of the batch",
    .unfairness = "Mallocs differ in the size of their smallest block, and therefore in the part of a batch that fits "
                  "into the cache. With more threads than cores, threads take turns: the time of an operation grows "
                  "with the turns.",
    .operations = {{"threadtest/witness/threads:1", one_block(8, {{"first_written", 1}, {"frees_up", nearly_all}}), 2},
                   {.benchmark = "threadtest/witness/threads:2", .notes = one_block(8, {{"frees_elsewhere", 0}}), .calls = 2,
                    .workers = 2}},
}, [](benchmark_registry& registry) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : registry.chosen() == profile::smoke ? std::vector{1U, 2U} : thread_counts(cores))
    every_strategy({team_heap<none>::apart_bytes, 1}, [&]<shares Strategy>(strategy_factory<Strategy> factory) {
      if (std::is_same_v<Strategy, mmap_>) return;  // a page a block
      registry.add(
          factory.name, {{"threads", count}}, [=] { return std::make_shared<fixture<Strategy>>(factory, count); },
          [](benchmark::State& state, fixture<Strategy>& in) {
            measure_rounds(state, in.threads, batch, [&](unsigned thread) {
              in.allocate(thread);
              in.free(thread);
            });
          });
    });
});

}  // namespace
}  // namespace stackheap

// Does a malloc scale when each thread uses only blocks of its own, of the smallest size?
// The workload is that of E. Berger, K. McKinley, R. Blumofe and P. Wilson ("Hoard: a scalable memory allocator for
// multithreaded applications", ASPLOS 2000). The original divides its blocks among its threads (100,000 in the paper,
// 30,000 by default in Hoard's benchmarks/threadtest), so that the ideal time falls with the number of threads; here each
// thread has a batch of that many whatever the number of threads, so that the ideal time is flat, as in the other families.
// A batch of 10,000 fits the caches of many cores, and a batch of 30,000 does not, which changes the order of the mallocs:
// both are arguments. The optional work between two calls of the original is left out: only the calls are measured.
#include <algorithm>

#include "heap.hpp"
#include "measure.hpp"
#include "team_heap.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t bytes = 8;
constexpr std::size_t published_count = 30'000;
constexpr std::size_t blocks_checked = 4096;  ///< held by each thread at once while the memory is verified

template <shares Strategy>
struct fixture {
  fixture(strategy_factory<Strategy> factory, std::size_t batch, unsigned count)
      : heap(factory, count), threads(count), batches(count, std::vector<std::uint64_t*>(batch)) {}

  void allocate(unsigned thread) {
    Strategy& strategy = heap.of(thread);
    for (std::uint64_t*& block : batches[thread]) {
      block = ::new (strategy.allocate(bytes)) std::uint64_t{1};
      escape(block);
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
    .operation = "allocate 8 B and write them; after as many blocks as the name says, free them in the order of "
                 "allocation; all threads at once, timed until all are done",
    .untimed = "batches that threads of another process mark, hold and check at once; starting and pinning the threads; "
               "rounds for 10 ms",
    .heap = "empty apart from the blocks of the batch",
    .held_against = "none: the same loops and writes, with one block that always exists",
    .controls = "^threadtest/none/",
    .unfairness = "Mallocs differ in the size of their smallest block, and therefore in the part of a batch that fits "
                  "into the cache. With more threads than cores, threads take turns: the time of an operation grows "
                  "with the turns.",
    .operations = {{"threadtest/witness/count:10000/threads:1", one_block(8, {{"first_written", 1}, {"frees_up", nearly_all}}), 2},
                   {.benchmark = "threadtest/witness/count:10000/threads:2",
                    .notes = one_block(8, {{"frees_elsewhere", 0}}), .calls = 2, .workers = 2}},
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : registry.chosen() == profile::smoke ? std::vector{1U, 2U} : thread_counts(cores))
    for (const std::size_t batch : registry.pick<std::size_t>({10'000}, {10'000, published_count}, {10'000, published_count})) {
      if (batch == published_count && registry.chosen() == profile::quick && count > std::max(2U, cores)) continue;
      every_strategy({team_heap<none>::apart_bytes, 1}, [&]<shares Strategy>(strategy_factory<Strategy> factory) {
        if (std::is_same_v<Strategy, mmap_>) return;  // a page a block
        registry.add(
            factory.name, {{"count", batch}, {"threads", count}},
            [=] {
              verify_apart(factory, count, std::vector<std::uint32_t>(blocks_checked, bytes));
              return std::make_shared<fixture<Strategy>>(factory, batch, count);
            },
            [=](benchmark::State& state, fixture<Strategy>& in) {
              measure_rounds(state, in.threads, static_cast<std::int64_t>(batch), [&](unsigned thread) {
                in.allocate(thread);
                in.free(thread);
              });
            });
      });
    }
});

}  // namespace
}  // namespace stackheap

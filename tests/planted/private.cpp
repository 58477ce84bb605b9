// The same on two threads at once: as noisy as benchmarks get.
#include "replacing.hpp"
#include "slowdown.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

constexpr unsigned threads = 2;
/// In a round, so that starting and ending together does not count. Always as many: Google Benchmark's repetitions must
/// have one number of iterations, which measure_rounds() would draw anew in each.
constexpr std::int64_t round_operations = 25'000;

struct fixture {
  explicit fixture(const loaded_malloc& functions) : workers(threads), shares(threads) {
    workers.round([&](unsigned thread) { shares[thread] = std::make_unique<replacing>(functions, seed + thread); });
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  ~fixture() {
    workers.round([&](unsigned thread) { shares[thread].reset(); });
  }

  team workers;
  std::vector<std::unique_ptr<replacing>> shares;
};

const family privates({
    .question = "Is a slowdown found where two threads work at once?",
    .operation = "what `churn` does, by each of two threads on blocks of its own, timed until both are done",
    .untimed = "starting and pinning the threads, filling each one's heap",
    .heap = "each thread's 1,000 live blocks",
    .held_against = "no control: each side of a comparison is held against the other side",
    .unfairness = "Two threads on one core take turns.",
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  for (const malloc_library& library : malloc_libraries()) {
    if (!library.available()) continue;
    const std::int64_t made = with_slowdown(round_operations);
    registry.add(
        library.name, {{"threads", threads}}, [&library] { return std::make_shared<fixture>(library.load()); },
        [=](benchmark::State& state, fixture& in) {
          measured measuring(state, threads);
          in.workers.start_counting();
          while (state.KeepRunningBatch(round_operations))
            in.workers.round([&](unsigned thread) { in.shares[thread]->stretch(made); });
          measuring.include(in.workers.stop_counting());
        });
  }
});

}  // namespace
}  // namespace stackheap

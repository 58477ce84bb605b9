// The same on two threads at once: as noisy as benchmarks get.
#include "delay.hpp"
#include "replacing.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

constexpr unsigned threads = 2;
/// In a round, so that starting and ending together does not count. Always as many: Google Benchmark's repetitions must
/// have one number of iterations, which measure_rounds() would draw anew in each.
constexpr int stretches = 200;

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
    const std::int64_t additions = additions_for(result_name("private", library.name, {{"threads", threads}}));
    registry.add(
        library.name, {{"threads", threads}}, [&library] { return std::make_shared<fixture>(library.load()); },
        [=](benchmark::State& state, fixture& in) {
          {
            measured measuring(state, threads);
            in.workers.start_counting();
            while (state.KeepRunningBatch(stretches * replacing::stretch_operations))
              in.workers.round([&](unsigned thread) {
                for (int i = 0; i < stretches; ++i) in.shares[thread]->stretch(), delay(additions);
              });
            measuring.include(in.workers.stop_counting());
          }
          show_stretch(state, replacing::stretch_operations);
        });
  }
});

}  // namespace
}  // namespace stackheap

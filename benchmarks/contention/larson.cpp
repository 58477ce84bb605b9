// What does a malloc cost in a server whose threads end and leave their blocks to the next threads? The workload is P.
// Larson and M. Krishnan's ("Memory allocation for long-running server applications", ISMM 1998). The original runs for
// seconds and reports operations per second; each of its threads lives for rounds times blocks replacements (500,000 as
// mimalloc-bench runs it: "larson 5 8 1000 5000 100 4141"), starts its successor itself, and draws sizes while the clock
// runs; mimalloc-bench gives each thread 5,000 blocks, here it has 1,000. With lives of 16,384 replacements the end of a
// thread, where a malloc gives up what it kept for it, costs as much as many replacements and changes the order of the
// mallocs: both lives are arguments. Here a thread that stays starts every next thread, so that the time ends when all
// have ended; sizes and slots are drawn before, and a long life repeats its 16,384; and a block carries its size, so that
// the bytes taken and freed can be compared.
#include "larson.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

#include "measured_process.hpp"
#include "team_heap.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t short_life = server_line<none>::drawn;
constexpr std::size_t published_life = 500'000;

template <shares Strategy>
struct fixture {
  using line = server_line<Strategy>;

  /// One thread takes all first blocks, as in the published workload.
  fixture(strategy_factory<Strategy> factory, unsigned count) : heap(factory, count), threads(count), refused(count) {
    generator random(seed);
    for (unsigned thread = 0; thread < count; ++thread)
      lines.push_back(std::make_unique<line>(heap.of(thread), random));
    threads.round([this](unsigned thread) { generation(thread, short_life); });
    verify();
  }

  /// One thread starts, inherits a line's blocks and its processor, lives for so many replacements and ends.
  void generation(unsigned thread, std::size_t life) noexcept {
    try {
      std::thread([&] { lines[thread]->live_once(life); }).join();
    } catch (const std::system_error&) {
      refused[thread] = true;
    }
  }

  void verify() const {
    for (const bool failed : refused)
      if (failed) throw verification_error("the system refused to start a thread");
    if constexpr (!std::is_same_v<Strategy, none>)  // the control's blocks are one and the same
      for (const auto& server : lines)
        if (!server->balanced()) throw verification_error("a block was lost or changed on its way from thread to thread");
  }

  team_heap<Strategy> heap;
  team threads;
  std::vector<std::unique_ptr<line>> lines;
  std::vector<char> refused;
};

/// A number of generations of such lives that take at least `seconds`, estimated from two generations of short lives.
template <shares Strategy>
std::int64_t generations_in(double seconds, fixture<Strategy>& in, std::size_t life) {
  double fastest = seconds;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto start = std::chrono::steady_clock::now();
    in.threads.round([&](unsigned thread) { in.generation(thread, short_life); });
    fastest = std::min(fastest, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const double lives = static_cast<double>(short_life) / static_cast<double>(life);
  return static_cast<std::int64_t>(1.5 * seconds / fastest * lives) + 1;
}

template <shares Strategy>
void serve(benchmark::State& state, fixture<Strategy>& in, std::size_t life, double seconds) {
  if (in.threads.repeats == 0) in.threads.repeats = generations_in(seconds, in, life);
  const std::int64_t generations = in.threads.repeats;
  const std::function<void(unsigned)> many = [&](unsigned thread) {
    for (std::int64_t i = 0; i < generations; ++i) in.generation(thread, life);
  };
  const std::int64_t replacements = generations * static_cast<std::int64_t>(life);
  const line_trips trips(state, in.threads);
  {
    const measured_process measuring(state, in.threads.size());
    while (state.KeepRunningBatch(replacements)) in.threads.round(many);
  }
  in.verify();
}

const family larson({
    .question = "What does a malloc cost in a server whose threads end and leave their blocks to the next threads?",
    .operation = "replace a random block of 1,000 blocks by a block of 8 to 1,000 B; after as many replacements as "
                 "its life has, the thread ends and a new thread takes over its blocks; all lines of threads at once, "
                 "timed until all are done",
    .untimed = "blocks that threads of another process mark, hold and check at once; taking the first blocks, on one thread; "
               "drawing the replacements; one verified generation",
    .heap = "the 1,000 live blocks of every line of threads",
    .held_against = "none: the same replacements and the same starts of threads, with one block that always exists",
    .controls = "^larson/none/",
    .unfairness = "Starting and ending a thread is timed, once in a life, and so is the work of a malloc at that moment: "
                  "the control none shows the start without that work. In lives of 16,384 replacements it can cost as "
                  "much as the replacements; lives of 500,000 are the published ones. A new thread runs on the processor "
                  "of the old thread. The timed path has no locks other than those of the malloc and of starting "
                  "threads. Page faults are those of the whole process; hardware counts, which end with their thread, "
                  "are absent.",
    .operations = {{.benchmark = "larson/witness/life:16384/threads:2",
                    .notes = one_block({495, 513}, {{"first_written", nearly_all}}), .calls = 2, .workers = 2,
                    .in_process = {{"live", 0}}}},
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  // The team only waits here. Google Benchmark ends a measurement by the processor time of its first thread, or after
  // five times the requested time on the wall clock: a batch takes that long, or ten times as many operations would be
  // tried again and again.
  const double seconds = registry.chosen() == profile::smoke ? 0.0025 : registry.chosen() == profile::quick ? 0.025 : 0.1;
  const unsigned cores = this_machine().cores();
  for (const unsigned count : registry.chosen() == profile::smoke ? std::vector{2U} : thread_counts(cores)) {
    if (registry.chosen() == profile::quick && count > std::max(2U, cores)) continue;
    for (const std::size_t life : registry.pick({short_life}, {short_life, published_life}, {short_life, published_life}))
      every_strategy({server_line<none>::max_bytes, 1}, [&]<shares Strategy>(strategy_factory<Strategy> factory) {
        if (std::is_same_v<Strategy, mmap_>) return;  // would measure the kernel's lock on its mappings
        // One such life takes tens of milliseconds: a quick run compares the malloc libraries only.
        const bool compared = std::is_same_v<Strategy, loaded_malloc> || std::is_same_v<Strategy, none>;
        if (life == published_life && registry.chosen() == profile::quick && !compared) return;
        registry.add(
            factory.name, {{"life", life}, {"threads", count}},
            [=] {
              generator random(seed);
              std::vector<std::uint32_t> sizes(server_line<none>::live);
              for (std::uint32_t& bytes : sizes) bytes = server_line<none>::draw(random);
              verify_apart(factory, count, sizes);
              return std::make_shared<fixture<Strategy>>(factory, count);
            },
            [=](benchmark::State& state, fixture<Strategy>& in) { serve(state, in, life, seconds); });
      });
  }
});

}  // namespace
}  // namespace stackheap

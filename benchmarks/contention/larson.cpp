// What does a malloc cost in a server, whose threads come and go and leave their blocks to the next?
// The workload is P. Larson and M. Krishnan's ("Memory allocation for long-running server applications", ISMM 1998).
// Theirs runs for seconds and reports operations a second; its threads live for as many replacements as rounds times
// blocks, each starts its successor itself, and sizes are drawn while the clock runs. Here a life is 16,384
// replacements, so that many fit into a short measurement; a thread that stays starts each next one, so that time ends
// when all have; sizes and slots are drawn before; and a block carries its size, so that what is taken and given back
// can be compared.
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

template <shares Strategy>
struct world {
  using line = server_line<Strategy>;

  /// All first blocks are taken by one thread, as the published workload does.
  world(contender<Strategy> by, unsigned count) : heap(by, count), threads(count), refused(count) {
    generator random(seed);
    for (unsigned thread = 0; thread < count; ++thread)
      lines.push_back(std::make_unique<line>(heap.of(thread), random));
    threads.round([this](unsigned thread) { generation(thread); });
    verify();
  }

  /// One thread starts, inherits a line's blocks and its processor, lives and ends.
  void generation(unsigned thread) noexcept {
    try {
      std::thread([&] { lines[thread]->live_once(); }).join();
    } catch (const std::system_error&) {
      refused[thread] = true;
    }
  }

  void verify() const {
    for (const bool each : refused)
      if (each) throw wrong_work("the system refused a thread");
    if constexpr (!std::is_same_v<Strategy, none>)  // the control's blocks are one and the same
      for (const auto& each : lines)
        if (!each->balanced()) throw wrong_work("a block was lost or changed on its way from thread to thread");
  }

  team_heap<Strategy> heap;
  team threads;
  std::vector<std::unique_ptr<line>> lines;
  std::vector<char> refused;
};

/// How many generations take so many seconds at least, as long as none is much faster than two that are looked at.
std::int64_t generations_in(double seconds, team& threads, const std::function<void(unsigned)>& generation) {
  double fastest = seconds;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto start = std::chrono::steady_clock::now();
    threads.round(generation);
    fastest = std::min(fastest, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return static_cast<std::int64_t>(1.5 * seconds / fastest) + 1;
}

template <shares Strategy>
void serve(benchmark::State& state, world<Strategy>& in, double seconds) {
  const std::function<void(unsigned)> generation = [&](unsigned thread) { in.generation(thread); };
  if (in.threads.repeats == 0) in.threads.repeats = generations_in(seconds, in.threads, generation);
  const std::int64_t generations = in.threads.repeats;
  const std::function<void(unsigned)> many = [&](unsigned thread) {
    for (std::int64_t i = 0; i < generations; ++i) in.generation(thread);
  };
  const std::int64_t replacements = generations * static_cast<std::int64_t>(server_line<Strategy>::drawn);
  {
    const measured_process measuring(state, in.threads.size());
    while (state.KeepRunningBatch(replacements)) in.threads.round(many);
  }
  in.verify();
}

const family larson({
    .question = "What does a malloc cost in a server, whose threads end and leave their blocks to the next?",
    .operation = "replace a random one of 1,000 blocks by one of 8 to 1,000 B; after 16,384 replacements the thread "
                 "ends and a new one takes over its blocks; by each line of threads at once, timed until all are done",
    .untimed = "taking the first blocks, on one thread; drawing the replacements; one checked generation",
    .heap = "the 1,000 live blocks of each line of threads",
    .unfairness = "Starting and ending a thread is timed, once in 16,384 operations, as is what a malloc does then: "
                  "the control none shows the start without it. A new thread runs where the old one ran. There is no "
                  "lock in the timed path but those of the malloc and of the start of threads. Page faults are the "
                  "whole process's; hardware counts, which end with their thread, are absent.",
}, [](enrolment& into) {
  // The team only waits here, and Google Benchmark ends by the processor time of its first thread, or by five times the
  // wanted time on the wall clock: that long a batch is, or it would try ten times as many operations again and again.
  const double seconds = into.chosen() == profile::smoke ? 0.0025 : into.chosen() == profile::quick ? 0.025 : 0.1;
  const unsigned cores = this_machine().cores();
  for (const unsigned count : into.chosen() == profile::smoke ? std::vector{2U} : thread_counts(cores)) {
    if (into.chosen() == profile::quick && count > std::max(2U, cores)) continue;
    every_strategy({server_line<none>::max_bytes, 1}, [&]<shares Strategy>(contender<Strategy> by) {
      if (std::is_same_v<Strategy, mmap_>) return;  // measures the system's lock on its maps
      into.add(
          by.name, {{"threads", count}}, [=] { return std::make_shared<world<Strategy>>(by, count); },
          [=](benchmark::State& state, world<Strategy>& in) { serve(state, in, seconds); });
    });
  }
});

}  // namespace
}  // namespace stackheap

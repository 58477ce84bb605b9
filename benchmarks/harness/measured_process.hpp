// What surrounds a timed loop whose work is done by threads that end inside it?
#pragma once

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <chrono>

#include "measure.hpp"

namespace stackheap {

/// Is made before a timed loop, like `measured`. The hardware counts of a thread end with it, and opening them in every
/// thread would cost more than the thread: so they are absent. Page faults are those of the whole process. The rate
/// uses the wall clock: Google Benchmark would divide by the processor time of the calling thread, which does not do
/// the work.
class measured_process {
 public:
  /// `threads` do one operation each per iteration of the state.
  explicit measured_process(benchmark::State& state, unsigned threads = 1)
      : state_(state), threads_(threads), faults_before_(page_faults()), start_(clock::now()) {}
  measured_process(const measured_process&) = delete;
  measured_process& operator=(const measured_process&) = delete;
  ~measured_process() {
    const std::chrono::duration<double> seconds = clock::now() - start_;
    state_.counters["items_per_second"] = static_cast<double>(state_.iterations()) * threads_ / seconds.count();
    const double faults = (page_faults() - faults_before_) / threads_;
    state_.counters["page_faults"] = benchmark::Counter(faults, benchmark::Counter::kAvgIterations);
    speed_before_.show(state_);
  }

  /// Minor and major faults of all threads of this process, ended threads included.
  static double page_faults() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_minflt + usage.ru_majflt);
  }

 private:
  using clock = std::chrono::steady_clock;

  benchmark::State& state_;
  unsigned threads_;
  core_speed speed_before_;
  double faults_before_;
  clock::time_point start_;
};

}  // namespace stackheap

// How is work timed that uses up what was prepared for it, such as a first write to a page? In a few passes, each with
// a preparation of its own that is not timed; the median pass is the result.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace stackheap {

/// Seconds that `work` takes. One pass takes microseconds at least: the two readings of the clock can be neglected.
template <class Work>
double seconds_of(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// For timing::once: runs `pass()` so many times, which prepares, does `operations` operations and returns the seconds
/// that they took. The time of the benchmark is that of one operation of the median pass.
template <class Pass>
void time_passes(benchmark::State& state, std::size_t passes, std::size_t operations, Pass pass) {
  while (state.KeepRunning()) {
    std::vector<double> seconds(passes);
    for (double& taken : seconds) taken = pass();
    std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(passes / 2), seconds.end());
    state.SetIterationTime(seconds[passes / 2] / static_cast<double>(operations));
  }
}

}  // namespace stackheap

// Does the same work take longer on the heap than on the stack? Both are timed by turns in one process: what differs
// between two processes, or from one moment to the next, then differs for both alike.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "measure.hpp"

namespace stackheap {

/// The value of the parameter `homes`: such a benchmark is in no single storage.
inline constexpr const char* both_homes = "stack_and_heap";

/// Turns of each side at least; half of them begin with the stack.
inline constexpr std::int64_t least_turns = 8;

inline double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Calls `on_stack()` and `on_heap()` by turns, each for so many operations. The counters `stack_ns` and `heap_ns` are the
/// medians over the turns of the time of one operation; real_time is the mean over both sides.
template <class OnStack, class OnHeap>
void time_by_turns(benchmark::State& state, std::int64_t operations, OnStack on_stack, OnHeap on_heap) {
  using clock = std::chrono::steady_clock;
  std::vector<double> stack_ns, heap_ns;
  const auto timed = [=](auto& work, std::vector<double>& turns) {
    const clock::time_point before = clock::now();
    work();
    const std::chrono::duration<double, std::nano> taken = clock::now() - before;
    turns.push_back(taken.count() / static_cast<double>(operations));
  };
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(2 * least_turns * operations))
      for (std::int64_t turn = 0; turn < least_turns; turn += 2) {
        timed(on_stack, stack_ns), timed(on_heap, heap_ns);
        timed(on_heap, heap_ns), timed(on_stack, stack_ns);
      }
  }
  state.counters["stack_ns"] = median_of(stack_ns);
  state.counters["heap_ns"] = median_of(heap_ns);
}

}  // namespace stackheap

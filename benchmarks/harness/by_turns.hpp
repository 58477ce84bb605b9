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

/// Calls `work` with the side on the stack and the side on the heap by turns, each for so many operations. The counters
/// `stack_ns` and `heap_ns` are the medians over the turns of the time of one operation; real_time is the mean over both
/// sides. One call site serves both: two copies of a loop may differ in speed by their place in the code alone.
template <class Side, class Work>
void time_by_turns(benchmark::State& state, std::int64_t operations, Side& on_stack, Side& on_heap, Work work) {
  using clock = std::chrono::steady_clock;
  Side* const sides[] = {&on_stack, &on_heap};
  std::vector<double> turns_ns[2];
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(2 * least_turns * operations))
      for (std::int64_t turn = 0; turn < 2 * least_turns; ++turn) {
        const std::int64_t side = (turn + 1) / 2 % 2;  // stack, heap, heap, stack
        const clock::time_point before = clock::now();
        work(*hide(sides[side]));
        const std::chrono::duration<double, std::nano> taken = clock::now() - before;
        turns_ns[side].push_back(taken.count() / static_cast<double>(operations));
      }
  }
  state.counters["stack_ns"] = median_of(turns_ns[0]);
  state.counters["heap_ns"] = median_of(turns_ns[1]);
}

}  // namespace stackheap

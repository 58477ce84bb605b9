// Each benchmark in a process of its own: what did another benchmark leave behind, in the heap, in the branch predictor,
// in a library? Nothing. A malloc's figure does not depend on what else is measured, and its crash costs only its own
// benchmark.
#pragma once

#include <cstddef>
#include <string>

#include "options.hpp"

namespace stackheap {

/// Runs what the filter selects, as Google Benchmark would, and reports it under plain names to standard output and to
/// the file of --benchmark_out. This process only waits: for each benchmark it forks a child, which draws its memory
/// layout, loads the one malloc that it needs, and measures. A child that dies, or takes longer than the limit, is an
/// error of that benchmark. Returns the number of benchmarks.
std::size_t run_apart(options& chosen);

}  // namespace stackheap

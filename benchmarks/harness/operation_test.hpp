// What must one operation of a benchmark do? A family declares it here; tests/python/program/test_operations.py reads the
// declarations from --list=json and compares them with the notes of a malloc that counts its calls
// (tests/cpp/libraries/witness_malloc.cpp).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stackheap {

/// An expected number: exact, or within bounds.
struct bounds {
  constexpr bounds(double exact) : low(exact), high(exact) {}
  constexpr bounds(double least, double most) : low(least), high(most) {}
  double low, high;
};

/// Shares of the operations.
inline constexpr bounds nearly_all{0.9, 1.0}, hardly_any{0, 0.1}, more_than_half{0.5, 0.8};
/// The mean of sizes drawn uniformly from 16 to 1,024, over a stretch of them.
inline constexpr bounds mean_of_uniform_sizes{505, 535};

/// Expected notes of the witness, by name.
using witness_notes = std::vector<std::pair<std::string, bounds>>;

/// What one operation of a benchmark must do.
struct operation_test {
  std::string_view benchmark;      ///< a full name of the smoke profile
  witness_notes notes;             ///< for each operation
  double calls = 0;                ///< calls of the witness that lie within the timed part, at least
  double untimed = 0;              ///< operations that each measurement does besides those it counts
  unsigned workers = 1;            ///< threads that do as many operations each
  witness_notes in_process = {};   ///< notes of the whole process
  bool preload = false;            ///< the witness is the process's malloc; otherwise it is a strategy of the benchmark
};

/// A bound that no processor can beat: each operation takes at least as long as so many dependent additions.
///
/// A load that waits for another takes at least three cycles, a locked instruction four, a call and its return two; a
/// page fault, the start of a thread and a system call take some hundred. The declared numbers leave a factor of two,
/// and more where loads overlap.
struct least_time {
  std::string_view benchmarks;  ///< a regular expression over names, from their beginning on
  double additions;
};

/// For loops of vector instructions, in additions.
inline constexpr double share_of_a_cycle = 0.02;

/// One malloc of that size, one free, and other notes.
inline witness_notes one_block(bounds bytes, witness_notes others = {}) {
  others.insert(others.end(), {{"mallocs", 1}, {"frees", 1}, {"bytes", bytes}, {"wrong_frees", 0}});
  return others;
}

/// For a preloaded witness: so many blocks of that size. The process has blocks of other sizes of its own.
inline witness_notes blocks_of(std::size_t bytes, double count, witness_notes others = {}) {
  others.insert(others.end(), {{"of_size." + std::to_string(bytes), {0.95 * count, 1.05 * count + 0.02}}, {"wrong_frees", 0}});
  return others;
}

}  // namespace stackheap

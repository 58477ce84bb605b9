// What surrounds every timed loop: its operations, the barriers, the counters and the clock.
#pragma once

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

namespace stackheap {

/// Three barriers for the compiler, which make no instructions. escape() is Chandler Carruth's escape (CppCon
/// 2015), keep() is Google Benchmark's DoNotOptimize without its effect on memory, and hide() returns a value that the
/// optimiser cannot know.

/// The compiler must assume that the object behind `pointer`, and all other memory, is read and written.
template <class Value>
inline void escape(Value* pointer) {
  asm volatile("" : : "r"(pointer) : "memory");
}

/// The compiler must compute `value`; memory need not be written for it.
template <class Value>
inline void keep(Value value) {
  asm volatile("" : : "r"(value));
}

/// `value`; the compiler no longer knows where it came from.
template <class Value>
inline Value hide(Value value) {
  asm volatile("" : "+r"(value));
  return value;
}

/// Repeats an untimed operation until a heap keeps what it will keep and the processors are awake: `most` times, or as often
/// as `longest` allows, at least once. What is then timed costs the same in a short measurement and in a long measurement.
template <class Operation>
void settle(int most, std::chrono::milliseconds longest, Operation operation) {
  const auto end = std::chrono::steady_clock::now() + longest;
  do operation();
  while (--most > 0 && std::chrono::steady_clock::now() < end);
}

/// The borrowers: what a program does with a lent block.
struct touch_none {
  static constexpr const char* name = "none";
  void operator()(std::byte* block, std::size_t) const { escape(block); }
};
struct touch_first {
  static constexpr const char* name = "first";
  void operator()(std::byte* block, std::size_t) const {
    *block = std::byte{1};
    escape(block);
  }
};
/// Writes every byte with the C library's memset, for every strategy alike: the size is hidden, because the compiler
/// would write a stack array of known size inline.
struct touch_all {
  static constexpr const char* name = "all";
  void operator()(std::byte* block, std::size_t bytes) const {
    std::memset(block, 1, hide(bytes));
    escape(block);
  }
};

/// Hardware counts of one thread in user mode. A counter that is not available is absent, never zero.
struct counts {
  enum kind { instructions, cycles, branch_misses, cache_misses, dtlb_misses, kinds };
  static constexpr std::array<const char*, kinds> names{"instructions", "cycles", "branch_misses", "cache_misses",
                                                        "dtlb_misses"};
  std::array<std::optional<double>, kinds> values{};
  double page_faults = 0;  ///< minor and major, from getrusage

  counts& operator+=(const counts& more);
};

/// Counts what the calling thread does between start() and stop(). Multiplexed counters are scaled by the kernel's times.
class counting {
 public:
  counting();
  void start();
  counts stop();

 private:
  double faults_before_ = 0;
};

/// "instructions,cycles,..." or "none: REASON", for the context.
std::string available_counters();

/// Nanoseconds that one addition takes when each waits for the one before: one cycle of the core at its present clock.
double ns_per_addition();

/// Nanoseconds for eight independent additions. They keep all adders of the core busy and take up to twice as long when
/// another thread shares the physical core, while the addition above hardly slows down. A virtual machine does not show
/// such a thread; this time does.
double ns_per_eight_additions();

/// The speed of this thread's core when this object is made.
class core_speed {
 public:
  core_speed() : addition_(ns_per_addition()), eight_(ns_per_eight_additions()) {}
  /// Puts the mean of that speed and the present speed into the state's counters, under the names of the two functions.
  void show(benchmark::State& state) const;

 private:
  double addition_;
  double eight_;
};

/// Is made before a timed loop; its destructor, after the loop, adds the counters per operation and the speed of the core
/// to the state. Counts of other threads are added with `include`.
class measured {
 public:
  /// An iteration of the state is so many operations, of all threads together.
  explicit measured(benchmark::State& state, double operations = 1) : state_(state), operations_(operations) {
    counting_.start();
  }
  measured(const measured&) = delete;
  measured& operator=(const measured&) = delete;
  ~measured();

  void include(const counts& others) { total_ += others; }

 private:
  benchmark::State& state_;
  double operations_;
  core_speed speed_before_;
  counting counting_;
  counts total_;
};

}  // namespace stackheap

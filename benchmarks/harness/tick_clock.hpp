// How is a single call timed? By the processor's own counter where that ticks evenly, else by steady_clock; and what is
// the resolution?
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace stackheap {

/// The counter of the processor: x86-64's time-stamp counter, ARM's generic timer. Each reading waits until everything
/// before it is done, and nothing after it begins earlier; stores on their way to the cache are the exception.
class processor_clock {
 public:
  /// Whether it ticks at a constant rate, independent of the core's clock, and can be read.
  static bool usable() {
#if defined(__x86_64__)
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 1U << 8) != 0;  // "invariant TSC"
#elif defined(__aarch64__)
    return true;
#else
    return false;
#endif
  }

  static std::uint64_t now() {
#if defined(__x86_64__)
    std::uint32_t low = 0, high = 0;
    asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
    return std::uint64_t{high} << 32 | low;
#elif defined(__aarch64__)
    std::uint64_t ticks = 0;
    asm volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(ticks) : : "memory");
    return ticks;
#else
    return 0;
#endif
  }

  /// Measured once, by comparing both clocks for two milliseconds.
  static double ns_per_tick() {
    static const double ns = [] {
      const moment before = moment::now();
      while (std::chrono::steady_clock::now() < before.time + std::chrono::milliseconds(2)) {
      }
      const moment after = moment::now();
      const std::chrono::duration<double, std::nano> taken = after.time - before.time;
      return taken.count() / static_cast<double>(after.ticks - before.ticks);
    }();
    return ns;
  }

 private:
  /// Both clocks at once: of several attempts, the attempt with the least time between the two readings.
  struct moment {
    std::chrono::steady_clock::time_point time;
    std::uint64_t ticks;

    static moment now() {
      moment best{};
      auto least = std::numeric_limits<std::uint64_t>::max();
      for (int attempt = 0; attempt < 20; ++attempt) {
        const std::uint64_t before = processor_clock::now();
        const auto time = std::chrono::steady_clock::now();
        const std::uint64_t between = processor_clock::now() - before;
        if (between < least) least = between, best = {time, before + between / 2};
      }
      return best;
    }
  };
};

/// The replacement where the processor has no such counter.
class system_clock_ticks {
 public:
  static std::uint64_t now() {
    const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(since_start / std::chrono::nanoseconds(1));
  }
  static double ns_per_tick() { return 1; }
};

/// Calls `visit` with the better clock of this machine.
template <class Visit>
void with_finest_clock(Visit visit) {
  processor_clock::usable() ? visit(processor_clock{}) : visit(system_clock_ticks{});
}

/// The step in which readings grow: the greatest common divisor of their differences, at least 1.
inline std::uint64_t common_step(std::span<const std::uint64_t> readings) {
  std::uint64_t step = 0;
  for (std::size_t i = 1; i < readings.size(); ++i) step = std::gcd(step, readings[i] - readings[i - 1]);
  return std::max<std::uint64_t>(step, 1);
}

/// The step of a clock in its own ticks: counters may step by more than one tick.
template <class Clock>
std::uint64_t step_of() {
  std::vector<std::uint64_t> readings(1000);
  for (std::uint64_t& reading : readings) reading = Clock::now();
  return common_step(readings);
}

/// How long one reading of a clock takes, in nanoseconds: of several attempts, the least mean.
template <class Clock>
double reading_ns() {
  constexpr int readings = 1000;
  auto least = std::numeric_limits<std::uint64_t>::max();
  for (int attempt = 0; attempt < 10; ++attempt) {
    const std::uint64_t start = Clock::now();
    std::uint64_t end = start;
    for (int i = 0; i < readings; ++i) end = Clock::now();
    least = std::min(least, end - start);
  }
  return static_cast<double>(least) / readings * Clock::ns_per_tick();
}

}  // namespace stackheap

// A slowdown of known size: after each stretch of work stands a chain of dependent additions, one core cycle each. How
// long it is comes from outside, so that both sides of a comparison are one and the same program.
#pragma once

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string>

#include "family.hpp"
#include "measure.hpp"

namespace stackheap {

/// Additions that stand after every stretch, slowed or not: what it costs to enter and leave the chain is then the same
/// on both sides, and the difference is additions alone.
inline constexpr std::int64_t base_additions = 64;

/// Nothing that stands before is still under way when what stands after begins, neither loads nor stores: the chain hides
/// behind no work, and no work behind it.
inline void drain() {
#if defined(__x86_64__)
  asm volatile("mfence\n\tlfence" : : : "memory");
#elif defined(__aarch64__)
  asm volatile("dsb ish\n\tisb" : : : "memory");
#else
  asm volatile("" : : : "memory");
#endif
}

/// The sum after so many additions, a power of two, each of which waits for the one before; straight code.
template <std::uint64_t Additions>
[[gnu::always_inline]] inline std::uint64_t add(std::uint64_t sum, std::uint64_t addend) {
  if constexpr (Additions == 1) return hide(sum + addend);
  else return add<Additions / 2>(add<Additions / 2>(sum, addend), addend);
}

/// By powers of two: a loop that ends after as many rounds as there are additions costs a mispredicted branch or none,
/// as their number is, and that is more than the shortest delays. Here each branch goes the same way every time.
template <std::uint64_t Power>
std::uint64_t add_below_twice(std::uint64_t additions, std::uint64_t sum, std::uint64_t addend) {
  if ((additions & Power) != 0) sum = add<Power>(sum, addend);
  if constexpr (Power == 1) return sum;
  else return add_below_twice<Power / 2>(additions, sum, addend);
}

[[gnu::noinline]] inline void delay(std::int64_t additions) {
  constexpr std::uint64_t longest = 1024;
  drain();
  std::uint64_t sum = 0;
  // The addend is hidden: some processors add a small constant while renaming, at no cost in time.
  const auto addend = hide<std::uint64_t>(1), left = static_cast<std::uint64_t>(additions);
  for (std::uint64_t i = 0; i < left / longest; ++i) sum = add<longest>(sum, addend);
  keep(add_below_twice<longest / 2>(left, sum, addend));
  drain();
}

/// The additions a benchmark is to have after each stretch: base_additions, and what the file that the environment
/// variable PLANTED names says for it, in lines `name additions`. Throws std::invalid_argument, with one line, when
/// that file cannot be read as such.
inline std::int64_t additions_for(const std::string& benchmark) {
  const char* const file = std::getenv("PLANTED");
  if (file == nullptr || *file == '\0') return base_additions;
  std::ifstream lines(file);
  if (!lines) throw std::invalid_argument(std::string("cannot read PLANTED=") + file);
  std::int64_t additions = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto space = line.find(' ');
    std::int64_t number = -1;
    if (space != std::string::npos) std::from_chars(line.data() + space + 1, line.data() + line.size(), number);
    if (number < 0) throw std::invalid_argument(std::string(file) + ": no name and additions: " + line);
    if (line.substr(0, space) == benchmark) additions = number;
  }
  return base_additions + additions;
}

/// Says how many operations stand between two delays: what a chain of so many additions is as a share is known from it.
inline void show_stretch(benchmark::State& state, std::int64_t operations) {
  state.counters["operations_per_delay"] = static_cast<double>(operations);
}

/// Enrolls a benchmark whose `prepare()` makes what has a `stretch()` of `operations` operations.
template <class Prepare>
void add_delayed(benchmark_registry& registry, std::string_view family, std::string_view strategy,
                    std::initializer_list<parameter> parameters, std::int64_t operations, Prepare prepare) {
  const std::int64_t additions = additions_for(result_name(family, strategy, parameters));
  registry.add(strategy, parameters, prepare, [=](benchmark::State& state, auto& fixture) {
    {
      const measured measuring(state);
      while (state.KeepRunningBatch(operations)) {
        fixture.stretch();
        delay(additions);
      }
    }
    show_stretch(state, operations);
  });
}

}  // namespace stackheap

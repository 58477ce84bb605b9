// A slowdown of known size: of a hundred operations, some are made once more, but not counted. More of the same work is
// the same share of the time, however slow the machine is for a while. A delay of additions is not: beside a thread on
// the same physical core, the work takes up to twice as long and the additions do not; and the branches of a delay
// change what the processor predicts in the work after it, by up to 2 % of a short stretch.
#pragma once

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>

#include "family.hpp"
#include "measure.hpp"

namespace stackheap {

/// The slowdown in percent that the environment variable PLANTED asks for; 0 without it. Both sides of a comparison are
/// one and the same program. Throws std::invalid_argument, with one line, when it is not a whole number up to 100.
inline std::int64_t planted_percent() {
  const char* const text = std::getenv("PLANTED");
  if (text == nullptr || *text == '\0') return 0;
  std::int64_t percent = -1;
  const char* const end = text + std::strlen(text);
  if (std::from_chars(text, end, percent).ptr != end || percent < 0 || percent > 100)
    throw std::invalid_argument(std::string("PLANTED=") + text + " is not a percentage from 0 to 100");
  return percent;
}

/// The operations that are made where so many, a multiple of 100, are counted.
inline std::int64_t with_slowdown(std::int64_t operations) { return operations / 100 * (100 + planted_percent()); }

/// Adds a benchmark whose `prepare()` makes what has a `stretch(operations)`; each stretch counts as `operations`.
template <class Prepare>
void add_slowed(benchmark_registry& registry, std::string_view strategy, std::initializer_list<parameter> parameters,
                std::int64_t operations, Prepare prepare) {
  const std::int64_t made = with_slowdown(operations);
  registry.add(strategy, parameters, prepare, [=](benchmark::State& state, auto& fixture) {
    const measured measuring(state);
    while (state.KeepRunningBatch(operations)) fixture.stretch(made);
  });
}

}  // namespace stackheap

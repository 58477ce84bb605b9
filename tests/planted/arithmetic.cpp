// Work that needs no memory: what is left of the noise is the clock's and the scheduler's.
#include "slowdown.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t stretch_operations = 2000;

template <bool multiplies>
struct fixture {
  std::uint64_t value = 3;
  std::uint64_t operand = hide<std::uint64_t>(5);

  void stretch(std::int64_t operations) {
    for (std::int64_t i = 0; i < operations; i += 10)
      for (int unrolled = 0; unrolled < 10; ++unrolled) value = hide(multiplies ? value * operand : value + operand);
  }
};

template <bool multiplies>
void add(benchmark_registry& registry) {
  add_slowed(registry, "", {{"operation", multiplies ? "multiply" : "add"}}, stretch_operations,
             [] { return std::make_shared<fixture<multiplies>>(); });
}

const family arithmetic({
    .question = "Is a slowdown found where no memory is touched?",
    .operation = "one addition or multiplication that waits for the one before",
    .untimed = "nothing",
    .heap = "does not matter",
    .held_against = "no control: each side of a comparison is held against the other side",
    .unfairness = "",
}, [](benchmark_registry& registry) {
  add<false>(registry);
  add<true>(registry);
});

}  // namespace
}  // namespace stackheap

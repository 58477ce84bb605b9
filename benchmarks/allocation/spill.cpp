// What does it cost when a value does not stay in a register? Its way into a slot of the stack, and back.
#include <cstring>
#include <utility>

#include "family.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// The ways of a value from one addition to the next. A way is a local of the function with the timed loop, and so is
/// its slot. An assembly statement without an instruction, which may change the slot, makes the compiler store and load.
struct by_register {
  static constexpr const char* reload = "register";
  std::uint64_t operator()(std::uint64_t value) { return value; }
};
struct of_same_size {
  static constexpr const char* reload = "same";
  std::uint64_t operator()(std::uint64_t value) {
    slot = value;
    asm volatile("" : "+m"(slot));
    return slot;
  }
  std::uint64_t slot = 0;
};
struct narrower {
  static constexpr const char* reload = "narrower";
  std::uint64_t operator()(std::uint64_t value) {
    slot = value;
    asm volatile("" : "+m"(slot));
    std::uint32_t half;
    std::memcpy(&half, &slot, sizeof half);
    return half;
  }
  std::uint64_t slot = 0;
};
struct wider {
  static constexpr const char* reload = "wider";
  std::uint64_t operator()(std::uint64_t value) {
    slot[0] = static_cast<std::uint32_t>(value);
    asm volatile("" : "+m"(slot));
    std::uint64_t both_halves;
    std::memcpy(&both_halves, slot, sizeof both_halves);
    return both_halves;
  }
  std::uint32_t slot[2] = {};
};
/// A store to another slot comes between, so many bytes away: many processors take the addresses for the same at first
/// where they differ by 4 KiB.
template <std::size_t Bytes>
struct behind_a_store {
  static constexpr const char* reload = Bytes == 4096 ? "aliased" : "apart";
  static constexpr std::size_t other = Bytes / sizeof(std::uint64_t);
  std::uint64_t operator()(std::uint64_t value) {
    slots[0] = value;
    asm volatile("" : "+m"(slots));
    slots[other] = 0;
    asm volatile("" : "+m"(slots));
    return slots[0];
  }
  std::uint64_t slots[other + 1] = {};
};

template <class Way, std::size_t... Addition>
[[gnu::noinline]] void add_and_spill(benchmark::State& state, std::index_sequence<Addition...>) {
  constexpr std::int64_t rounds = 256;  // between two checks of the time
  const std::uint64_t addend = hide<std::uint64_t>(1);  // some processors add a constant while renaming, in no time
  Way way;
  std::uint64_t sum = 0;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(rounds * sizeof...(Addition)))
      for (std::int64_t round = 0; round < rounds; ++round)
        ((static_cast<void>(Addition), sum = hide(way(sum) + addend)), ...);
  }
  if (static_cast<std::uint32_t>(sum) != static_cast<std::uint32_t>(state.iterations()))
    throw verification_error("a value came back from its slot changed");
}

template <class... Way>
void add_all(benchmark_registry& registry) {
  (registry.add("", {{"reload", Way::reload}}, [] { return std::make_shared<char>(); },
                [](benchmark::State& state, char&) { add_and_spill<Way>(state, std::make_index_sequence<16>()); }), ...);
}

const family spill({
    .question = "What does it cost when a value does not stay in a register, but goes through a slot of the stack?",
    .operation = "add 1 to a value, store it in a slot of the stack and load it again: each step waits for the step "
                 "before, so the time is a latency",
    .untimed = "nothing; the sum is checked after the timing",
    .heap = "does not matter: nothing is allocated",
    .held_against = "register: the additions alone: the way through the slot costs the difference",
    .controls = "^spill/reload:register$",
    .unfairness = "The load has the store's size (same), or takes four bytes of the eight that were stored "
                  "(narrower), or takes eight bytes of which the store wrote four (wider). For aliased and apart, a "
                  "store to another slot lies between store and load: 4 KiB away, which many processors take for "
                  "the same address at first, or 4 KiB and a cache line. The slot is always the same: processors "
                  "that learn to which store a load belongs need no time for the way, and the difference is then "
                  "zero.",
    .least_times = {{"spill/", 0.5}, {"spill/reload:wider", 2}},
}, [](benchmark_registry& registry) { add_all<by_register, of_same_size, narrower, wider, behind_a_store<4096>, behind_a_store<4096 + 64>>(registry); });

}  // namespace
}  // namespace stackheap

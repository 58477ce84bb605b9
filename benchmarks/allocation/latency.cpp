// How long does a single malloc or free take, and how much more does the slowest of ten thousand cost?
#include <optional>

#include "heap.hpp"
#include "histogram.hpp"
#include "measure.hpp"
#include "tick_clock.hpp"

namespace stackheap {
namespace {

constexpr std::size_t live = 1000;
/// The number of drawn replacements; the loop repeats them.
constexpr std::size_t drawn = std::size_t{1} << 16;

/// The sizes of the blocks: one for all, or a mix.
struct sizes {
  std::size_t bytes = 0;
  std::optional<size_mix> mix;

  std::uint32_t draw(generator& random) const {
    return mix ? draw_size(*mix, random) : static_cast<std::uint32_t>(bytes);
  }
  std::size_t most() const { return mix ? largest(*mix) : bytes; }
  parameter key() const { return mix ? parameter("mix", name_of(*mix)) : parameter("bytes", bytes); }
};

template <owns Strategy>
struct fixture {
  struct live_block {
    std::byte* block;
    std::size_t bytes;
  };

  fixture(strategy_factory<Strategy> factory, sizes wanted) : strategy(factory.make()), blocks(live), script(drawn) {
    generator random(seed);
    for (live_block& taken : blocks) {
      taken.bytes = wanted.draw(random);
      taken.block = take(strategy, taken.bytes);
      std::memset(taken.block, 1, taken.bytes);
    }
    for (replacement& next : script) next = {static_cast<std::uint32_t>(below(live, random)), wanted.draw(random)};
    verify_lends(strategy, wanted.most());
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  ~fixture() {
    for (const live_block& taken : blocks) strategy.deallocate(taken.block, taken.bytes);
  }

  Strategy strategy;
  std::vector<live_block> blocks;
  std::vector<replacement> script;
};

/// Replacements in which only one call lies between two readings of the clock.
struct timed_malloc {
  static constexpr const char* name = "malloc";
  template <class Clock, class Strategy, class Block>
  static std::uint64_t replace(Strategy& strategy, Block& old, std::size_t bytes) {
    strategy.deallocate(old.block, old.bytes);
    const std::uint64_t start = Clock::now();
    void* const fresh = strategy.allocate(bytes);
    const std::uint64_t end = Clock::now();
    old = {static_cast<std::byte*>(fresh), bytes};
    return end - start;
  }
};
struct timed_free {
  static constexpr const char* name = "free";
  template <class Clock, class Strategy, class Block>
  static std::uint64_t replace(Strategy& strategy, Block& old, std::size_t bytes) {
    const std::uint64_t start = Clock::now();
    strategy.deallocate(old.block, old.bytes);
    const std::uint64_t end = Clock::now();
    old = {static_cast<std::byte*>(strategy.allocate(bytes)), bytes};
    return end - start;
  }
};

template <class Clock>
void report(benchmark::State& state, const histogram& ticks) {
  const auto in_ns = [](auto value) { return static_cast<double>(value) * Clock::ns_per_tick(); };
  const std::uint64_t step = step_of<Clock>();
  if (const auto mean = typical(ticks, step)) state.counters["typical"] = in_ns(*mean);
  constexpr std::pair<const char*, std::uint64_t> percentiles[] = {
      {"p50", 2}, {"p90", 10}, {"p99", 100}, {"p99_9", 1000}, {"p99_99", 10000}};
  for (const auto& [name, one_in] : percentiles)
    if (const auto value = ticks.all_but_one_in(one_in)) state.counters[name] = in_ns(*value);
  state.counters["max"] = in_ns(ticks.max());
  state.counters["resolution"] = in_ns(step);
  state.counters["processor_clock"] = std::is_same_v<Clock, processor_clock>;
}

template <class Timed, class Clock, owns Strategy>
void time_each(benchmark::State& state, fixture<Strategy>& in, std::size_t samples) {
  const auto ticks = std::make_unique<histogram>();
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(static_cast<std::int64_t>(samples)))
      for (std::size_t i = 0; i < samples; ++i) {
        const replacement& next = in.script[i % drawn];
        auto& block = in.blocks[next.slot];
        ticks->record(Timed::template replace<Clock>(in.strategy, block, next.bytes));
        *block.block = std::byte{1};
        escape(block.block);
      }
  }
  report<Clock>(state, *ticks);
}

template <class Timed>
void add_timed(benchmark_registry& registry, sizes wanted, std::size_t samples) {
  every_strategy({wanted.most(), live + 1}, [&]<owns Strategy>(strategy_factory<Strategy> factory) {
    if (std::is_same_v<Strategy, mmap_>) return;  // every block is a page and costs system calls: scoped measures it
    if (std::is_same_v<Strategy, pool> && wanted.mix == size_mix::power_law) return;  // all its blocks would be 64 KiB
    registry.add(
        factory.name, {wanted.key(), {"op", Timed::name}}, [=] { return std::make_shared<fixture<Strategy>>(factory, wanted); },
        [=](benchmark::State& state, fixture<Strategy>& in) {
          with_finest_clock([&]<class Clock>(Clock) { time_each<Timed, Clock>(state, in, samples); });
        });
  });
}

const family latency({
    .question = "How long does a single malloc or free take: the typical call, and the slowest of ten thousand?",
    .operation = "free a random block of 1,000 live blocks and take a new block; only one of the two calls is timed. "
                 "The results are the counters typical (the mean of the calls up to p90 and a step of the clock), p50, "
                 "p90, p99, p99_9, p99_99 and max, in nanoseconds; real_time is the time of the whole round: both calls "
                 "and two readings of the clock",
    .untimed = "filling the heap with 1,000 blocks, of which every byte is written; drawing 65,536 replacements, which "
               "the loop repeats; writing the first byte of every new block",
    .heap = "the 1,000 live blocks: of one size, or of a mix",
    .held_against = "none: two readings of the clock, between which an address is loaded",
    .controls = "^latency/none/",
    .unfairness = "Every result includes the cost of the clock: the control none, which only loads an address "
                  "between the two readings, shows that cost, and resolution is the step in which the clock grows, "
                  "in nanoseconds. A percentile is a whole number of such steps, so p50 may be the same for a "
                  "malloc and for the control; typical is a mean, and finer: calls start at any moment between two "
                  "steps. The clock is the processor's own counter, read so that nothing else overlaps it "
                  "(processor_clock 1), or steady_clock where that counter does not tick evenly (0). A call timed "
                  "alone takes longer than a call inside a program, which the processor overlaps with its "
                  "neighbours. Percentiles come from a histogram: they are at most 1/64 too high, never too low; "
                  "max is exact. A percentile is reported only when at least ten calls lie beyond it. Nothing is "
                  "removed: the tail includes first touches of pages by the malloc, and interrupts, the hypervisor "
                  "and other programs that took the processor; the tail of none includes those too.",
    .metrics = {{"typical"}, {"p99"}, {"p99_9"}},
    .operations = {{.benchmark = "latency/witness/bytes:64/op:malloc", .notes = one_block(64, {{"first_written", 1}}),
                    .calls = 2, .in_process = {{"live_at_last_taking", 1000}}},
                   {"latency/witness/bytes:64/op:free", one_block(64, {{"first_written", 1}}), 2}},
}, [](benchmark_registry& registry) {
  std::vector<sizes> all;
  for (const std::size_t bytes : registry.pick<std::size_t>({64}, {64}, {64, 4096}))
    all.push_back({bytes, {}});
  for (const size_mix mix : registry.pick<size_mix>({}, {size_mix::power_law}, {size_mix::uniform, size_mix::power_law}))
    all.push_back({0, mix});
  const std::size_t samples = registry.pick<std::size_t>({10'000}, {100'000}, {400'000}).front();
  for (const sizes& choice : all) {
    add_timed<timed_malloc>(registry, choice, samples);
    add_timed<timed_free>(registry, choice, samples);
  }
});

}  // namespace
}  // namespace stackheap

// What does one single malloc or free cost, and how much dearer is one in ten thousand?
#include <optional>

#include "heap.hpp"
#include "histogram.hpp"
#include "measure.hpp"
#include "tick_clock.hpp"

namespace stackheap {
namespace {

constexpr std::size_t live = 1000;
/// How many replacements are drawn; the loop goes round them.
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
struct world {
  struct live_block {
    std::byte* block;
    std::size_t bytes;
  };

  world(contender<Strategy> by, sizes wanted) : strategy(by.make()), blocks(live), script(drawn) {
    generator random(seed);
    for (live_block& each : blocks) {
      each.bytes = wanted.draw(random);
      each.block = take(strategy, each.bytes);
      std::memset(each.block, 1, each.bytes);
    }
    for (replacement& each : script) each = {static_cast<std::uint32_t>(below(live, random)), wanted.draw(random)};
    verify_lends(strategy, wanted.most());
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world() {
    for (const live_block& each : blocks) strategy.deallocate(each.block, each.bytes);
  }

  Strategy strategy;
  std::vector<live_block> blocks;
  std::vector<replacement> script;
};

/// Replacements of which only one call stands between two readings of the clock.
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
  const auto in_ns = [](std::uint64_t value) { return static_cast<double>(value) * Clock::ns_per_tick(); };
  constexpr std::pair<const char*, std::uint64_t> percentiles[] = {
      {"p50", 2}, {"p90", 10}, {"p99", 100}, {"p99_9", 1000}, {"p99_99", 10000}};
  for (const auto& [name, one_in] : percentiles)
    if (const auto value = ticks.all_but_one_in(one_in)) state.counters[name] = in_ns(*value);
  state.counters["max"] = in_ns(ticks.max());
  state.counters["resolution"] = resolution_ns<Clock>();
  state.counters["processor_clock"] = std::is_same_v<Clock, processor_clock>;
}

template <class Timed, class Clock, owns Strategy>
void time_each(benchmark::State& state, world<Strategy>& in, std::size_t samples) {
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
void enroll_timed(enrolment& into, sizes wanted, std::size_t samples) {
  every_strategy({wanted.most(), live + 1}, [&]<owns Strategy>(contender<Strategy> by) {
    if (std::is_same_v<Strategy, mmap_>) return;  // a page a block, and system calls: its price is in scoped
    if (std::is_same_v<Strategy, pool> && wanted.mix == size_mix::power_law) return;  // all its blocks would be 64 KiB
    into.add(
        by.name, {wanted.key(), {"op", Timed::name}}, [=] { return std::make_shared<world<Strategy>>(by, wanted); },
        [=](benchmark::State& state, world<Strategy>& in) {
          with_finest_clock([&]<class Clock>(Clock) { time_each<Timed, Clock>(state, in, samples); });
        });
  });
}

const family latency({
    .question = "How long does one single malloc or free take: the usual one, and the one in ten thousand?",
    .operation = "free a random one of 1,000 live blocks and take a new one; one of the two calls is timed alone. The "
                 "figures to read are the counters p50, p90, p99, p99_9, p99_99 and max, in nanoseconds; real_time is "
                 "that of the whole round, with both calls and two readings of the clock",
    .untimed = "filling the heap with 1,000 blocks, every byte of them written; drawing 65,536 replacements, round "
               "which the loop goes; writing each new block's first byte",
    .heap = "the 1,000 live blocks: of one size, or of a mix",
    .unfairness = "Every figure includes the clock's own cost: none, with nothing between the two readings, shows it, "
                  "and resolution what it can tell apart, in nanoseconds. It is the processor's own counter, read so "
                  "that nothing else overlaps it (processor_clock 1), or steady_clock where that does not tick evenly "
                  "(0). Such a call alone takes longer than one in a program, which the processor overlaps with its "
                  "neighbours. Percentiles come from a histogram and are at most 1/64 too high, never too low; max is "
                  "exact. One is told only when ten calls or more lie beyond it. Nothing is cut away: where the "
                  "malloc itself first touches a page, and where an interrupt, the hypervisor or another program took "
                  "the processor, the tail shows it, and so does none's.",
}, [](enrolment& into) {
  std::vector<sizes> all;
  for (const std::size_t bytes : into.pick<std::size_t>({64}, {64}, {64, 4096}))
    all.push_back({bytes, {}});
  for (const size_mix mix : into.pick<size_mix>({}, {size_mix::power_law}, {size_mix::uniform, size_mix::power_law}))
    all.push_back({0, mix});
  const std::size_t samples = into.pick<std::size_t>({10'000}, {100'000}, {400'000}).front();
  for (const sizes& each : all) {
    enroll_timed<timed_malloc>(into, each, samples);
    enroll_timed<timed_free>(into, each, samples);
  }
});

}  // namespace
}  // namespace stackheap

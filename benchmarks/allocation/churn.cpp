// What does a malloc cost in the steady state of a program, in which live blocks are replaced one after another?
#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// The number of drawn replacements; the loop repeats them. 2^16 of them are 512 KiB, read in order.
constexpr std::size_t drawn = std::size_t{1} << 16;
/// Replacements between two checks of the time.
constexpr std::size_t stride = 1024;

template <owns Strategy>
struct fixture {
  struct live_block {
    std::byte* block;
    std::size_t bytes;
  };

  fixture(strategy_factory<Strategy> factory, std::size_t live, size_mix mix) : strategy(factory.make()), blocks(live) {
    generator random(seed);
    for (live_block& taken : blocks) {
      taken.bytes = draw_size(mix, random);
      taken.block = take(strategy, taken.bytes);
    }
    script = replacements(live, mix, drawn, random);
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  ~fixture() {
    for (const live_block& taken : blocks) strategy.deallocate(taken.block, taken.bytes);
  }

  /// Checks that each live block holds the number of its own slot, from its first byte to its last.
  void verify() {
    const auto mark = [&](std::size_t slot) { return static_cast<int>(slot % 251); };
    for (std::size_t slot = 0; slot < blocks.size(); ++slot) std::memset(blocks[slot].block, mark(slot), blocks[slot].bytes);
    for (std::size_t i = 0; i < stride; ++i) {
      replace(script[i]);
      live_block& fresh = blocks[script[i].slot];
      if (fresh.block == nullptr) throw verification_error("the strategy ran out of memory");
      std::memset(fresh.block, mark(script[i].slot), fresh.bytes);
    }
    for (std::size_t slot = 0; slot < blocks.size(); ++slot)
      for (std::size_t offset = 0; offset < blocks[slot].bytes; ++offset)
        if (std::to_integer<int>(blocks[slot].block[offset]) != mark(slot))
          throw verification_error("two live blocks overlap");
  }

  void replace(const replacement& wanted) {
    live_block& old = blocks[wanted.slot];
    strategy.deallocate(old.block, old.bytes);
    old = {static_cast<std::byte*>(strategy.allocate(wanted.bytes)), wanted.bytes};
  }

  /// The whole script once: a heap that was only filled costs up to four times as much to replace in.
  void replace_all() {
    for (const replacement& wanted : script) {
      replace(wanted);
      *blocks[wanted.slot].block = std::byte{1};
    }
  }

  Strategy strategy;
  std::vector<live_block> blocks;
  std::vector<replacement> script;
  std::size_t next = 0;  ///< where in the script the next stretch begins
};

template <owns Strategy>
void replace_blocks(benchmark::State& state, fixture<Strategy>& at) {
  const measured measuring(state);
  while (state.KeepRunningBatch(stride)) {
    const replacement* const script = at.script.data() + at.next;
    for (std::size_t i = 0; i < stride; ++i) {
      at.replace(script[i]);
      std::byte* const fresh = at.blocks[script[i].slot].block;
      *fresh = std::byte{1};
      escape(fresh);
    }
    at.next = (at.next + stride) % drawn;
  }
}

const family churn({
    .question = "What does a malloc cost in a running program that replaces one live block after another?",
    .operation = "free a random block of L live blocks, take a block of a new size, write its first byte",
    .untimed = "filling the heap with L blocks; drawing 65,536 replacements, which the loop repeats; one verified "
               "stretch; all replacements once, so that the heap is in its steady state",
    .heap = "the L live blocks themselves",
    .held_against = "none: the same replacements in the same slots, with one block that always exists",
    .controls = "^churn/none/",
    .unfairness = "With 100,000 live blocks, every strategy also pays for cache misses on a random slot and block; the "
                  "control shows the cost of the slot. All blocks of the pool are as large as the largest size, so the "
                  "pool is measured with uniform sizes only.",
    .core = {"^churn/(pool|glibc|malloc)/live:1000/sizes:power_law$"},
    .operations = {{.benchmark = "churn/witness/live:1000/sizes:uniform",
                    .notes = one_block(mean_of_uniform_sizes, {{"first_written", 1}, {"turns", more_than_half}}),
                    .calls = 2, .in_process = {{"live_at_last_taking", 1000}, {"mallocs", {1000 + drawn, 2 * drawn}}}}},
    .past_second_cache = "live:[0-9]{6,}/",
}, [](benchmark_registry& registry) {
  for (const size_mix mix : {size_mix::uniform, size_mix::power_law})
    for (const std::size_t live : registry.pick<std::size_t>({1000}, {1000, 100000}, {1000, 100000})) {
      every_strategy({largest(mix), live}, [&]<owns Strategy>(strategy_factory<Strategy> factory) {
        if (std::is_same_v<Strategy, mmap_>) return;  // every block is a page and costs system calls: scoped measures it
        if (std::is_same_v<Strategy, pool> && mix != size_mix::uniform) return;
        registry.add(
            factory.name, {{"live", live}, {"sizes", name_of(mix)}},
            [=] {
              auto made = std::make_shared<fixture<Strategy>>(factory, live, mix);
              if constexpr (!std::is_same_v<Strategy, none>) made->verify();
              made->replace_all();
              return made;
            },
            replace_blocks<Strategy>);
      });
    }
});

}  // namespace
}  // namespace stackheap

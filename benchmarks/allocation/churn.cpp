// What does a malloc cost in the steady state of a program: many live blocks, of which one or another is replaced?
#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// How many replacements are drawn; the loop goes round them. 2^16 of them are 512 KiB, read in order.
constexpr std::size_t drawn = std::size_t{1} << 16;
/// Replacements between two looks at whether to go on.
constexpr std::size_t stride = 1024;

template <owns Strategy>
struct world {
  struct live_block {
    std::byte* block;
    std::size_t bytes;
  };

  world(contender<Strategy> by, std::size_t live, size_mix mix) : strategy(by.make()), blocks(live) {
    generator random(seed);
    for (live_block& each : blocks) {
      each.bytes = draw_size(mix, random);
      each.block = take(strategy, each.bytes);
    }
    script = replacements(live, mix, drawn, random);
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world() {
    for (const live_block& each : blocks) strategy.deallocate(each.block, each.bytes);
  }

  /// Each live block holds its own slot's number from its first byte to its last.
  void verify() {
    const auto mark = [&](std::size_t slot) { return static_cast<int>(slot % 251); };
    for (std::size_t slot = 0; slot < blocks.size(); ++slot) std::memset(blocks[slot].block, mark(slot), blocks[slot].bytes);
    for (std::size_t i = 0; i < stride; ++i) {
      replace(script[i]);
      live_block& fresh = blocks[script[i].slot];
      if (fresh.block == nullptr) throw wrong_work("the strategy ran out of memory");
      std::memset(fresh.block, mark(script[i].slot), fresh.bytes);
    }
    for (std::size_t slot = 0; slot < blocks.size(); ++slot)
      for (std::size_t offset = 0; offset < blocks[slot].bytes; ++offset)
        if (std::to_integer<int>(blocks[slot].block[offset]) != mark(slot)) throw wrong_work("two live blocks overlap");
  }

  void replace(const replacement& wanted) {
    live_block& old = blocks[wanted.slot];
    strategy.deallocate(old.block, old.bytes);
    old = {static_cast<std::byte*>(strategy.allocate(wanted.bytes)), wanted.bytes};
  }

  Strategy strategy;
  std::vector<live_block> blocks;
  std::vector<replacement> script;
  std::size_t next = 0;  ///< where in the script the next stretch begins
};

template <owns Strategy>
void replace_blocks(benchmark::State& state, world<Strategy>& at) {
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
    .question = "What does a malloc cost in a running program, which replaces one live block after another?",
    .operation = "free a random one of L live blocks, take one of a new size, write its first byte",
    .untimed = "filling the heap with L blocks; drawing 65,536 replacements, round which the loop goes; one verified stretch",
    .heap = "the L live blocks themselves",
    .unfairness = "With 100,000 live blocks the cost of reaching a random slot and block, which cache misses make, is "
                  "included for every strategy: the control shows that of the slot. The pool's blocks are all as large as "
                  "the largest, so it is measured with uniform sizes only.",
}, [](enrolment& into) {
  for (const size_mix mix : {size_mix::uniform, size_mix::power_law})
    for (const std::size_t live : into.pick<std::size_t>({1000}, {1000, 100000}, {1000, 100000})) {
      every_strategy({largest(mix), live}, [&]<owns Strategy>(contender<Strategy> by) {
        if (std::is_same_v<Strategy, mmap_>) return;  // a page a block, and system calls: its price is in scoped
        if (std::is_same_v<Strategy, pool> && mix != size_mix::uniform) return;
        into.add(
            by.name, {{"live", live}, {"sizes", name_of(mix)}},
            [=] {
              auto made = std::make_shared<world<Strategy>>(by, live, mix);
              if constexpr (!std::is_same_v<Strategy, none>) made->verify();
              return made;
            },
            replace_blocks<Strategy>);
      });
    }
});

}  // namespace
}  // namespace stackheap

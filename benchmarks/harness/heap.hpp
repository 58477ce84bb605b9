// On which heap does a benchmark start? An empty heap misleads: a lone malloc/free pair can cost twice as much as
// beside a live block, because the allocator gives up its page and makes it again each time.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "every_strategy.hpp"
#include "family.hpp"
#include "layout.hpp"
#include "measure.hpp"
#include "workload.hpp"

namespace stackheap {

enum class heap_state {
  empty,     ///< the benchmark has no live block
  resident,  ///< a few live blocks in each size class used: at least four, and a drawn number more, so that the block
             ///< that is taken lies elsewhere in its page in each process
  aged,      ///< 2^16 blocks of mixed sizes were allocated and a random half of them freed
};
inline std::string_view name_of(heap_state state) {
  return state == heap_state::empty ? "empty" : state == heap_state::resident ? "resident" : "aged";
}

inline constexpr std::size_t aged_blocks = std::size_t{1} << 16;
inline constexpr std::size_t resident_blocks = 4;
/// The most further live blocks that a resident heap may have: up to 15, within 64 KiB.
constexpr std::size_t most_drawn_blocks(std::size_t bytes) { return std::min<std::size_t>(15, 65536 / std::max<std::size_t>(bytes, 1)); }
inline constexpr size_mix aged_mix = size_mix::uniform;

/// For operation tests: `taken` blocks of `bytes` bytes are live beside the blocks of a resident heap.
constexpr bounds live_beside_resident(double taken, std::size_t bytes) {
  return {taken + resident_blocks, taken + resident_blocks + static_cast<double>(most_drawn_blocks(bytes))};
}

/// Allocates or throws verification_error; for untimed code.
template <owns Strategy>
std::byte* take(Strategy& strategy, std::size_t bytes) {
  void* const block = strategy.allocate(bytes);
  if (block == nullptr) throw verification_error("the strategy has no memory for " + std::to_string(bytes) + " bytes");
  return static_cast<std::byte*>(block);
}

/// Blocks of one strategy that live as long as this does.
template <owns Strategy>
class live_blocks {
 public:
  explicit live_blocks(Strategy& strategy) : strategy_(strategy) {}
  live_blocks(const live_blocks&) = delete;
  live_blocks& operator=(const live_blocks&) = delete;
  ~live_blocks() {
    for (const auto& [block, bytes] : blocks_) strategy_.deallocate(block, bytes);
  }

  void add(std::size_t bytes) {
    blocks_.emplace_back(take(strategy_, bytes), bytes);
    *blocks_.back().first = std::byte{1};
  }
  /// Frees a random half of the blocks.
  void free_random_half(generator& random) {
    const std::vector<std::uint32_t> order = shuffled(blocks_.size(), random);
    std::vector<std::pair<std::byte*, std::size_t>> kept;
    kept.reserve(blocks_.size());  // an exception below would free a block here and again in the destructor
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto& [block, bytes] = blocks_[order[i]];
      if (i < order.size() / 2)
        strategy_.deallocate(block, bytes);
      else
        kept.emplace_back(block, bytes);
    }
    blocks_ = std::move(kept);
  }
  std::size_t size() const { return blocks_.size(); }

 private:
  Strategy& strategy_;
  std::vector<std::pair<std::byte*, std::size_t>> blocks_;
};

/// Brings the heap of a strategy into a state, as long as this object lives. `sizes` are the sizes of the blocks that the
/// benchmark will take. A strategy that only lends has no heap, and nothing is done.
template <class Strategy>
class on_heap {
 public:
  on_heap(Strategy&, heap_state, const std::vector<std::size_t>&) {}
};

template <owns Strategy>
class on_heap<Strategy> {
 public:
  on_heap(Strategy& strategy, heap_state state, const std::vector<std::size_t>& sizes) : live_(strategy) {
    if (state == heap_state::resident)
      for (const std::size_t bytes : sizes)
        for (std::size_t i = resident_blocks + drawn_below(most_drawn_blocks(bytes) + 1); i > 0; --i) live_.add(bytes);
    if (state == heap_state::aged) {
      generator random(seed);
      for (std::size_t i = 0; i < aged_blocks; ++i) live_.add(draw_size(aged_mix, random));
      live_.free_random_half(random);
    }
  }

 private:
  live_blocks<Strategy> live_;
};

/// The capacity of a strategy that serves `need` beside the blocks that a heap state keeps live.
inline capacity beside(heap_state state, capacity need) {
  if (state == heap_state::resident) need.blocks += resident_blocks + most_drawn_blocks(need.max_bytes);
  if (state == heap_state::aged) {
    need.blocks += aged_blocks;
    need.max_bytes = std::max(need.max_bytes, largest(aged_mix));
  }
  return need;
}

/// Verifies, untimed, that `strategy` lends `bytes` bytes that hold what is written; throws verification_error otherwise.
template <class Strategy>
void verify_lends(Strategy& strategy, std::size_t bytes) {
  int calls = 0;
  bool held = false;
  lend(strategy, bytes, [&](std::byte* block, std::size_t given) {
    ++calls;
    if (block == nullptr || given != bytes) return;
    std::memset(block, 0x5a, given);
    escape(block);
    held = *block == std::byte{0x5a} && std::memcmp(block, block + 1, given - 1) == 0;  // every byte equals the byte before it
  });
  if (calls != 1 || !held)
    throw verification_error("the strategy did not lend " + std::to_string(bytes) + " usable bytes");
}

/// Takes `count` blocks into `blocks` and verifies, untimed, that they do not overlap: each still holds its index when
/// all are taken. Throws verification_error otherwise. The blocks stay taken.
template <class Strategy>
void take_distinct(Strategy& strategy, std::vector<void*>& blocks, std::size_t bytes) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if ((blocks[i] = strategy.allocate(bytes)) == nullptr) throw verification_error("the strategy ran out of blocks");
    std::memset(blocks[i], static_cast<int>(i % 251), bytes);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i)
    for (std::size_t at = 0; at < bytes; ++at)
      if (static_cast<unsigned char*>(blocks[i])[at] != i % 251) throw verification_error("two blocks overlap");
}

/// A strategy beside four live blocks of each of `sizes`.
template <class Strategy>
struct resident_fixture {
  resident_fixture(const strategy_factory<Strategy>& factory, const std::vector<std::size_t>& sizes)
      : strategy(factory.make()), heap(strategy, heap_state::resident, sizes) {}
  Strategy strategy;
  on_heap<Strategy> heap;
};

/// Adds `family/strategy/parameters` for every strategy that owns, the control `none` included. One timed operation is
/// `operation(strategy, need.max_bytes)`; it may hold `need.blocks` blocks at once, which are verified once to be
/// distinct, and there are four live blocks of that size beside them. Where the strategies differ, write
/// every_strategy() out.
template <class Operation>
void add_for_owners(benchmark_registry& registry, std::initializer_list<parameter> parameters, capacity need,
                    Operation operation) {
  every_strategy(beside(heap_state::resident, need), [&]<owns Strategy>(strategy_factory<Strategy> factory) {
    registry.add(
        factory.name, parameters,
        [=] {
          auto made = std::make_shared<resident_fixture<Strategy>>(factory, std::vector{need.max_bytes});
          if constexpr (!std::is_same_v<Strategy, none>) {  // the control has only one block
            std::vector<void*> blocks(need.blocks);
            take_distinct(made->strategy, blocks, need.max_bytes);
            for (void* block : blocks) made->strategy.deallocate(block, need.max_bytes);
          }
          return made;
        },
        [=](benchmark::State& state, resident_fixture<Strategy>& in) {
          const std::size_t bytes = hide(need.max_bytes);
          const measured measuring(state);
          for (auto _ : state) operation(in.strategy, bytes);
        });
  });
}

}  // namespace stackheap

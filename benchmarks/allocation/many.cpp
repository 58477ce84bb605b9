// Do all locals of a frame cost as much as one? k blocks in one frame against k blocks taken one by one.
#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t block_bytes = 64;
constexpr std::size_t most = 64;  ///< blocks a frame

template <owns Strategy>
void give_back(Strategy& strategy, void* const (&blocks)[most], std::size_t count) {
  for (std::size_t i = count; i-- > 0;) strategy.deallocate(blocks[i], block_bytes);
}
template <resets Strategy>
void give_back(Strategy& strategy, void* const (&)[most], std::size_t) {
  strategy.reset();
}

/// A frame whose `count` blocks are taken one by one, and given back in reverse, as locals are. Never inlined, as no
/// lend is: a frame of either kind costs one call.
template <class Strategy, class Use>
[[gnu::noinline]] void frame_of_blocks(Strategy& strategy, std::size_t count, Use use) {
  void* blocks[most];
  for (std::size_t i = 0; i < count; ++i) blocks[i] = strategy.allocate(block_bytes);
  use(blocks);
  give_back(strategy, blocks, count);
}

/// Each block holds its own number when all are taken.
template <class Strategy>
void verify_apart(Strategy& strategy, std::size_t count) {
  bool apart = true;
  frame_of_blocks(strategy, count, [&](void* const* blocks) {
    for (std::size_t i = 0; i < count; ++i) {
      if (blocks[i] == nullptr) throw verification_error("the strategy ran out of blocks");
      std::memset(blocks[i], static_cast<int>(i), block_bytes);
    }
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t at = 0; at < block_bytes; ++at) apart = apart && static_cast<unsigned char*>(blocks[i])[at] == i;
  });
  if (!apart) throw verification_error("two blocks overlap");
}

template <class Strategy>
void add_together(benchmark_registry& registry, strategy_factory<Strategy> factory, std::size_t count) {
  registry.add(
      factory.name, {{"count", count}, {"taken", "together"}},
      [=] {
        auto made = std::make_shared<resident_fixture<Strategy>>(factory, std::vector{block_bytes});
        verify_lends(made->strategy, count * block_bytes);
        return made;
      },
      [=](benchmark::State& state, resident_fixture<Strategy>& in) {
        const std::size_t bytes = hide(count * block_bytes);
        const measured measuring(state);
        for (auto _ : state) lend(in.strategy, bytes, touch_none{});
      });
}

template <class Strategy>
void add_apart(benchmark_registry& registry, strategy_factory<Strategy> factory, std::size_t blocks) {
  registry.add(
      factory.name, {{"count", blocks}, {"taken", "apart"}},
      [=] {
        auto made = std::make_shared<resident_fixture<Strategy>>(factory, std::vector{block_bytes});
        if constexpr (!std::is_same_v<Strategy, none>) verify_apart(made->strategy, blocks);  // the control's are one
        return made;
      },
      [=](benchmark::State& state, resident_fixture<Strategy>& in) {
        const std::size_t count = hide(blocks);
        const measured measuring(state);
        for (auto _ : state) frame_of_blocks(in.strategy, count, [](void* const* taken) { escape(taken); });
      });
}

const family many({
    .question = "Do k locals of a frame cost as much as one local, and what do k separate blocks cost?",
    .operation = "call a function whose frame has k blocks of 64 bytes. together: the blocks are lent as one piece of "
                 "k times 64 bytes, like the locals of a function; apart: every block is taken by itself, and all are "
                 "freed in reverse order (arenas: by one reset)",
    .untimed = "making the strategy; one verified frame",
    .heap = "resident: at least four live blocks of 64 bytes beside the blocks of the frame",
    .held_against = "none: the same call with one block that always exists",
    .controls = "^many/none/",
    .unfairness = "The time is that of all k blocks. The blocks are not written: writing costs the same wherever they "
                  "are. Separate blocks can be passed on and freed one by one; the blocks of a frame cannot. The next "
                  "frame gets the blocks that the frame before gave back, still in the cache.",
    .operations = {{"many/witness/count:8/taken:apart",
                    {{"mallocs", 8}, {"frees", 8}, {"bytes", 8 * 64}, {"frees_down", 7}, {"wrong_frees", 0}}, 16},
                   {.benchmark = "many/small_buffer/count:8/taken:together", .notes = blocks_of(8UL * 64, 1), .calls = 2,
                    .preload = true}},
    .least_times = {{"many/(stack_array|alloca|thread_local|none)/.*taken:together", 0.5}},
}, [](benchmark_registry& registry) {
  for (const std::size_t count : registry.pick<std::size_t>({8}, {1, 8, 64}, {1, 2, 8, 32, 64})) {
    every_strategy({count * block_bytes, 1}, [&]<lends Strategy>(strategy_factory<Strategy> factory)
                     requires(!resets<Strategy>)  // an arena takes block by block
    { add_together(registry, factory, count); });
    every_strategy(beside(heap_state::resident, {block_bytes, count}), [&]<class Strategy>(strategy_factory<Strategy> factory)
                     requires(owns<Strategy> || resets<Strategy>)
    { add_apart(registry, factory, count); });
  }
});

}  // namespace
}  // namespace stackheap

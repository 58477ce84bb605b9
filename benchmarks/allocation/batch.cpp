// What does a block cost among many that are taken together and freed together, in several orders?
#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

template <class Strategy>
struct fixture {
  fixture(strategy_factory<Strategy> factory, std::size_t count, std::size_t bytes, free_order order)
      : strategy(factory.make()), heap(strategy, heap_state::resident, {bytes}), blocks(count),
        given_back(order_of(order, count)) {}
  Strategy strategy;
  on_heap<Strategy> heap;
  std::vector<void*> blocks;
  std::vector<std::uint32_t> given_back;  ///< indices into blocks, in the order of freeing
};

template <resets Strategy>
void fill_and_reset(benchmark::State& state, Strategy& strategy, std::vector<void*>& blocks, std::size_t bytes) {
  bytes = hide(bytes);
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(static_cast<std::int64_t>(blocks.size()))) {
      for (void*& block : blocks) block = strategy.allocate(bytes);
      escape(blocks.data());
      strategy.reset();
    }
  }
  if (blocks.back() == nullptr) throw verification_error("the strategy ran out of blocks");
}

template <owns Strategy>
void fill_and_free(benchmark::State& state, fixture<Strategy>& at, std::size_t bytes) {
  bytes = hide(bytes);
  const measured measuring(state);
  while (state.KeepRunningBatch(static_cast<std::int64_t>(at.blocks.size()))) {
    for (void*& block : at.blocks) block = at.strategy.allocate(bytes);
    escape(at.blocks.data());
    for (const std::uint32_t index : at.given_back) at.strategy.deallocate(at.blocks[index], bytes);
  }
}

void add_order(benchmark_registry& registry, std::size_t count, std::size_t bytes, free_order order) {
  every_strategy(beside(heap_state::resident, {bytes, count}), [&]<owns Strategy>(strategy_factory<Strategy> factory) {
    registry.add(
        factory.name, {{"count", count}, {"bytes", bytes}, {"order", name_of(order)}},
        [=] {
          auto made = std::make_shared<fixture<Strategy>>(factory, count, bytes, order);
          if constexpr (!std::is_same_v<Strategy, none>) {  // the control's blocks are one and the same
            take_distinct(made->strategy, made->blocks, bytes);
            for (void* block : made->blocks) made->strategy.deallocate(block, bytes);
          }
          return made;
        },
        [=](benchmark::State& state, fixture<Strategy>& at) { fill_and_free(state, at, bytes); });
  });
}

void add_reset(benchmark_registry& registry, std::size_t count, std::size_t bytes) {
  every_strategy({bytes, count}, [&]<resets Strategy>(strategy_factory<Strategy> factory) {
    struct reset_fixture {
      Strategy strategy;
      std::vector<void*> blocks;
    };
    registry.add(
        factory.name, {{"count", count}, {"bytes", bytes}, {"order", "reset"}},
        [=] {
          auto made = std::shared_ptr<reset_fixture>(new reset_fixture{factory.make(), std::vector<void*>(count)});
          take_distinct(made->strategy, made->blocks, bytes);
          made->strategy.reset();
          return made;
        },
        [=](benchmark::State& state, reset_fixture& at) { fill_and_reset(state, at.strategy, at.blocks, bytes); });
  });
}

const family batch({
    .question = "What does a block cost when many are taken together, and does the order of freeing matter?",
    .operation = "take one of n blocks and, when all are taken, free it: in one of several orders, or all by one reset",
    .untimed = "making the strategy; one verified batch; computing the order of freeing",
    .heap = "resident: at least four live blocks of the same size beside the batch",
    .held_against = "none: the same loops with one block that always exists",
    .controls = "^batch/none/",
    .unfairness = "Blocks are not written between taking and freeing. A malloc that keeps its metadata inside the "
                  "blocks touches them all the same; a malloc that keeps it elsewhere does not. Every block of mmap is "
                  "at least a page.",
    .core = {"^batch/(arena|pool|glibc|malloc)/count:1000/bytes:64/order:(random|reset)$"},
    .operations = {{"batch/witness/count:100/bytes:64/order:lifo",
                    one_block(64, {{"frees_down", nearly_all}, {"frees_up", hardly_any}}), 2},
                   {"batch/witness/count:100/bytes:64/order:fifo",
                    one_block(64, {{"frees_up", nearly_all}, {"frees_down", hardly_any}, {"turns", hardly_any}}), 2},
                   {.benchmark = "batch/witness/count:100/bytes:64/order:random",
                    .notes = one_block(64, {{"frees_up", hardly_any}, {"frees_down", hardly_any}, {"turns", more_than_half}}),
                    .calls = 2, .in_process = {{"live_at_last_taking", live_beside_resident(100, 64)}}},
                   {"batch/witness/count:100/bytes:64/order:butterfly",
                    one_block(64, {{"frees_up", hardly_any}, {"frees_down", hardly_any}, {"turns", nearly_all}}), 2}},
    .least_times = {{"batch/(arena|pmr_monotonic)/.*order:reset", 0.3}},
}, [](benchmark_registry& registry) {
  for (const std::size_t count : registry.pick<std::size_t>({100}, {1000}, {100, 1000, 4096}))
    for (const std::size_t bytes : registry.pick<std::size_t>({64}, {64, 1024}, {16, 64, 256, 1024, 4096})) {
      for (const free_order order : {free_order::lifo, free_order::fifo, free_order::random, free_order::butterfly})
        add_order(registry, count, bytes, order);
      add_reset(registry, count, bytes);
    }
});

}  // namespace
}  // namespace stackheap

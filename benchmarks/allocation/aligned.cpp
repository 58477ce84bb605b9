// What does it cost when a block must begin at a multiple of 64, or of a page?
#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// A strategy that gives aligned blocks.
template <class Strategy>
struct asked_aligned;

template <>
struct asked_aligned<loaded_malloc> {
  loaded_malloc strategy;
  std::size_t alignment;

  void* allocate(std::size_t bytes) {
    void* block = nullptr;
    return strategy.posix_memalign(&block, alignment, bytes) == 0 ? block : nullptr;
  }
  void deallocate(void* block, std::size_t) { strategy.free(block); }
};

template <>
struct asked_aligned<new_delete> {
  new_delete strategy;
  std::size_t alignment;

  void* allocate(std::size_t bytes) { return ::operator new(bytes, std::align_val_t{alignment}); }
  void deallocate(void* block, std::size_t bytes) { ::operator delete(block, bytes, std::align_val_t{alignment}); }
};

/// The control hands out its one block, whatever its alignment.
template <>
struct asked_aligned<none> {
  none strategy;
  std::size_t alignment;

  void* allocate(std::size_t bytes) { return strategy.allocate(bytes); }
  void deallocate(void*, std::size_t) {}
};

template <class Strategy>
struct fixture {
  fixture(strategy_factory<Strategy> factory, std::size_t bytes, std::size_t alignment)
      : strategy{factory.make(), alignment}, heap(strategy, heap_state::resident, {bytes}) {}

  /// Checks several blocks at once, because a single block may be aligned by chance.
  void verify(std::size_t bytes) {
    verify_lends(strategy, bytes);
    std::vector<void*> blocks(8);
    bool all_aligned = true;
    for (void*& block : blocks) {
      block = take(strategy, bytes);
      all_aligned = all_aligned && reinterpret_cast<std::uintptr_t>(block) % strategy.alignment == 0;
    }
    for (void* block : blocks) strategy.deallocate(block, bytes);
    if (!all_aligned && !std::is_same_v<Strategy, none>) throw verification_error("a block is not aligned as asked");
  }

  asked_aligned<Strategy> strategy;
  on_heap<asked_aligned<Strategy>> heap;
};

const family aligned_blocks({
    .question = "What does a block cost that must begin at a multiple of 64, or of a page?",
    .operation = "take n bytes at that alignment, write the first byte, give the block back",
    .untimed = "making the strategy and the live blocks; one verified round; eight blocks whose alignment is checked",
    .heap = "resident: at least four live blocks of the same size and alignment",
    .held_against = "none: the same round with one block that always exists; alignment:16, which every malloc "
                    "guarantees anyway, is what an alignment adds to",
    .controls = "^aligned/none/",
    .unfairness = "alignment:16 is what every malloc guarantees anyway, requested through the same function: compare "
                  "the other alignments with it. Every round gets the block that the round before gave back. The "
                  "memory that aligned blocks waste is not visible here. Mallocs are called through posix_memalign, "
                  "new_delete through the aligned operator new of the language.",
    .operations = {{.benchmark = "aligned/witness/bytes:64/alignment:64",
                    .notes = {{"aligned", 1}, {"mallocs", 0}, {"frees", 1}, {"bytes", 64}, {"first_written", 1}, {"wrong_frees", 0}},
                    .calls = 2, .in_process = {{"least_alignment", 64}, {"live_at_last_taking", live_beside_resident(1, 64)}}}},
}, [](benchmark_registry& registry) {
  for (const std::size_t alignment : registry.pick<std::size_t>({64}, {16, 64, 4096}, {16, 64, 4096}))
    for (const std::size_t size : registry.pick<std::size_t>({64}, {64, 1024}, {64, 1024, 16384}))
      every_strategy({size, 1}, [&]<owns Strategy>(strategy_factory<Strategy> factory)
                       requires requires { sizeof(asked_aligned<Strategy>); }
      {
        registry.add(
            factory.name, {{"bytes", size}, {"alignment", alignment}},
            [=] {
              auto made = std::make_shared<fixture<Strategy>>(factory, size, alignment);
              made->verify(size);
              return made;
            },
            [=](benchmark::State& state, fixture<Strategy>& in) {
              const std::size_t bytes = hide(size);
              const measured measuring(state);
              for (auto _ : state) lend(in.strategy, bytes, touch_first{});
            });
      });
});

}  // namespace
}  // namespace stackheap

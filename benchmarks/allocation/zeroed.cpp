// What do zero bytes cost: by calloc, which may know that memory is already zero, or by malloc and memset?
#include <algorithm>

#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

struct by_calloc {
  static constexpr const char* name = "calloc";
  loaded_malloc& strategy;

  void* allocate(std::size_t bytes) { return strategy.calloc(1, bytes); }
  void deallocate(void* block, std::size_t) { strategy.free(block); }
};

template <owns Strategy>
struct by_memset {
  static constexpr const char* name = "memset";
  Strategy& strategy;

  void* allocate(std::size_t bytes) { return std::memset(strategy.allocate(bytes), 0, bytes); }
  void deallocate(void* block, std::size_t bytes) { strategy.deallocate(block, bytes); }
};

/// Checks that a block is zero, writes it and gives it back; the next block, most likely the same, must be zero again.
/// Only the first and the last part of a large block are checked: all of it would take longer than the measurement.
template <class Way>
void verify_zero(Way way, std::size_t bytes) {
  const std::size_t part = std::min<std::size_t>(bytes, 256 << 10);
  for (int round = 0; round < 2; ++round) {
    bool zero = true;
    lend(way, bytes, [&](std::byte* block, std::size_t given) {
      std::byte* const parts[] = {block, block + given - part};
      for (const std::byte* at : parts) zero = zero && *at == std::byte{0} && std::memcmp(at, at + 1, part - 1) == 0;
      for (std::byte* at : parts) std::memset(at, 0x5a, part);
      escape(block);
    });
    if (!zero) throw verification_error("the block is not zero");
  }
}

template <class Way, class Touch, class Strategy>
void add_way(benchmark_registry& registry, strategy_factory<Strategy> factory, std::size_t size) {
  registry.add(
      factory.name, {{"bytes", size}, {"way", Way::name}, {"touch", Touch::name}},
      [=] {
        auto made = std::make_shared<resident_fixture<Strategy>>(factory, std::vector{size});  // not zeroed: that takes long
        verify_zero(Way{made->strategy}, size);
        return made;
      },
      [=](benchmark::State& state, resident_fixture<Strategy>& in) {
        Way way{in.strategy};
        const std::size_t bytes = hide(size);
        const measured measuring(state);
        for (auto _ : state) lend(way, bytes, Touch{});
      });
}

const family zeroed({
    .question = "What do n zero bytes cost: by calloc, or by malloc and memset?",
    .operation = "take n bytes that are zero, write the first byte or all bytes, free the block",
    .untimed = "making the strategy and the live blocks; one verified round",
    .heap = "resident: at least four live blocks of the same size; the first byte of each was written",
    .held_against = "none: one block that always exists, zeroed by memset",
    .controls = "^zeroed/none/",
    .unfairness = "New pages from the system are already zero: a calloc that gets new pages leaves them untouched, "
                  "and the first write pays for them, as touch:all shows; memset writes every page in any case. "
                  "glibc keeps freed blocks up to a threshold, which it raises to the size of freed blocks, at most "
                  "32 MiB: only larger blocks get new pages every time.",
    .core = {"^zeroed/(glibc|malloc)/bytes:262144/way:calloc/touch:first$"},
    .operations = {{"zeroed/witness/bytes:4096/way:calloc/touch:first",
                    {{"callocs", 1}, {"mallocs", 0}, {"frees", 1}, {"bytes", 4096}, {"first_written", 1}, {"last_written", 0}}, 2},
                   {"zeroed/witness/bytes:4096/way:calloc/touch:all",
                    {{"callocs", 1}, {"mallocs", 0}, {"frees", 1}, {"bytes", 4096}, {"first_written", 1}, {"last_written", 1}}, 2},
                   {"zeroed/witness/bytes:4096/way:memset/touch:first",
                    {{"callocs", 0}, {"mallocs", 1}, {"frees", 1}, {"bytes", 4096}, {"first_written", 1}, {"last_written", 1}}, 2}},
    .past_second_cache = "bytes:[0-9]{7,}/",
}, [](benchmark_registry& registry) {
  const auto sizes = registry.pick<std::size_t>({4 << 10}, {4 << 10, 256 << 10, 32 << 20},
                                            {4 << 10, 256 << 10, 4 << 20, 32 << 20, 64 << 20});
  for (const std::size_t bytes : sizes)
    every_strategy(beside(heap_state::resident, {bytes, 1}), [&]<owns Strategy>(strategy_factory<Strategy> factory) {
      if constexpr (std::is_same_v<Strategy, none>) add_way<by_memset<none>, touch_first>(registry, factory, bytes);
      if constexpr (std::is_same_v<Strategy, loaded_malloc>) {
        add_way<by_calloc, touch_first>(registry, factory, bytes);
        add_way<by_calloc, touch_all>(registry, factory, bytes);
        add_way<by_memset<Strategy>, touch_first>(registry, factory, bytes);
      }
    });
});

}  // namespace
}  // namespace stackheap

// What do zero bytes cost: by calloc, which may know that they are zero already, or by malloc and memset?
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

/// The live blocks are taken plainly: zeroing four more blocks of 64 MiB is not what is asked.
template <class Strategy>
struct world {
  world(contender<Strategy> by, std::size_t bytes)
      : strategy(by.make()), heap(strategy, heap_state::resident, {bytes}) {}
  Strategy strategy;
  on_heap<Strategy> heap;
};

/// A block is zero, is dirtied and given back; the next one, most likely the same, is zero again. Of a large block the
/// first and the last part are looked at: to touch all of it would take longer than the measuring.
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
    if (!zero) throw wrong_work("the block is not zero");
  }
}

template <class Way, class Touch, class Strategy>
void enroll_way(enrolment& into, contender<Strategy> by, std::size_t size) {
  into.add(
      by.name, {{"bytes", size}, {"way", Way::name}, {"touch", Touch::name}},
      [=] {
        auto made = std::make_shared<world<Strategy>>(by, size);
        verify_zero(Way{made->strategy}, size);
        return made;
      },
      [=](benchmark::State& state, world<Strategy>& in) {
        Way way{in.strategy};
        const std::size_t bytes = opaque(size);
        const measured measuring(state);
        for (auto _ : state) lend(way, bytes, Touch{});
      });
}

const family zeroed({
    .question = "What do n zero bytes cost: by calloc, or by malloc and memset?",
    .operation = "take n bytes that are zero, write the first or all of them, give them back",
    .untimed = "making the strategy, the live blocks beside it, one verified round",
    .heap = "resident: four live blocks of the same size, their first byte written",
    .unfairness = "Pages fresh from the system are zero already: a calloc that gets such leaves them untouched, and "
                  "who writes them first pays for them then, which touch:all shows; memset writes all of them in any "
                  "case. The control zeroes one block that is always there. glibc keeps what it is given back up to a "
                  "size that it raises to that of freed blocks, at most 32 MiB: only from there on does it get fresh "
                  "pages every time.",
}, [](enrolment& into) {
  const auto sizes = into.pick<std::size_t>({4 << 10}, {4 << 10, 256 << 10, 32 << 20},
                                            {4 << 10, 256 << 10, 4 << 20, 32 << 20, 64 << 20});
  for (const std::size_t bytes : sizes)
    every_strategy(beside(heap_state::resident, {bytes, 1}), [&]<owns Strategy>(contender<Strategy> by) {
      if constexpr (std::is_same_v<Strategy, none>) enroll_way<by_memset<none>, touch_first>(into, by, bytes);
      if constexpr (std::is_same_v<Strategy, loaded_malloc>) {
        enroll_way<by_calloc, touch_first>(into, by, bytes);
        enroll_way<by_calloc, touch_all>(into, by, bytes);
        enroll_way<by_memset<Strategy>, touch_first>(into, by, bytes);
      }
    });
});

}  // namespace
}  // namespace stackheap

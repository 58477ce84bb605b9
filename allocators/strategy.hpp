// What can a strategy do, a way to get memory? Three abilities, as concepts: it lends, it owns, it resets.
// This folder knows nothing about measuring.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace stackheap {

/// The most that a benchmark will take from a strategy; a strategy that must reserve memory does so in its constructor.
struct capacity {
  std::size_t max_bytes = 0;  ///< largest single block, in bytes
  std::size_t blocks = 1;     ///< most blocks live at once
};

/// The idea behind a strategy, which it declares in a member `idea`; a strategy without that member is a heap. Charts
/// draw the strategies of one idea in one colour, except the malloc libraries, which have a colour each.
enum class strategy_idea { control, stack, arena, heap };

template <class Strategy>
constexpr const char* idea_of() {
  constexpr const char* names[]{"control", "stack", "arena", "heap"};
  if constexpr (requires { Strategy::idea; }) return names[static_cast<std::size_t>(Strategy::idea)];
  return names[static_cast<std::size_t>(strategy_idea::heap)];
}

/// The least alignment of every block, or the block's own size where that is smaller (as C requires of malloc).
inline constexpr std::size_t block_alignment = alignof(std::max_align_t);

/// Regions that a strategy divides itself begin a cache line: where else would be luck.
inline constexpr std::size_t cache_line = 64;

/// The first cache line within `region`, which needs cache_line bytes more than are used.
inline std::byte* at_cache_line(std::byte* region) {
  return region + (cache_line - reinterpret_cast<std::uintptr_t>(region) % cache_line) % cache_line;
}

/// Memory that dies when its borrower returns: the stack's law. `lend(n, borrower)` calls `borrower(pointer, n)` once.
template <class Strategy>
concept lends = requires(Strategy& strategy, std::size_t bytes, void (*borrower)(std::byte*, std::size_t)) {
  strategy.lend(bytes, borrower);
};

/// Memory that is freed in any order: the heap's law. `allocate` returns null (or throws std::bad_alloc) when memory runs
/// out; `deallocate` takes the requested size.
template <class Strategy>
concept owns = requires(Strategy& strategy, void* block, std::size_t bytes) {
  { strategy.allocate(bytes) } -> std::same_as<void*>;
  strategy.deallocate(block, bytes);
};

/// Memory that is given back all at once: the arena's law.
template <class Strategy>
concept resets = requires(Strategy& strategy, std::size_t bytes) {
  { strategy.allocate(bytes) } -> std::same_as<void*>;
  strategy.reset();
};

/// Owned memory that one thread may take and another give back, through copies or references of one strategy.
template <class Strategy>
concept shares = owns<Strategy> && Strategy::thread_safe;

/// Takes `bytes` bytes, hands them to `borrower(pointer, bytes)`, gives them back: natively where the strategy lends.
/// Costs exactly one call that is not inlined, whatever the strategy: a native `lend` is never inlined itself.
template <lends Strategy, class Borrower>
inline void lend(Strategy& strategy, std::size_t bytes, Borrower borrower) {
  strategy.lend(bytes, borrower);
}

template <owns Strategy, class Borrower>
  requires(!lends<Strategy>)
[[gnu::noinline]] void lend(Strategy& strategy, std::size_t bytes, Borrower borrower) {
  void* const block = strategy.allocate(bytes);
  borrower(static_cast<std::byte*>(block), bytes);
  strategy.deallocate(block, bytes);
}

/// `bytes` rounded up to a multiple of the block alignment; unchanged where the result would overflow.
constexpr std::size_t rounded_up(std::size_t bytes) {
  const std::size_t rounded = (bytes + block_alignment - 1) & ~(block_alignment - 1);
  return rounded < bytes ? bytes : rounded;
}

}  // namespace stackheap

// A churn whose sizes drift: what a long-running program does to its heap when what it needs changes over time.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "workload.hpp"

namespace stackheap {

inline constexpr double first_centre = 64, last_centre = 4096;  ///< bytes
inline constexpr std::size_t smallest_drifting = 32;

/// Draws the sizes, in bytes, of blocks that come to `churned_bytes` together, and hands each to `put`: uniform from
/// half to one and a half of a centre that grows from 64 bytes to 4 KiB, by the same factor in each stretch of the way.
template <class Put>
void draw_drift(std::size_t churned_bytes, Put put) {
  generator random(seed);
  for (std::size_t asked = 0; asked < churned_bytes;) {
    const double progress = static_cast<double>(asked) / static_cast<double>(churned_bytes);
    const double uniform = static_cast<double>(random() >> 11) * 0x1p-53;
    const double centre = first_centre * std::pow(last_centre / first_centre, progress);
    const auto bytes = static_cast<std::uint32_t>(centre * (0.5 + uniform));
    put(bytes);
    asked += bytes;
  }
}

/// Asks `heap` for a block of each size in turn; before a new one, live ones drawn at random go until it fits into
/// `most_live` bytes. From the moment on when the heap is full, `heap.look(live bytes)` is called after each
/// `look_every` bytes asked for, and once at the end. `Live` is an array of {block, bytes}, of at least
/// most_live / smallest_drifting.
template <class Heap, class Sizes, class Live>
void churn(Heap& heap, Sizes& sizes, Live& blocks, std::size_t most_live, std::size_t look_every) {
  generator random(seed + 1);
  std::size_t count = 0, live = 0, unseen = look_every;
  bool full = false;
  for (const std::uint32_t bytes : sizes) {
    for (; live + bytes > most_live; full = true) {
      auto& gone = blocks[below(count, random)];
      heap.deallocate(gone.block);
      live -= gone.bytes;
      gone = blocks[--count];
    }
    blocks[count++] = {heap.allocate(bytes), bytes};
    live += bytes;
    unseen += bytes;
    if (full && unseen >= look_every) heap.look(live), unseen = 0;
  }
  heap.look(live);
}

}  // namespace stackheap

// What does a long-running program do to its heap when its block sizes change over time? A churn with drifting sizes.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "workload.hpp"

namespace stackheap {

inline constexpr double first_centre = 64, last_centre = 4096;  ///< bytes
inline constexpr std::size_t smallest_drifting = 32;

/// Draws the sizes, in bytes, of blocks with a sum of `churned_bytes`, and hands each to `put`: uniform from 0.5 to 1.5
/// times a centre that grows geometrically from 64 bytes to 4 KiB.
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

/// Takes a block of each size from `heap` in turn; before that, live blocks drawn at random are freed until the new
/// block fits into `most_live` bytes. Once the heap is full, `heap.look(live bytes)` is called after each `look_every`
/// requested bytes, and once at the end. `Live` is an array of {block, bytes} with at least most_live /
/// smallest_drifting entries.
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

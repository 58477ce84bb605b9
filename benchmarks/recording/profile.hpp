// What did the recorded program ask of malloc, and what could have served it instead? An allocation is a call that
// returned a block; a realloc ends the life of its old block and begins another.
//
// A block's lifetime is the number of allocations that the process made while it lived; a block that was never freed
// has no lifetime. Three shares say what could have served a block:
//
//   stack-like   Its own thread frees it while it is the newest of that thread's live blocks, and realloc neither made
//                nor grew it: last in, first out. Exact as to the order; the function that took it may have returned
//                before, which a recording does not show.
//   temporary    Its own thread frees it before it takes another block. Exact.
//   region-like  It dies in a run of frees that empties what its thread took since a moment. A run is what a thread
//                frees of its own blocks between two of its allocations. Of the blocks in a run, those are region-like
//                that the thread took after the newest of its blocks that live on, if they are at least two. Too low
//                where a program allocates while it tears down, or where a single block of the region lives on. Too
//                high where two blocks meet by chance. It includes stack-like blocks; a region would also hold the
//                blocks that died earlier.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "reader.hpp"

namespace stackheap::recording {

/// Calls that returned or freed a block, by function. Frees of blocks that are not known are `free_unknown` alone.
struct call_counts {
  std::uint64_t malloc = 0, calloc = 0, aligned = 0, by_new = 0, realloc = 0, free = 0, by_delete = 0, failed = 0,
                free_unknown = 0;
  std::uint64_t all() const {
    return malloc + calloc + aligned + by_new + realloc + free + by_delete + failed + free_unknown;
  }
};

struct blocks_and_bytes {
  std::uint64_t blocks = 0, bytes = 0;
};

/// Each is the mean of a bucket of the histogram: wrong by at most 1/64 of itself, and exact where the bucket holds a
/// single value. `max` is exact.
struct quantiles {
  std::uint64_t p50 = 0, p90 = 0, p99 = 0, max = 0;
};

/// Blocks by size (rows) and lifetime (columns). An edge is the least value of its row or column; the last column, behind
/// those of the edges, is of blocks that were never freed.
struct heat_map {
  std::vector<std::uint64_t> size_edges, lifetime_edges;
  std::vector<std::vector<std::uint64_t>> blocks, stack_like;
};

struct profile {
  facts about;
  call_counts calls;
  std::uint64_t allocations = 0, bytes = 0;
  std::uint64_t allocations_before_main = 0;  ///< 0 also where the recording was cut short and lacks the mark of main
  quantiles sizes, lifetimes;
  std::uint64_t peak_bytes = 0, peak_blocks = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> live;  ///< events so far, live bytes: at most 128
  blocks_and_bytes never_freed, freed_by_other, stack_like, temporary, region_like;
  heat_map heat;
};

/// Reads all events. Memory: that of the reader, and 16 to 64 bytes for each live block. Throws `damaged`.
profile describe(reader& recording);

/// In JSON, on one line.
std::string as_json(const profile& described);

/// By block: whether it is stack-like. A bit for each allocation. Throws `damaged`.
std::vector<bool> stack_like_blocks(reader& recording);

}  // namespace stackheap::recording

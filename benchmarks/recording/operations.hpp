// Which operations replay a recording? The calls of each lane as eight bytes each, with the places of the blocks decided, so
// that a replay looks nothing up.
//
// A lane has a table of slots for its blocks. A slot is used again when its block is freed, so that the table is as large as
// the most blocks that were live at once. A block that another lane frees passes through an entry of a table that all lanes
// share: the lane that takes it waits until the entry is empty, the lane that frees it until the block is there. An entry is
// used again, in the order of the tickets, by the same two lanes: so a block is never taken for another, every wait is for a
// call that the program made before, no lanes wait for each other, and no more blocks are on their way than in the program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <stdexcept>

#include "reader.hpp"

namespace stackheap::recording {

inline constexpr std::uint32_t most_replayed_lanes = 256;  ///< each is a thread of the replay
inline constexpr unsigned most_stack_alignment_log2 = 4;   ///< of blocks that the replay's stack serves

enum class step : std::uint32_t {
  malloc,
  calloc,
  aligned,  ///< two operations: the `bytes` of the second are the alignment
  realloc,
  free,
  stack_malloc,  ///< from the lane's stack; only with decoding::on_stack, like the next two
  stack_calloc,
  stack_free,
  hand_over,  ///< puts the block of the slot into the shared entry `bytes`, for another lane
  receive,    ///< takes the block of the shared entry `bytes` into the slot
};

struct operation {
  step kind : 4;
  std::uint32_t slot : 28;  ///< of its lane
  std::uint32_t bytes;      ///< at least 1: a block of 0 bytes has no byte to be written
};
static_assert(sizeof(operation) == 8);

inline constexpr std::uint32_t most_slots = (1U << 28) - 1;
inline constexpr std::uint64_t most_operation_bytes = std::numeric_limits<std::uint32_t>::max();  ///< larger blocks are replayed as so large

/// The operations of a lane, by their numbers among all.
struct lane_extent {
  std::uint64_t begin, end;      ///< of what the program did
  std::uint64_t rest_end;        ///< from `end` on: frees of the blocks that it never freed
  std::uint64_t stack_bytes;     ///< the most that are on the lane's stack at once
  std::uint32_t slots;
};

struct extent {
  std::uint32_t lanes = 0;
  std::uint32_t entries = 0;           ///< shared between lanes
  std::uint64_t operations = 0;
  std::uint64_t calls = 0;             ///< that are replayed
  std::uint64_t allocations = 0;       ///< among them, reallocs included
  std::uint64_t passed = 0;            ///< blocks that another lane freed
  std::uint64_t left_out = 0;          ///< frees of blocks that were taken before the recording, and failed allocations
  std::uint64_t made_smaller = 0;      ///< blocks larger than most_operation_bytes
  std::uint64_t peak_live_bytes = 0;
  std::uint64_t replay_bytes = 0;      ///< memory that a replay needs at most: tables and touched parts of blocks
  std::array<lane_extent, most_replayed_lanes> of_lane{};
};

/// The recording cannot be replayed here. One line.
struct not_replayable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct decoding {
  bool on_stack = false;  ///< stack-like blocks come from a stack
  bool one_lane = false;  ///< all calls in one lane, in the order of their tickets
  std::uint64_t most_bytes = std::numeric_limits<std::uint64_t>::max();  ///< for the replay and for decoding
};

/// Reads the recording and says how large its replay is; the slots, entries and stack bytes are upper bounds. Throws
/// `damaged` or not_replayable.
extent survey(const extract& recorded, const decoding& chosen);

/// Decodes the recording into `room(operations)`. Throws as survey.
extent decode(const extract& recorded, const decoding& chosen, const std::function<operation*(std::uint64_t)>& room);

}  // namespace stackheap::recording

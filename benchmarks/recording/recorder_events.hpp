// How is a call written down? Into the lane of its thread, without a lock and without a system call unless the lane is full.
#pragma once

#include <bit>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "recorder.hpp"
#include "recorder_blocks.hpp"

namespace stackheap::recorder {

/// Alone in its cache lines: every thread writes it.
struct alignas(128) shared_counter {
  std::atomic<std::uint64_t> value;
};
extern shared_counter next_ticket;
extern std::uint64_t most_events;

/// A lane with room for another event: the thread's own, emptied if need be. Null where the event cannot be recorded.
lane* make_room(thread_state& me);

/// The process has made as many events as are to be recorded.
void stop_at_most();

inline std::uint64_t take_ticket() {
#if __has_include(<sys/single_threaded.h>)
  if (__libc_single_threaded) {
    const std::uint64_t ticket = next_ticket.value.load(std::memory_order_relaxed);
    next_ticket.value.store(ticket + 1, std::memory_order_relaxed);
    return ticket;
  }
#endif
  return next_ticket.value.fetch_add(1, std::memory_order_relaxed);
}

/// Writes an event: `op`, its ticket where others took tickets meanwhile, and what `write` adds behind it. False where it
/// could not be recorded.
template <class Write>
inline bool note(thread_state& me, unsigned op, Write write) {
  lane* to = me.writes_to;
  std::uint64_t filled = to == nullptr ? 0 : to->filled.load(std::memory_order_relaxed);
  if (to == nullptr || static_cast<std::uint32_t>(filled) > chunk_bytes - longest_event) [[unlikely]] {
    to = make_room(me);
    if (to == nullptr) {
      unseen.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    filled = to->filled.load(std::memory_order_relaxed);
  }
  const std::uint64_t ticket = take_ticket();
  if (ticket >= most_events) [[unlikely]] {
    stop_at_most();
    return false;
  }
  unsigned char* const begin = to->bytes + static_cast<std::uint32_t>(filled);
  unsigned char* at = begin;
  if (filled == 0) {
    to->first_ticket = ticket;
    to->first_block = me.taken;
    to->thread = me.number;
    *at++ = static_cast<unsigned char>(op);
  } else if (ticket == to->last_ticket + 1) {
    *at++ = static_cast<unsigned char>(op);
  } else {
    *at++ = static_cast<unsigned char>(op | has_ticket);
    at = put_number(at, ticket - to->last_ticket - 1);
  }
  to->last_ticket = ticket;
  at = write(at);
  filled += (std::uint64_t{1} << 32) + static_cast<std::uint64_t>(at - begin);
  to->filled.store(filled, std::memory_order_release);
  return true;
}

inline unsigned op_of(event_kind kind, unsigned char by = 0) { return static_cast<unsigned>(kind) | by; }

/// Adds an allocation that has returned `block`: null where it failed.
template <class Write>
inline void note_block(thread_state& me, const void* block, unsigned op, std::size_t bytes, Write write) {
  if (block == nullptr) [[unlikely]] {
    op = op_of(event_kind::failed) | (op & (by_cpp | by_array));
    note(me, op, [&](unsigned char* at) { return put_number(at, bytes); });
    return;
  }
  block_entry* const entry = new_entry(block);
  if (entry == nullptr || me.taken >= block_name::most_numbers) [[unlikely]] {
    unseen.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const bool noted = note(me, op, [&](unsigned char* at) { return put_number(write(at), bytes); });
  if (noted) entry->store({me.number, me.taken++}, std::memory_order_relaxed);
}

inline void note_taken(thread_state& me, const void* block, unsigned op, std::size_t bytes) {
  note_block(me, block, op, bytes, [](unsigned char* at) { return at; });
}

inline void note_aligned(thread_state& me, const void* block, unsigned op, std::size_t alignment, std::size_t bytes) {
  const int rounded_up = alignment > 1 ? 64 - std::countl_zero(std::uint64_t{alignment} - 1) : 0;
  const auto logarithm = static_cast<std::uint64_t>(rounded_up < 64 ? rounded_up : 63);
  note_block(me, block, op, bytes, [&](unsigned char* at) { return put_number(at, logarithm); });
}

/// What a block is called; afterwards it is not known.
inline block_name forget(const void* block) {
  block_entry* const entry = known_entry(block);
  if (entry == nullptr) return {};
  const block_name name = entry->load(std::memory_order_relaxed);
  if (name) entry->store({}, std::memory_order_relaxed);
  return name;
}

extern std::uint32_t first_thread;

/// Calls `known(op, write)` with the kind that fits the block's thread and what names the block in the event.
template <class Note>
inline void with_name(const thread_state& me, block_name name, event_kind own, event_kind other, event_kind unknown,
                      Note known) {
  if (!name || name.thread() < first_thread) [[unlikely]]
    known(unknown, [](unsigned char* at) { return at; });
  else if (name.thread() == me.number && me.writes_to != nullptr) [[likely]]
    known(own, [&](unsigned char* at) { return put_number(at, me.taken - 1 - name.number()); });
  else
    known(other, [&](unsigned char* at) { return put_number(put_number(at, name.thread()), name.number()); });
}

inline void note_free(thread_state& me, block_name name, unsigned char by) {
  with_name(me, name, event_kind::free_own, event_kind::free_other, event_kind::free_unknown,
            [&](event_kind kind, auto write) { note(me, op_of(kind, by), write); });
}

/// A realloc of a block with this name has returned `block`.
inline void note_realloc(thread_state& me, block_name name, const void* block, std::size_t bytes) {
  with_name(me, name, event_kind::realloc_own, event_kind::realloc_other, event_kind::realloc_unknown,
            [&](event_kind kind, auto write) { note_block(me, block, op_of(kind), bytes, write); });
}

}  // namespace stackheap::recorder

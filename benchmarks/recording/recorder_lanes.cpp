// Which lane does a thread write to, and what becomes of a full lane? A new thread goes on in the lane of a thread that has
// died; a full lane is packed and appended to the file.
//
// That a thread has died is learned from the system: a lane's owner holds a robust mutex, of which the system says that its
// owner is dead once the thread has made its last call of malloc. Destructors of the thread's own could not know that. The
// first lane has no such mutex: no other thread takes it.
#define ZSTD_STATIC_LINKING_ONLY  // ZSTD_initStaticCCtx, with memory of ours
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zstd.h>

#include <cstring>
#include <ctime>

#include "recorder_events.hpp"

namespace stackheap::recorder {

constinit std::atomic<bool> recording_now;
constinit std::atomic<bool> sandboxed;
constinit std::atomic<std::uint64_t> unseen;
constinit shared_counter next_ticket{};
std::uint64_t most_events = 100'000'000;
std::uint32_t first_thread;
std::uint64_t written_events;
block_entry* parts[std::size_t{1} << (address_bits - part_bits)];

namespace {

constexpr int packing_level = 1;  // a higher level takes more time than it saves bytes

enum : std::uint32_t { open, locked, awaited };
constinit std::atomic<std::uint32_t> gate{open};  ///< `awaited`: locked, and others may be waiting
constinit lane lanes[most_lanes] = {};  // it is in use before constructors of this library could run
std::uint32_t lane_count;    ///< that have been in use
bool first_lane_taken;
std::uint32_t next_thread;
std::uint64_t markers;       ///< events that are not calls

ZSTD_CCtx* packer;
alignas(64) unsigned char packed_chunk[sizeof(chunk_header) + ZSTD_COMPRESSBOUND(chunk_bytes)];

void* map(std::size_t bytes) {
  if (is_sandboxed()) return nullptr;
  void* const pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

bool make_packer() {
  if (packer != nullptr) return true;
  const std::size_t size = ZSTD_estimateCCtxSize(packing_level);
  void* const workspace = map(size);
  if (workspace == nullptr) return false;
  packer = ZSTD_initStaticCCtx(workspace, size);
  return packer != nullptr &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(packer, ZSTD_c_compressionLevel, packing_level)) &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(packer, ZSTD_c_checksumFlag, 1));
}

void free_owner(lane& of_thread) {
  pthread_mutexattr_t robust;
  ::pthread_mutexattr_init(&robust);
  ::pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutex_init(&of_thread.owner, &robust);
  ::pthread_mutexattr_destroy(&robust);
}

/// Whether the calling thread has become the lane's owner.
bool own(lane& wanted) {
  const int locked = ::pthread_mutex_trylock(&wanted.owner);
  if (locked == EOWNERDEAD) ::pthread_mutex_consistent(&wanted.owner);
  return locked == 0 || locked == EOWNERDEAD;
}

bool give_buffer(lane& to) {
  if (to.bytes == nullptr) to.bytes = static_cast<unsigned char*>(map(chunk_bytes));
  return to.bytes != nullptr;
}

/// A lane for a new thread; the lock is held. Null where there is none left.
lane* find_lane() {
  if (!first_lane_taken) {
    if (lane_count == 0) lane_count = 1;
    if (!give_buffer(lanes[0])) return nullptr;
    first_lane_taken = true;
    return &lanes[0];
  }
  for (std::uint32_t number = 1; number < lane_count; ++number)
    if (own(lanes[number])) return &lanes[number];
  if (lane_count == most_lanes || !give_buffer(lanes[lane_count])) return nullptr;
  lane& added = lanes[lane_count++];
  free_owner(added);
  return own(added) ? &added : nullptr;
}

std::uint32_t events_in(std::uint64_t filled) { return static_cast<std::uint32_t>(filled >> 32); }
std::uint32_t bytes_in(std::uint64_t filled) { return static_cast<std::uint32_t>(filled); }
bool is_full(const lane& looked_at) {
  return bytes_in(looked_at.filled.load(std::memory_order_relaxed)) > chunk_bytes - longest_event;
}

/// Writes what a lane holds; the lock is held.
bool write_chunk(const lane& from) {
  const std::uint64_t filled = from.filled.load(std::memory_order_acquire);
  if (filled == 0) return true;
  unsigned char* const packed = packed_chunk + sizeof(chunk_header);
  const std::size_t room = sizeof packed_chunk - sizeof(chunk_header);
  const std::size_t size = ZSTD_compress2(packer, packed, room, from.bytes, bytes_in(filled));
  if (ZSTD_isError(size)) return false;
  chunk_header header{};
  header.magic = chunk_magic;
  header.kind = chunk_kind::events;
  header.lane = static_cast<std::uint32_t>(&from - lanes);
  header.thread = from.thread;
  header.first_ticket = from.first_ticket;
  header.first_block = from.first_block;
  header.events = events_in(filled);
  header.unpacked_bytes = bytes_in(filled);
  header.packed_bytes = static_cast<std::uint32_t>(size);
  std::memcpy(packed_chunk, &header, sizeof header);
  if (!append(packed_chunk, sizeof header + size)) return false;
  written_events += header.events;
  return true;
}

/// Writes the lane's events and makes room. Where that fails, recording ends.
void empty(lane& full) {
  lock();
  if (is_recording()) {
    if (write_chunk(full))
      full.filled.store(0, std::memory_order_relaxed);
    else
      end_locked(ending::disk);
  }
  unlock();
}

}  // namespace

void lock() {
  const kept_errno kept;
  std::uint32_t seen = open;
  if (!gate.compare_exchange_strong(seen, locked, std::memory_order_acquire)) {
    // To wait without sleeping would be no less than to hang where the waiting thread has a real-time priority. It looks
    // again from time to time: after a sandbox was entered, nobody wakes it.
    constexpr timespec ten_ms{0, 10'000'000};
    while (gate.exchange(awaited, std::memory_order_acquire) != open)
      if (!is_sandboxed()) system_call(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, awaited, &ten_ms);
  }
  self.holds_lock = true;
}

void unlock() {
  const kept_errno kept;
  self.holds_lock = false;
  if (gate.exchange(open, std::memory_order_release) == awaited && !is_sandboxed())
    system_call(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, 1);
}

bool begin_lanes() {
  if (!make_packer()) return false;
  for (std::uint32_t number = 0; number < lane_count; ++number) {
    lanes[number].filled.store(0, std::memory_order_relaxed);
    if (number > 0) free_owner(lanes[number]);
  }
  first_lane_taken = false;
  self.writes_to = nullptr;
  first_thread = next_thread;
  next_ticket.value.store(0, std::memory_order_relaxed);
  unseen.store(0, std::memory_order_relaxed);
  markers = written_events = 0;
  return true;
}

lane* make_room(thread_state& me) {
  const kept_errno kept;
  if (me.holds_lock || !is_recorded_process()) return nullptr;  // the first: another library's handler before a fork
  if (me.writes_to == nullptr) {
    lock();
    if (next_thread < block_name::most_threads && (me.writes_to = find_lane()) != nullptr) {
      me.number = next_thread++;
      me.taken = 0;
      ++markers;
    }
    unlock();
    if (me.writes_to == nullptr) return nullptr;
    note(me, op_of(event_kind::thread_begins), [&](unsigned char* at) { return put_number(at, me.number); });
  }
  if (is_full(*me.writes_to)) empty(*me.writes_to);
  return is_recording() && !is_full(*me.writes_to) ? me.writes_to : nullptr;
}

void stop_at_most() {
  const kept_errno kept;
  end_recording(ending::most);
}

bool write_lanes() {
  for (std::uint32_t number = 0; number < lane_count; ++number)
    if (!write_chunk(lanes[number])) return false;
  return true;
}

bool any_calls() {
  std::uint64_t events = written_events;
  for (std::uint32_t number = 0; number < lane_count; ++number)
    events += events_in(lanes[number].filled.load(std::memory_order_relaxed));
  return events > markers;
}

end_of_recording end_record(ending how) {
  end_of_recording end{};
  end.events = written_events;
  end.unseen = unseen.load(std::memory_order_relaxed);
  end.how = how;
  end.threads = next_thread - first_thread;
  return end;
}

void note_main() {
  thread_state& me = self;
  if (!to_be_noted(me)) return;
  me.busy = true;
  if (note(me, op_of(event_kind::main_begins), [](unsigned char* at) { return at; })) {
    lock();
    ++markers;
    unlock();
  }
  me.busy = false;
}

void map_parts_ahead() {
  constexpr std::uintptr_t most_parts = 16;  // a gigabyte of heap
  const auto end_of_heap = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  for (std::uintptr_t ahead = 0; ahead < most_parts; ++ahead)
    new_entry(reinterpret_cast<void*>(end_of_heap + ahead * part_bytes));
}

block_entry* map_part(block_entry*& part) {
  const kept_errno kept;
  void* const pages = map(part_bytes);
  if (pages == nullptr) return nullptr;
#ifdef MADV_WIPEONFORK
  ::madvise(pages, part_bytes, MADV_WIPEONFORK);  // the blocks that came with the fork are not known there
#endif
  ::madvise(pages, part_bytes, MADV_DONTDUMP);
  block_entry* mapped = nullptr;
  const auto added = static_cast<block_entry*>(pages);
  if (std::atomic_ref(part).compare_exchange_strong(mapped, added)) return added;
  ::munmap(pages, part_bytes);
  return mapped;
}

}  // namespace stackheap::recorder

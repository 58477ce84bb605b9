// What is in a recording? The calls of malloc and its kin that one process made, in the order in which each of its threads
// made them. The recorder writes it within the recorded program, so this header needs nothing but the C library.
//
// A file is a header, the command and chunks. All numbers are little-endian; this header is for little-endian machines.
//
//   file_header  the command: its words, each ended by a zero byte (command_bytes in all)
//   chunk_header packed bytes (one zstd frame with a checksum)   as often as a buffer was full, in the order of writing
//   chunk_header end_of_recording                                once, if the process came to write it
//
// A chunk holds calls of one lane. A lane is a buffer that one thread at a time writes to: when a thread has ended, the
// next thread that starts goes on in its lane. So a recording has as many lanes as threads were alive at once.
//
// Every call is an event: a byte `op`, then numbers (LEB128: seven bits a byte, the lowest first, the highest bit says that
// another byte follows). The low four bits of `op` are its `event_kind`, the others are flags. The events of all lanes are
// in order by their tickets: a counter of the process, of which each event takes one. An allocation takes its ticket after
// the malloc has returned, a free before it begins, so that a block is free in ticket order before it is given again.
//
// A block is known by the thread that took it and by its number among the blocks of that thread, from 0 on; an address is
// never written. A block of the event's own thread is written as its age: how many blocks this thread has taken since;
// realloc's own new block does not count. A call of free or realloc with a null pointer is no event, or a malloc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stackheap::recording {

inline constexpr char file_magic[8] = {'s', 't', 'a', 'c', 'k', 's', 'h', 'r'};
inline constexpr std::uint32_t chunk_magic = 0x6b6e6863;  // "chnk"
inline constexpr std::uint32_t format_version = 1;
inline constexpr std::size_t most_command_bytes = 64 << 10;
inline constexpr std::size_t most_chunk_bytes = std::size_t{1} << 20;  ///< unpacked
inline constexpr std::uint32_t most_lanes = 4096;
inline constexpr std::uint64_t most_recorded_events = 1'000'000'000;  ///< so many are read within a minute
inline constexpr std::size_t longest_event = 1 + 4 * 10;  ///< bytes: `op` and four numbers

struct file_header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t command_bytes;
  std::uint32_t process;       ///< its number in the system
  std::uint32_t parent;        ///< the process that forked it; 0 where it was executed
  std::uint32_t first_thread;  ///< threads are numbered from here; blocks of lower threads came with the fork
  std::uint32_t flags;         ///< 0
};
static_assert(sizeof(file_header) == 32);

enum class chunk_kind : std::uint32_t { events = 0, end = 1 };

struct chunk_header {
  std::uint32_t magic;
  chunk_kind kind;
  std::uint32_t lane;
  std::uint32_t thread;        ///< that makes the first event
  std::uint64_t first_ticket;  ///< the first event's ticket
  std::uint64_t first_block;   ///< the number of blocks which that thread had taken before
  std::uint32_t events;
  std::uint32_t unpacked_bytes;
  std::uint32_t packed_bytes;  ///< that follow this header
  std::uint32_t reserved;      ///< 0
};
static_assert(sizeof(chunk_header) == 48);

enum class ending : std::uint32_t {
  exit = 0,       ///< by exit or by the end of main
  quick_exit = 1, ///< by _exit, _Exit or quick_exit
  exec = 2,       ///< became another program
  most = 3,       ///< the recorder had as many events as it was to record; the program went on
  disk = 4,       ///< a chunk could not be written; the program went on
};

/// Follows the chunk_header of kind `end`, not packed.
struct end_of_recording {
  std::uint64_t events;    ///< in all chunks
  std::uint64_t unseen;    ///< calls that could not be recorded: made by a signal handler within malloc, or without memory
  ending how;
  std::uint32_t threads;   ///< that the process has had
};
static_assert(sizeof(end_of_recording) == 24);

/// What follows `op` and, where it is flagged, the ticket.
enum class event_kind : unsigned char {
  malloc = 0,         ///< bytes
  calloc = 1,         ///< bytes: count times size
  aligned = 2,        ///< binary logarithm of the alignment, bytes: posix_memalign, aligned_alloc, memalign, valloc, pvalloc, aligned new
  realloc_own = 3,    ///< age of the old block, bytes. The new block has a new number, also where it stays in its place
  realloc_other = 4,  ///< thread and number of the old block, bytes
  realloc_unknown = 5,///< bytes; the old block was taken before the recording began, or unseen
  free_own = 6,       ///< age
  free_other = 7,     ///< thread, number
  free_unknown = 8,   ///< nothing: a block that was taken before the recording began, or unseen
  failed = 9,         ///< bytes: an allocation that returned null. No block
  thread_begins = 10, ///< its number: the events that follow in this lane are this thread's, and its blocks count from 0
  thread_ends = 11,   ///< nothing. The recorder leaves it out: it learns of a thread's end when the next thread begins
  main_begins = 12,   ///< nothing: main is called; the constructors of libraries and of the program ran before. Not after a fork
};

// Flags of `op`.
inline constexpr unsigned char kind_bits = 0x0f;
inline constexpr unsigned char has_ticket = 0x10;  ///< the number of tickets that others took since the last event of this chunk follows
inline constexpr unsigned char by_cpp = 0x20;      ///< operator new or delete, not a function of C
inline constexpr unsigned char by_array = 0x40;    ///< new[] or delete[]

/// Appends a number (LEB128) and returns the end: at most 10 bytes.
inline unsigned char* put_number(unsigned char* at, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) *at++ = static_cast<unsigned char>(number | 0x80);
  *at++ = static_cast<unsigned char>(number);
  return at;
}

/// Reads a number of at most 64 bits from [at, end) into `number`. Returns its end; null where it is cut off or too long.
inline const unsigned char* get_number(const unsigned char* at, const unsigned char* end, std::uint64_t& number) {
  number = 0;
  for (unsigned shift = 0; at != end && shift < 64; shift += 7) {
    const unsigned char byte = *at++;
    if (shift == 63 && byte > 1) return nullptr;
    number |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return at;
  }
  return nullptr;
}

}  // namespace stackheap::recording

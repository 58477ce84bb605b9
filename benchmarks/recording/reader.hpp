// Which calls of malloc does a recording hold, in their order? The recording is untrusted: whatever its bytes are, it
// is read or said to be damaged, and its own counts take no memory before they have been checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "format.hpp"

namespace stackheap::recording {

/// The bytes are not those of a recording. One line, which names the place.
struct damaged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline constexpr std::uint32_t no_block = ~0U;
inline constexpr std::uint32_t no_thread = ~0U;

// What is read is at most so much; a recording with more is said to be damaged.
inline constexpr std::uint64_t most_block_bytes = std::uint64_t{1} << 56;  ///< the most that a processor can address
inline constexpr std::uint64_t most_bytes = std::uint64_t{1} << 62;        ///< of all blocks together: no sum overflows
inline constexpr std::uint64_t most_live_blocks = std::uint64_t{1} << 26;  ///< at once
inline constexpr std::uint64_t most_open_bytes = std::uint64_t{1} << 30;   ///< the largest chunks of all lanes together

/// A call, or a marker (thread_begins, thread_ends, main_begins). A block has a dense number: the number of allocations
/// before it, in the order of tickets.
struct event {
  event_kind kind;
  unsigned char flags;           ///< by_cpp, by_array
  unsigned char alignment_log2;  ///< 0: malloc's own
  std::uint32_t lane;
  std::uint32_t thread;
  std::uint64_t ticket;
  std::uint64_t bytes;
  std::uint32_t block = no_block;      ///< that this call took or freed
  std::uint32_t old_block = no_block;  ///< that realloc gave back
  std::uint32_t taker = no_thread;  ///< the thread that took the block which this call freed or which realloc gave back
};

struct facts {
  std::vector<std::string> command;
  std::uint32_t process = 0;
  std::uint32_t parent = 0;        ///< the process that forked it; 0 where it was executed
  std::uint32_t first_thread = 0;  ///< threads are numbered from here
  std::uint32_t lanes = 0;         ///< each lane's number is lower
  std::uint64_t threads = 0;       ///< where the recording is cut off: that its chunks begin with, at least
  std::uint64_t events = 0;        ///< in whole chunks
  /// Calls that the recorder could not record, and tickets between the events read so far that no chunk holds.
  std::uint64_t unseen = 0;
  std::optional<ending> how;  ///< none where the recording is cut off
  bool cut_off = false;       ///< it has no end: it is read up to its last whole chunk
};

inline constexpr std::uint64_t all_events = std::numeric_limits<std::uint64_t>::max();

/// A recording, or its first events.
struct extract {
  /// The bytes must stay.
  extract(std::span<const std::byte> its_file, std::uint64_t its_events = all_events)
      : file(its_file), events(its_events) {}

  std::span<const std::byte> file;
  std::uint64_t events;  ///< at most so many
};

/// The events of a recording in the order of their tickets: a merge of its lanes, each of which has one chunk unpacked.
///
/// Memory: a chunk for each lane, 16 to 64 bytes for each live block, and 8 bytes for each chunk. A recording that
/// lacks tickets (it is cut off, or threads ran on while it ended) may free a block whose allocation it lacks: that is
/// reported as free_unknown and realloc_unknown, as are the blocks that came with a fork. Otherwise such a block means
/// damage.
class reader {
 public:
  /// Throws `damaged`.
  explicit reader(const extract& read);
  reader(reader&&) noexcept;
  reader& operator=(reader&&) noexcept;
  ~reader();

  const facts& about() const;

  /// The next event; false after the last that is read. Throws `damaged`, and then again with each further call.
  bool next(event& found);

 private:
  class merge;
  std::unique_ptr<merge> merge_;
};

/// A file in memory, as far as its pages are read. It must not become shorter meanwhile.
class mapped_file {
 public:
  /// Throws std::runtime_error, with one line, where it is not a regular file that can be read.
  explicit mapped_file(const std::string& path);
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace stackheap::recording

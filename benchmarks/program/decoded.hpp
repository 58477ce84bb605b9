// Where are the operations of a recording while they are replayed? In memory outside every malloc: decoded by a copy of this
// process, so that the heap that is measured has not held what decoding needs.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>

#include "family.hpp"
#include "forked.hpp"
#include "free_memory.hpp"
#include "operations.hpp"
#include "profile.hpp"
#include "threads.hpp"

namespace stackheap {

/// Memory from the system. Throws verification_error where it refuses.
class mapping {
 public:
  mapping(std::size_t bytes, int flags, int file = -1) : bytes_(bytes) {
    start_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
    if (start_ == MAP_FAILED) throw verification_error("the system has no memory for the benchmark's own data");
  }
  mapping(const mapping&) = delete;
  mapping& operator=(const mapping&) = delete;
  ~mapping() { ::munmap(start_, bytes_); }

  std::size_t bytes() const { return bytes_; }
  template <class Entry>
  Entry* as(std::size_t offset = 0) const {
    return reinterpret_cast<Entry*>(static_cast<std::byte*>(start_) + offset);
  }

 private:
  std::size_t bytes_;
  void* start_ = nullptr;
};

/// A table of zeros in memory of its own: mapped and touched.
template <class Entry>
class side_table {
 public:
  explicit side_table(std::size_t entries) : memory_((entries + 1) * sizeof(Entry), MAP_PRIVATE | MAP_POPULATE) {}
  Entry* begin() const { return memory_.as<Entry>(); }

 private:
  mapping memory_;
};

/// What the blocks of a recording have in common, as shares of its allocations.
struct recorded_shares {
  double stack_like, stack_like_bytes, temporary, region_like;
};

/// The file in memory: this header, then the operations.
struct decoded_header {
  recording::extent whole;
  recorded_shares shares;  ///< with_shares only
  std::uint32_t threads;   ///< with_shares only
};

struct decoding_order {
  bool on_stack = false;
  bool one_lane = false;
  bool with_shares = false;
};

class decoded_recording {
 public:
  /// Throws verification_error.
  decoded_recording(const recording::extract& recorded, const decoding_order& order)
      : file_(::memfd_create("operations", MFD_CLOEXEC)) {
    if (file_ < 0) throw verification_error("the system refuses a file in memory");
    const bool whole = in_a_copy([&] { stack_room(stack_of_decoding).run([&] { decode(recorded, order); }); });
    if (!whole) throw verification_error("the process that decoded the recording ended");
    look();
  }
  /// Of a process that inherited the file.
  explicit decoded_recording(int file) : file_(file) { look(); }
  decoded_recording(const decoded_recording&) = delete;
  decoded_recording& operator=(const decoded_recording&) = delete;
  ~decoded_recording() { ::close(file_); }

  int file() const { return file_; }
  const decoded_header& header() const { return *memory_->as<decoded_header>(); }
  const recording::extent& whole() const { return header().whole; }
  const recording::operation* operations() const { return memory_->as<recording::operation>(sizeof(decoded_header)); }

 private:
  static constexpr std::size_t stack_of_decoding = 1 << 20;  // where the user's limit is lower

  void decode(const recording::extract& recorded, const decoding_order& order) const {
    std::optional<mapping> memory;
    const recording::decoding chosen{order.on_stack, order.one_lane, harmless_bytes(std::numeric_limits<std::size_t>::max())};
    const recording::extent whole = recording::decode(recorded, chosen, [&](std::uint64_t operations) {
      const std::size_t bytes = sizeof(decoded_header) + operations * sizeof(recording::operation);
      if (::ftruncate(file_, static_cast<off_t>(bytes)) != 0)
        throw verification_error("the system has no memory for the operations");
      return memory.emplace(bytes, MAP_SHARED, file_).as<recording::operation>(sizeof(decoded_header));
    });
    auto& header = *memory->as<decoded_header>();
    header.whole = whole;
    if (order.with_shares) tell_shares(recorded, header);
  }

  static void tell_shares(const recording::extract& recorded, decoded_header& header) {
    recording::reader events(recorded);
    const recording::profile told = recording::describe(events);
    const auto share = [](std::uint64_t part, std::uint64_t all) {
      return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
    };
    header.shares = {share(told.stack_like.blocks, told.allocations), share(told.stack_like.bytes, told.bytes),
                     share(told.temporary.blocks, told.allocations), share(told.region_like.blocks, told.allocations)};
    header.threads = static_cast<std::uint32_t>(told.about.threads);
  }

  void look() {
    struct stat found {};
    if (::fstat(file_, &found) != 0 || static_cast<std::size_t>(found.st_size) < sizeof(decoded_header))
      throw verification_error("the decoded operations are not there");
    memory_.emplace(static_cast<std::size_t>(found.st_size), MAP_SHARED | MAP_POPULATE, file_);
  }

  int file_;
  std::optional<mapping> memory_;
};

}  // namespace stackheap

// How do blocks pass from thread to thread in larson's server? Each thread replaces some of them and ends.
#pragma once

#include <algorithm>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

#include "heap.hpp"
#include "workload.hpp"

namespace stackheap {

/// One line of the server: its blocks pass from each of its threads to the next. Bytes taken and bytes freed are both
/// counted: each block carries its size.
template <shares Strategy>
class server_line {
 public:
  static constexpr std::size_t live = 1000;
  static constexpr std::size_t min_bytes = 8;
  static constexpr std::size_t max_bytes = 1000;
  static constexpr std::size_t drawn = std::size_t{1} << 14;  ///< replacements, which a longer life does again and again

  static std::uint32_t draw(generator& random) {
    return static_cast<std::uint32_t>(min_bytes + below(max_bytes - min_bytes + 1, random));
  }

  server_line(Strategy& strategy, generator& random) : strategy_(strategy), blocks_(live), script_(drawn) {
    for (block& taken : blocks_) {
      taken.bytes = draw(random);
      taken.start = carrying(take(strategy_, taken.bytes), taken.bytes);
      bytes_taken_ += taken.bytes;
    }
    for (replacement& next : script_) next = {static_cast<std::uint32_t>(below(live, random)), draw(random)};
  }
  server_line(const server_line&) = delete;
  server_line& operator=(const server_line&) = delete;
  ~server_line() {
    for (const block& taken : blocks_) strategy_.deallocate(taken.start, taken.bytes);
  }

  /// The life of one thread: so many replacements. The size is read from the block before it is freed, as a server reads a
  /// request before it drops it.
  void live_once(std::size_t life) {
    std::uint64_t given_back = 0;
    for (std::size_t left = life; left > 0; left -= std::min(left, drawn))
      for (const replacement& next : std::span(script_).first(std::min(left, drawn))) {
        block& slot = blocks_[next.slot];
        given_back += *slot.start;
        strategy_.deallocate(slot.start, slot.bytes);
        slot = {carrying(strategy_.allocate(next.bytes), next.bytes), next.bytes};
      }
    bytes_given_back_ += given_back;
    bytes_taken_ += life / drawn * bytes_of_first(drawn) + bytes_of_first(life % drawn);
    ++lives_;
  }

  /// Whether every byte ever taken was freed or is live, and each live block still carries its size.
  bool balanced() const {
    std::uint64_t bytes_live = 0;
    for (const block& held : blocks_) {
      if (*held.start != held.bytes) return false;
      bytes_live += held.bytes;
    }
    return bytes_taken_ == bytes_given_back_ + bytes_live;
  }

  std::uint64_t lives() const { return lives_; }
  const std::vector<replacement>& script() const { return script_; }

 private:
  struct block {
    std::uint64_t* start;
    std::uint32_t bytes;
  };

  static std::uint64_t* carrying(void* memory, std::uint32_t bytes) {
    auto* const start = ::new (memory) std::uint64_t{bytes};
    escape(start);
    return start;
  }

  std::uint64_t bytes_of_first(std::size_t count) const {
    std::uint64_t sum = 0;
    for (const replacement& next : std::span(script_).first(count)) sum += next.bytes;
    return sum;
  }

  Strategy& strategy_;
  std::vector<block> blocks_;
  std::vector<replacement> script_;
  std::uint64_t bytes_taken_ = 0;
  std::uint64_t bytes_given_back_ = 0;
  std::uint64_t lives_ = 0;
};

}  // namespace stackheap

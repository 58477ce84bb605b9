// std::pmr::monotonic_buffer_resource over a first buffer of up to 1 MiB; blocks that do not fit come from operator new.
// Its deallocate does nothing, so the strategy does not own: only release() gives memory back.
#pragma once

#include <algorithm>
#include <memory>
#include <memory_resource>

#include "strategy.hpp"

namespace stackheap {

class pmr_monotonic {
 public:
  static constexpr const char* description = "std::pmr::monotonic_buffer_resource, released after each use";
  static constexpr strategy_idea idea = strategy_idea::arena;

  explicit pmr_monotonic(capacity need)
      : buffer_bytes_(std::min<std::size_t>(rounded_up(need.max_bytes) * need.blocks, std::size_t{1} << 20)),
        buffer_(new std::byte[buffer_bytes_]),
        resource_(buffer_.get(), buffer_bytes_) {}

  template <class Borrower>
  [[gnu::noinline]] void lend(std::size_t bytes, Borrower borrower) {
    borrower(static_cast<std::byte*>(allocate(bytes)), bytes);
    reset();
  }

  void* allocate(std::size_t bytes) { return resource_.allocate(bytes); }
  void reset() { resource_.release(); }

 private:
  std::size_t buffer_bytes_;
  std::unique_ptr<std::byte[]> buffer_;
  std::pmr::monotonic_buffer_resource resource_;
};

}  // namespace stackheap

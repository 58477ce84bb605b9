// A free list of blocks of one size, threaded through the blocks themselves; all of them are reserved when it is made.
#pragma once

#include <algorithm>
#include <memory>

#include "strategy.hpp"

namespace stackheap {

class pool {
 public:
  static constexpr const char* description = "fixed-size free list";
  static constexpr strategy_idea idea = strategy_idea::arena;
  static constexpr bool thread_safe = false;

  explicit pool(capacity need)
      : block_bytes_(rounded_up(std::max(need.max_bytes, sizeof(link)))),
        memory_(new std::byte[block_bytes_ * need.blocks + cache_line]) {
    std::byte* const first = at_cache_line(memory_.get());
    for (std::size_t i = need.blocks; i-- > 0;) deallocate(first + i * block_bytes_, block_bytes_);
  }

  /// Null when all blocks are out or `bytes` is more than a block.
  void* allocate(std::size_t bytes) {
    if (free_ == nullptr || bytes > block_bytes_) [[unlikely]] return nullptr;
    return std::exchange(free_, free_->next);
  }

  void deallocate(void* block, std::size_t) { free_ = ::new (block) link{free_}; }

 private:
  struct link {
    link* next;
  };

  std::size_t block_bytes_;
  std::unique_ptr<std::byte[]> memory_;
  link* free_ = nullptr;
};

}  // namespace stackheap

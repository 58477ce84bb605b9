// std::pmr::unsynchronized_pool_resource with its defaults: pools by size class over operator new.
#pragma once

#include <memory_resource>

#include "strategy.hpp"

namespace stackheap {

class pmr_pool {
 public:
  static constexpr const char* description = "std::pmr::unsynchronized_pool_resource";
  static constexpr strategy_idea idea = strategy_idea::arena;
  static constexpr bool thread_safe = false;

  explicit pmr_pool(capacity) {}

  /// Sizes are rounded up, as libstdc++ 12 has pools of 24-byte blocks that are not aligned to 16 (its bug 118681).
  void* allocate(std::size_t bytes) { return resource_.allocate(rounded_up(bytes)); }
  void deallocate(void* block, std::size_t bytes) { resource_.deallocate(block, rounded_up(bytes)); }

 private:
  std::pmr::unsynchronized_pool_resource resource_;
};

}  // namespace stackheap

// std::pmr::synchronized_pool_resource with its defaults: the same pools, made safe for threads. Copies share one
// resource.
#pragma once

#include <memory>
#include <memory_resource>

#include "strategy.hpp"

namespace stackheap {

class pmr_sync_pool {
 public:
  static constexpr const char* description = "std::pmr::synchronized_pool_resource";
  static constexpr strategy_idea idea = strategy_idea::arena;
  static constexpr bool thread_safe = true;

  explicit pmr_sync_pool(capacity) : resource_(std::make_shared<std::pmr::synchronized_pool_resource>()) {}

  /// Sizes are rounded up, as libstdc++ 12 has pools of 24-byte blocks that are not aligned to 16 (its bug 118681).
  void* allocate(std::size_t bytes) { return resource_->allocate(rounded_up(bytes)); }
  void deallocate(void* block, std::size_t bytes) { resource_->deallocate(block, rounded_up(bytes)); }

 private:
  std::shared_ptr<std::pmr::synchronized_pool_resource> resource_;
};

}  // namespace stackheap

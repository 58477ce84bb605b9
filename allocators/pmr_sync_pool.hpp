// std::pmr::synchronized_pool_resource with its defaults: the same pools, made safe for threads. Copies share one resource.
#pragma once

#include <memory>
#include <memory_resource>

#include "strategy.hpp"

namespace stackheap {

class pmr_sync_pool {
 public:
  static constexpr const char* what = "std::pmr::synchronized_pool_resource";
  static constexpr bool thread_safe = true;

  explicit pmr_sync_pool(demand) : resource_(std::make_shared<std::pmr::synchronized_pool_resource>()) {}

  void* allocate(std::size_t bytes) { return resource_->allocate(bytes); }
  void deallocate(void* block, std::size_t bytes) { resource_->deallocate(block, bytes); }

 private:
  std::shared_ptr<std::pmr::synchronized_pool_resource> resource_;
};

}  // namespace stackheap

// std::pmr::unsynchronized_pool_resource with its defaults: pools by size class over operator new.
#pragma once

#include <memory_resource>

#include "strategy.hpp"

namespace stackheap {

class pmr_pool {
 public:
  static constexpr const char* what = "std::pmr::unsynchronized_pool_resource";
  static constexpr bool thread_safe = false;

  explicit pmr_pool(demand) {}

  void* allocate(std::size_t bytes) { return resource_.allocate(bytes); }
  void deallocate(void* block, std::size_t bytes) { resource_.deallocate(block, bytes); }

 private:
  std::pmr::unsynchronized_pool_resource resource_;
};

}  // namespace stackheap

// The language's own way: operator new and sized operator delete of the process.
#pragma once

#include <new>

#include "strategy.hpp"

namespace stackheap {

class new_delete {
 public:
  static constexpr const char* description = "operator new and sized operator delete of the process";
  static constexpr bool thread_safe = true;

  explicit new_delete(capacity) {}

  void* allocate(std::size_t bytes) { return ::operator new(bytes); }
  void deallocate(void* block, std::size_t bytes) { ::operator delete(block, bytes); }
};

}  // namespace stackheap

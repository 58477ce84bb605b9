// One anonymous mapping a block: the operating system's own price, without any library's books.
#pragma once

#include <sys/mman.h>

#include "strategy.hpp"

namespace stackheap {

class mmap_ {
 public:
  static constexpr const char* what = "one map and unmap a block: the operating system's own price";
  static constexpr bool thread_safe = true;

  explicit mmap_(demand) {}

  void* allocate(std::size_t bytes) {
    void* const block = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block == MAP_FAILED ? nullptr : block;
  }

  void deallocate(void* block, std::size_t bytes) { ::munmap(block, bytes); }
};

}  // namespace stackheap

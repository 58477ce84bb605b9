// An anonymous mapping for every block: the cost of the operating system alone, without the metadata of a library.
#pragma once

#include <sys/mman.h>

#include "strategy.hpp"

namespace stackheap {

class mmap_ {
 public:
  static constexpr const char* description = "a mapping for every block: the cost of the operating system alone";
  static constexpr bool thread_safe = true;

  explicit mmap_(capacity) {}

  void* allocate(std::size_t bytes) {
    void* const block = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block == MAP_FAILED ? nullptr : block;
  }

  void deallocate(void* block, std::size_t bytes) { ::munmap(block, bytes); }
};

}  // namespace stackheap

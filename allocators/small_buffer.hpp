// Inline up to 128 bytes, the process's malloc above: as strings, small vectors and type erasure do.
#pragma once

#include <cstdlib>

#include "strategy.hpp"

namespace stackheap {

class small_buffer {
 public:
  static constexpr const char* description = "inline up to 128 B, the process's malloc above";
  static constexpr strategy_idea idea = strategy_idea::stack;
  static constexpr std::size_t inline_bytes = 128;

  explicit small_buffer(capacity) {}

  template <class Borrower>
  [[gnu::noinline]] void lend(std::size_t bytes, Borrower borrower) {
    alignas(block_alignment) std::byte inside[inline_bytes];
    std::byte* const block = bytes <= inline_bytes ? inside : static_cast<std::byte*>(std::malloc(bytes));
    borrower(block, bytes);
    if (block != inside) std::free(block);
  }
};

}  // namespace stackheap

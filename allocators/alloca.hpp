// Run-time size on the stack.
#pragma once

#include "strategy.hpp"

namespace stackheap {

class alloca_ {
 public:
  static constexpr const char* description = "run-time size on the stack";
  static constexpr strategy_idea idea = strategy_idea::stack;
  static constexpr std::size_t stack_bytes(capacity need) { return need.max_bytes; }

  explicit alloca_(capacity) {}

  /// Never inlined: GCC frees an inlined alloca when the outer function returns, Clang when the inlined one would have.
  template <class Borrower>
  [[gnu::noinline]] void lend(std::size_t bytes, Borrower borrower) {
    borrower(static_cast<std::byte*>(__builtin_alloca(bytes)), bytes);
  }
};

}  // namespace stackheap

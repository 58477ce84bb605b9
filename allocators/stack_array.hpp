// A local array. Its size is part of the type, as the language requires, so a block of n bytes comes from the array whose
// size is the next power of two; the benchmarks use powers of two where it matters.
#pragma once

#include "strategy.hpp"

namespace stackheap {

template <std::size_t Bytes>
class stack_array {
 public:
  static constexpr const char* description = "a local array of compile-time size";
  static constexpr strategy_idea idea = strategy_idea::stack;
  static constexpr std::size_t stack_bytes(capacity) { return Bytes; }

  explicit stack_array(capacity) {}

  template <class Borrower>
  [[gnu::noinline]] void lend(std::size_t bytes, Borrower borrower) {
    alignas(block_alignment) std::byte block[Bytes];
    borrower(block, bytes);
  }
};

/// Calls `visit` with the std::integral_constant-like size of the smallest array that holds `bytes`, if there is one.
template <std::size_t Bytes = 8, class Visit>
void with_stack_array_size(std::size_t bytes, Visit visit) {
  constexpr std::size_t largest = std::size_t{256} << 20;
  if (bytes <= Bytes) {
    visit(std::integral_constant<std::size_t, Bytes>{});
  } else if constexpr (Bytes < largest) {
    with_stack_array_size<Bytes * 2>(bytes, visit);
  }
}

}  // namespace stackheap

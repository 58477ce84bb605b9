// A scratch buffer of the thread, reused: it grows to the largest block ever asked for and stays until the thread ends.
#pragma once

#include <vector>

#include "strategy.hpp"

namespace stackheap {

class thread_local_ {
 public:
  static constexpr const char* description = "a per-thread scratch buffer, reused";
  static constexpr strategy_idea idea = strategy_idea::stack;

  explicit thread_local_(capacity need) { grow(need.max_bytes); }

  template <class Borrower>
  [[gnu::noinline]] void lend(std::size_t bytes, Borrower borrower) {
    if (scratch_.size() < bytes) [[unlikely]] grow(bytes);
    borrower(scratch_.data(), bytes);
  }

 private:
  [[gnu::noinline]] static void grow(std::size_t bytes) {
    if (scratch_.size() < bytes) scratch_.resize(bytes);
  }

  static inline thread_local std::vector<std::byte> scratch_;
};

}  // namespace stackheap

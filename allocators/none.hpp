// The control: one block made before timing, handed out again and again. The rest is the cost of the call itself.
#pragma once

#include <algorithm>
#include <memory>

#include "strategy.hpp"

namespace stackheap {

class none {
 public:
  static constexpr const char* description = "the control: one block made before timing";
  static constexpr strategy_idea idea = strategy_idea::control;
  static constexpr bool thread_safe = true;

  explicit none(capacity need) : block_(new std::byte[std::max(need.max_bytes, block_alignment)]) {}

  template <class Borrower>
  [[gnu::noinline]] void lend(std::size_t bytes, Borrower borrower) {
    borrower(block_.get(), bytes);
  }

  void* allocate(std::size_t) { return block_.get(); }
  void deallocate(void*, std::size_t) {}

 private:
  std::unique_ptr<std::byte[]> block_;
};

}  // namespace stackheap

// A bump pointer over one reserved region: a mark and a rewind to lend, a reset to drop everything at once.
#pragma once

#include <memory>

#include "strategy.hpp"

namespace stackheap {

class arena {
 public:
  static constexpr const char* description = "bump pointer, mark and rewind";
  static constexpr strategy_idea idea = strategy_idea::arena;

  explicit arena(capacity need)
      : capacity_(rounded_up(need.max_bytes) * need.blocks), memory_(new std::byte[capacity_ + cache_line]),
        first_(at_cache_line(memory_.get())), next_(first_) {}

  template <class Borrower>
  [[gnu::noinline]] void lend(std::size_t bytes, Borrower borrower) {
    std::byte* const mark = next_;
    borrower(static_cast<std::byte*>(allocate(bytes)), bytes);
    next_ = mark;
  }

  /// Null when the region is used up.
  void* allocate(std::size_t bytes) {
    const auto left = static_cast<std::size_t>(first_ + capacity_ - next_);
    if (rounded_up(bytes) > left) [[unlikely]] return nullptr;
    return std::exchange(next_, next_ + rounded_up(bytes));
  }

  void reset() { next_ = first_; }

 private:
  std::size_t capacity_;
  std::unique_ptr<std::byte[]> memory_;
  std::byte* first_;
  std::byte* next_;
};

}  // namespace stackheap

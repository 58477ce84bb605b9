// How do threads share a strategy that is not made for threads? The simplest way: behind a mutex.
#pragma once

#include <mutex>

#include "every_strategy.hpp"

namespace stackheap {

/// A strategy that only one thread at a time may use.
template <class Strategy>
class behind_mutex {
 public:
  static constexpr bool thread_safe = true;

  explicit behind_mutex(const strategy_factory<Strategy>& factory) : strategy_(factory.make()) {}

  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    return strategy_.allocate(bytes);
  }
  void deallocate(void* block, std::size_t bytes)
    requires owns<Strategy>
  {
    const std::lock_guard lock(mutex_);
    strategy_.deallocate(block, bytes);
  }
  void reset()
    requires resets<Strategy>
  {
    const std::lock_guard lock(mutex_);
    strategy_.reset();
  }

 private:
  std::mutex mutex_;
  Strategy strategy_;
};

}  // namespace stackheap

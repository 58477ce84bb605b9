// How do blocks travel from one thread to another? Through a bounded queue without locks, for one producer and one
// consumer.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>

namespace stackheap {

/// First tries again at once; then lets another thread run, as there may be fewer cores than threads.
class waiting {
 public:
  void once() {
    if (++tries_ > 100) std::this_thread::yield();
  }

 private:
  int tries_ = 0;
};

/// The position of one side and its copy of the other's; two cache lines apart from the other side (processors fetch
/// lines in pairs).
struct alignas(128) queue_side {
  std::atomic<std::size_t> position{0};
  std::size_t mine = 0;
  std::size_t others = 0;
};

/// A ring of pointers. Each side keeps a copy of the other's position and reads it again only when the queue seems full
/// or empty, so that the cache lines of the positions travel once in many operations (L. Lamport's queue, "Proving the
/// correctness of multiprocess programs", IEEE TSE 3(2), 1977, with cached indices).
class handoff_queue {
 public:
  static constexpr std::size_t capacity = 256;

  /// False when the queue is full.
  bool try_push(void* block) {
    if (tail_.mine - tail_.others == capacity) {
      tail_.others = head_.position.load(std::memory_order_acquire);
      if (tail_.mine - tail_.others == capacity) return false;
    }
    ring_[tail_.mine % capacity] = block;
    tail_.position.store(++tail_.mine, std::memory_order_release);
    return true;
  }

  /// Null when the queue is empty.
  void* try_pop() {
    if (head_.mine == head_.others) {
      head_.others = tail_.position.load(std::memory_order_acquire);
      if (head_.mine == head_.others) return nullptr;
    }
    void* const block = ring_[head_.mine % capacity];
    head_.position.store(++head_.mine, std::memory_order_release);
    return block;
  }

  /// Waits while the queue is full: the backpressure.
  void push(void* block) {
    for (waiting wait; !try_push(block);) wait.once();
  }
  void* pop() {
    void* block = nullptr;
    for (waiting wait; (block = try_pop()) == nullptr;) wait.once();
    return block;
  }

 private:
  queue_side head_;
  queue_side tail_;
  alignas(128) void* ring_[capacity] = {};
};

}  // namespace stackheap

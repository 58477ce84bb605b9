// How do blocks travel between threads in batches, and what stops a producer that is ahead?
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "queue.hpp"

namespace stackheap {

/// Blocks on their way, each with its size: some strategies need the size to free a block.
struct batch {
  struct block {
    std::uint64_t* start;
    std::uint32_t bytes;
  };
  std::array<block, 256> blocks;
};

/// Connects one producer to one consumer, without locks: a ring of batches. A producer that is a whole ring ahead waits:
/// that is the backpressure.
class batch_link {
 public:
  explicit batch_link(std::size_t batches) : ring_(batches) {}

  /// The producer fills the batch and sends it.
  batch& to_fill() {
    for (waiting wait; tail_.mine - tail_.others == ring_.size(); wait.once())
      tail_.others = head_.position.load(std::memory_order_acquire);
    return ring_[tail_.mine % ring_.size()];
  }
  void send() { tail_.position.store(++tail_.mine, std::memory_order_release); }

  /// The consumer empties the batch and gives it back.
  batch& receive() {
    for (waiting wait; head_.mine == head_.others; wait.once())
      head_.others = tail_.position.load(std::memory_order_acquire);
    return ring_[head_.mine % ring_.size()];
  }
  void give_back() { head_.position.store(++head_.mine, std::memory_order_release); }

 private:
  std::vector<batch> ring_;
  queue_side head_;
  queue_side tail_;
};

/// Which consumer receives the next batch of a producer: up to four consumers in turn. At each step every consumer
/// receives from exactly one producer, and all follow the same steps, so no two threads can wait for each other
/// forever.
class batch_routes {
 public:
  explicit batch_routes(unsigned producers) : producers_(producers), fan_(producers < 4 ? producers : 4) {}

  std::size_t links() const { return producers_ * fan_; }
  /// Steps after which a producer has sent to each of its consumers once.
  std::size_t fan() const { return fan_; }
  /// The link on which `producer` sends at `step`.
  std::size_t sending(unsigned producer, std::size_t step) const { return producer * fan_ + step % fan_; }
  /// The link on which `consumer` receives at `step`.
  std::size_t receiving(unsigned consumer, std::size_t step) const {
    const std::size_t turn = step % fan_;
    return (consumer + producers_ - turn) % producers_ * fan_ + turn;
  }

 private:
  std::size_t producers_;
  std::size_t fan_;
};

}  // namespace stackheap

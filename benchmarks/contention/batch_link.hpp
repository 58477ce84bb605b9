// How do blocks travel between threads in batches, and what stops a producer that is ahead?
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

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

/// Connects one producer to one consumer, without locks. Four batches circulate: full batches through one queue, emptied
/// batches back through another, so a producer that is four batches ahead waits. That is the backpressure.
class batch_link {
 public:
  batch_link() {
    for (batch& unused : batches_) empty_.push(&unused);
  }
  batch_link(const batch_link&) = delete;
  batch_link& operator=(const batch_link&) = delete;

  batch& to_fill() { return *static_cast<batch*>(empty_.pop()); }
  void send(batch& filled) { full_.push(&filled); }
  batch& receive() { return *static_cast<batch*>(full_.pop()); }
  void give_back(batch& emptied) { empty_.push(&emptied); }

 private:
  std::array<batch, 4> batches_;
  handoff_queue full_;
  handoff_queue empty_;
};

/// Which consumer receives the next batch of a producer: up to four consumers in turn. At each step every consumer
/// receives from exactly one producer, and all follow the same steps, so no two threads can wait for each other
/// forever.
class batch_routes {
 public:
  explicit batch_routes(unsigned producers) : producers_(producers), fan_(producers < 4 ? producers : 4) {}

  std::size_t links() const { return producers_ * fan_; }
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

// Are nodes that are visited one after another placed next to each other?
#pragma once

#include <cstddef>
#include <cstdint>

namespace stackheap {

/// Compares the addresses of a walk.
class placement {
 public:
  /// A step of at most so many bytes, in either direction, goes to a neighbour: a prefetcher does not miss it.
  static constexpr std::uintptr_t near_bytes = 256;

  void visit(const void* address) {
    const auto here = reinterpret_cast<std::uintptr_t>(address);
    if (visits_ > 0 && (here > last_ ? here - last_ : last_ - here) <= reach_) ++near_;
    last_ = here;
    ++visits_;
  }

  /// Increases the distance of neighbours by `bytes`, for large elements.
  void stretch(std::size_t bytes) { reach_ = near_bytes + bytes; }

  /// Share of the steps that went to a neighbour; 1 for a walk of no steps.
  double neighbours() const {
    return visits_ < 2 ? 1 : static_cast<double>(near_) / static_cast<double>(visits_ - 1);
  }

 private:
  std::uintptr_t last_ = 0;
  std::uintptr_t reach_ = near_bytes;
  std::size_t near_ = 0;
  std::size_t visits_ = 0;
};

}  // namespace stackheap

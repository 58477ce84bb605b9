// Which heap does each thread of a team use?
#pragma once

#include <memory>
#include <type_traits>
#include <vector>

#include "every_strategy.hpp"

namespace stackheap {

/// One heap for all threads. Only of the control each thread has its own, because its one block would travel between
/// them. The control's blocks must have at least `apart_bytes`, so that no two threads write to one cache line.
template <shares Strategy>
class team_heap {
 public:
  static constexpr std::size_t apart_bytes = 256;

  team_heap(const strategy_factory<Strategy>& factory, unsigned threads) : heaps_(one_for_all ? 1 : threads) {
    for (auto& heap : heaps_) heap.reset(new Strategy(factory.make()));
  }

  Strategy& of(unsigned thread) { return *heaps_[one_for_all ? 0 : thread]; }

 private:
  static constexpr bool one_for_all = !std::is_same_v<Strategy, none>;
  std::vector<std::unique_ptr<Strategy>> heaps_;
};

}  // namespace stackheap

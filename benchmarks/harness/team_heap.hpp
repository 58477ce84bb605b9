// Which heap does each thread of a team use, and does any thread get memory that another thread holds?
#pragma once

#include <atomic>
#include <barrier>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "every_strategy.hpp"
#include "family.hpp"
#include "forked.hpp"
#include "threads.hpp"

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

/// What a thread writes into all of its block number `index` (at least 8 bytes): no other block has the same mark.
class mark {
 public:
  mark(unsigned thread, std::size_t index) : value_((std::uint64_t{thread} << 32) + index + 1) {}

  void write(void* block, std::size_t bytes) const {
    auto* const start = hide(static_cast<std::byte*>(block));  // GCC 12 would guess at sizes, and warn of its guess
    for (std::size_t at = 0; at + sizeof value_ <= bytes; at += sizeof value_) std::memcpy(start + at, &value_, sizeof value_);
  }
  bool is_in(const void* block, std::size_t bytes) const {
    const auto* const start = static_cast<const std::byte*>(block);
    for (std::size_t at = 0; at + sizeof value_ <= bytes; at += sizeof value_)
      if (std::memcmp(start + at, &value_, sizeof value_) != 0) return false;
    return true;
  }

 private:
  std::uint64_t value_;
};

inline constexpr const char* shared_memory_error = "two threads were given the same memory at once";

/// Each thread of the team takes blocks of `sizes` from the strategy `heap_of(thread)`, marks them, holds them until all
/// threads hold theirs, and finds its marks again. In the later turns, threads take blocks while others free theirs. Throws
/// verification_error where two threads got the same memory.
template <class HeapOf>
void verify_apart_here(team& threads, HeapOf heap_of, const std::vector<std::uint32_t>& sizes) {
  using Strategy = std::remove_reference_t<decltype(heap_of(0U))>;
  constexpr int turns = 4;
  std::atomic<bool> out_of_memory = false, overlapping = false;
  std::barrier all_hold(threads.size());
  threads.round([&](unsigned thread) {
    Strategy& mine = heap_of(thread);
    std::vector<void*> blocks(sizes.size());
    for (int turn = 0; turn < turns; ++turn) {
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        blocks[i] = mine.allocate(sizes[i]);
        if (blocks[i] == nullptr) out_of_memory = true;
        else mark(thread, i).write(blocks[i], sizes[i]);
      }
      all_hold.arrive_and_wait();
      for (std::size_t i = 0; i < sizes.size(); ++i)
        if (blocks[i] != nullptr && !mark(thread, i).is_in(blocks[i], sizes[i])) overlapping = true;
      all_hold.arrive_and_wait();  // what is freed may be given, and written, again
      for (std::size_t i = 0; i < sizes.size(); ++i)
        if (blocks[i] != nullptr) mine.deallocate(blocks[i], sizes[i]);
    }
  });
  if (out_of_memory) throw verification_error("the strategy ran out of memory");
  if (overlapping) throw verification_error(shared_memory_error);
}

/// Verifies, before the threads of a benchmark start, that no two of as many threads get the same memory. It does so in a
/// copy of this process: a heap that has held so many blocks may cost less for ever after, as tcmalloc, which then has more
/// blocks on their way between two threads. Throws verification_error.
template <shares Strategy>
void verify_apart(const strategy_factory<Strategy>& factory, unsigned threads, const std::vector<std::uint32_t>& sizes) {
  if (std::is_same_v<Strategy, none>) return;  // the control's blocks are one and the same
  const bool ended_well = in_a_copy([&] {
    team_heap<Strategy> heap(factory, threads);
    team workers(threads);
    verify_apart_here(workers, [&](unsigned thread) -> Strategy& { return heap.of(thread); }, sizes);
  });
  if (!ended_well) throw verification_error("the strategy ended a process in which threads took blocks at once");
}

}  // namespace stackheap

// Is what threads share safe, and what each is to have for itself really its own?
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "../../benchmarks/contention/behind_mutex.hpp"
#include "team_heap.hpp"

namespace stackheap {
namespace {

template <class Strategy>
contender<Strategy> offered(demand need) {
  return {"test", [need] { return Strategy(need); }};
}

TEST(behind_mutex, no_block_is_held_by_two_threads) {
  constexpr int rounds = 50000;
  behind_mutex<pool> shared(offered<pool>({64, 4}));
  std::atomic<int> conflicts = 0;
  std::latch all_there(4);
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int each = 0; each < 4; ++each)
      threads.emplace_back([&, each] {
        all_there.arrive_and_wait();
        for (int i = 0; i < rounds; ++i) {
          auto* const block = static_cast<int*>(shared.allocate(64));
          if (block == nullptr) {
            ++conflicts;
            continue;
          }
          std::atomic_ref(block[4]).store(each);
          if (i % 64 == 0) std::this_thread::yield();
          if (std::atomic_ref(block[4]).load() != each) ++conflicts;
          shared.deallocate(block, 64);
        }
      });
  }
  EXPECT_EQ(conflicts, 0);
}

TEST(behind_mutex, keeps_what_the_strategy_can_do) {
  static_assert(shares<behind_mutex<pool>> && !resets<behind_mutex<pool>>);
  static_assert(resets<behind_mutex<arena>> && !owns<behind_mutex<arena>>);
  behind_mutex<arena> shared(offered<arena>({64, 2}));
  void* const first = shared.allocate(64);
  EXPECT_NE(shared.allocate(64), nullptr);
  EXPECT_EQ(shared.allocate(64), nullptr);
  shared.reset();
  EXPECT_EQ(shared.allocate(64), first);
}

TEST(team_heap, threads_share_a_heap_but_not_the_controls_block) {
  team_heap<new_delete> one(offered<new_delete>({64, 1}), 3);
  EXPECT_EQ(&one.of(0), &one.of(2));
  team_heap<none> each(offered<none>({team_heap<none>::apart_bytes, 1}), 3);
  for (unsigned a = 0; a < 3; ++a)
    for (unsigned b = 0; b < a; ++b) {
      const auto* const one_block = static_cast<std::byte*>(each.of(a).allocate(8));
      const auto* const other_block = static_cast<std::byte*>(each.of(b).allocate(8));
      EXPECT_GE(std::abs(one_block - other_block), 128) << "threads " << a << " and " << b;
    }
}

}  // namespace
}  // namespace stackheap

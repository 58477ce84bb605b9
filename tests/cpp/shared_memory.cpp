// Is what threads share safe, and what each is to have for itself really its own?
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "../../benchmarks/contention/behind_mutex.hpp"
#include "team_heap.hpp"

namespace stackheap {
namespace {

template <class Strategy>
strategy_factory<Strategy> offered(capacity need) {
  return {"test", [need] { return Strategy(need); }};
}

/// A strategy that counts who comes in before another is out again, and lets others run meanwhile.
class crossing {
 public:
  explicit crossing(std::atomic<int>& met) : met_(met) {}
  void* allocate(std::size_t) {
    pass();
    return nullptr;
  }
  void deallocate(void*, std::size_t) { pass(); }
  void reset() { pass(); }

 private:
  void pass() {
    if (someone_there_.exchange(true)) ++met_;
    std::this_thread::yield();
    someone_there_ = false;
  }

  std::atomic<int>& met_;
  std::atomic<bool> someone_there_ = false;
};

TEST(behind_mutex, only_one_thread_at_a_time_asks_anything) {
  std::atomic<int> met = 0;
  behind_mutex<crossing> shared({"test", [&] { return crossing(met); }});
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int pass = 0; pass < 4; ++pass)
      threads.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) {
          shared.deallocate(shared.allocate(64), 64);
          shared.reset();
        }
      });
  }
  EXPECT_EQ(met, 0);
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
  team_heap<new_delete> shared(offered<new_delete>({64, 1}), 3);
  EXPECT_EQ(&shared.of(0), &shared.of(2));
  team_heap<none> apart(offered<none>({team_heap<none>::apart_bytes, 1}), 3);
  for (unsigned a = 0; a < 3; ++a)
    for (unsigned b = 0; b < a; ++b) {
      const auto* const one_block = static_cast<std::byte*>(apart.of(a).allocate(8));
      const auto* const other_block = static_cast<std::byte*>(apart.of(b).allocate(8));
      EXPECT_GE(std::abs(one_block - other_block), 128) << "threads " << a << " and " << b;
    }
}

}  // namespace
}  // namespace stackheap

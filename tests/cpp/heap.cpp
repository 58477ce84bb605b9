// Do the heap states put on the heap what they say, and take all of it away again?
#include "heap.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

namespace stackheap {
namespace {

/// Counts what is live, in the order of allocation, and refuses after `limit` allocations.
class counted {
 public:
  void* allocate(std::size_t bytes) {
    if (allocated == limit) return nullptr;
    void* const block = std::malloc(bytes);
    live[block] = {bytes, allocated++};
    return block;
  }
  void deallocate(void* block, std::size_t bytes) {
    const auto place = live.find(block);
    ASSERT_NE(place, live.end()) << "freed, but not live";
    EXPECT_EQ(place->second.bytes, bytes) << "given back with another size than it was asked with";
    live.erase(place);
    std::free(block);
  }

  struct taken {
    std::size_t bytes, index;
  };
  std::map<void*, taken> live;
  std::size_t allocated = 0;
  std::size_t limit = SIZE_MAX;
};
static_assert(owns<counted>);

TEST(heap, empty_has_nothing_live) {
  counted strategy;
  const on_heap<counted> heap(strategy, heap_state::empty, {64, 128});
  EXPECT_EQ(strategy.allocated, 0U);
}

TEST(heap, resident_has_at_least_four_live_blocks_of_each_size_and_a_drawn_number_more) {
  std::map<std::size_t, std::set<int>> counts;
  for (std::uint64_t layout = 0; layout < 200; ++layout) {
    seed_layout(layout, "benchmark");
    counted strategy;
    {
      const on_heap<counted> heap(strategy, heap_state::resident, {64, 20000, 70000});
      std::map<std::size_t, int> of_size;
      for (const auto& [block, taken] : strategy.live) ++of_size[taken.bytes];
      for (const auto& [bytes, count] : of_size) {
        counts[bytes].insert(count);
        EXPECT_LE(static_cast<std::size_t>(count), beside(heap_state::resident, {bytes, 0}).blocks) << "more than there is room for";
      }
    }
    EXPECT_TRUE(strategy.live.empty());
  }
  EXPECT_EQ(counts[64], (std::set{4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}));
  EXPECT_EQ(counts[20000], (std::set{4, 5, 6, 7})) << "within 64 KiB more";
  EXPECT_EQ(counts[70000], std::set{4});
}

TEST(heap, aged_has_had_65536_blocks_of_which_a_random_half_is_live) {
  counted strategy;
  {
    const on_heap<counted> heap(strategy, heap_state::aged, {64});
    EXPECT_EQ(strategy.allocated, 65536U);
    EXPECT_EQ(strategy.live.size(), 32768U);
    std::size_t pairs = 0, early = 0;
    std::vector<bool> is_live(65536);
    for (const auto& [block, taken] : strategy.live) {
      EXPECT_GE(taken.bytes, 16U);
      EXPECT_LE(taken.bytes, 1024U);
      is_live[taken.index] = true;
      early += taken.index < 32768;
    }
    for (std::size_t i = 1; i < is_live.size(); ++i) pairs += is_live[i - 1] && is_live[i];
    EXPECT_NEAR(static_cast<double>(early), 16384, 500) << "not the first or the last half";
    EXPECT_NEAR(static_cast<double>(pairs), 16384, 500) << "nor every second one";
  }
  EXPECT_TRUE(strategy.live.empty());
}

TEST(heap, aged_is_the_same_in_every_process) {
  std::vector<std::pair<std::size_t, std::size_t>> first, second;
  for (auto* const record : {&first, &second}) {
    counted strategy;
    const on_heap<counted> heap(strategy, heap_state::aged, {});
    for (const auto& [block, taken] : strategy.live) record->emplace_back(taken.index, taken.bytes);
    std::sort(record->begin(), record->end());
  }
  EXPECT_EQ(first, second);
}

TEST(heap, one_that_runs_out_on_the_way_gives_back_what_it_had) {
  counted strategy;
  strategy.limit = 1000;
  EXPECT_THROW(on_heap<counted>(strategy, heap_state::aged, {}), verification_error);
  EXPECT_EQ(strategy.allocated, 1000U);
  EXPECT_TRUE(strategy.live.empty());
}

TEST(heap, demand_makes_room_for_what_stays_live) {
  const capacity alone = beside(heap_state::empty, {64, 1});
  EXPECT_EQ(alone.blocks, 1U);
  for (const heap_state state : {heap_state::empty, heap_state::resident, heap_state::aged}) {
    const capacity need = beside(state, {64, 1});
    pool strategy(need);
    const on_heap<pool> heap(strategy, state, {64});
    EXPECT_NE(strategy.allocate(64), nullptr) << name_of(state);
    if (state == heap_state::empty) {
      EXPECT_EQ(strategy.allocate(64), nullptr) << name_of(state);
    }
  }
}

/// Lends in a way that must not pass for right.
struct liar {
  enum { null, short_of, twice, never } lie;
  std::vector<std::byte> memory = std::vector<std::byte>(64);

  template <class Borrower>
  void lend(std::size_t bytes, Borrower borrower) {
    if (lie == null) borrower(static_cast<std::byte*>(nullptr), bytes);
    if (lie == short_of) borrower(memory.data(), bytes - 1);
    if (lie == twice) borrower(memory.data(), bytes), borrower(memory.data(), bytes);
  }
};

TEST(heap, verify_lends_sees_through_a_strategy_that_does_not) {
  for (const auto lie : {liar::null, liar::short_of, liar::twice, liar::never}) {
    liar strategy{lie};
    EXPECT_THROW(verify_lends(strategy, 64), verification_error) << lie;
  }
  counted refuses;
  refuses.limit = 0;
  EXPECT_THROW(take(refuses, 64), verification_error);
  counted right;
  EXPECT_NO_THROW(verify_lends(right, 64));
  EXPECT_TRUE(right.live.empty());
}

}  // namespace
}  // namespace stackheap

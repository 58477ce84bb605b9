// Does the churn of fragmentation drift as it says, and keep its live bytes?
#include "../../benchmarks/footprint/drift.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <vector>

namespace stackheap {
namespace {

std::vector<std::uint32_t> drift(std::size_t churned) {
  std::vector<std::uint32_t> sizes;
  draw_drift(churned, [&](std::uint32_t bytes) { sizes.push_back(bytes); });
  return sizes;
}

double mean(std::vector<std::uint32_t>::const_iterator first, std::vector<std::uint32_t>::const_iterator last) {
  return std::accumulate(first, last, 0.0) / static_cast<double>(last - first);
}

TEST(drift, goes_from_the_first_centre_to_the_last) {
  const std::vector<std::uint32_t> sizes = drift(32 << 20);
  EXPECT_NEAR(mean(sizes.begin(), sizes.begin() + 1000), first_centre, first_centre / 10);
  EXPECT_NEAR(mean(sizes.end() - 200, sizes.end()), last_centre, last_centre / 10);
  for (const std::uint32_t bytes : sizes) {
    ASSERT_GE(bytes, smallest_drifting);
    ASSERT_LE(bytes, last_centre * 1.5);
  }
  EXPECT_NEAR(std::accumulate(sizes.begin(), sizes.end(), 0.0), 32 << 20, last_centre * 2);
  EXPECT_EQ(sizes, drift(32 << 20));
}

/// Hands out numbers and keeps account.
struct counting_heap {
  int allocate(std::size_t bytes) {
    live.insert(next);
    allocated += bytes;
    return next++;
  }
  void deallocate(int block) { freed_twice += live.erase(block) == 0; }
  void look(std::size_t bytes) { seen.push_back(bytes); }

  std::set<int> live;
  std::size_t allocated = 0;
  int next = 0, freed_twice = 0;
  std::vector<std::size_t> seen;
};

TEST(churn, keeps_the_live_bytes_and_looks_all_the_way) {
  constexpr std::size_t most_live = 1 << 20;
  struct entry {
    int block;
    std::size_t bytes;
  };
  std::vector<entry> live(most_live / smallest_drifting);
  std::vector<std::uint32_t> sizes = drift(8 * most_live);
  counting_heap heap;
  churn(heap, sizes, live, most_live, most_live / 2);
  EXPECT_EQ(heap.next, static_cast<int>(sizes.size()));
  EXPECT_EQ(heap.freed_twice, 0);
  EXPECT_NEAR(static_cast<double>(heap.seen.size()), 7 * 2 + 1, 1);  // seven times the live bytes come after it is full
  for (const std::size_t bytes : heap.seen) {
    EXPECT_LE(bytes, most_live);
    EXPECT_GT(bytes, most_live * 98 / 100);
  }
}

}  // namespace
}  // namespace stackheap

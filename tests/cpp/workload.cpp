// Are the cycles cycles, the permutations permutations and the sizes distributed as said, and the same every time?
#include "workload.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

namespace stackheap {
namespace {

using indices = std::vector<std::uint32_t>;

indices from_zero(std::size_t n) {
  indices all(n);
  std::iota(all.begin(), all.end(), 0U);
  return all;
}

bool is_permutation_of_all(indices order) {
  std::sort(order.begin(), order.end());
  return order == from_zero(order.size());
}

/// Steps from 0 until one is back at a place seen before; all of them only when that is one full cycle.
std::size_t steps_until_seen(const indices& next) {
  std::vector<bool> seen(next.size());
  std::size_t steps = 0;
  for (std::uint32_t at = 0; !seen[at]; at = next[at], ++steps) seen[at] = true;
  return steps;
}

/// Pearson's statistic against equal frequencies, as multiples of its standard deviation away from what is expected.
template <class Count>
double distance_from_equal(const std::vector<Count>& counts) {
  const double total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), Count{0}));
  const double expected = total / static_cast<double>(counts.size());
  double statistic = 0;
  for (const Count count : counts) statistic += std::pow(static_cast<double>(count) - expected, 2) / expected;
  const double freedom = static_cast<double>(counts.size() - 1);
  return (statistic - freedom) / std::sqrt(2 * freedom);
}

std::uint64_t checksum(const indices& values) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a over whole numbers
  for (const std::uint32_t value : values) hash = (hash ^ value) * 0x100000001b3;
  return hash;
}

TEST(workload, random_cycle_is_one_full_cycle) {
  for (std::size_t n : {1, 2, 3, 4, 5, 7, 8, 16, 63, 64, 65, 1000, 4096, 100000})
    for (std::uint64_t each_seed = 0; each_seed < (n < 100 ? 200U : 3U); ++each_seed) {
      generator random(each_seed);
      const indices next = random_cycle(n, random);
      ASSERT_TRUE(is_permutation_of_all(next)) << n;
      ASSERT_EQ(steps_until_seen(next), n);
    }
  generator random(seed);
  EXPECT_TRUE(random_cycle(0, random).empty());
}

TEST(workload, every_cycle_is_as_likely_as_any_other) {
  generator random(seed);
  std::map<indices, std::uint64_t> seen;
  for (int i = 0; i < 24000; ++i) ++seen[random_cycle(5, random)];
  ASSERT_EQ(seen.size(), 24U) << "there are (5 - 1)! cycles through 5";
  std::vector<std::uint64_t> counts;
  counts.reserve(seen.size());
  for (const auto& [cycle, count] : seen) counts.push_back(count);
  EXPECT_LT(std::abs(distance_from_equal(counts)), 6);
}

TEST(workload, shuffled_is_a_permutation_each_as_likely_as_any_other) {
  generator random(seed);
  for (std::size_t n : {0, 1, 2, 3, 10, 1000, 65536}) EXPECT_TRUE(is_permutation_of_all(shuffled(n, random))) << n;
  EXPECT_EQ(shuffled(1000, random).size(), 1000U);
  std::map<indices, std::uint64_t> seen;
  for (int i = 0; i < 24000; ++i) ++seen[shuffled(4, random)];
  ASSERT_EQ(seen.size(), 24U);
  std::vector<std::uint64_t> counts;
  counts.reserve(seen.size());
  for (const auto& [order, count] : seen) counts.push_back(count);
  EXPECT_LT(std::abs(distance_from_equal(counts)), 6);
}

TEST(workload, below_is_below_and_unbiased) {
  generator random(seed);
  for (const std::uint64_t bound : {1, 2, 3, 6, 7, 1000}) {
    std::vector<std::uint64_t> counts(bound);
    for (std::uint64_t i = 0; i < 1000 * bound; ++i) ++counts.at(below(bound, random));
    if (bound > 1) {
      EXPECT_LT(std::abs(distance_from_equal(counts)), 6) << bound;
    }
  }
  // Two thirds of 2^64: a remainder instead of the product would hit the lower half twice as often.
  const std::uint64_t bound = UINT64_MAX / 3 * 2;
  int low = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::uint64_t drawn = below(bound, random);
    ASSERT_LT(drawn, bound);
    low += drawn < bound / 2;
  }
  EXPECT_NEAR(low, 5000, 300);
}

TEST(workload, orders_are_the_orders_they_are_named_after) {
  EXPECT_EQ(order_of(free_order::fifo, 5), (indices{0, 1, 2, 3, 4}));
  EXPECT_EQ(order_of(free_order::lifo, 5), (indices{4, 3, 2, 1, 0}));
  EXPECT_EQ(order_of(free_order::butterfly, 5), (indices{0, 4, 1, 3, 2}));
  EXPECT_EQ(order_of(free_order::butterfly, 4), (indices{0, 3, 1, 2}));
  for (const free_order value : {free_order::lifo, free_order::fifo, free_order::random, free_order::butterfly})
    for (const std::size_t n : {0, 1, 2, 3, 100, 1001}) {
      EXPECT_EQ(order_of(value, n).size(), n) << name_of(value);
      EXPECT_TRUE(is_permutation_of_all(order_of(value, n))) << name_of(value) << ' ' << n;
    }
  // Half of the steps of a random order go up, and hardly any goes to the next block.
  const indices random = order_of(free_order::random, 10000);
  int up = 0, next = 0;
  for (std::size_t i = 1; i < random.size(); ++i) {
    up += random[i] > random[i - 1];
    next += random[i] == random[i - 1] + 1;
  }
  EXPECT_NEAR(up, 5000, 300);
  EXPECT_LT(next, 10);
}

TEST(workload, uniform_sizes_are_every_whole_number_alike) {
  generator random(seed);
  constexpr std::size_t low = 16, high = 1024;
  EXPECT_EQ(smallest(size_mix::uniform), low);
  EXPECT_EQ(largest(size_mix::uniform), high);
  std::vector<std::uint64_t> counts(high - low + 1);
  for (std::size_t i = 0; i < 1000 * counts.size(); ++i) ++counts.at(draw_size(size_mix::uniform, random) - low);
  EXPECT_LT(std::abs(distance_from_equal(counts)), 6);
  EXPECT_GT(counts.front(), 0U);
  EXPECT_GT(counts.back(), 0U);
}

TEST(workload, power_law_sizes_have_the_tail_of_a_bounded_pareto) {
  constexpr double low = 16, high = 65536, shape = 1.1;
  constexpr std::size_t drawn = 1'000'000;
  EXPECT_EQ(static_cast<double>(smallest(size_mix::power_law)), low);
  EXPECT_EQ(static_cast<double>(largest(size_mix::power_law)), high);
  generator random(seed);
  std::vector<double> sizes(drawn);
  for (double& size : sizes) size = draw_size(size_mix::power_law, random);
  std::sort(sizes.begin(), sizes.end());
  EXPECT_EQ(sizes.front(), low);
  EXPECT_LE(sizes.back(), high);
  for (const double bytes : {17.0, 20.0, 32.0, 64.0, 200.0, 1024.0, 8192.0, 32768.0}) {
    const auto first = std::lower_bound(sizes.begin(), sizes.end(), bytes);
    const double share = static_cast<double>(sizes.end() - first) / drawn;
    const double cut = std::pow(low / high, shape);
    const double wanted = (std::pow(low / bytes, shape) - cut) / (1 - cut);
    EXPECT_NEAR(share, wanted, 6 * std::sqrt(wanted * (1 - wanted) / drawn)) << bytes;
  }
}

TEST(workload, replacements_go_to_every_slot_alike) {
  generator random(seed);
  const std::vector<replacement> all = replacements(100, size_mix::uniform, 100'000, random);
  EXPECT_EQ(all.size(), 100'000U);
  std::vector<std::uint64_t> counts(100);
  for (const replacement& value : all) {
    ++counts.at(value.slot);
    EXPECT_GE(value.bytes, smallest(size_mix::uniform));
    EXPECT_LE(value.bytes, largest(size_mix::uniform));
  }
  EXPECT_LT(std::abs(distance_from_equal(counts)), 6);
}

indices everything_drawn() {
  generator random(seed);
  indices all = shuffled(1000, random);
  const indices cycle = random_cycle(1000, random);
  all.insert(all.end(), cycle.begin(), cycle.end());
  for (const size_mix mix : {size_mix::uniform, size_mix::power_law})
    for (const auto& [slot, bytes] : replacements(1000, mix, 1000, random)) all.insert(all.end(), {slot, bytes});
  const indices order = order_of(free_order::random, 1000);
  all.insert(all.end(), order.begin(), order.end());
  return all;
}

TEST(workload, the_same_seed_draws_the_same_on_every_machine) {
  EXPECT_EQ(everything_drawn(), everything_drawn());
  // When this changes, results before and after are of different workloads.
  EXPECT_EQ(checksum(everything_drawn()), 11718823137810008367U);
}

}  // namespace
}  // namespace stackheap

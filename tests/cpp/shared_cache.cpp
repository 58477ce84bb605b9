// Does the probe of the shared cache walk a set that lies there, and only beside benchmarks whose data do?
#include "shared_cache.hpp"

#include <gtest/gtest.h>

#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

TEST(shared_cache, set_is_a_quarter_of_the_shared_cache_and_more_than_the_second_cache) {
  EXPECT_EQ(shared_cache_set(mib, 32 * mib), 8 * mib);
  EXPECT_EQ(shared_cache_set(mib, 260 * mib), 8 * mib) << "a larger set takes too long";
  EXPECT_EQ(shared_cache_set(8 * mib, 260 * mib), 32 * mib) << "a smaller set lies in the second-level cache";
  EXPECT_EQ(shared_cache_set(mib, 8 * mib), 4 * mib);
  EXPECT_EQ(shared_cache_set(mib / 4, 2 * mib), mib);
  EXPECT_EQ(shared_cache_set(2 * mib, 8 * mib), std::nullopt);  // others would need no more than their own data
  EXPECT_EQ(shared_cache_set(mib, std::nullopt), std::nullopt);
  EXPECT_EQ(shared_cache_set(std::nullopt, 32 * mib), std::nullopt);
  EXPECT_EQ(shared_cache_set(0, 0), std::nullopt);
  EXPECT_EQ(shared_cache_set(5000, 70'000), std::size_t{16384}) << "whole pages";
}

TEST(shared_cache, load_takes_longer_than_a_cycle_where_there_is_such_a_cache) {
  const auto set = shared_cache_set(this_machine().cache_bytes(2), this_machine().cache_bytes(3));
  const auto ns = ns_shared_cache();
  ASSERT_EQ(ns.has_value(), set.has_value());
  if (ns) {
    EXPECT_GT(*ns, 0.5);
    EXPECT_LT(*ns, 10'000.0);
  }
}

TEST(shared_cache, is_probed_only_beside_benchmarks_of_families_that_declare_it) {
  EXPECT_FALSE(past_second_cache("no_family/bytes:67108864/"));  // this program has no family
  EXPECT_EQ(shared_cache_beside("no_family/bytes:67108864/"), std::nullopt);
  EXPECT_EQ(ns_shared_cache_again(), std::nullopt) << "nor after them";
}

}  // namespace
}  // namespace stackheap

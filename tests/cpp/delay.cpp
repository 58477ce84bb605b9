// Is a planted slowdown as long as it was asked to be?
#include "../planted/delay.hpp"

#include <gtest/gtest.h>

namespace stackheap {
namespace {

TEST(a_planted_delay, makes_every_addition_once) {
  EXPECT_EQ(add<1>(7, 3), 10u);
  EXPECT_EQ(add<1024>(7, 3), 7 + 1024 * 3u);
  for (std::uint64_t additions = 0; additions < 1024; ++additions)
    EXPECT_EQ(add_below_twice<512>(additions, 5, 1), 5 + additions);
  EXPECT_EQ(add_below_twice<512>(3 * 1024 + 77, 0, 1), 77u) << "whole rounds are made elsewhere";
}

}  // namespace
}  // namespace stackheap

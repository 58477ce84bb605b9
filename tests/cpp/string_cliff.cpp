// Is it told by the address whether an object keeps its data within itself?
#include "../../benchmarks/ownership/inside.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace stackheap {
namespace {

TEST(string_cliff, inside_is_told_by_the_address) {
  const std::array<char, 16> block{};
  EXPECT_TRUE(inside(block, block.data()));
  EXPECT_TRUE(inside(block, block.data() + 15));
  EXPECT_FALSE(inside(block, block.data() + 16));
  EXPECT_FALSE(inside(block, block.data() - 1));
}

TEST(string_cliff, a_long_string_is_not_inside_itself) {
  const std::string shortest(1, 's'), longer(200, 's');
  EXPECT_TRUE(inside(shortest, shortest.data()));
  EXPECT_FALSE(inside(longer, longer.data()));
}

}  // namespace
}  // namespace stackheap

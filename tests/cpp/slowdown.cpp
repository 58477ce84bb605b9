// Is a planted slowdown as large as it was asked to be?
#include "../planted/slowdown.hpp"

#include <gtest/gtest.h>

namespace stackheap {
namespace {

class a_planted_slowdown : public ::testing::Test {
 protected:
  void TearDown() override { ::unsetenv("PLANTED"); }
  static void plant(const char* percent) { ::setenv("PLANTED", percent, 1); }
};

TEST_F(a_planted_slowdown, makes_its_share_of_the_operations_once_more) {
  EXPECT_EQ(with_slowdown(1000), 1000);
  plant("0");
  EXPECT_EQ(with_slowdown(1000), 1000);
  plant("1");
  EXPECT_EQ(with_slowdown(100), 101);
  plant("5");
  EXPECT_EQ(with_slowdown(2000), 2100);
  plant("100");
  EXPECT_EQ(with_slowdown(25'000), 50'000);
}

TEST_F(a_planted_slowdown, refuses_what_is_not_a_percentage) {
  for (const char* const text : {"x", "-1", "101", "2 %", "2.5", " 2"}) {
    plant(text);
    EXPECT_THROW(with_slowdown(100), std::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace stackheap

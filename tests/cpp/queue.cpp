// Does the queue between two threads hold what it says, in order, and lose nothing?
#include "queue.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace stackheap {
namespace {

void* numbered(std::size_t number) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number + 1)); }

TEST(queue, holds_256_and_gives_them_back_in_order) {
  handoff_queue queue;
  EXPECT_EQ(queue.try_pop(), nullptr);
  for (std::size_t round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < 256; ++i) ASSERT_TRUE(queue.try_push(numbered(i))) << i;
    EXPECT_FALSE(queue.try_push(numbered(256)));
    EXPECT_EQ(queue.try_pop(), numbered(0));
    EXPECT_TRUE(queue.try_push(numbered(256)));
    EXPECT_FALSE(queue.try_push(numbered(257)));
    for (std::size_t i = 1; i <= 256; ++i) ASSERT_EQ(queue.try_pop(), numbered(i));
    EXPECT_EQ(queue.try_pop(), nullptr);
  }
}

TEST(queue, loses_nothing_between_two_threads) {
  constexpr std::size_t count = 200'000;
  handoff_queue queue;
  std::jthread producer([&] {
    for (std::size_t i = 0; i < count; ++i) queue.push(numbered(i));
  });
  std::size_t out_of_order = 0;
  for (std::size_t i = 0; i < count; ++i) out_of_order += queue.pop() != numbered(i);
  EXPECT_EQ(out_of_order, 0U);
}

}  // namespace
}  // namespace stackheap

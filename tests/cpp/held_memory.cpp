// Is what the kernel says of a process's memory read rightly, also where it says little?
#include "held_memory.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "family.hpp"
#include "made_up_system.hpp"

namespace stackheap {
namespace {

constexpr const char* rollup =
    "5589406a1000-7ffd52ae1000 ---p 00000000 00:00 0                          [rollup]\n"
    "Rss:                1664 kB\n"
    "Shared_Clean:       1496 kB\n"
    "Private_Clean:        56 kB\n"
    "Private_Dirty:       112 kB\n"
    "Anonymous:           112 kB\n"
    "LazyFree:              8 kB\n"
    "AnonHugePages:      2048 kB\n"
    "Private_Hugetlb:       4 kB\n";

TEST(held_memory, rollup_is_read_in_bytes) {
  const auto held = parse_rollup(rollup);
  ASSERT_TRUE(held);
  EXPECT_EQ(held->resident, 1664U << 10);
  EXPECT_EQ(held->unshared, 168U << 10);
  EXPECT_EQ(held->lazy_free, 8U << 10);
  EXPECT_EQ(held->huge, 2048U << 10);
  EXPECT_TRUE(held->exact);
}

TEST(held_memory, rollup_without_rss_says_nothing) {
  EXPECT_FALSE(parse_rollup(""));
  EXPECT_FALSE(parse_rollup("Private_Dirty:  112 kB\n"));
}

TEST(held_memory, statm_is_read_in_pages) {
  const auto held = parse_statm("765 405 377 5 0 123 0\n", 4096);
  ASSERT_TRUE(held);
  EXPECT_EQ(held->resident, 405U * 4096);
  EXPECT_EQ(held->unshared, 28U * 4096);
  EXPECT_FALSE(held->exact);
  EXPECT_FALSE(parse_statm("", 4096));
  EXPECT_FALSE(parse_statm("765 405", 4096));
}

TEST(held_memory, statm_is_the_way_out_and_nothing_is_an_error) {
  const made_up_system here;
  EXPECT_THROW(held_now(here.root.c_str()), verification_error);
  here.write("statm", "765 405 377 5 0 123 0\n");
  EXPECT_FALSE(held_now(here.root.c_str()).exact);
  here.write("smaps_rollup", rollup);
  EXPECT_TRUE(held_now(here.root.c_str()).exact);
}

TEST(held_memory, grows_and_shrinks_with_what_is_written_and_given_back) {
  constexpr std::size_t bytes = std::size_t{16} << 20, tolerance = std::size_t{1} << 20;
  void* const block = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(block, MAP_FAILED);
  held_now();
  const std::size_t before = held_now().resident;
  EXPECT_LT(held_now().resident, before + tolerance);  // mapped is not resident
  std::memset(block, 1, bytes);
  EXPECT_NEAR(static_cast<double>(held_now().resident - before), static_cast<double>(bytes), tolerance);
  ::munmap(block, bytes);
  EXPECT_LT(held_now().resident, before + tolerance);
}

}  // namespace
}  // namespace stackheap

// Does each process lie elsewhere in its pages and cache lines, and the same layout number always in the same places?
#include "layout.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <vector>

namespace stackheap {
namespace {

constexpr std::uintptr_t page = 4096;

/// Where the next block of the process's heap lies in its page, in a child that has moved its heap.
std::uintptr_t place_in_page(std::uint64_t layout, std::size_t bytes) {
  int ends[2];
  if (::pipe(ends) != 0) return page;
  const pid_t child = ::fork();
  if (child == 0) {
    seed_layout(layout, "benchmark");
    move_process_heap();
    const auto place = reinterpret_cast<std::uintptr_t>(std::malloc(bytes)) % page;
    ::_exit(::write(ends[1], &place, sizeof place) == sizeof place ? 0 : 1);
  }
  std::uintptr_t place = page;
  EXPECT_EQ(::read(ends[0], &place, sizeof place), static_cast<ssize_t>(sizeof place));
  ::close(ends[0]), ::close(ends[1]);
  ::waitpid(child, nullptr, 0);
  return place;
}

TEST(layout, blocks_lie_elsewhere_in_their_page_by_number) {
  for (const std::size_t bytes : {24, 64, 500, 2048}) {
    std::set<std::uintptr_t> in_page, in_line;
    for (std::uint64_t layout = 0; layout < 24; ++layout) {
      const std::uintptr_t place = place_in_page(layout, bytes);
      in_page.insert(place);
      in_line.insert(place % 64);
    }
    EXPECT_GT(in_page.size(), 12U) << bytes;
    EXPECT_EQ(in_line.size(), 4U) << bytes;
    EXPECT_EQ(place_in_page(7, bytes), place_in_page(7, bytes));
  }
}

TEST(layout, a_block_does_not_lie_where_another_was_freed_before) {
  const pid_t child = ::fork();
  if (child == 0) {
    bool beyond = true;
    for (const std::size_t bytes : {24, 64, 104, 700, 1032, 5000}) {
      std::vector<void*> freed;
      for (int i = 0; i < 20; ++i) freed.push_back(std::malloc(bytes));
      void* const wall = std::malloc(64);
      for (void* block : freed) std::free(block);
      move_process_heap();
      beyond = beyond && std::malloc(bytes) > wall;
    }
    ::_exit(beyond ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(layout, the_stack_begins_where_it_is_drawn) {
  std::set<std::uintptr_t> in_page;
  seed_layout(1, "benchmark");
  for (int i = 0; i < 24; ++i)
    on_moved_stack(drawn_stack_distance(), [&] {
      int local = 0;
      in_page.insert(reinterpret_cast<std::uintptr_t>(&local) % page);
    });
  EXPECT_GT(in_page.size(), 12U);
}

TEST(layout, depends_on_the_number_and_the_benchmark) {
  const auto drawn = [](std::uint64_t layout, const char* benchmark) {
    seed_layout(layout, benchmark);
    return drawn_below(1u << 30);
  };
  EXPECT_EQ(drawn(1, "a"), drawn(1, "a"));
  EXPECT_NE(drawn(1, "a"), drawn(2, "a"));
  EXPECT_NE(drawn(1, "a"), drawn(1, "b"));
  EXPECT_NE(drawn(1, "a"), drawn((std::uint64_t{1} << 32) + 1, "a"));
}

}  // namespace
}  // namespace stackheap

// Is a recording read as it was written, and is a damaged one said to be damaged?
#include <gtest/gtest.h>

#include <vector>

#include "made_up_recording.hpp"
#include "reader.hpp"

namespace stackheap::recording {
namespace {

std::span<const std::byte> bytes_in(const std::string& file) { return std::as_bytes(std::span(file)); }

std::vector<event> events_in(const std::string& file) {
  reader read(bytes_in(file));
  std::vector<event> all;
  for (event found; read.next(found);) all.push_back(found);
  return all;
}

TEST(recording, events_come_as_they_were_made) {
  made_up_recording made;
  made.begin(0, 0);
  const auto first = made.malloc(0, 100, by_cpp | by_array);
  made.mark(0, event_kind::main_begins);
  const auto second = made.aligned(0, 6, 1000);
  const auto third = made.grow(0, first, 200);
  made.fail(0, ~std::uint64_t{0});
  made.free(0, second);
  made.mark(0, event_kind::free_unknown);
  made.free(0, third, by_cpp);
  const std::string file = made.ended(ending::exec, 7);

  const reader read(bytes_in(file));
  EXPECT_EQ(read.about().command, (std::vector<std::string>{"program", "argument"}));
  EXPECT_EQ(read.about().process, 100U);
  EXPECT_EQ(read.about().events, 9U);
  EXPECT_EQ(read.about().unseen, 7U);
  EXPECT_EQ(read.about().lanes, 1U);
  EXPECT_EQ(read.about().threads, 1U);
  EXPECT_EQ(read.about().how, ending::exec);
  EXPECT_FALSE(read.about().cut_off);

  const auto all = events_in(file);
  ASSERT_EQ(all.size(), 9U);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].ticket, i);
  EXPECT_EQ(all[0].kind, event_kind::thread_begins);
  EXPECT_EQ(all[1].block, 0U);
  EXPECT_EQ(all[1].bytes, 100U);
  EXPECT_EQ(all[1].flags, by_cpp | by_array);
  EXPECT_EQ(all[3].alignment_log2, 6);
  EXPECT_EQ(all[4].old_block, 0U);
  EXPECT_EQ(all[4].block, 2U);
  EXPECT_EQ(all[5].bytes, ~std::uint64_t{0});
  EXPECT_EQ(all[6].block, 1U);
  EXPECT_EQ(all[7].kind, event_kind::free_unknown);
  EXPECT_EQ(all[8].block, 2U);
  EXPECT_EQ(all[8].flags, by_cpp);
}

TEST(recording, lanes_are_merged_by_ticket) {
  made_up_recording made;
  std::vector<made_up_block> taken;
  for (std::uint32_t i = 0; i < 30'000; ++i) {
    taken.push_back(made.malloc(i * 7 % 3, i));
    if (i % 100 == 0) made.flush(i % 3);
    if (i % 2 == 0) made.free(i % 5 % 3, taken[i / 2]);
  }
  const std::string file = made.ended();
  std::uint32_t blocks = 0, freed = 0;
  for (const event& found : events_in(file))
    if (found.kind == event_kind::malloc) {
      EXPECT_EQ(found.bytes, blocks);
      EXPECT_EQ(found.block, blocks++);
    } else {
      EXPECT_EQ(found.block, freed++);
      EXPECT_EQ(found.taker, taken[found.block].thread);
    }
  EXPECT_EQ(blocks, 30'000U);
  EXPECT_EQ(freed, 15'000U);
}

}  // namespace
}  // namespace stackheap::recording

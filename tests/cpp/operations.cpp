// Does a decoded recording make the calls that the program made, with every block where it belongs?
#include "operations.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "made_up_churn.hpp"
#include "made_up_recording.hpp"
#include "recordings.hpp"

namespace stackheap::recording {
namespace {

std::span<const std::byte> bytes_in(const std::string& text) { return {reinterpret_cast<const std::byte*>(text.data()), text.size()}; }

struct decoded {
  explicit decoded(const std::string& file, const decoding& chosen = {}, std::uint64_t events = all_events)
      : whole(decode({bytes_in(file), events}, chosen, [this](std::uint64_t count) {
          operations.resize(count);
          return operations.data();
        })) {}

  /// The operations of a lane as words: `malloc 3 100` is slot and bytes.
  std::vector<std::string> calls(std::uint32_t lane = 0) const { return words(whole.of_lane[lane].begin, whole.of_lane[lane].end); }
  std::vector<std::string> rest(std::uint32_t lane = 0) const { return words(whole.of_lane[lane].end, whole.of_lane[lane].rest_end); }

  std::vector<std::string> words(std::uint64_t begin, std::uint64_t end) const {
    static constexpr const char* names[] = {"malloc",       "calloc",       "aligned",    "realloc",   "free",
                                            "stack_malloc", "stack_calloc", "stack_free", "hand_over", "receive"};
    std::vector<std::string> all;
    for (; begin < end; ++begin) {
      const operation& at = operations[begin];
      all.push_back(std::string(names[static_cast<unsigned>(at.kind)]) + ' ' + std::to_string(at.slot));
      if (at.kind != step::free && at.kind != step::stack_free) all.back() += ' ' + std::to_string(at.bytes);
      if (at.kind == step::aligned) all.back() += '@' + std::to_string(operations[++begin].bytes);
    }
    return all;
  }

  std::vector<operation> operations;
  extent whole;
};

using words = std::vector<std::string>;

TEST(operations, make_the_calls_in_their_order_and_use_slots_again) {
  made_up_recording made;
  const made_up_block first = made.malloc(0, 100), second = made.calloc(0, 20);
  made.free(0, first);
  const made_up_block third = made.aligned(0, 6, 300);
  made.free(0, third);
  made.free(0, second);
  const decoded all(made.ended());
  EXPECT_EQ(all.calls(), (words{"malloc 0 100", "calloc 1 20", "free 0", "aligned 0 300@64", "free 0", "free 1"}));
  EXPECT_EQ(all.rest(), words{});
  EXPECT_EQ(all.whole.calls, 6U);
  EXPECT_EQ(all.whole.allocations, 3U);
  EXPECT_EQ(all.whole.lanes, 1U);
  EXPECT_EQ(all.whole.of_lane[0].slots, 2U);
  EXPECT_EQ(all.whole.peak_live_bytes, 320U);
}

TEST(operations, grow_a_block_in_its_slot) {
  made_up_recording made;
  made_up_block block = made.malloc(0, 8);
  for (const unsigned bytes : {16, 32, 5}) block = made.grow(0, block, bytes);
  made.grow_unknown(0, 7);
  made.free(0, block);
  const decoded all(made.ended());
  EXPECT_EQ(all.calls(), (words{"malloc 0 8", "realloc 0 16", "realloc 0 32", "realloc 0 5", "malloc 1 7", "free 0"}));
  EXPECT_EQ(all.rest(), words{"free 1"});
  EXPECT_EQ(all.whole.allocations, 5U);
  EXPECT_EQ(all.whole.peak_live_bytes, 32U);
}

TEST(operations, free_between_passes_what_the_program_never_freed) {
  made_up_recording made;
  made.malloc(0, 1);
  const made_up_block block = made.malloc(0, 2);
  made.malloc(0, 3);
  made.free(0, block);
  const decoded all(made.ended());
  EXPECT_EQ(all.rest(), (words{"free 0", "free 2"}));
}

TEST(operations, of_the_first_events_are_those_of_a_program_that_ended_there) {
  made_up_recording made;
  const made_up_block first = made.malloc(0, 100);
  made.free(0, first);
  const made_up_block second = made.malloc(0, 200);
  const std::string short_one = made.cut_off();
  made.free(0, second);
  made.malloc(0, 300);
  const std::string long_one = made.ended();
  const decoded cut(long_one, {.on_stack = true}, 3), ended(short_one, {.on_stack = true});
  EXPECT_EQ(cut.calls(), (words{"stack_malloc 0 100", "stack_free 0", "malloc 0 200"}));
  EXPECT_EQ(cut.calls(), ended.calls());
  EXPECT_EQ(cut.rest(), words{"free 0"});
  EXPECT_EQ(cut.whole.calls, 3U);
  EXPECT_EQ(cut.whole.replay_bytes, ended.whole.replay_bytes);
  EXPECT_EQ(decoded(long_one, {}, 5).calls(), decoded(long_one).calls());
}

TEST(operations, leave_out_what_cannot_be_repeated) {
  made_up_recording made;
  made.mark(0, event_kind::main_begins);
  made.fail(0, std::uint64_t{1} << 50);
  made.mark(0, event_kind::free_unknown);
  made.malloc(0, 0);
  made.malloc(0, std::uint64_t{5} << 30);
  const decoded all(made.ended());
  EXPECT_EQ(all.calls(), (words{"malloc 0 1", "malloc 1 4294967295"}));
  EXPECT_EQ(all.whole.calls, 2U);
  EXPECT_EQ(all.whole.left_out, 2U);
  EXPECT_EQ(all.whole.made_smaller, 1U);
}

TEST(operations, pass_a_block_that_another_thread_frees_or_grows) {
  made_up_recording made;
  const made_up_block kept = made.malloc(0, 1), given = made.malloc(0, 2), grown = made.malloc(0, 3);
  made.free(1, given);
  const made_up_block back = made.grow(1, grown, 4);
  made.free(0, back);
  made.free(0, kept);
  const decoded all(made.ended());
  EXPECT_EQ(all.calls(0), (words{"malloc 0 1", "malloc 1 2", "hand_over 1 0", "malloc 1 3", "hand_over 1 1", "receive 1 2", "free 1", "free 0"}));
  EXPECT_EQ(all.calls(1), (words{"receive 0 0", "free 0", "receive 0 1", "realloc 0 4", "hand_over 0 2"}));
  EXPECT_EQ(all.whole.passed, 3U);
  EXPECT_EQ(all.whole.entries, 3U);
  EXPECT_EQ(all.whole.calls, 7U);
}

TEST(operations, use_an_entry_again_when_it_is_empty) {
  made_up_recording made;
  for (const unsigned bytes : {1, 2}) made.free(1, made.malloc(0, bytes));
  const decoded all(made.ended());
  EXPECT_EQ(all.calls(0), (words{"malloc 0 1", "hand_over 0 0", "malloc 0 2", "hand_over 0 0"}));
  EXPECT_EQ(all.calls(1), (words{"receive 0 0", "free 0", "receive 0 0", "free 0"}));
}

/// The lanes take turns as their operations allow. Each block has a size of its own, by which it is known.
TEST(operations, end_the_same_blocks_in_each_lane_however_the_lanes_run) {
  constexpr std::uint32_t lanes = 5;
  made_up_recording made;
  std::uint64_t random = 7, bytes = 0;
  const auto draw = [&](std::uint64_t bound) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    return (random >> 33) % bound;
  };
  struct live_block {
    made_up_block block;
    std::uint64_t bytes;
  };
  std::vector<live_block> live;
  std::vector<std::vector<std::uint64_t>> wanted(lanes), ended(lanes);
  for (int i = 0; i < 20'000; ++i) {
    const auto thread = static_cast<std::uint32_t>(draw(lanes));
    if (live.size() < 50 && draw(2) == 0) {
      live.push_back({made.malloc(thread, ++bytes), bytes});
    } else if (!live.empty()) {
      live_block& at = live[draw(live.size())];
      wanted[thread].push_back(at.bytes);
      if (draw(4) == 0) {
        at = {made.grow(thread, at.block, ++bytes), bytes};
      } else {
        made.free(thread, at.block);
        at = live.back();
        live.pop_back();
      }
    }
  }
  const decoded all(made.ended());
  ASSERT_EQ(all.whole.lanes, lanes);
  for (std::uint32_t first = 0; first < lanes; ++first) {  // the lane that runs as far as it can before the others
    for (std::vector<std::uint64_t>& of_lane : ended) of_lane.clear();
    std::vector<std::uint64_t> at(lanes), entries(all.whole.entries);
    std::vector<std::vector<std::uint64_t>> slots(lanes);
    for (std::uint32_t lane = 0; lane < lanes; ++lane) slots[lane].resize(all.whole.of_lane[lane].slots);
    for (bool moved = true; moved;) {
      moved = false;
      for (std::uint32_t turn = 0; turn < lanes; ++turn) {
        const std::uint32_t lane = (first + turn) % lanes;
        const auto calls = std::span(all.operations).subspan(all.whole.of_lane[lane].begin, all.whole.of_lane[lane].end - all.whole.of_lane[lane].begin);
        for (; at[lane] < calls.size(); ++at[lane], moved = true) {
          const operation& next = calls[at[lane]];
          std::uint64_t& slot = slots[lane][next.slot];
          if (next.kind == step::hand_over && entries[next.bytes] != 0) break;
          if (next.kind == step::receive && entries[next.bytes] == 0) break;
          if (next.kind == step::free || next.kind == step::realloc) ended[lane].push_back(std::exchange(slot, 0));
          if (next.kind == step::hand_over || next.kind == step::receive) std::swap(entries[next.bytes], slot);
          if (next.kind == step::malloc || next.kind == step::realloc) {
            ASSERT_EQ(slot, 0U);
            slot = next.bytes;
          }
        }
      }
    }
    EXPECT_EQ(ended, wanted);
  }
}

TEST(operations, of_one_lane_are_in_the_order_of_the_program) {
  made_up_recording made;
  const made_up_block given = made.malloc(0, 1);
  const made_up_block other = made.malloc(1, 2);
  made.free(1, given);
  made.free(0, other);
  const decoded all(made.ended(), {.one_lane = true});
  EXPECT_EQ(all.calls(), (words{"malloc 0 1", "malloc 1 2", "free 0", "free 1"}));
  EXPECT_EQ(all.whole.lanes, 1U);
}

TEST(operations, take_stack_like_blocks_from_the_stack) {
  made_up_recording made;
  const made_up_block outer = made.malloc(0, 100);
  const made_up_block inner = made.calloc(0, 20), fine = made.aligned(0, 4, 5);
  made.free(0, fine);
  made.free(0, inner);
  made.malloc(0, 7);  // never freed
  const made_up_block wide = made.aligned(0, 6, 64);
  made.free(0, wide);
  const made_up_block last = made.malloc(0, 1);
  made.free(0, last);
  const decoded all(made.ended(), {.on_stack = true});
  EXPECT_EQ(all.calls(), (words{"malloc 0 100", "stack_calloc 1 20", "stack_malloc 2 5", "stack_free 2", "stack_free 1", "malloc 1 7",
                                "aligned 2 64@64", "free 2", "stack_malloc 2 1", "stack_free 2"}));
  EXPECT_EQ(all.whole.of_lane[0].stack_bytes, 32U + 16U);
  EXPECT_EQ(decoded(made.ended()).calls().size(), all.calls().size());
  static_cast<void>(outer);
}

TEST(operations, refuse_what_takes_too_much_memory) {
  made_up_recording made;
  for (int i = 0; i < 1000; ++i) made.malloc(0, 1 << 20);
  EXPECT_NO_THROW(survey(bytes_in(made.ended()), {.most_bytes = 100 << 20}));
  try {
    survey(bytes_in(made.ended()), {.most_bytes = 1 << 20});
    FAIL();
  } catch (const not_replayable& error) {
    EXPECT_EQ(std::string(error.what()), "its replay needs 63 MiB or more, and may take 2 MiB of the free memory: record fewer events");
  }
}

TEST(operations, refuse_more_threads_at_once_than_are_replayed) {
  made_up_recording made;
  for (std::uint32_t thread = 0; thread < most_replayed_lanes; ++thread) made.malloc(thread, 1);
  EXPECT_EQ(survey(bytes_in(made.ended()), {}).lanes, most_replayed_lanes);
  made.malloc(most_replayed_lanes, 1);
  EXPECT_THROW(survey(bytes_in(made.ended()), {}), not_replayable);
  EXPECT_NO_THROW(survey(bytes_in(made.ended()), {.one_lane = true}));
}

TEST(operations, refuse_a_recording_without_calls) {
  made_up_recording made;
  made.mark(0, event_kind::main_begins);
  EXPECT_THROW(survey(bytes_in(made.ended()), {}), not_replayable);
  EXPECT_THROW(decoded(made.ended()), not_replayable);
}

TEST(made_up_recording_of_the_program, has_the_calls_of_the_churn) {
  const std::vector<named_recording>& embedded = [] () -> const std::vector<named_recording>& {
    find_recordings({});
    return named_recordings();
  }();
  const auto at = std::find_if(embedded.begin(), embedded.end(), [](const named_recording& row) { return row.name == stackheap::made_up; });
  ASSERT_NE(at, embedded.end());
  std::vector<operation> room;
  const extent whole = decode(at->recorded, {}, [&](std::uint64_t count) { return room.resize(count), room.data(); });
  const decoded wanted(made_up_churn::file());
  EXPECT_EQ(whole.calls, made_up_churn::calls);
  ASSERT_EQ(room.size(), wanted.operations.size());
  for (std::size_t i = 0; i < room.size(); ++i) {
    EXPECT_EQ(room[i].kind, wanted.operations[i].kind);
    EXPECT_EQ(room[i].slot, wanted.operations[i].slot);
    EXPECT_EQ(room[i].bytes, wanted.operations[i].bytes);
  }
}

}  // namespace
}  // namespace stackheap::recording

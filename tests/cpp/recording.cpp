// Is a recording read as it was written, and is a damaged one said to be damaged?
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "made_up_recording.hpp"
#include "profile.hpp"
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

// ---- what is wrong

/// What the reader says of the file; empty where it reads it to its end.
std::string fault_of(const std::string& file) {
  try {
    events_in(file);
  } catch (const damaged& fault) {
    return fault.what();
  }
  return "";
}

std::string small_file(const std::function<void(made_up_recording&)>& change = [](made_up_recording&) {}) {
  made_up_recording made;
  made.begin(0, 0);
  made.free(0, made.malloc(0, 100));
  change(made);
  return made.ended();
}

/// The event, as the third of a file, is damaged like this.
void expect_fault(event_kind kind, std::initializer_list<std::uint64_t> numbers, const std::string& fault,
                  unsigned char flags = 0) {
  const std::string told = fault_of(small_file([&](made_up_recording& made) { made.event(0, kind, numbers, flags); }));
  EXPECT_NE(told.find(fault), std::string::npos) << told;
}

TEST(recording, an_event_that_cannot_be_is_damage) {
  constexpr std::uint64_t huge = ~std::uint64_t{0};
  EXPECT_EQ(fault_of(small_file()), "");
  expect_fault(event_kind::free_own, {0}, "lane 0, event 4 of the chunk: block 0 back is not live");
  expect_fault(event_kind::free_own, {1}, "the thread has not taken 1 blocks since");
  expect_fault(event_kind::free_own, {huge}, "the thread has not taken");
  expect_fault(event_kind::free_other, {0, 0}, "block 0 of thread 0 is not live");
  expect_fault(event_kind::free_other, {7, 0}, "block 0 of thread 7 is not live");
  expect_fault(event_kind::free_other, {huge, huge}, "is not live");
  expect_fault(event_kind::realloc_own, {0, 8}, "is not live");
  expect_fault(event_kind::realloc_other, {1, 0, 8}, "is not live");
  expect_fault(event_kind::malloc, {huge}, "is too large");
  expect_fault(event_kind::aligned, {64, 8}, "an alignment of 2^64");
  expect_fault(event_kind::thread_begins, {0}, "thread 0 begins after it has taken blocks");
  expect_fault(event_kind::thread_begins, {huge}, "cannot begin");
  expect_fault(event_kind::malloc, {}, "a number is cut off");
  expect_fault(event_kind::free_unknown, {0}, "1 bytes follow the chunk's last event");
  expect_fault(static_cast<event_kind>(13), {}, "an event of unknown kind 13");
  expect_fault(event_kind::main_begins, {}, "an event of unknown kind 140", 0x80);
}

TEST(recording, a_number_may_have_ten_bytes_and_not_more) {
  const auto with_number = [](std::string_view bytes) {
    made_up_recording made;
    const std::string event = static_cast<char>(event_kind::failed) + std::string(bytes);
    made.append(made_up_chunk({chunk_magic, chunk_kind::events, 0, 0, 0, 0, 1, 0, 0, 0}, event));
    return made.cut_off();
  };
  const std::string nine(9, '\xff');
  EXPECT_EQ(events_in(with_number(nine + '\x01')).at(0).bytes, ~std::uint64_t{0});
  EXPECT_NE(fault_of(with_number(nine + '\x02')).find("longer than 64 bits"), std::string::npos);
  EXPECT_NE(fault_of(with_number(nine + '\xff')).find("longer than 64 bits"), std::string::npos);
  EXPECT_NE(fault_of(with_number(nine)).find("cut off"), std::string::npos);
}

TEST(recording, a_header_that_cannot_be_is_damage) {
  const auto with_header = [](auto change) {
    made_up_recording made;
    made.free(0, made.malloc(0, 100));
    std::string file = made.cut_off();
    file_header header;
    std::memcpy(&header, file.data(), sizeof header);
    change(header);
    return fault_of(bytes_of(header) + file.substr(sizeof header));
  };
  EXPECT_EQ(with_header([](file_header&) {}), "");
  EXPECT_EQ(with_header([](file_header& header) { header.magic[7] = 'x'; }),
            "not a recording: it does not begin with 'stackshr'");
  EXPECT_EQ(with_header([](file_header& header) { header.version = 2; }),
            "a recording of format 2; this program reads format 1");
  EXPECT_EQ(with_header([](file_header& header) { header.flags = 1; }), "damaged at byte 28: unknown flags 1");
  EXPECT_EQ(with_header([](file_header& header) { header.command_bytes = 0; }),
            "damaged at byte 32: no chunk begins here");
  EXPECT_EQ(with_header([](file_header& header) { header.command_bytes = 10; }),
            "damaged at byte 32: the command does not end with a zero byte");
  EXPECT_EQ(with_header([](file_header& header) { header.command_bytes = 60'000; }),
            "damaged at byte 32: the file is cut off within the command");
  EXPECT_EQ(with_header([](file_header& header) { header.command_bytes = ~0U; }),
            "damaged at byte 12: a command of 4294967295 bytes, more than 65536");
  EXPECT_EQ(with_header([](file_header& header) { header.first_thread = 1; }),
            "damaged at byte 49: thread 0 of threads from 1 on");
  EXPECT_EQ(fault_of(""), "the file is empty");
  EXPECT_EQ(fault_of("stackshr"), "not a recording: shorter than the header of a recording");
}

TEST(recording, a_chunk_that_cannot_be_is_damage) {
  const auto with_chunk = [](auto change) {
    made_up_recording made;
    made.mark(0, event_kind::main_begins);
    made.flush(0);
    chunk_header header{chunk_magic, chunk_kind::events, 0, 0, 1, 0, 2, 0, 0, 0};
    const std::string events{static_cast<char>(event_kind::malloc), 8, static_cast<char>(event_kind::free_own), 0};
    std::string chunk = made_up_chunk(header, events);
    std::memcpy(&header, chunk.data(), sizeof header);
    change(header);
    made.append(bytes_of(header) + chunk.substr(sizeof header));
    return fault_of(made.cut_off() + std::string(100, 'x'));  // where a longer chunk would be, or no chunk
  };
  const auto expect = [&](auto change, const std::string& fault) {
    const std::string told = with_chunk(change);
    EXPECT_NE(told.find(fault), std::string::npos) << told;
  };
  expect([](chunk_header&) {}, "no chunk begins here");  // the 100 bytes
  expect([](chunk_header& header) { header.magic = 0; }, "no chunk begins here");
  expect([](chunk_header& header) { header.kind = static_cast<chunk_kind>(2); }, "a chunk of unknown kind 2");
  expect([](chunk_header& header) { header.kind = chunk_kind::end; }, "an end of unknown kind");
  expect([](chunk_header& header) { header.lane = most_lanes; }, "lane 4096 of at most 4096 lanes");
  expect([](chunk_header& header) { header.thread = ~0U; }, "thread 4294967295 of threads");
  expect([](chunk_header& header) { header.events = 0; }, "a chunk of 0 events");
  expect([](chunk_header& header) { header.events = ~0U; }, "a chunk of 4294967295 events in 4 bytes");
  expect([](chunk_header& header) { header.unpacked_bytes = ~0U; }, "a chunk of 4294967295 bytes, more than 1048576");
  expect([](chunk_header& header) { header.packed_bytes = 0; }, "is packed into 0 bytes");
  expect([](chunk_header& header) { header.packed_bytes = 100'000; }, "is packed into 100000 bytes");
  expect([](chunk_header& header) { header.reserved = 1; }, "reserved field is not 0");
}

TEST(recording, a_chunk_that_differs_from_its_header_is_damage) {
  const auto expect = [](auto change, const std::string& fault) {
    made_up_recording made;
    made.malloc(0, 1);
    made.malloc(0, 2);
    made.flush(0);
    chunk_header header{chunk_magic, chunk_kind::events, 0, 0, 2, 2, 2, 0, 0, 0};
    const std::string events{static_cast<char>(event_kind::malloc), 8, static_cast<char>(event_kind::free_own), 0};
    change(header);
    made.append(made_up_chunk(header, events));
    const std::string told = fault_of(made.cut_off());
    EXPECT_TRUE(fault.empty() ? told.empty() : told.find(fault) != std::string::npos) << told;
  };
  expect([](chunk_header&) {}, "");
  expect([](chunk_header& header) { header.first_ticket = 1; }, "ticket 1 follows ticket 1");
  expect([](chunk_header& header) { header.first_ticket = ~std::uint64_t{0}; }, "a ticket of 18446744073709551615");
  expect([](chunk_header& header) { header.first_block = 1; }, "thread 0 has taken 2 blocks, not 1");
  expect([](chunk_header& header) { header.first_block = 3; }, "thread 0 has taken 2 blocks, not 3");
  expect([](chunk_header& header) { header.events = 1; }, "2 bytes follow the chunk's last event");
  expect([](chunk_header& header) { header.events = 3; }, "the chunk ends before its events");
  expect([](chunk_header& header) { header.unpacked_bytes = 5; }, "the chunk has 4 bytes instead of 5");
  expect([](chunk_header& header) { header.unpacked_bytes = 3; }, "the chunk cannot be unpacked");
  expect([](chunk_header& header) { header.lane = 1; }, "thread 0 is also that of lane 0");
}

TEST(recording, an_end_that_differs_from_the_chunks_is_damage) {
  made_up_recording made;
  made.free(0, made.malloc(0, 100));
  const std::string file = made.ended();
  const auto with_end = [&](auto change) {
    end_of_recording end;
    std::memcpy(&end, file.data() + file.size() - sizeof end, sizeof end);
    change(end);
    return fault_of(file.substr(0, file.size() - sizeof end) + bytes_of(end));
  };
  EXPECT_EQ(with_end([](end_of_recording&) {}), "");
  EXPECT_NE(with_end([](end_of_recording& end) { end.events = 3; }).find("the end states 3 events, the chunks hold 2"),
            std::string::npos);
  EXPECT_NE(
      with_end([](end_of_recording& end) { end.unseen = ~std::uint64_t{0}; }).find("calls that were not recorded"),
      std::string::npos);
  EXPECT_NE(with_end([](end_of_recording& end) { end.how = static_cast<ending>(5); }).find("an end of unknown kind 5"),
            std::string::npos);
  EXPECT_NE(fault_of(file + 'x').find("bytes follow the end"), std::string::npos);
}

TEST(recording, every_flipped_byte_of_the_events_is_found) {
  made_up_recording made;
  for (std::uint64_t i = 0; i < 50; ++i) made.free(0, made.malloc(0, i * i));
  const std::string file = made.cut_off();
  const std::size_t packed = sizeof(file_header) + made.command.size() + sizeof(chunk_header);
  for (std::size_t byte = packed; byte < file.size(); ++byte) {
    std::string flipped = file;
    flipped[byte] = static_cast<char>(~flipped[byte]);
    EXPECT_NE(fault_of(flipped), "") << byte;
  }
}

TEST(recording, a_file_that_is_cut_off_anywhere_is_read_up_to_its_last_whole_chunk) {
  made_up_recording made;
  std::vector<std::size_t> whole;  // where files of 0, 1, 2, ... chunks end
  for (std::uint32_t chunk = 0; chunk < 4; ++chunk) {
    whole.push_back(made.cut_off().size());
    for (std::uint32_t i = 0; i < 10; ++i) made.free(0, made.malloc(0, i));
  }
  const std::string file = made.ended();
  for (std::size_t bytes = 0; bytes < file.size(); ++bytes) {
    const std::string part = file.substr(0, bytes);
    if (bytes < whole[0]) {
      EXPECT_NE(fault_of(part), "") << bytes;
      continue;
    }
    std::size_t chunks = 0;
    while (chunks + 1 < whole.size() && whole[chunks + 1] <= bytes) ++chunks;
    if (bytes >= file.size() - sizeof(chunk_header) - sizeof(end_of_recording)) chunks = 4;
    const reader read(bytes_in(part));
    EXPECT_TRUE(read.about().cut_off);
    EXPECT_FALSE(read.about().how);
    EXPECT_EQ(read.about().events, chunks * 20) << bytes;
    EXPECT_EQ(events_in(part).size(), chunks * 20) << bytes;
  }
}

TEST(recording, a_block_whose_allocation_is_lost_is_unknown) {
  made_up_recording made;
  const auto lost = made.malloc(1, 100), grown = made.malloc(1, 100);
  made.malloc(0, 8);
  made.lose(1);  // the other thread's lane was never written
  made.free(0, lost);
  made.grow(0, grown, 200);
  const std::string file = made.cut_off();
  const auto all = events_in(file);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].kind, event_kind::free_unknown);
  EXPECT_EQ(all[2].kind, event_kind::realloc_unknown);
  EXPECT_EQ(all[2].old_block, no_block);
}

TEST(recording, tickets_that_lack_are_calls_that_were_not_seen) {
  made_up_recording made;
  made.malloc(0, 8);
  made.skip(5);
  made.malloc(0, 8);
  const std::string file = made.ended(ending::exit, 2);
  reader read(bytes_in(file));
  for (event found; read.next(found);) continue;
  EXPECT_EQ(read.about().unseen, 7U);
}

TEST(recording, blocks_that_came_with_a_fork_are_unknown) {
  made_up_recording made;
  made.header.parent = 99;
  made.header.first_thread = 3;
  made.begin(3, 0);
  made.free(3, {2, 17});
  made.grow(3, {0, 1}, 10);
  const auto all = events_in(made.ended());
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].kind, event_kind::free_unknown);
  EXPECT_EQ(all[2].kind, event_kind::realloc_unknown);
}

TEST(recording, a_thread_goes_on_in_the_lane_of_a_thread_that_has_ended) {
  made_up_recording made;
  made.begin(0, 0);
  const auto kept = made.malloc(0, 8);
  for (std::uint32_t thread = 1; thread <= 1000; ++thread) {
    made.begin(thread, 1);
    made.malloc(thread, thread);
    if (thread % 10 == 0) made.flush(1);
  }
  made.free(1000, kept, by_cpp);
  made.free(0, {7, 0});
  const std::string file = made.ended();
  const auto all = events_in(file);
  EXPECT_EQ(all.back().block, 7U);
  EXPECT_EQ(all.back().taker, 7U);
  EXPECT_EQ(all[all.size() - 2].block, 0U);
  const reader read(bytes_in(file));
  EXPECT_EQ(read.about().lanes, 2U);
  EXPECT_EQ(read.about().threads, 1001U);
}

TEST(recording, a_file_of_a_hundred_gigabytes_takes_no_memory) {
  const auto path = std::filesystem::temp_directory_path() / ("sparse." + std::to_string(::getpid()));
  made_up_recording made;
  made.malloc(0, 8);
  std::ofstream(path) << made.cut_off();
  std::filesystem::resize_file(path, 100'000'000'000);
  const mapped_file file(path);
  std::filesystem::remove(path);
  EXPECT_EQ(file.bytes().size(), 100'000'000'000U);
  EXPECT_THROW(reader{file.bytes()}, damaged);
}

TEST(recording, lanes_that_would_take_too_much_memory_together_are_damage) {
  made_up_recording made;
  const std::string events(most_chunk_bytes, static_cast<char>(event_kind::free_unknown));
  const std::string chunk =
      made_up_chunk({chunk_magic, chunk_kind::events, 0, 0, 0, 0, most_chunk_bytes, 0, 0, 0}, events);
  for (std::uint32_t lane = 0; lane < most_lanes; ++lane) {
    chunk_header header;
    std::memcpy(&header, chunk.data(), sizeof header);
    header.lane = header.thread = lane;
    header.first_ticket = lane;
    header.events = 1;
    made.append(bytes_of(header) + chunk.substr(sizeof header));
  }
  EXPECT_NE(fault_of(made.cut_off()).find("the lanes' chunks take more than 1073741824 bytes together"),
            std::string::npos);
}

TEST(recording, more_calls_than_are_read_within_a_minute_are_damage) {
  const std::string events(most_chunk_bytes, static_cast<char>(event_kind::free_unknown));
  const std::string chunk =
      made_up_chunk({chunk_magic, chunk_kind::events, 0, 0, 0, 0, most_chunk_bytes, 0, 0, 0}, events);
  made_up_recording made;
  for (std::uint64_t held = most_chunk_bytes; held <= most_recorded_events; held += most_chunk_bytes) made.append(chunk);
  EXPECT_EQ(reader(bytes_in(made.cut_off())).about().events, most_recorded_events / most_chunk_bytes * most_chunk_bytes);
  made.append(chunk);
  EXPECT_NE(fault_of(made.cut_off()).find("more than 1000000000 calls"), std::string::npos);
}

TEST(recording, what_is_not_a_file_is_refused) {
  const auto refusal = [](const std::string& path) -> std::string {
    try {
      const mapped_file file(path);
    } catch (const std::runtime_error& fault) {
      return fault.what();
    }
    return "";
  };
  EXPECT_EQ(refusal("/nowhere/x.shr"), "No such file or directory");
  EXPECT_EQ(refusal("/tmp"), "not a regular file");
  EXPECT_EQ(refusal("/dev/zero"), "not a regular file");
  const auto pipe = std::filesystem::temp_directory_path() / ("pipe." + std::to_string(::getpid()));
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(refusal(pipe), "not a regular file");
  std::filesystem::remove(pipe);
}

// ---- known answers

profile profile_of(const std::string& file) {
  reader read(bytes_in(file));
  return describe(read);
}

std::vector<bool> stack_like_in(const std::string& file) {
  reader read(bytes_in(file));
  return stack_like_blocks(read);
}

void expect_sum(const blocks_and_bytes& sum, std::uint64_t blocks, std::uint64_t bytes) {
  EXPECT_EQ(sum.blocks, blocks);
  EXPECT_EQ(sum.bytes, bytes);
}

TEST(recording_profile, last_in_first_out_is_stack_like) {
  made_up_recording made;
  for (int call = 0; call < 10; ++call) {
    std::vector<made_up_block> frame;
    for (std::uint64_t i = 1; i <= 10; ++i) frame.push_back(made.malloc(0, i * 100));
    for (; !frame.empty(); frame.pop_back()) made.free(0, frame.back());
  }
  const std::string file = made.ended();
  const profile found = profile_of(file);
  EXPECT_EQ(found.allocations, 100U);
  EXPECT_EQ(found.bytes, 55'000U);
  expect_sum(found.stack_like, 100, 55'000);
  expect_sum(found.temporary, 10, 10'000);
  expect_sum(found.region_like, 100, 55'000);
  expect_sum(found.never_freed, 0, 0);
  expect_sum(found.freed_by_other, 0, 0);
  EXPECT_EQ(found.peak_bytes, 5'500U);
  EXPECT_EQ(found.peak_blocks, 10U);
  EXPECT_EQ(found.lifetimes.p50, 4U);
  EXPECT_EQ(found.lifetimes.p99, 9U);
  EXPECT_EQ(found.sizes.p50, 500U);
  EXPECT_EQ(found.sizes.p90, 900U);
  EXPECT_EQ(found.sizes.max, 1'000U);
  EXPECT_EQ(stack_like_in(file), std::vector<bool>(100, true));
}

TEST(recording_profile, first_in_first_out_is_not_stack_like) {
  made_up_recording made;
  std::vector<made_up_block> queue;
  for (int i = 0; i < 100; ++i) {
    queue.push_back(made.malloc(0, 8));
    if (queue.size() == 3) {
      made.free(0, queue.front());
      queue.erase(queue.begin());
    }
  }
  const profile found = profile_of(made.ended());
  expect_sum(found.stack_like, 0, 0);
  expect_sum(found.temporary, 0, 0);
  expect_sum(found.region_like, 0, 0);
  expect_sum(found.never_freed, 2, 16);
  EXPECT_EQ(found.lifetimes.p50, 2U);
  EXPECT_EQ(found.lifetimes.p99, 2U);
  EXPECT_EQ(found.peak_blocks, 3U);
}

TEST(recording_profile, what_another_thread_frees_is_not_stack_like) {
  made_up_recording made;
  for (int i = 0; i < 100; ++i) {
    const auto handed = made.malloc(0, 64);
    made.free(1, handed);
    made.free(1, made.malloc(1, 10));  // the other thread's own
  }
  const std::string file = made.ended();
  const profile found = profile_of(file);
  expect_sum(found.freed_by_other, 100, 6'400);
  expect_sum(found.stack_like, 100, 1'000);
  expect_sum(found.temporary, 100, 1'000);
  const auto stack_like = stack_like_in(file);
  for (std::size_t block = 0; block < 200; ++block) EXPECT_EQ(stack_like[block], block % 2 == 1) << block;
}

TEST(recording_profile, what_realloc_grows_is_not_stack_like) {
  made_up_recording made;
  auto grown = made.malloc(0, 1);
  for (std::uint64_t bytes = 2; bytes <= 64; bytes *= 2) grown = made.grow(0, grown, bytes);
  made.free(0, grown);
  const profile found = profile_of(made.ended());
  EXPECT_EQ(found.allocations, 7U);
  EXPECT_EQ(found.calls.realloc, 6U);
  expect_sum(found.stack_like, 0, 0);
  expect_sum(found.temporary, 1, 64);  // the last, which nothing followed
  expect_sum(found.never_freed, 0, 0);
  EXPECT_EQ(found.peak_bytes, 64U);
  EXPECT_EQ(found.peak_blocks, 1U);
}

TEST(recording_profile, a_block_that_dies_before_the_next_is_temporary) {
  made_up_recording made;
  made.malloc(0, 1'000);
  for (int i = 0; i < 10; ++i) made.free(0, made.malloc(0, 8));
  const profile found = profile_of(made.ended());
  expect_sum(found.temporary, 10, 80);
  expect_sum(found.stack_like, 10, 80);
  expect_sum(found.region_like, 0, 0);  // each dies alone
  EXPECT_EQ(found.lifetimes.p99, 0U);
}

TEST(recording_profile, what_dies_together_behind_what_lives_is_region_like) {
  made_up_recording made;
  made.malloc(0, 1'000'000);
  const auto before = made.malloc(0, 7);
  std::vector<made_up_block> region;
  for (int i = 0; i < 20; ++i) region.push_back(made.malloc(0, 100));
  made.free(0, region[3]);
  made.malloc(0, 1);  // ends the run: a block that died alone
  const auto last = made.malloc(0, 100);
  for (std::size_t i = 0; i < region.size(); ++i)
    if (i != 3) made.free(0, region[i]);
  made.free(0, last);
  made.free(0, before);
  const profile found = profile_of(made.ended());
  // The block of 1 byte lives on, so only `last` died behind what lives: a single block is not a region.
  expect_sum(found.region_like, 0, 0);

  made_up_recording other;
  other.malloc(0, 1'000'000);
  const auto kept = other.malloc(0, 1);
  region.clear();
  for (int i = 0; i < 20; ++i) region.push_back(other.malloc(0, 100));
  for (const auto& block : region) other.free(0, block);
  other.malloc(0, 1);
  other.free(0, kept);
  expect_sum(profile_of(other.ended()).region_like, 20, 2'000);
}

TEST(recording_profile, what_is_older_than_a_block_that_lives_on_is_not_region_like) {
  made_up_recording made;
  const auto older = made.malloc(0, 1'000);
  made.malloc(0, 1);
  const auto first = made.malloc(0, 10), second = made.malloc(0, 20);
  made.free(0, older);
  made.free(0, first);
  made.free(0, second);
  expect_sum(profile_of(made.ended()).region_like, 2, 30);
}

TEST(recording_profile, calls_are_counted_by_function) {
  made_up_recording made;
  made.malloc(0, 8);
  made.mark(0, event_kind::main_begins);
  made.free(0, made.malloc(0, 8, by_cpp), by_cpp);
  made.free(0, made.aligned(0, 5, 8, by_cpp | by_array), by_cpp | by_array);
  made.free(0, made.aligned(0, 5, 8));
  made.free(0, made.calloc(0, 8));
  made.grow_unknown(0, 16);
  made.mark(0, event_kind::free_unknown);
  made.fail(0, 1'000);
  const profile found = profile_of(made.ended());
  EXPECT_EQ(found.calls.malloc, 1U);
  EXPECT_EQ(found.calls.by_new, 2U);
  EXPECT_EQ(found.calls.aligned, 1U);
  EXPECT_EQ(found.calls.calloc, 1U);
  EXPECT_EQ(found.calls.realloc, 1U);
  EXPECT_EQ(found.calls.free, 2U);
  EXPECT_EQ(found.calls.by_delete, 2U);
  EXPECT_EQ(found.calls.free_unknown, 1U);
  EXPECT_EQ(found.calls.failed, 1U);
  EXPECT_EQ(found.calls.all(), 12U);
  EXPECT_EQ(found.allocations, 6U);
  EXPECT_EQ(found.allocations_before_main, 1U);
}

TEST(recording_profile, a_recording_that_lacks_the_mark_of_main_does_not_say_what_came_before) {
  made_up_recording made;
  made.malloc(0, 8);
  EXPECT_EQ(profile_of(made.ended()).allocations_before_main, 1U);  // the program ended before main
  EXPECT_EQ(profile_of(made.cut_off()).allocations_before_main, 0U);
  EXPECT_EQ(profile_of(made.ended(ending::disk)).allocations_before_main, 0U);
  made.header.parent = 7;
  EXPECT_EQ(profile_of(made.ended()).allocations_before_main, 0U);
}

TEST(recording_profile, blocks_lie_in_the_heat_map_by_size_and_lifetime) {
  made_up_recording made;
  made.free(0, made.malloc(0, 0));
  const auto small = made.malloc(0, 15);
  made.malloc(0, 16);
  made.free(0, small);
  const profile found = profile_of(made.ended());
  EXPECT_EQ(found.heat.size_edges, (std::vector<std::uint64_t>{0, 8, 16}));
  EXPECT_EQ(found.heat.lifetime_edges, (std::vector<std::uint64_t>{0, 1}));
  EXPECT_EQ(found.heat.blocks, (std::vector<std::vector<std::uint64_t>>{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}));
  EXPECT_EQ(found.heat.stack_like, (std::vector<std::vector<std::uint64_t>>{{1, 0, 0}, {0, 0, 0}, {0, 0, 0}}));
}

TEST(recording_profile, live_bytes_over_time_are_at_most_128_points) {
  for (const int calls : {0, 1, 63, 64, 65, 127, 128, 1'000, 9'999}) {
    made_up_recording made;
    for (int i = 0; i < calls; ++i) made.malloc(0, 1);
    const profile found = profile_of(made.ended());
    ASSERT_LE(found.live.size(), 128U);
    for (const auto& [events, bytes] : found.live) EXPECT_EQ(bytes, events);
    const std::uint64_t last = found.live.empty() ? 0 : found.live.back().first;
    EXPECT_EQ(last, static_cast<std::uint64_t>(calls));
  }
}

TEST(recording_profile, is_told_in_json_whatever_the_command_is) {
  made_up_recording made;
  made.command = std::string("a\"\n\xff\xc3\xa4\0b\0", 9);
  made.free(0, made.malloc(0, 24));
  EXPECT_EQ(
      as_json(profile_of(made.cut_off())),
      R"({"format":1,"command":["a\"\u000a\ufffdä","b"],"process":100,"parent":0,"ended":"cut off","events":2,"unseen":0,)"
      R"("threads":1,"lanes":1,"calls":{"malloc":1,"calloc":0,"aligned":0,"new":0,"realloc":0,"free":1,"delete":0,"failed":0,)"
      R"("free_unknown":0,"all":2},"allocations":1,"allocations_before_main":0,"bytes":24,)"
      R"("sizes":{"p50":24,"p90":24,"p99":24,"max":24},"lifetimes":{"p50":0,"p90":0,"p99":0},)"
      R"("live":{"peak_bytes":24,"peak_blocks":1,"final_bytes":0,"final_blocks":0,"series":[[1,24],[2,0]]},)"
      R"("never_freed":{"blocks":0,"bytes":0},"freed_by_other":{"blocks":0,"bytes":0},"stack_like":{"blocks":1,"bytes":24},)"
      R"("temporary":{"blocks":1,"bytes":24},"region_like":{"blocks":0,"bytes":0},)"
      R"("heat":{"size_edges":[0,8,16],"lifetime_edges":[0],"blocks":[[0,0],[0,0],[1,0]],"stack_like":[[0,0],[0,0],[1,0]]}})");
}

}  // namespace
}  // namespace stackheap::recording

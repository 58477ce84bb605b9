// Do teams work together, is their time the time on the wall, and do deep threads have the stacks they promise?
#include "threads.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <set>
#include <stdexcept>

#include "captured.hpp"
#include "family.hpp"
#include "topology.hpp"
#include "untouched.hpp"

namespace stackheap {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mib = std::size_t{1} << 20;

TEST(threads, a_round_runs_each_thread_once_and_waits_for_all) {
  for (const unsigned count : {1U, 2U, 3U, 8U}) {
    team threads(count);
    EXPECT_EQ(threads.size(), count);
    std::vector<int> rounds_of(count);  // not atomic: a round's end orders it
    for (int round = 1; round <= 200; ++round) {
      threads.round([&](unsigned thread) { ++rounds_of.at(thread); });
      EXPECT_EQ(rounds_of, std::vector<int>(count, round));
    }
  }
}

TEST(threads, a_round_runs_its_threads_at_once) {
  team threads(4);
  std::barrier all_here(4);  // would wait for ever if they took turns
  std::vector<pthread_t> who(4);
  threads.round([&](unsigned thread) {
    all_here.arrive_and_wait();
    who[thread] = ::pthread_self();
  });
  for (unsigned thread = 0; thread < 4; ++thread)
    for (unsigned earlier = 0; earlier < thread; ++earlier) EXPECT_FALSE(::pthread_equal(who[thread], who[earlier]));
  EXPECT_TRUE(::pthread_equal(who[0], ::pthread_self())) << "the caller is thread 0";
}

TEST(threads, page_faults_of_the_other_threads_are_counted) {
  if (!has_small_pages()) GTEST_SKIP() << "pages of another size here";
  team threads(3);
  threads.start_counting();
  threads.round([](unsigned) { untouched(64).touch(); });
  const double faults = threads.stop_counting().page_faults;
  EXPECT_GE(faults, 2 * 64) << "thread 0 counts for itself";
  EXPECT_LT(faults, 3 * 64);
}

TEST(threads, each_of_a_team_is_pinned_to_its_own_processor) {
  const pinning before = current_pinning();
  current_pinning() = pinning::parse("cores", this_machine());
  const std::vector<unsigned>& processors = current_pinning().processors();
  team threads(3);
  std::vector<cpu_set_t> allowed(3);
  threads.round([&](unsigned thread) { ::sched_getaffinity(0, sizeof(cpu_set_t), &allowed[thread]); });
  for (unsigned thread = 1; thread < 3; ++thread) {  // the caller was pinned before it made the team, or not
    EXPECT_EQ(CPU_COUNT(&allowed[thread]), 1);
    EXPECT_TRUE(CPU_ISSET(processors[thread % processors.size()], &allowed[thread]));
  }
  current_pinning() = before;
}

TEST(threads, a_line_travels_only_between_processors_of_their_own) {
  const pinning before = current_pinning();
  const auto trip_of = [](unsigned count, const std::string& pin) {
    current_pinning() = pinning::parse(pin, this_machine());
    current_pinning().pin(0);
    team threads(count);
    return threads.ns_line_trip();
  };
  cpu_set_t allowed;
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  const bool two_cores = pinning::parse("cores", this_machine()).processors().size() > 1;
  for (const unsigned count : {2U, 3U}) {
    const auto ns = trip_of(count, "cores");
    ASSERT_EQ(ns.has_value(), two_cores);
    if (ns) {
      EXPECT_GT(*ns, 1.0) << "a load from the first cache is faster than any line that another core has";
      EXPECT_LT(*ns, 1e6);
    }
  }
  EXPECT_EQ(trip_of(1, "cores"), std::nullopt) << "no other thread";
  const std::string first = std::to_string(this_machine().units().front());
  for (const std::string& pin : {first, first + ',' + first}) EXPECT_EQ(trip_of(2, pin), std::nullopt) << "both on one processor";
  EXPECT_EQ(trip_of(2, "none"), std::nullopt) << "perhaps both on one processor";
  ::sched_setaffinity(0, sizeof allowed, &allowed);
  current_pinning() = before;
}

TEST(threads, a_teams_counters_are_those_of_one_operation) {
  if (!has_small_pages()) GTEST_SKIP() << "pages of another size here";
  benchmark_registry registry("touch", profile::smoke, everything, false);
  registry.add(
      "", {}, [] { return std::make_shared<team>(3U); },
      [](benchmark::State& state, team& threads) {
        measure_rounds(state, threads, 64, [](unsigned) { untouched(64).touch(); });
      });
  const auto rows = run_captured("^touch$");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_NEAR(rows[0].counters.at("page_faults"), 1, 0.3);
}

TEST(threads, four_threads_that_sleep_10_ms_read_10_ms) {
  // Google Benchmark 1.7.1 divides the time of its own Threads(4) by 4 (its issue 1834): that would read 2.5 ms.
  benchmark_registry registry("sleep", profile::smoke, everything, false);
  for (const unsigned count : {1U, 4U})
    registry.add(
        "", {{"threads", count}}, [count] { return std::make_shared<team>(count); },
        [](benchmark::State& state, team& threads) {
          measure_rounds(state, threads, 1, [](unsigned) { std::this_thread::sleep_for(10ms); });
        });
  const auto rows = run_captured("^sleep/");
  ASSERT_EQ(rows.size(), 2U);
  for (const auto& row : rows) {
    ASSERT_FALSE(row.error_occurred) << row.error_message;
    EXPECT_GE(row.GetAdjustedRealTime(), 10e6) << row.benchmark_name();
    EXPECT_LT(row.GetAdjustedRealTime(), 40e6) << row.benchmark_name();
    EXPECT_EQ(row.time_unit, benchmark::kNanosecond);
  }
  // Throughput is that of all: four threads sleep four times as often in the same time.
  EXPECT_LT(rows[0].counters.at("items_per_second"), 101);
  EXPECT_GT(rows[1].counters.at("items_per_second"), 101);
  EXPECT_LT(rows[1].counters.at("items_per_second"), 401);
}

TEST(threads, several_operations_a_round_are_counted_as_such) {
  benchmark_registry registry("sleep_in_tens", profile::smoke, everything, false);
  registry.add(
      "", {}, [] { return std::make_shared<team>(2U); },
      [](benchmark::State& state, team& threads) {
        measure_rounds(state, threads, 10, [](unsigned) { std::this_thread::sleep_for(10ms); });
      });
  const auto rows = run_captured("^sleep_in_tens");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_GE(rows[0].GetAdjustedRealTime(), 1e6);
  EXPECT_LT(rows[0].GetAdjustedRealTime(), 10e6);  // what ten at a time take counted as one
}

TEST(threads, a_round_repeats_its_work_as_often_in_every_repetition) {
  static std::vector<std::int64_t> repeats;
  benchmark_registry registry("changing", profile::smoke, everything, false);
  registry.add(
      "", {}, [] { return std::make_shared<team>(1U); },
      [](benchmark::State& state, team& threads) {
        const auto pause = repeats.empty() ? 1us : 500us;
        measure_rounds(state, threads, 1, [pause](unsigned) { std::this_thread::sleep_for(pause); });
        repeats.push_back(threads.repeats);
      });
  ASSERT_EQ(run_captured("^changing").size(), 1U);
  ASSERT_GE(repeats.size(), 2U);
  EXPECT_GT(repeats.front(), 0);
  EXPECT_EQ(std::set(repeats.begin(), repeats.end()).size(), 1U);
}

TEST(threads, the_first_rounds_of_a_team_are_not_timed) {
  benchmark_registry registry("waking", profile::smoke, everything, false);
  struct late_team : team {
    late_team() : team(1) {}
    int slow_rounds = 5;
  };
  registry.add(
      "", {}, [] { return std::make_shared<late_team>(); },
      [](benchmark::State& state, late_team& threads) {
        measure_rounds(state, threads, 1, [&](unsigned) {
          if (threads.slow_rounds > 0 && threads.slow_rounds-- > 0) std::this_thread::sleep_for(2ms);
        });
        EXPECT_EQ(threads.slow_rounds, 0) << "10 ms are warm-up, five rounds of 2 ms";
      });
  const auto rows = run_captured("^waking");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_GE(rows[0].iterations, 10000) << "the repeats come from the last of the first rounds, which is short";
}

/// The stack of the calling thread: its lowest address and its size.
std::pair<std::byte*, std::size_t> this_stack() {
  pthread_attr_t attributes;
  ::pthread_getattr_np(::pthread_self(), &attributes);
  void* lowest = nullptr;
  std::size_t bytes = 0;
  ::pthread_attr_getstack(&attributes, &lowest, &bytes);
  ::pthread_attr_destroy(&attributes);
  return {static_cast<std::byte*>(lowest), bytes};
}

TEST(threads, a_deep_thread_holds_64_mib_on_its_stack) {
  deep_thread thread(64 * mib, 0);
  std::byte* const held = thread.held();
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(held) % 4096, 0U);
  std::memset(held, 1, 64 * mib);  // from here: memory is memory
  thread.run([&] {
    const auto [lowest, bytes] = this_stack();
    EXPECT_GE(held, lowest);
    EXPECT_LE(held + 64 * mib, lowest + bytes);
    EXPECT_EQ(held[64 * mib - 1], std::byte{1});
  });
  EXPECT_EQ(held[0], std::byte{1}) << "the frames of the work do not reach it";
}

TEST(threads, a_deep_thread_has_room_below_what_it_holds) {
  deep_thread thread(16 * mib, 32 * mib);
  std::memset(thread.held(), 1, 16 * mib);
  thread.run([&] {
    auto* const more = static_cast<std::byte*>(__builtin_alloca(32 * mib));
    std::memset(more, 2, 32 * mib);
    escape(more);
    EXPECT_LE(more + 32 * mib, thread.held());
  });
  for (std::size_t i = 0; i < 16 * mib; i += 4096) ASSERT_EQ(thread.held()[i], std::byte{1});
}

TEST(threads, a_deep_thread_runs_one_work_after_another_and_throws_what_it_throws) {
  deep_thread thread(0, 0);
  pthread_t first{}, second{};
  thread.run([&] { first = ::pthread_self(); });
  EXPECT_THROW(thread.run([] { throw std::out_of_range("thrown there"); }), std::out_of_range);
  thread.run([&] { second = ::pthread_self(); });  // and the exception is not thrown twice
  EXPECT_TRUE(::pthread_equal(first, second));
  EXPECT_FALSE(::pthread_equal(first, ::pthread_self()));
}

TEST(threads, a_stack_no_system_grants_is_refused) { EXPECT_THROW(deep_thread(SIZE_MAX / 4, 0), std::system_error); }

TEST(threads, a_stack_room_is_here_when_there_is_room_and_on_one_other_thread_when_there_is_not) {
  pthread_t where{};
  stack_room(1024).run([&] { where = ::pthread_self(); });
  EXPECT_TRUE(::pthread_equal(where, ::pthread_self()));
  const std::size_t too_much = this_stack().second + mib;
  stack_room elsewhere(too_much);
  elsewhere.run([&] {
    where = ::pthread_self();
    auto* const block = static_cast<std::byte*>(__builtin_alloca(too_much));
    std::memset(block, 1, too_much);
    escape(block);
  });
  EXPECT_FALSE(::pthread_equal(where, ::pthread_self()));
  elsewhere.run([&] { EXPECT_TRUE(::pthread_equal(where, ::pthread_self())) << "its pages would be new"; });
  EXPECT_THROW(elsewhere.run([] { throw std::runtime_error("thrown there"); }), std::runtime_error);
}

}  // namespace
}  // namespace stackheap

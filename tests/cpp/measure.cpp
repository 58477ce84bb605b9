// Do the barriers hold, does the clock tick, and are counters that the kernel does not give absent?
#include "measure.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "captured.hpp"
#include "family.hpp"
#include "untouched.hpp"

namespace stackheap {
namespace {

std::vector<std::string> given_counters() {
  std::vector<std::string> names;
  const std::string available = available_counters();
  if (available.starts_with("none: ")) return names;
  std::istringstream text(available);
  for (std::string name; std::getline(text, name, ',');) names.push_back(name);
  return names;
}

TEST(measure, an_addition_takes_a_cycle_of_some_processor) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_GT(ns_per_addition(), 0.05);
    EXPECT_LT(ns_per_addition(), 5.0);
  }
}

/// The least of several attempts: others only ever add to a time.
template <class Measure>
double least_of(int attempts, Measure measure) {
  double least = measure();
  for (int i = 1; i < attempts; ++i) least = std::min(least, measure());
  return least;
}

double ns_of_a_chain_of_additions() {
  constexpr int additions = 100'000;
  std::uint64_t sum = 0;
  const std::uint64_t addend = hide<std::uint64_t>(3);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < additions; i += 4) sum = hide(hide(hide(hide(sum + addend) + addend) + addend) + addend);
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
  keep(sum);
  return taken.count() / additions;
}

TEST(measure, an_addition_takes_as_long_as_one_of_a_chain_made_otherwise) {
  const double ratio = least_of(20, ns_per_addition) / least_of(20, ns_of_a_chain_of_additions);
  EXPECT_GT(ratio, 0.75);
  EXPECT_LT(ratio, 1.5);
}

TEST(measure, eight_additions_that_do_not_wait_take_less_than_eight_that_do) {
  const double adders = 8 * least_of(20, ns_per_addition) / least_of(20, ns_per_eight_additions);
  EXPECT_GT(adders, 1.5) << "no core adds one number at a time";
  EXPECT_LT(adders, 8.5) << "they were not made";
}

TEST(measure, each_touched_page_is_a_page_fault_and_a_second_touch_is_none) {
  if (!has_small_pages()) GTEST_SKIP() << "pages of another size here";
  counting measuring;
  untouched memory(64);
  measuring.start();
  memory.touch();
  const double first = measuring.stop().page_faults;
  measuring.start();
  memory.touch();
  const double second = measuring.stop().page_faults;
  EXPECT_GE(first, 64);
  EXPECT_LT(first, 64 + 64);
  EXPECT_LT(second, 16);
}

TEST(measure, counters_the_kernel_does_not_give_are_absent) {
  const std::string available = available_counters();
  ASSERT_FALSE(available.empty());
  const std::vector<std::string> given = given_counters();
  EXPECT_GT(available.size(), std::string("none: ").size()) << "none, without a reason";

  counting measuring;
  measuring.start();
  std::uint64_t sum = 0;
  for (int i = 0; i < 1'000'000; ++i) sum = hide(sum + 1);
  const counts result = measuring.stop();
  for (std::size_t kind = 0; kind < counts::kinds; ++kind) {
    const bool is_given = std::count(given.begin(), given.end(), counts::names[kind]) == 1;
    EXPECT_TRUE(is_given || !result.values[kind].has_value()) << counts::names[kind];
  }
  EXPECT_GE(result.values[counts::instructions].value_or(1e6), 1e6);
}

TEST(measure, counts_add_up_and_what_is_absent_stays_so) {
  counts sum, part;
  part.values[counts::cycles] = 5;
  part.page_faults = 2;
  sum += part;
  sum += part;
  EXPECT_EQ(sum.values[counts::cycles], 10);
  EXPECT_EQ(sum.values[counts::instructions], std::nullopt);
  EXPECT_EQ(sum.page_faults, 4);
}

TEST(measure, a_row_carries_counters_per_operation_and_no_zeros_for_absent_ones) {
  benchmark_registry registry("counted", profile::smoke, everything, false);
  registry.add(
      "", {}, [] { return std::make_shared<int>(0); },
      [](benchmark::State& state, int&) {
        const measured measuring(state);
        while (state.KeepRunningBatch(64)) untouched(64).touch();
      });
  const auto rows = run_captured("^counted");
  ASSERT_EQ(rows.size(), 1U);
  const benchmark::UserCounters& counters = rows[0].counters;
  std::vector<std::string> allowed = given_counters();
  allowed.insert(allowed.end(), {"page_faults", "ns_per_addition", "ns_per_eight_additions"});
  for (const auto& [name, counter] : counters)
    EXPECT_TRUE(std::count(allowed.begin(), allowed.end(), name)) << name << " = " << counter.value;
  const double ns = least_of(10, [] { return run_captured("^counted")[0].counters.at("ns_per_addition").value; });
  EXPECT_NEAR(ns / least_of(20, ns_per_addition), 1, 0.3);
  const auto eight = [] { return run_captured("^counted")[0].counters.at("ns_per_eight_additions").value; };
  const double ratio = least_of(10, eight) / least_of(20, ns_per_eight_additions);
  EXPECT_GT(ratio, 0.3);  // a neighbour who comes or goes meanwhile doubles it
  EXPECT_LT(ratio, 3);
  if (has_small_pages()) {
    EXPECT_NEAR(counters.at("page_faults"), 1, 0.5);
  }
}

TEST(measure, an_operation_settles_so_many_times_or_for_so_long) {
  using std::chrono::milliseconds;
  int calls = 0;
  settle(256, milliseconds(10'000), [&] { ++calls; });
  EXPECT_EQ(calls, 256);
  calls = 0;
  settle(256, milliseconds(10), [&] {
    ++calls;
    std::this_thread::sleep_for(milliseconds(4));
  });
  EXPECT_GE(calls, 1);  // a machine that stops this test in its first sleep
  EXPECT_LE(calls, 3);
  calls = 0;
  settle(256, milliseconds(0), [&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(measure, borrowers_touch_what_they_say) {
  std::byte block[64]{};
  touch_none{}(block, 64);
  EXPECT_EQ(std::count(block, block + 64, std::byte{0}), 64);
  touch_first{}(block, 64);
  EXPECT_EQ(block[0], std::byte{1});
  EXPECT_EQ(std::count(block, block + 64, std::byte{0}), 63);
  touch_all{}(block, 63);
  EXPECT_EQ(std::count(block, block + 64, std::byte{1}), 63);
}

}  // namespace
}  // namespace stackheap

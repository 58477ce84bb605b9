// Are the percentiles of a histogram right within the error it promises, and does the clock of single calls tell the
// time?
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "histogram.hpp"
#include "tick_clock.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

constexpr std::uint64_t largest_number = ~std::uint64_t{0};

/// Numbers around every power of two, where buckets change their width, and some between.
std::vector<std::uint64_t> telling_numbers() {
  std::vector<std::uint64_t> numbers;
  for (unsigned bits = 0; bits < 64; ++bits)
    for (const std::uint64_t fraction : {0, 1, 2, 31, 62, 63})
      for (const std::uint64_t offset : {-1, 0, 1}) {
        const std::uint64_t power = std::uint64_t{1} << bits;
        numbers.push_back(power + power / 64 * fraction + offset);
      }
  numbers.push_back(largest_number);
  return numbers;
}

TEST(histogram_buckets, hold_a_number_and_are_no_wider_than_promised) {
  for (const std::uint64_t number : telling_numbers()) {
    const std::size_t bucket = histogram::bucket_of(number);
    const std::uint64_t highest = histogram::highest_in(bucket);
    ASSERT_GE(highest, number);
    ASSERT_LE(highest - number, number / 64) << number;
    ASSERT_EQ(histogram::bucket_of(highest), bucket);
    if (highest == largest_number) continue;
    ASSERT_EQ(histogram::bucket_of(highest + 1), bucket + 1) << "a gap after " << highest;
  }
}

TEST(histogram_buckets, below_128_hold_one_number_each) {
  for (std::uint64_t number = 0; number < 128; ++number)
    EXPECT_EQ(histogram::highest_in(histogram::bucket_of(number)), number);
}

TEST(a_histogram, agrees_with_the_sorted_values_within_its_error) {
  generator random(seed);
  histogram kept;
  std::vector<std::uint64_t> values(200'000);
  for (std::uint64_t& value : values) {
    value = static_cast<std::uint64_t>(std::exp2(static_cast<double>(below(30'000, random)) / 1000));  // 1 to 2^30
    kept.record(value);
  }
  std::sort(values.begin(), values.end());
  for (const std::uint64_t one_in : {2, 10, 100, 1000, 10000}) {
    const std::uint64_t truth = values[values.size() - values.size() / one_in - 1];
    const auto answer = kept.all_but_one_in(one_in);
    ASSERT_TRUE(answer);
    EXPECT_GE(*answer, truth);
    EXPECT_LE(static_cast<double>(*answer), static_cast<double>(truth) * (1 + histogram::relative_error));
  }
  EXPECT_EQ(kept.max(), values.back());
  EXPECT_EQ(kept.count(), values.size());
}

TEST(a_histogram, counts_the_values_beyond_a_percentile) {
  histogram kept;
  for (int i = 0; i < 990; ++i) kept.record(5);
  for (int i = 0; i < 10; ++i) kept.record(77);
  EXPECT_EQ(kept.all_but_one_in(100), 5U);  // exactly ten of a thousand lie beyond
  kept.record(77);
  EXPECT_EQ(kept.all_but_one_in(100), 77U);
}

TEST(a_histogram, does_not_tell_a_percentile_from_too_few_values) {
  histogram kept;
  for (int i = 0; i < 99'999; ++i) kept.record(i % 100);
  EXPECT_TRUE(kept.all_but_one_in(1000));
  EXPECT_FALSE(kept.all_but_one_in(10'000));
  kept.record(1);
  EXPECT_TRUE(kept.all_but_one_in(10'000));
  EXPECT_FALSE(histogram{}.all_but_one_in(2));
}

TEST(a_histogram, never_tells_more_than_the_maximum) {
  histogram kept;
  for (int i = 0; i < 1000; ++i) kept.record(1'000'000);
  EXPECT_EQ(kept.all_but_one_in(2), 1'000'000U);
  EXPECT_EQ(kept.max(), 1'000'000U);
}

TEST(a_histogram, has_the_exact_mean_of_its_values_up_to_a_bucket) {
  histogram kept;
  EXPECT_FALSE(kept.mean_up_to(100));
  for (const std::uint64_t value : {3, 4, 4, 1000, 1001, 1'000'000}) kept.record(value);
  EXPECT_FALSE(kept.mean_up_to(2));
  EXPECT_EQ(kept.mean_up_to(3), 3.0);
  EXPECT_EQ(kept.mean_up_to(999), 11.0 / 3);
  EXPECT_EQ(kept.mean_up_to(1001), 2012.0 / 5) << "1000 and 1001 share a bucket, whose highest value both are not";
  EXPECT_EQ(kept.mean_up_to(largest_number), 1'002'012.0 / 6);
}

TEST(the_typical_call, is_finer_than_the_step_of_the_clock) {
  constexpr std::uint64_t step = 26;
  generator random(seed);
  for (std::uint64_t length = 0; length < 8 * step; length += 3) {
    histogram kept;
    for (int i = 0; i < 100'000; ++i) kept.record((below(step, random) + length) / step * step);
    for (int i = 0; i < 1000; ++i) kept.record(100'000);  // interrupts
    EXPECT_NEAR(*typical(kept, step), static_cast<double>(length), 0.02 * step) << length;
  }
  EXPECT_FALSE(typical(histogram{}, step));
}

TEST(the_step_of_a_clock, is_what_all_differences_are_multiples_of) {
  EXPECT_EQ(common_step(std::vector<std::uint64_t>{100, 136, 136, 244}), 36U);
  EXPECT_EQ(common_step(std::vector<std::uint64_t>{100, 136, 137}), 1U);
  EXPECT_EQ(common_step(std::vector<std::uint64_t>{7, 7, 7}), 1U);  // too short to have ticked: no zero
}

template <class Clock>
void expect_to_tell_the_time() {
  std::uint64_t last = Clock::now();
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t first = last;
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const std::uint64_t next = Clock::now();
    EXPECT_GT(next, last);
    last = next;
  }
  const std::chrono::duration<double, std::nano> truth = std::chrono::steady_clock::now() - start;
  EXPECT_NEAR(static_cast<double>(last - first) * Clock::ns_per_tick() / truth.count(), 1, 0.05);
  EXPECT_GT(step_of<Clock>(), 0U);
  EXPECT_GT(reading_ns<Clock>(), 0);
}

TEST(the_clock_of_single_calls, tells_the_time) {
  expect_to_tell_the_time<system_clock_ticks>();
  with_finest_clock([]<class Clock>(Clock) { expect_to_tell_the_time<Clock>(); });
}

}  // namespace
}  // namespace stackheap

// How are the times of many calls stored when their tail matters? In a histogram whose buckets grow with the values, so
// that every result is wrong by at most 1/64 of itself, for any number of values.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace stackheap {

/// Counts whole numbers in log-linear buckets (like G. Tene's HdrHistogram): values below 128 have a bucket each;
/// above, each power of two is divided into 64 buckets of equal width. The largest value is kept exactly.
class histogram {
 public:
  static constexpr unsigned precision_bits = 6;
  /// No result is below the true value, or above it by more than this share of it.
  static constexpr double relative_error = 1.0 / (1U << precision_bits);
  /// A percentile is reported only when at least so many values are expected beyond it.
  static constexpr std::uint64_t enough_beyond = 10;

  void record(std::uint64_t value) {
    const std::size_t bucket = bucket_of(value);
    ++counts_[bucket];
    sums_[bucket] += value;
    ++count_;
    if (value > max_) max_ = value;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  /// The value that is not exceeded by all but one in `one_in` values: 2 is the median, 100 the 99th percentile. It is
  /// the highest value that its bucket can hold. Empty when there are too few values.
  std::optional<std::uint64_t> all_but_one_in(std::uint64_t one_in) const {
    if (count_ < enough_beyond * one_in) return {};
    return std::min(highest_in(bucket_at(count_ - count_ / one_in)), max_);
  }

  /// About that value, no matter how few lie beyond, for values that are all there are: the mean of its bucket, which is
  /// exact where the bucket holds a single value. 0 without values.
  std::uint64_t mean_at_one_in(std::uint64_t one_in) const {
    if (count_ == 0) return 0;
    const std::size_t bucket = bucket_at(count_ - count_ / one_in);
    return sums_[bucket] / counts_[bucket];
  }

  /// The mean of the values whose bucket is at most that of `highest`: exact, whatever the width of the buckets. Empty
  /// when there are no such values.
  std::optional<double> mean_up_to(std::uint64_t highest) const {
    std::uint64_t count = 0, sum = 0;
    for (std::size_t bucket = 0; bucket <= bucket_of(highest); ++bucket) count += counts_[bucket], sum += sums_[bucket];
    if (count == 0) return {};
    return static_cast<double>(sum) / static_cast<double>(count);
  }

  static constexpr std::size_t bucket_of(std::uint64_t value) {
    const unsigned bits = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = bits > precision_bits + 1 ? bits - (precision_bits + 1) : 0;
    return (std::size_t{shift} << precision_bits) + static_cast<std::size_t>(value >> shift);
  }
  static constexpr std::uint64_t highest_in(std::size_t bucket) {
    constexpr std::size_t half = std::size_t{1} << precision_bits;
    if (bucket < 2 * half) return bucket;
    const std::size_t shift = bucket / half - 1;
    return ((std::uint64_t{bucket % half} + half + 1) << shift) - 1;  // 0 - 1, the largest number, for the last bucket
  }

 private:
  /// The bucket of the value at this rank, from 1 on.
  std::size_t bucket_at(std::uint64_t rank) const {
    std::size_t bucket = 0;
    while (bucket + 1 < counts_.size() && counts_[bucket] < rank) rank -= counts_[bucket++];
    return bucket;
  }

  /// 128 for values below 128, and 64 for each power of two from there on.
  static constexpr std::size_t buckets = std::size_t{64 - precision_bits + 1} << precision_bits;

  std::array<std::uint64_t, buckets> counts_{};
  std::array<std::uint64_t, buckets> sums_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

/// The typical of many calls that a clock with steps of `step` has timed: the mean of nine in ten. It is finer than a
/// step, because calls start at any moment between two steps: a call of 2.3 steps reads as 3 steps in three of ten cases,
/// and as 2 in the others. Readings up to a step beyond the 90th percentile count as well: a cut through the readings of
/// calls of the same length would shorten them. Empty when there are too few values for that percentile.
inline std::optional<double> typical(const histogram& ticks, std::uint64_t step) {
  const auto p90 = ticks.all_but_one_in(10);
  return p90 ? ticks.mean_up_to(*p90 + step) : std::nullopt;
}

}  // namespace stackheap

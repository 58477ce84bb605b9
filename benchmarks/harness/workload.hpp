// What is drawn before timing, from one fixed seed: sizes, orders and cycles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <vector>

namespace stackheap {

/// The seed of all randomness of the suite; it stands in every result's context.
inline constexpr std::uint64_t seed = 20260101;

using generator = std::mt19937_64;

/// A whole number below `bound`, by multiplication and shift (Lemire, "Fast random integer generation in an interval",
/// ACM TOMACS 29(1), 2019, without the rejection: the bias is under bound / 2^64). The same on every standard library,
/// which std::uniform_int_distribution is not.
std::uint64_t below(std::uint64_t bound, generator& random);

/// A permutation of 0 to n-1, each as likely as any other (Fisher and Yates).
std::vector<std::uint32_t> shuffled(std::size_t n, generator& random);

/// `next[i]` of one single cycle through all of 0 to n-1, each such cycle as likely as any other
/// (S. Sattolo, "An algorithm to generate a random cyclic permutation", Inf. Proc. Letters 22, 1986).
std::vector<std::uint32_t> random_cycle(std::size_t n, generator& random);

/// Block sizes in bytes.
enum class size_mix {
  uniform,    ///< every whole number from 16 to 1,024 alike
  power_law,  ///< bounded Pareto from 16 to 65,536, shape 1.1: mostly small, a few large, as servers ask for
};
std::string_view name_of(size_mix);
std::size_t smallest(size_mix);
std::size_t largest(size_mix);
std::uint32_t draw_size(size_mix, generator& random);

/// In which order n blocks, taken in the order 0 to n-1, are given back.
enum class free_order {
  lifo,       ///< the last first
  fifo,       ///< the first first
  random,     ///< any
  butterfly,  ///< from both ends inwards: 0, n-1, 1, n-2, ...
};
std::string_view name_of(free_order);
std::vector<std::uint32_t> order_of(free_order, std::size_t n);

/// One replacement: which live block goes, and how large the new one is.
struct replacement {
  std::uint32_t slot;
  std::uint32_t bytes;
};

/// `count` replacements among `live` blocks.
std::vector<replacement> replacements(std::size_t live, size_mix mix, std::size_t count, generator& random);

}  // namespace stackheap

// Which random sizes, orders and cycles do benchmarks use? All are drawn before the timing, from one fixed seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <vector>

namespace stackheap {

/// The seed of all random numbers of the suite; it is in the context of every result.
inline constexpr std::uint64_t seed = 20260101;

using generator = std::mt19937_64;

/// A whole number below `bound`, by multiplication and shift (Lemire, "Fast random integer generation in an interval",
/// ACM TOMACS 29(1), 2019, without the rejection: the bias is under bound / 2^64). The same on every standard library,
/// which std::uniform_int_distribution is not.
std::uint64_t below(std::uint64_t bound, generator& random);

/// A permutation of 0 to n-1, all equally likely (Fisher and Yates).
std::vector<std::uint32_t> shuffled(std::size_t n, generator& random);

/// `next[i]` of one single cycle through all of 0 to n-1, all such cycles equally likely
/// (S. Sattolo, "An algorithm to generate a random cyclic permutation", Inf. Proc. Letters 22, 1986).
std::vector<std::uint32_t> random_cycle(std::size_t n, generator& random);

/// Block sizes in bytes.
enum class size_mix {
  uniform,    ///< every whole number from 16 to 1,024, equally likely
  power_law,  ///< bounded Pareto from 16 to 65,536, shape 1.1: mostly small, a few large, as in servers
};
std::string_view name_of(size_mix);
std::size_t smallest(size_mix);
std::size_t largest(size_mix);
std::uint32_t draw_size(size_mix, generator& random);

/// The order in which n blocks, taken in the order 0 to n-1, are freed.
enum class free_order {
  lifo,       ///< the last first
  fifo,       ///< the first first
  random,     ///< any
  butterfly,  ///< from both ends inwards: 0, n-1, 1, n-2, ...
};
std::string_view name_of(free_order);
std::vector<std::uint32_t> order_of(free_order, std::size_t n);

/// One replacement: the slot of the block that is freed, and the size of the new block.
struct replacement {
  std::uint32_t slot;
  std::uint32_t bytes;
};

/// `count` replacements among `live` blocks.
std::vector<replacement> replacements(std::size_t live, size_mix mix, std::size_t count, generator& random);

}  // namespace stackheap

#include "workload.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace stackheap {

std::uint64_t below(std::uint64_t bound, generator& random) {
  __extension__ using wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<wide>(random()) * bound >> 64);
}

std::vector<std::uint32_t> shuffled(std::size_t n, generator& random) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0U);
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[below(i, random)]);
  return order;
}

std::vector<std::uint32_t> random_cycle(std::size_t n, generator& random) {
  std::vector<std::uint32_t> next(n);
  std::iota(next.begin(), next.end(), 0U);
  // Sattolo's swap partner is strictly below i, where Fisher and Yates allow i itself: that alone makes it one cycle.
  for (std::size_t i = n; i > 1; --i) std::swap(next[i - 1], next[below(i - 1, random)]);
  return next;
}

std::string_view name_of(size_mix mix) { return mix == size_mix::uniform ? "uniform" : "power_law"; }
std::size_t smallest(size_mix) { return 16; }
std::size_t largest(size_mix mix) { return mix == size_mix::uniform ? 1024 : 65536; }

std::uint32_t draw_size(size_mix mix, generator& random) {
  const auto low = static_cast<double>(smallest(mix)), high = static_cast<double>(largest(mix));
  if (mix == size_mix::uniform)
    return static_cast<std::uint32_t>(smallest(mix) + below(largest(mix) - smallest(mix) + 1, random));
  // The inverse of the bounded Pareto's distribution function, at a uniform number in [0, 1).
  constexpr double shape = 1.1;
  const double uniform = static_cast<double>(random() >> 11) * 0x1p-53;
  const double bytes = low / std::pow(1 - uniform * (1 - std::pow(low / high, shape)), 1 / shape);
  return static_cast<std::uint32_t>(std::clamp(bytes, low, high));
}

std::string_view name_of(free_order order) {
  switch (order) {
    case free_order::lifo: return "lifo";
    case free_order::fifo: return "fifo";
    case free_order::random: return "random";
    case free_order::butterfly: break;
  }
  return "butterfly";
}

std::vector<std::uint32_t> order_of(free_order order, std::size_t n) {
  if (order == free_order::random) {
    generator random(seed);
    return shuffled(n, random);
  }
  std::vector<std::uint32_t> indices(n);
  std::iota(indices.begin(), indices.end(), 0U);
  if (order == free_order::lifo) std::reverse(indices.begin(), indices.end());
  if (order == free_order::butterfly)
    for (std::size_t i = 0; i < n; ++i) indices[i] = static_cast<std::uint32_t>(i % 2 == 0 ? i / 2 : n - 1 - i / 2);
  return indices;
}

std::vector<replacement> replacements(std::size_t live, size_mix mix, std::size_t count, generator& random) {
  std::vector<replacement> all(count);
  for (replacement& next : all) {
    next.slot = static_cast<std::uint32_t>(below(live, random));
    next.bytes = draw_size(mix, random);
  }
  return all;
}

}  // namespace stackheap

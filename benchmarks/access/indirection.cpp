// What does a pointer cost on the way to a value: following it, or the place it leads to?
#include <algorithm>
#include <vector>

#include "family.hpp"
#include "placed_array.hpp"
#include "measure.hpp"
#include "shared_cache.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

constexpr std::size_t values = std::size_t{1} << 17;
constexpr std::size_t scattered_bytes = std::size_t{64} << 20;
/// Rounds between two checks of the time: a few milliseconds would be a moment of a cache that others use too.
constexpr int timed_rounds = 4;

/// A node fills a cache line; the last node on the way holds the value.
struct alignas(64) node {
  const node* next;
  std::uint64_t value;
};

enum class layout { packed, scattered };
std::string_view name_of(layout arrangement) { return arrangement == layout::packed ? "packed" : "scattered"; }

/// `way` is the value itself at depth 0, else the address of the first node.
template <std::size_t Depth>
std::uint64_t reach(std::uintptr_t way) {
  if constexpr (Depth == 0) {
    return way;
  } else {
    auto* at = reinterpret_cast<const node*>(way);
    for (std::size_t i = 1; i < Depth; ++i) at = at->next;
    return at->value;
  }
}

template <std::size_t Depth>
struct fixture {
  static constexpr std::size_t packed_bytes = std::max<std::size_t>(Depth, 1) * values * sizeof(node);

  explicit fixture(layout arrangement)
      : at(storage::heap, arrangement == layout::scattered ? scattered_bytes : packed_bytes), ways(values) {
    auto* const lines = reinterpret_cast<node*>(at.data());
    std::vector<std::uint32_t> place;
    if (arrangement == layout::scattered) {
      generator random(seed);
      place = shuffled(scattered_bytes / sizeof(node), random);
    }
    // The nodes of one level lie in the order of the values when packed: each level is a row of its own.
    const auto line = [&](std::size_t level, std::size_t i) {
      const std::size_t number = level * values + i;
      return lines + (place.empty() ? number : place[number]);
    };
    for (std::size_t i = 0; i < values; ++i) {
      for (std::size_t level = 0; level < Depth; ++level)
        ::new (line(level, i)) node{level + 1 < Depth ? line(level + 1, i) : nullptr, level + 1 < Depth ? values : i};
      ways[i] = Depth == 0 ? i : reinterpret_cast<std::uintptr_t>(line(0, i));
    }
    huge_share = at.huge_share();
    for (std::size_t round = 0; round < rounds_before_timing; ++round)
      for (std::size_t i = 0; i < values; ++i)
        if (reach<Depth>(hide(ways[i])) != i) throw verification_error("a way does not lead to its value");
  }

  placed_array at;
  std::vector<std::uintptr_t> ways;
  double huge_share = -1;
};

template <std::size_t Depth>
void reach_all(benchmark::State& state, fixture<Depth>& in) {
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(timed_rounds * values))
      for (int round = 0; round < timed_rounds; ++round)
        for (const std::uintptr_t way : in.ways) keep(reach<Depth>(way));
  }
  if (in.huge_share >= 0) state.counters["huge_share"] = in.huge_share;
}

template <std::size_t Depth>
void add_depth(benchmark_registry& registry, layout arrangement) {
  registry.add(
      "", {{"depth", Depth}, {"layout", name_of(arrangement)}},
      [=] { return std::make_shared<fixture<Depth>>(arrangement); },
      reach_all<Depth>);
}

const family indirection({
    .question = "What does a pointer on the way to a value cost: following it, or the place it leads to?",
    .operation = "reach one of 131,072 values, in order, through 0, 1, 2 or 3 pointers; no load waits for the value "
                 "before",
    .untimed = "placing the nodes, one in each 64-byte line; reaching every value eight times, "
                "verified, so that the last cache holds as much as it keeps of such a set",
    .heap = "does not matter: the nodes are in one block, placed by the benchmark. packed: the nodes of one level one "
            "after another, in order; scattered: on random lines of 64 MiB",
    .held_against = "depth:0: the loop over the values themselves, without a pointer",
    .controls = "^indirection/depth:0/",
    .unfairness = "At depth 0 the values are in the array itself, eight bytes each, which has only one layout. The "
                  "ways to different values are independent, so the processor follows several at once: chase shows the "
                  "cost of a load that must be waited for. huge_share shows which pages the kernel granted.",
    .core = {"^indirection/depth:3/layout:scattered$"},
    .least_times = {{"indirection/depth:1/layout:packed", 0.1}, {"indirection/depth:1/layout:scattered", 1}},
    .past_second_cache = "depth:[1-9]",
}, [](benchmark_registry& registry) {
  add_depth<0>(registry, layout::packed);
  for (const layout arrangement : {layout::packed, layout::scattered}) {
    add_depth<1>(registry, arrangement);
    if (registry.chosen() == profile::smoke) continue;
    add_depth<2>(registry, arrangement);
    add_depth<3>(registry, arrangement);
  }
});

}  // namespace
}  // namespace stackheap

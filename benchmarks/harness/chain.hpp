// A chain: nodes in cache lines that lead to each other in one cycle through all of them. The address of a node is known
// only after the node before it has arrived.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "family.hpp"
#include "measure.hpp"
#include "placed_array.hpp"
#include "turns.hpp"
#include "workload.hpp"

namespace stackheap {

struct alignas(16) chain_node {
  chain_node* next;
  std::uint32_t place;  ///< steps from the first node
  bool visited;
};

/// 64 bytes on every machine, so that a name means the same everywhere. A chain has one node in each line, or leads through
/// all lines several times, each time in another order and through another node of each line.
struct alignas(64) chain_line {
  static constexpr std::size_t most_turns = 4;
  std::array<chain_node, most_turns> turns;
};

/// Links nodes into one cycle: the node at `at(order[i])` leads to the node at `at(order[i + 1])`. Returns every
/// (count / starts)-th node along it: from there, as many walkers follow each other at equal distance.
template <class At>
std::vector<chain_node*> link_cycle(const std::vector<std::uint32_t>& order, At at, std::size_t starts = 1) {
  const std::size_t count = order.size();
  for (std::size_t i = 0; i < count; ++i)
    ::new (at(order[i])) chain_node{at(order[i + 1 < count ? i + 1 : 0]), static_cast<std::uint32_t>(i), false};
  std::vector<chain_node*> places;
  for (std::size_t i = 0; i < starts; ++i) places.push_back(at(order[i * count / starts]));
  return places;
}

/// Links `count` nodes into one random cycle.
template <class At>
std::vector<chain_node*> link_cycle(std::size_t count, At at, std::size_t starts = 1) {
  return link_cycle(order_of(free_order::random, count), at, starts);
}

/// Throws verification_error unless walkers from `starts` meet each of `count` nodes once and arrive where the next
/// walker started: exactly one cycle. The walkers go in parallel, which is quick; the walk also warms the caches.
inline void verify_one_cycle(std::span<chain_node* const> starts, std::size_t count) {
  std::vector<chain_node*> walkers(starts.begin(), starts.end());
  bool again = false;
  for (std::size_t step = 0; step < count / starts.size(); ++step)
    for (chain_node*& walker : walkers) {
      again = again || std::exchange(walker->visited, true);
      walker = walker->next;
    }
  bool arrived = count % starts.size() == 0;
  for (std::size_t i = 0; i < walkers.size(); ++i) arrived = arrived && walkers[i] == starts[(i + 1) % starts.size()];
  if (again || !arrived) throw verification_error("the chain is not one full cycle");
}

/// Throws verification_error unless `end` is `steps` steps from `start` along a cycle of `count` nodes: the end of a walk
/// proves that all counted steps were taken.
inline void verify_steps(const chain_node* start, const chain_node* end, std::int64_t steps, std::size_t count) {
  if (end->place != (start->place + static_cast<std::uint64_t>(steps)) % count)
    throw verification_error("the walk did not take as many steps as were counted");
}

/// A chain in an array, and the node where the next walk starts.
struct chain_walk {
  chain_walk(storage kind, std::size_t bytes, std::size_t count) : array(kind, bytes), nodes(count) {}

  chain_line* lines() const { return reinterpret_cast<chain_line*>(array.data()); }
  /// Verifies the chain that begins with `first`; the walk also warms the caches.
  void start_at(chain_node* first) {
    array.run([&] { verify_one_cycle({&first, 1}, nodes); });
    position = first;
    huge_share = array.huge_share();
  }

  placed_array array;
  std::size_t nodes;
  std::int64_t stride = 4096;  ///< loads between two checks of the time, so at least as many are timed
  const chain_node* position = nullptr;
  double huge_share = -1;
};

/// Times loads, each of which waits for the load before it. In a turn, a large set is walked in part: the next turn goes on.
inline void follow(benchmark::State& state, chain_walk& in) {
  const std::int64_t stride = takes_turns() ? std::min<std::int64_t>(in.stride, state.max_iterations) : in.stride;
  const chain_node* walker = in.position;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(stride))
      for (std::int64_t i = 0; i < stride; ++i) walker = walker->next;
    keep(walker);
  }
  verify_steps(in.position, walker, state.iterations(), in.nodes);
  in.position = hide(walker);  // the next call continues from here, so that large sets are walked completely
  if (in.huge_share >= 0) state.counters["huge_share"] = in.huge_share;
}

}  // namespace stackheap

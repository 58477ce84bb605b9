// A chain: nodes of one cache line that lead to each other in one random cycle through all of them. The address of a
// node is known only after the node before it has arrived.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "family.hpp"
#include "workload.hpp"

namespace stackheap {

/// One node a cache line; 64 bytes on every machine, so that a name means the same everywhere.
struct alignas(64) chain_node {
  chain_node* next;
  std::uint64_t place;  ///< steps from the first node
  bool visited;
};

/// Links `count` nodes, the i-th at address `at(i)`, into one random cycle. Returns every (count / starts)-th node
/// along it: from there, as many walkers follow each other at equal distance.
template <class At>
std::vector<chain_node*> link_cycle(std::size_t count, At at, std::size_t starts = 1) {
  generator random(seed);
  const std::vector<std::uint32_t> order = shuffled(count, random);
  for (std::size_t i = 0; i < count; ++i) ::new (at(order[i])) chain_node{at(order[i + 1 < count ? i + 1 : 0]), i, false};
  std::vector<chain_node*> places;
  for (std::size_t i = 0; i < starts; ++i) places.push_back(at(order[i * count / starts]));
  return places;
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

}  // namespace stackheap

// A chain: nodes of one cache line each that lead from one to the next, in one random cycle through all of them. Each
// address is known only once the node before has arrived.
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
  std::uint64_t place;  ///< how many steps it is from the first
  bool visited;
};

/// Links `count` nodes, of which `at(i)` gives the place of the i-th, into one cycle, each as likely as any other.
/// Returns every (count / starts)-th node along it: places from which as many walkers as wanted follow each other at
/// equal distance.
template <class At>
std::vector<chain_node*> link_cycle(std::size_t count, At at, std::size_t starts = 1) {
  generator random(seed);
  const std::vector<std::uint32_t> order = shuffled(count, random);
  for (std::size_t i = 0; i < count; ++i) ::new (at(order[i])) chain_node{at(order[i + 1 < count ? i + 1 : 0]), i, false};
  std::vector<chain_node*> found;
  for (std::size_t i = 0; i < starts; ++i) found.push_back(at(order[i * count / starts]));
  return found;
}

/// Throws wrong_work unless walkers from `starts` meet each of `count` nodes once and arrive where the next one
/// started: one cycle, and no other. That they walk at once is what makes it quick; it also brings into the caches what
/// fits there.
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
  if (again || !arrived) throw wrong_work("the chain is not one full cycle");
}

/// Throws wrong_work unless `end` is so many steps from `start` along a cycle of `count` nodes: where a walk has ended
/// tells whether it took all of the steps that were counted.
inline void verify_steps(const chain_node* start, const chain_node* end, std::int64_t steps, std::size_t count) {
  if (end->place != (start->place + static_cast<std::uint64_t>(steps)) % count)
    throw wrong_work("the walk did not take as many steps as were counted");
}

}  // namespace stackheap

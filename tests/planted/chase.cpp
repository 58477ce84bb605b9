// Loads that wait for each other, from the first-level cache to beyond the second.
#include "chain.hpp"
#include "slowdown.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t stretch_operations = 1000;

struct fixture {
  explicit fixture(std::size_t bytes) : lines(bytes / sizeof(chain_line)) {
    const auto starts = link_cycle(lines.size(), [this](std::size_t i) { return &lines[i].turns[0]; }, 16);
    verify_one_cycle(starts, lines.size());
    walker = starts.front();
  }

  void stretch(std::int64_t operations) {
    for (std::int64_t i = 0; i < operations; ++i) walker = walker->next;
    keep(walker);
  }

  std::vector<chain_line> lines;
  const chain_node* walker;
};

const family chase({
    .question = "Is a slowdown found where a program waits for its caches, or for memory?",
    .operation = "one load whose address is the result of the load before it",
    .untimed = "building the chain, and walking it once",
    .heap = "does not matter: the memory is one block",
    .held_against = "no control: each side of a comparison is held against the other side",
    .unfairness = "",
    .warmed = "bytes:524288$",  // as in benchmarks/access/chase.cpp
}, [](benchmark_registry& registry) {
  for (const std::size_t bytes : {std::size_t{16} << 10, std::size_t{512} << 10, std::size_t{16} << 20})
    add_slowed(registry, "", {{"bytes", bytes}}, stretch_operations,
               [=] { return std::make_shared<fixture>(bytes); });
});

}  // namespace
}  // namespace stackheap

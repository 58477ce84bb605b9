// How many loads can be in flight at once? Several chains through the same memory are followed at the same time.
#include <array>
#include <utility>

#include "chain.hpp"
#include "placed_array.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t stride = 4096;    ///< loads between two checks of the time
constexpr std::size_t most_chains = 16;

struct fixture {
  explicit fixture(std::size_t bytes) : at(storage::heap, bytes) {
    const std::size_t nodes = bytes / sizeof(chain_line);
    auto* const lines = reinterpret_cast<chain_line*>(at.data());
    starts = link_cycle(nodes, [=](std::size_t i) { return &lines[i].turns[0]; }, most_chains);
    verify_one_cycle(starts, nodes);
    huge_share = at.huge_share();
  }

  placed_array at;
  std::vector<chain_node*> starts;  ///< at equal distance along the one cycle; moved on by every run
  double huge_share = -1;
};

/// The heads of the chains are separate variables: the compiler may keep each in a register.
template <std::size_t... Chain>
void follow(benchmark::State& state, fixture& in, std::index_sequence<Chain...>) {
  constexpr std::size_t chains = sizeof...(Chain);
  chain_node* walkers[] = {in.starts[Chain * most_chains / chains]...};
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(stride))
      for (std::size_t i = 0; i < stride / chains; ++i) ((walkers[Chain] = walkers[Chain]->next), ...);
    (keep(walkers[Chain]), ...);
  }
  const auto move = [&](chain_node*& start, chain_node* end) {
    verify_steps(start, end, state.iterations() / static_cast<std::int64_t>(chains), in.at.bytes() / sizeof(chain_line));
    start = end;
  };
  (move(in.starts[Chain * most_chains / chains], walkers[Chain]), ...);
  if (in.huge_share >= 0) state.counters["huge_share"] = in.huge_share;
}

template <std::size_t Chains>
void add_chains(benchmark_registry& registry, std::size_t bytes) {
  registry.add(
      "", {{"bytes", bytes}, {"chains", Chains}}, [=] { return std::make_shared<fixture>(bytes); },
      [](benchmark::State& state, fixture& in) { follow(state, in, std::make_index_sequence<Chains>{}); });
}

const family parallel_chase({
    .question = "How many loads can be in flight at once, and how much time does that save?",
    .operation = "one load; it waits for the load before it in its own chain, but not for the other chains",
    .untimed = "building one random cycle through all lines, in which the chains start at equal distances; walking it "
               "once completely, which proves that it is one cycle and warms the caches",
    .heap = "does not matter: the memory is one block of the process's malloc",
    .held_against = "chains:1: the same loads, of which each waits for the load before it",
    .controls = "chains:1$",
    .unfairness = "The set is the same for every number of chains. With 4 KiB pages the page-table walks overlap as "
                  "well, and may be the limit; huge_share shows which pages the kernel granted. From about 13 chains "
                  "on, their heads no longer fit into the registers of x86-64: the heads on the stack cost some cycles "
                  "a step, visible only in the small set.",
    .least_times = {{"parallel_chase/.*chains:1$", 2}, {"parallel_chase/", 0.1}},
    .past_second_cache = "bytes:([2-9][0-9]{6}|[0-9]{8,})/",
}, [](benchmark_registry& registry) {
  for (const std::size_t bytes : registry.pick<std::size_t>({256 << 10}, {256 << 10, 64 << 20},
                                                        {16 << 10, 256 << 10, 4 << 20, 64 << 20})) {
    add_chains<1>(registry, bytes);
    add_chains<2>(registry, bytes);
    add_chains<4>(registry, bytes);
    add_chains<8>(registry, bytes);
    add_chains<16>(registry, bytes);
  }
});

}  // namespace
}  // namespace stackheap

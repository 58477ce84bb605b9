// How many loads can be under way at once? Several chains through the same memory, followed at the same time.
#include <array>
#include <utility>

#include "chain.hpp"
#include "homes.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t stride = 4096;    ///< loads between two looks at whether to go on
constexpr std::size_t most_chains = 16;

struct world {
  explicit world(std::size_t bytes) : at(home::heap, bytes) {
    const std::size_t nodes = bytes / sizeof(chain_node);
    auto* const line = reinterpret_cast<chain_node*>(at.data());
    starts = link_cycle(nodes, [=](std::size_t i) { return line + i; }, most_chains);
    verify_one_cycle(starts, nodes);
    huge_share = at.huge_share();
  }

  residence at;
  std::vector<chain_node*> starts;  ///< at equal distance along the one cycle; moved on by every run
  double huge_share = -1;
};

/// The chains' heads are separate variables to the compiler: it may keep each in a register.
template <std::size_t... Chain>
void follow(benchmark::State& state, world& in, std::index_sequence<Chain...>) {
  constexpr std::size_t chains = sizeof...(Chain);
  chain_node* walkers[] = {in.starts[Chain * most_chains / chains]...};
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(stride))
      for (std::size_t i = 0; i < stride / chains; ++i) ((walkers[Chain] = walkers[Chain]->next), ...);
    (keep(walkers[Chain]), ...);
  }
  const auto move = [&](chain_node*& start, chain_node* end) {
    verify_steps(start, end, state.iterations() / static_cast<std::int64_t>(chains), in.at.bytes() / sizeof(chain_node));
    start = end;
  };
  (move(in.starts[Chain * most_chains / chains], walkers[Chain]), ...);
  if (in.huge_share >= 0) state.counters["huge_share"] = in.huge_share;
}

template <std::size_t Chains>
void enroll_chains(enrolment& into, std::size_t bytes) {
  into.add(
      "", {{"bytes", bytes}, {"chains", Chains}}, [=] { return std::make_shared<world>(bytes); },
      [](benchmark::State& state, world& in) { follow(state, in, std::make_index_sequence<Chains>{}); });
}

const family parallel_chase({
    .question = "How many loads can be under way at once, and so, how much does it help not to wait for each?",
    .operation = "one load; each waits for the one before in its own chain, but for none of the other chains",
    .untimed = "building one random cycle through all lines, in which the chains start at equal distances; walking it "
               "once whole, which proves that it is one cycle and warms the caches",
    .heap = "does not matter: the memory is one block of the process's malloc",
    .unfairness = "The set is one whatever the number of chains. With 4 KiB pages the walks through the page table "
                  "overlap as well, and may be what limits; huge_share says what was granted. From about 13 chains on "
                  "their heads no longer fit x86-64's registers: the few kept on the stack cost some cycles a step, "
                  "seen only in the small set.",
}, [](enrolment& into) {
  for (const std::size_t bytes : into.pick<std::size_t>({256 << 10}, {256 << 10, 64 << 20},
                                                        {16 << 10, 256 << 10, 4 << 20, 64 << 20})) {
    enroll_chains<1>(into, bytes);
    enroll_chains<2>(into, bytes);
    enroll_chains<4>(into, bytes);
    enroll_chains<8>(into, bytes);
    enroll_chains<16>(into, bytes);
  }
});

}  // namespace
}  // namespace stackheap

// What does it cost that each load goes to another page, when the data itself would fit the caches?
#include "chain.hpp"
#include "homes.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t lines_in_page = page / sizeof(chain_node);
constexpr std::int64_t stride = 4096;  ///< loads between two looks at whether to go on

enum class layout {
  pages,  ///< one node a page
  lines,  ///< as many nodes, one line after another
};
std::string_view name_of(layout how) { return how == layout::pages ? "pages" : "lines"; }

/// Line of the i-th node. On the i-th page it is the i-th line, beginning again at the first: were it the same one in
/// every page, all nodes would compete for the few places of one cache set.
std::size_t line_of(layout how, std::size_t i) {
  return how == layout::pages ? i * lines_in_page + i % lines_in_page : i;
}

struct world {
  world(layout how, std::size_t count)
      : at(home::mmap_4k, count * (how == layout::pages ? page : sizeof(chain_node))), nodes(count) {
    auto* const lines = reinterpret_cast<chain_node*>(at.data());
    const auto starts = link_cycle(nodes, [=](std::size_t i) { return lines + line_of(how, i); });
    verify_one_cycle(starts, nodes);
    position = starts.front();
    huge_share = at.huge_share();
  }

  residence at;
  std::size_t nodes;
  const chain_node* position;
  double huge_share = -1;
};

void follow(benchmark::State& state, world& in) {
  const chain_node* walker = in.position;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(stride))
      for (std::int64_t i = 0; i < stride; ++i) walker = walker->next;
    keep(walker);
  }
  verify_steps(in.position, walker, state.iterations(), in.nodes);
  in.position = opaque(walker);
  if (in.huge_share >= 0) state.counters["huge_share"] = in.huge_share;
}

const family tlb({
    .question = "What does it cost to reach many pages, when the data itself would fit the caches?",
    .operation = "one load whose address is the result of the load before it. pages: one node a 4 KiB page, at a line "
                 "that goes round; lines: the control, as many nodes on as many lines one after another",
    .untimed = "building a random cycle through all nodes; walking it once whole, which proves it and warms the caches",
    .heap = "does not matter: the memory is mapped, with 4 KiB pages asked for",
    .unfairness = "What pages cost is the difference of the two rows, which the reader takes. The control touches a "
                  "64th of the pages, not none: from 64 times as many nodes on it meets the same limit. Lines far "
                  "apart may also compete for cache sets more than lines in a row. In a virtual machine each miss "
                  "walks two page tables. huge_share must be 0.",
}, [](enrolment& into) {
  for (const std::size_t pages : into.pick<std::size_t>({16, 1024}, {16, 64, 256, 1024, 4096, 16384},
                                                        {16, 32, 64, 128, 256, 512, 1024, 1536, 2048, 4096, 8192, 16384,
                                                         65536}))
    for (const layout how : {layout::pages, layout::lines})
      into.add(
          "", {{"pages", pages}, {"layout", name_of(how)}}, [=] { return std::make_shared<world>(how, pages); },
          follow);
});

}  // namespace
}  // namespace stackheap

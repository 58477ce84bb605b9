// What does it cost when each load goes to another page, although the data itself would fit into the caches?
#include "chain.hpp"

namespace stackheap {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t lines_in_page = page / sizeof(chain_line);

enum class layout {
  pages,  ///< one node on every page
  lines,  ///< the same number of nodes on consecutive lines
};
std::string_view name_of(layout arrangement) { return arrangement == layout::pages ? "pages" : "lines"; }

/// The line of the i-th node. On the i-th page it is line i modulo the lines of a page: on the same line of every page,
/// all nodes would compete for the few places of one cache set.
std::size_t line_of(layout arrangement, std::size_t i) {
  return arrangement == layout::pages ? i * lines_in_page + i % lines_in_page : i;
}

struct fixture : chain_walk {
  fixture(layout arrangement, std::size_t count)
      : chain_walk(storage::mmap_4k, count * (arrangement == layout::pages ? page : sizeof(chain_line)), count) {
    start_at(link_cycle(count, [=, this](std::size_t i) { return &lines()[line_of(arrangement, i)].turns[0]; }).front());
  }
};

const family tlb({
    .question = "What does it cost to reach many pages when the data itself would fit into the caches?",
    .operation = "one load whose address is the result of the load before it. pages: one node in each 4 KiB page, each "
                 "at the next line of its page; lines: the control, as many nodes on consecutive lines",
    .untimed = "building a random cycle through all nodes; walking it once completely, which proves that it is one "
               "cycle and warms the caches",
    .heap = "does not matter: the memory is mapped, with 4 KiB pages requested",
    .held_against = "layout:lines: as many nodes on consecutive lines",
    .controls = "layout:lines$",
    .unfairness = "The cost of the pages is the difference between the two rows. The control touches a 64th of the "
                  "pages, not zero pages: with 64 times as many nodes it meets the same limit. Lines far apart may "
                  "also compete for cache sets more than consecutive lines. In a virtual machine every miss walks two "
                  "page tables. huge_share must be 0.",
    .least_times = {{"tlb/", 2}},
    .past_second_cache = "pages:[0-9]{5,}/",
}, [](benchmark_registry& registry) {
  for (const std::size_t pages : registry.pick<std::size_t>({16, 1024}, {16, 64, 256, 1024, 4096, 16384},
                                                        {16, 32, 64, 128, 256, 512, 1024, 1536, 2048, 4096, 8192, 16384,
                                                         65536}))
    for (const layout arrangement : {layout::pages, layout::lines})
      registry.add(
          "", {{"pages", pages}, {"layout", name_of(arrangement)}},
          [=] { return std::make_shared<fixture>(arrangement, pages); },
          follow);
});

}  // namespace
}  // namespace stackheap

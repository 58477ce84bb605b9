// When does a process really receive memory: when it allocates, or at the first write to each page?
#include <unistd.h>

#include "family.hpp"
#include "measure.hpp"
#include "passes.hpp"
#include "placed_array.hpp"

namespace stackheap {
namespace {

/// The memory of a pass, first and second alike: more pages than TLBs and most second-level caches hold.
constexpr std::size_t whole = std::size_t{64} << 20;
/// Each page is written at the next of so many lines: the same line of every page would compete for one cache set.
constexpr std::size_t lines_round = 64;

/// The kinds of memory, by the names of the results.
struct origin {
  std::string_view name;
  storage kind;
};
constexpr origin every_origin[] = {{"stack", storage::stack}, {"malloc", storage::heap}, {"calloc", storage::zeroed_heap},
                                   {"mmap", storage::mmap_4k}, {"thp", storage::mmap_thp}};

const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
const std::size_t pages = whole / page;

enum class touch { first, second };

void write_each(std::byte* data) {
  const std::size_t page_bytes = page, count = pages;
  for (std::size_t i = 0; i < count; ++i) {
    data[i * page_bytes + i % lines_round * 64] = std::byte{1};
    escape(data);
  }
}

/// Seconds of one pass, on fresh memory.
double write_pages(benchmark::State& state, storage kind, touch timed) {
  placed_array memory(kind, whole, fresh::untouched);
  if (memory.present_share() > 0)
    throw verification_error("this memory is not fresh: pages were present before the first write");
  double seconds = 0;
  memory.run([&] {
    if (timed == touch::second) write_each(memory.data());
    const measured measuring(state, static_cast<unsigned>(pages));
    seconds = seconds_of([&] { write_each(memory.data()); });
  });
  if (memory.present_share() < 1) throw verification_error("a page is missing after its first write");
  if (const double huge = memory.huge_share(); huge >= 0) state.counters["huge_share"] = huge;
  return seconds;
}

const family first_touch({
    .question = "When does a process really receive memory: when it allocates, or at the first write to each page?",
    .operation = "write one byte to a page, one page after another over 64 MiB, each time at the next of 64 lines: the "
                 "first write to a page, or the second write, when all pages have had their first. The time is that of "
                 "the median of three such passes, divided by the pages; the counts are those of the last pass",
    .untimed = "allocating the pages anew for every pass; checking (mincore) that no page was present; giving them "
               "back. For second: one write to every page, just before",
    .heap = "does not matter: the memory is one block of 64 MiB. stack: the stack of a thread started for it; malloc, "
            "calloc: of the process, a block so large that it comes from the system; mmap: with huge pages disabled; "
            "thp: with huge pages requested",
    .held_against = "touch:second of the same storage: the same writes to pages that are there",
    .controls = "touch:second$",
    .unfairness = "Both writes go over as many pages, which is what makes them comparable: the line of the second write, "
                  "and what translates its address, have left the first caches since the first write, as in a program "
                  "that fills a large block and then uses it. Second writes to a few pages that stay in the caches cost "
                  "a nanosecond. Pages from the kernel may still be in the cache, because they were given back a moment "
                  "ago: the best case. The first write to a huge page pays for the whole huge page, and the time is "
                  "spread over all its 4 KiB pages. Where the system gives huge pages without a request, every storage "
                  "can have them: huge_share shows it. A virtual machine may have to fetch pages from its host, which "
                  "costs several times as much: the first of the three passes shows that, the median does not.",
    .least_times = {{"first_touch/home:(stack|malloc|calloc|mmap)/touch:first", 200}, {"first_touch/home:.*/touch:second", 0.3}},
}, [](benchmark_registry& registry) {
  const std::size_t passes = registry.chosen() == profile::smoke ? 1 : 3;
  for (const auto& [name, kind] : every_origin)
    for (const touch timed : {touch::first, touch::second})
      registry.add(
          "", {{"home", name}, {"touch", timed == touch::first ? "first" : "second"}},
          [kind = kind] { return std::make_shared<storage>(kind); },
          [=](benchmark::State& state, const storage& chosen) {
            time_passes(state, passes, pages, [&] { return write_pages(state, chosen, timed); });
          },
          timing::once);
});

}  // namespace
}  // namespace stackheap

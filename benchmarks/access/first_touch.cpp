// When does a process really receive memory: when it allocates, or at the first write to each page?
#include <unistd.h>

#include "family.hpp"
#include "measure.hpp"
#include "placed_array.hpp"

namespace stackheap {
namespace {

/// Pages between two checks of the time: 2 MiB of 4 KiB pages, a whole huge page.
constexpr std::size_t stride = 512;
/// The number of pages that a second touch repeats.
constexpr std::size_t most_second = 8 * stride;
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

void write_each(benchmark::State& state, std::byte* data, std::size_t pages) {
  const std::size_t page_bytes = page;
  std::size_t at = 0;
  const measured measuring(state);
  while (state.KeepRunningBatch(stride)) {
    for (std::size_t i = at; i < at + stride; ++i) {
      data[i * page_bytes + i % lines_round * 64] = std::byte{1};
      escape(data);
    }
    at = at + stride < pages ? at + stride : 0;
  }
}

/// Every call gets fresh memory for all its first writes: nothing is mapped or given back during the timing.
void first_writes(benchmark::State& state, storage kind) {
  const std::size_t pages = (static_cast<std::size_t>(state.max_iterations) + stride - 1) / stride * stride;
  placed_array memory(kind, pages * page, fresh::untouched);
  if (memory.present_share() > 0)
    throw verification_error("this memory is not fresh: pages were present before the first write");
  memory.run([&] { write_each(state, memory.data(), pages); });
  if (memory.present_share() < 1) throw verification_error("a page is missing after its first write");
  if (const double huge = memory.huge_share(); huge >= 0) state.counters["huge_share"] = huge;
}

void second_writes(benchmark::State& state, placed_array& memory) {
  memory.run([&] { write_each(state, memory.data(), memory.bytes() / page); });
  if (const double huge = memory.huge_share(); huge >= 0) state.counters["huge_share"] = huge;
}

const family first_touch({
    .question = "When does a process really receive memory: when it allocates, or at the first write to each page?",
    .operation = "write one byte to a page, one page after another, each time at the next of 64 lines: the first write "
                 "to a page, or the second",
    .untimed = "allocating, before the loop, as much memory as the writes will need; proving that none of its pages "
               "was present (mincore); giving it back. For second: one write to every page",
    .heap = "does not matter: the memory is one block, at least as large as the pages that are written. stack: the "
            "stack of a thread started for it; malloc, calloc: of the process, 64 MiB or more, so that the block comes "
            "from the system; mmap: with huge pages disabled; thp: with huge pages requested",
    .unfairness = "Pages from the kernel may still be in the cache, because they were given back a moment ago: the "
                  "best case. The first write to a huge page pays for the whole huge page, and the time is spread over "
                  "all its 4 KiB pages. Where the system gives huge pages without a request, every storage can have "
                  "them: huge_share shows it. second repeats 4,096 pages, more than most TLBs hold.",
    .least_times = {{"first_touch/home:(stack|malloc|calloc|mmap)/touch:first", 200}, {"first_touch/home:.*/touch:second", 0.3}},
}, [](benchmark_registry& registry) {
  for (const auto& [name, kind] : every_origin) {
    registry.add(
        "", {{"home", name}, {"touch", "first"}}, [=, kind = kind] { return std::make_shared<storage>(kind); },
        [](benchmark::State& state, const storage& chosen) { first_writes(state, chosen); });
    registry.add(
        "", {{"home", name}, {"touch", "second"}},
        [=, kind = kind] {
          auto memory = std::make_shared<placed_array>(kind, most_second * page, fresh::untouched);
          for (std::size_t i = 0; i < most_second; ++i) memory->data()[i * page] = std::byte{1};
          if (memory->present_share() < 1) throw verification_error("a page is missing after its first write");
          return memory;
        },
        second_writes);
  }
});

}  // namespace
}  // namespace stackheap

// How much more memory than is live does a malloc hold after the sizes that a program needs have changed?
#include "drift.hpp"

#include <algorithm>
#include <cstdlib>

#include "side_array.hpp"
#include "child.hpp"
#include "held_memory.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t churned_per_live = 8;
constexpr std::size_t looks_per_live = 8;  ///< readings while as many bytes as are live are requested

/// The process's malloc, whose memory is read from time to time.
struct watched_heap {
  void* allocate(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    if (block == nullptr) throw verification_error("malloc has no memory for " + std::to_string(bytes) + " bytes");
    std::memset(block, 1, bytes);
    return block;
  }
  void deallocate(void* block) { std::free(block); }
  void look(std::size_t live) {
    const held_memory now = held_now();
    last = static_cast<double>(now.resident - std::min(now.resident, before.resident)) / static_cast<double>(live);
    if (first == 0) first = last;
    peak = std::max(peak, last);
  }

  held_memory before = held_now();
  double first = 0, last = 0, peak = 0;  ///< resident bytes for each live byte
};

const child_task task("fragmentation", [](const std::vector<std::size_t>& arguments) {
  const std::size_t live_bytes = arguments.at(0);
  const bool mixed = arguments.at(1) != 0;
  std::size_t count = 0;
  draw_drift(churned_per_live * live_bytes, [&](std::uint32_t) { ++count; });
  side_array<std::uint32_t> sizes(count);
  draw_drift(churned_per_live * live_bytes, [&, at = sizes.begin()](std::uint32_t bytes) mutable { *at++ = bytes; });
  generator random(seed);
  if (mixed)
    for (std::size_t i = sizes.size(); i > 1; --i) std::swap(sizes[i - 1], sizes[below(i, random)]);
  struct live_block {
    void* block;
    std::size_t bytes;
  };
  side_array<live_block> live(live_bytes / smallest_drifting);
  held_now();  // unused: the first reading itself brings pages in
  watched_heap heap;
  churn(heap, sizes, live, live_bytes, live_bytes / looks_per_live);
  return findings{{"peak_resident_per_live_byte", heap.peak},
                  {"first_resident_per_live_byte", heap.first},
                  {"last_resident_per_live_byte", heap.last},
                  {"live_bytes", static_cast<double>(live_bytes)},
                  {"replaced_blocks", static_cast<double>(count)},
                  {"from_statm", !heap.before.exact}};
});

const family fragmentation({
    .question = "How much more memory than is live does a malloc hold after the sizes that a program needs have "
                "changed?",
    .operation = "one run of the child process, from start to end; the results are the counters, "
                 "above all peak_resident_per_live_byte",
    .untimed = "nothing: the child starts, draws the sizes, replaces blocks, reads its resident memory after every "
               "eighth of the live bytes, and ends",
    .heap = "a process of its own, with that malloc preloaded as its only malloc: filled with blocks of about 64 B, of "
            "which random blocks are replaced until eight times the live bytes were requested, while the sizes drift "
            "to about 4 KiB; the number of live bytes stays the same",
    .held_against = "sizes:mixed: the same sizes in random order: the metadata and rounding of the malloc",
    .controls = "sizes:mixed$",
    .unfairness = "The memory that sizes:drifting holds beyond sizes:mixed is space that no longer fits any "
                  "request. The child does not wait: a malloc that gives memory back after a delay (jemalloc, "
                  "mimalloc) had little time for it.",
    .metrics = {{"peak_resident_per_live_byte", "bytes per byte"}},
}, [](benchmark_registry& registry) {
  const std::size_t live_bytes = registry.pick<std::size_t>({1 << 20}, {4 << 20}, {32 << 20}).front();
  for (const bool mixed : {false, true})
    for (const malloc_library& library : malloc_libraries())
      if (can_be_deployed(library))
        registry.add(
            library.name, {{"sizes", mixed ? "mixed" : "drifting"}}, [] { return std::make_shared<char>(); },
            [=, &library](benchmark::State& state, char&) {
              const std::vector<std::size_t> arguments{live_bytes, mixed};
              measure_child(state, {.task = "fragmentation", .arguments = arguments, .malloc = deploy(library)});
            },
            timing::once);
});

}  // namespace
}  // namespace stackheap

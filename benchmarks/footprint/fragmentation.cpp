// How much more memory than is live does a malloc hold, once the sizes that a program needs have changed?
#include "drift.hpp"

#include <algorithm>
#include <cstdlib>

#include "books.hpp"
#include "child.hpp"
#include "held_memory.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t churned_per_live = 8;
constexpr std::size_t looks_per_live = 8;  ///< while as many bytes as are live are asked for

/// The process's malloc, looked at from time to time.
struct watched_heap {
  void* allocate(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    if (block == nullptr) throw wrong_work("there was no memory for " + std::to_string(bytes) + " bytes");
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
  double first = 0, last = 0, peak = 0;  ///< resident for each live byte
};

const child_task task("fragmentation", [](const std::vector<std::size_t>& arguments) {
  const std::size_t live_bytes = arguments.at(0);
  const bool mixed = arguments.at(1) != 0;
  std::size_t count = 0;
  draw_drift(churned_per_live * live_bytes, [&](std::uint32_t) { ++count; });
  books<std::uint32_t> sizes(count);
  draw_drift(churned_per_live * live_bytes, [&, at = sizes.begin()](std::uint32_t bytes) mutable { *at++ = bytes; });
  generator random(seed);
  if (mixed)
    for (std::size_t i = sizes.size(); i > 1; --i) std::swap(sizes[i - 1], sizes[below(i, random)]);
  struct live_block {
    void* block;
    std::size_t bytes;
  };
  books<live_block> live(live_bytes / smallest_drifting);
  held_now();  // once for nothing: the reading itself brings pages in
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
    .question = "How much more memory than is live does a malloc hold once the sizes a program needs have changed?",
    .operation = "a billionth of one run of the child process, from start to end (the figure in ns is its time in "
                 "seconds); what was found stands in the counters, above all peak_resident_per_live_byte",
    .untimed = "nothing: the child starts, draws the sizes, churns, looks at its resident memory after each eighth "
               "of the live bytes on the way, and ends",
    .heap = "a process of its own, with that malloc preloaded as its only one: filled with blocks of about 64 B, of "
            "which random ones are replaced until eight times the live bytes were asked for, while the sizes drift "
            "to about 4 KiB; the bytes that are live stay the same",
    .unfairness = "sizes:mixed is the control: the same sizes in random order, so that what it shows is the "
                  "malloc's books and rounding, and what drifting shows beyond it is room that fits nothing any "
                  "more. Nothing here waits: a malloc that gives memory back after a time (jemalloc, mimalloc) had "
                  "little of it.",
}, [](enrolment& into) {
  const std::size_t live_bytes = into.pick<std::size_t>({1 << 20}, {4 << 20}, {32 << 20}).front();
  for (const bool mixed : {false, true})
    for (const malloc_library& library : malloc_libraries())
      if (library.available())
        into.add(
            library.name, {{"sizes", mixed ? "mixed" : "drifting"}}, [] { return std::make_shared<char>(); },
            [=, &library](benchmark::State& state, char&) {
              const std::vector<std::size_t> arguments{live_bytes, mixed};
              measure_child(state, {.task = "fragmentation", .arguments = arguments, .malloc = deploy(library)});
            });
});

}  // namespace
}  // namespace stackheap

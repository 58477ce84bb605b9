// Does freed memory go back to the system, and when?
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>

#include "side_array.hpp"
#include "child.hpp"
#include "held_memory.hpp"
#include "measure.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

enum class sizes {
  small,  ///< uniform from 16 to 1,024 B
  mixed,  ///< as in servers: 16 to 65,536 B, mostly small
  large,  ///< uniform from 128 KiB to 1 MiB
};
constexpr std::array every_sizes{sizes::small, sizes::mixed, sizes::large};
constexpr std::string_view name_of(sizes mix) {
  return mix == sizes::small ? "small" : mix == sizes::mixed ? "mixed" : "large";
}
std::size_t draw(sizes kind, generator& random) {
  if (kind == sizes::large) return (std::size_t{128} << 10) + below(std::size_t{896} << 10, random);
  return draw_size(kind == sizes::small ? size_mix::uniform : size_mix::power_law, random);
}

/// When the child reads its memory, in milliseconds after the last block was freed.
constexpr std::array looks_ms{0, 1, 10, 100, 300, 1000};
/// Calls after that: a malloc that gives memory back after a delay, but has no thread of its own, does so in a call.
constexpr int calls = 10'000;

void sleep_until(std::chrono::steady_clock::time_point then) {
  using std::chrono::nanoseconds, std::chrono::steady_clock;
  const auto left = std::chrono::duration_cast<nanoseconds>(then - steady_clock::now()).count();
  const timespec wanted{left / 1'000'000'000, left % 1'000'000'000};
  if (left > 0) ::nanosleep(&wanted, nullptr);
}

/// Fills a heap with `asked` bytes in blocks, frees everything and reads the memory that is still resident: `looks`
/// times.
findings fill_and_free(std::size_t asked, sizes kind, std::size_t looks) {
  generator random(seed);
  std::size_t count = 0;
  for (std::size_t bytes = 0; bytes < asked; ++count) bytes += draw(kind, random);
  side_array<void*> blocks(count);
  sleep_until(std::chrono::steady_clock::now() + std::chrono::microseconds(1));  // unused, like the next line: the
  held_now();                                                                    // first call of either brings pages in
  const held_memory before = held_now();
  random.seed(seed);
  for (void*& block : blocks) {
    const std::size_t bytes = draw(kind, random);
    if ((block = std::malloc(bytes)) == nullptr)
      throw verification_error("malloc has no memory for " + std::to_string(bytes) + " bytes");
    std::memset(block, 1, bytes);
  }
  for (std::size_t i = blocks.size(); i > 1; --i) std::swap(blocks[i - 1], blocks[below(i, random)]);
  const held_memory peak = held_now();
  if (peak.resident < before.resident + asked / 2)
    throw verification_error("the blocks are not resident after they were written");
  for (void* block : blocks) std::free(block);
  const auto freed = std::chrono::steady_clock::now();
  std::array<held_memory, looks_ms.size()> seen;
  for (std::size_t i = 0; i < looks; ++i) {
    sleep_until(freed + std::chrono::milliseconds(looks_ms[i]));
    seen[i] = held_now();
  }
  for (int i = 0; i < calls; ++i) std::free(hide(std::malloc(draw(kind, random))));
  const held_memory after_calls = held_now();

  // Freeing brings in pages too: a share is of the most that was ever held, so that it is never over 1.
  std::size_t most = peak.resident;
  for (std::size_t i = 0; i < looks; ++i) most = std::max(most, static_cast<std::size_t>(seen[i].resident));
  const double all = static_cast<double>(most - before.resident);
  const auto share = [&](const held_memory& at) {
    return (static_cast<double>(at.resident) - static_cast<double>(before.resident)) / all;
  };
  findings result{{"peak_resident_bytes", all},
                 {"asked_bytes", static_cast<double>(asked)},
                 {"returned_share_at_once", 1 - share(seen.front())},
                 {"returned_share_after_calls", 1 - share(after_calls)},
                 {"from_statm", !peak.exact}};
  if (looks == looks_ms.size()) result["returned_share_after_1s"] = 1 - share(seen.back());
  if (peak.exact) result["lazily_returned_share"] = static_cast<double>(seen[looks - 1].lazy_free) / all;
  for (std::size_t i = 0; i < looks; ++i)
    result["resident_share_" + std::to_string(looks_ms[i]) + "ms"] = share(seen[i]);
  return result;
}

const child_task task("returned", [](const std::vector<std::size_t>& arguments) {
  return fill_and_free(arguments.at(0), static_cast<sizes>(arguments.at(1)), arguments.at(2));
});

child_order order_for(const malloc_library& library, std::size_t asked, sizes kind, std::size_t looks) {
  return {.task = "returned", .arguments = {asked, static_cast<std::size_t>(kind), looks}, .malloc = deploy(library)};
}

const family returned({
    .question = "Does freed memory go back to the system, and when?",
    .operation = "one run of the child process without its waits: it starts, fills its heap, frees everything, reads "
                 "its resident memory and ends; the results are the counters",
    .untimed = "the run for the counters: the child watches for a second how much is still resident, and those of all "
               "benchmarks of the family do so at the same time; smoke does not wait",
    .heap = "a process of its own, with that malloc preloaded as its only malloc: small blocks (16 to 1,024 B), mixed "
            "blocks (16 to 65,536 B, mostly small) or large blocks (128 KiB to 1 MiB), all written, then all freed in "
            "random order",
    .held_against = "no control: the results are shares of the memory that the process itself brought in, and what "
                    "was resident before the first block is subtracted",
    .unfairness = "Everything is freed here, which suits mallocs that can give back only the end of their heap: one "
                  "block that stays there keeps all of it, and so does a block that a malloc keeps for later. Memory "
                  "given back lazily (MADV_FREE) counts as resident until the kernel needs it: lazily_returned_share "
                  "is that share, after the last reading. After the second come 10,000 calls of malloc and free with "
                  "the same sizes: a malloc without a thread of its own can give memory back only when it is called "
                  "(returned_share_after_calls, negative where the process then holds more).",
    .at_once = true,
    .metrics = {{"resident_share_0ms", "of the peak", true, 0.01}, {"resident_share_1000ms", "of the peak", true, 0.01}},
}, [](benchmark_registry& registry) {
  const std::size_t asked = registry.pick<std::size_t>({2 << 20}, {8 << 20}, {64 << 20}).front();
  const std::size_t looks = registry.chosen() == profile::smoke ? 3 : looks_ms.size();
  for (const sizes kind : every_sizes)
    for (const malloc_library& library : malloc_libraries())
      if (can_be_deployed(library))
        registry.add(
            library.name, {{"sizes", name_of(kind)}},
            [=, &library] { return std::make_shared<child_report>(run_child(order_for(library, asked, kind, looks))); },
            [=, &library](benchmark::State& state, child_report& report) {
              time_once(state, [&] { return run_child(order_for(library, asked, kind, 1)).seconds; });
              show(state, report);
            },
            timing::once);
});

}  // namespace
}  // namespace stackheap

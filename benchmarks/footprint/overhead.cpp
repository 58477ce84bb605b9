// How much memory does a malloc take for every requested byte?
#include <cstdlib>

#include "side_array.hpp"
#include "child.hpp"
#include "held_memory.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// Fills `blocks` with blocks of `bytes` from `take`, all written, and returns by how much the memory of this process
/// grew.
template <class Take>
findings fill(side_array<unsigned char*>& blocks, std::size_t bytes, Take take) {
  held_now();  // unused: the first reading itself brings pages in
  const held_memory before = held_now();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if ((blocks[i] = take(i)) == nullptr) throw verification_error("no memory for " + std::to_string(bytes) + " bytes");
    std::memset(blocks[i], static_cast<int>(i % 251), hide(bytes));
  }
  const held_memory after = held_now();
  for (std::size_t i = 0; i < blocks.size(); ++i)  // the first byte is as written, and every byte equals the byte before it
    if (blocks[i][0] != i % 251 || std::memcmp(blocks[i], blocks[i] + 1, bytes - 1) != 0)
      throw verification_error("two blocks overlap");
  const auto asked = static_cast<double>(blocks.size() * bytes);
  const auto more = [](std::size_t now, std::size_t then) { return now > then ? static_cast<double>(now - then) : 0; };
  findings result{{"resident_bytes_per_byte", more(after.resident, before.resident) / asked},
                 {"unshared_bytes_per_byte", more(after.unshared, before.unshared) / asked},
                 {"blocks", static_cast<double>(blocks.size())},
                 {"from_statm", !after.exact}};
  if (after.exact) result["huge_share"] = more(after.huge, before.huge) / more(after.resident, before.resident);
  return result;
}

const child_task malloc_blocks("overhead", [](const std::vector<std::size_t>& arguments) {
  const std::size_t bytes = arguments.at(0), count = arguments.at(1) / bytes;
  side_array<unsigned char*> blocks(count);
  return fill(blocks, bytes, [=](std::size_t) { return static_cast<unsigned char*>(std::malloc(hide(bytes))); });
});

const child_task slices("overhead_none", [](const std::vector<std::size_t>& arguments) {
  const std::size_t bytes = arguments.at(0), count = arguments.at(1) / bytes;
  side_array<unsigned char*> blocks(count);
  void* const whole = ::mmap(nullptr, count * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (whole == MAP_FAILED) throw verification_error("the system refuses to map memory");
  return fill(blocks, bytes, [=](std::size_t i) { return static_cast<unsigned char*>(whole) + i * bytes; });
});

const family overhead({
    .question = "How much memory does a malloc take for every byte that a program requests?",
    .operation = "one run of the child process, from start to end; the results are the counters, "
                 "above all resident_bytes_per_byte",
    .untimed = "nothing: the child starts, fills its heap with blocks of n bytes, all written, reads its resident "
               "memory, checks the blocks and ends",
    .heap = "empty: a process of its own, with that malloc preloaded as its only malloc; the memory that it held "
            "before the first block is subtracted",
    .held_against = "none: blocks cut from one mapping: the kernel's count without any metadata",
    .controls = "^overhead/none/",
    .unfairness = "Memory that a malloc needs once is spread over the bytes requested, some MiB, as in a small "
                  "program; a larger program spreads it over more bytes. Sizes that are powers of two suit mallocs "
                  "that sort blocks by size: the sizes between show the cost of rounding up. huge_share is the "
                  "share on huge pages; from_statm is 1 where smaps_rollup cannot be read.",
    .metrics = {{"resident_bytes_per_byte", "bytes per byte"}},
}, [](benchmark_registry& registry) {
  const std::size_t asked = registry.pick<std::size_t>({1 << 20}, {8 << 20}, {16 << 20}).front();
  for (const std::size_t bytes : registry.pick<std::size_t>(
           {64}, {8, 64, 100, 1024, 1100, 65536},
           {8,    16,   24,   32,   40,   64,   72,   100,  128,   160,   256,   300,   512,  700,
            1024, 1100, 2048, 2500, 4096, 5000, 8192, 10000, 16384, 20000, 32768, 40000, 65536})) {
    const auto ready = [] { return std::make_shared<char>(); };
    registry.add("none", {{"bytes", bytes}}, ready, [=](benchmark::State& state, char&) {
      measure_child(state, {.task = "overhead_none", .arguments = {bytes, asked}});
    }, timing::once);
    for (const malloc_library& library : malloc_libraries())
      if (can_be_deployed(library))
        registry.add(library.name, {{"bytes", bytes}}, ready, [=, &library](benchmark::State& state, char&) {
          measure_child(state, {.task = "overhead", .arguments = {bytes, asked}, .malloc = deploy(library)});
        }, timing::once);
  }
});

}  // namespace
}  // namespace stackheap

// How much memory does a malloc hold while it serves a real program? A child that has it preloaded makes the calls of a
// recording, in the order in which the program made them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "child.hpp"
#include "decoded.hpp"
#include "held_memory.hpp"
#include "recordings.hpp"

namespace stackheap {
namespace {

using recording::operation;
using recording::step;

constexpr std::size_t points = 32;            ///< of the series, at equal steps of the calls
constexpr std::size_t readings_a_point = 4;   ///< a peak between two points is seen

/// The blocks of a recording from the process's malloc, every byte written: a page that is not written is not resident.
class written_blocks {
 public:
  explicit written_blocks(const recording::extent& whole)
      : blocks_(whole.of_lane[0].slots), bytes_(whole.of_lane[0].slots) {}

  /// Makes the call, or only counts its bytes, and returns the operation after it.
  const operation* once(const operation* at, bool counting_only) {
    std::uint32_t& bytes = bytes_.begin()[at->slot];
    void*& block = blocks_.begin()[at->slot];
    live_ -= at->kind == step::free || at->kind == step::realloc ? bytes : 0;
    const operation* const next = at + (at->kind == step::aligned ? 2 : 1);
    if (at->kind == step::free) {
      if (!counting_only) std::free(block);
      return next;
    }
    live_ += bytes = at->bytes;
    if (counting_only) return next;
    block = at->kind == step::calloc    ? std::calloc(1, bytes)
            : at->kind == step::realloc ? std::realloc(block, bytes)
            : at->kind == step::aligned ? aligned(at[1].bytes, bytes)
                                        : std::malloc(bytes);
    if (block == nullptr) throw verification_error("malloc has no memory for " + std::to_string(bytes) + " bytes");
    std::memset(block, 1, bytes);
    return next;
  }

  std::uint64_t live() const { return live_; }

 private:
  static void* aligned(std::size_t alignment, std::size_t bytes) {
    void* block = nullptr;
    return ::posix_memalign(&block, alignment, bytes) == 0 ? block : nullptr;
  }

  side_table<void*> blocks_;         ///< by slot
  side_table<std::uint32_t> bytes_;  ///< by slot
  std::uint64_t live_ = 0;
};

/// The number of the call after which most bytes are live.
std::uint64_t call_of_peak(const decoded_recording& decoded) {
  written_blocks blocks(decoded.whole());
  std::uint64_t peak = 0, most = 0;
  const operation* next = decoded.operations();
  for (std::uint64_t call = 1; call <= decoded.whole().calls; ++call) {
    next = blocks.once(next, true);
    if (blocks.live() > most) peak = call, most = blocks.live();
  }
  return peak;
}

std::string counter_of(const char* what, std::size_t point) {
  char name[32];
  std::snprintf(name, sizeof name, "%s_%02zu", what, point);
  return name;
}

const child_task task("replay_memory", [](const std::vector<std::size_t>&) {
  const decoded_recording decoded(inherited_file);
  const std::uint64_t calls = decoded.whole().calls, call_at_peak = call_of_peak(decoded);
  written_blocks blocks(decoded.whole());
  std::array<double, points> resident{}, live{};
  held_now();  // unused: the first reading itself brings pages in
  const held_memory before = held_now();
  const auto held = [&] {
    const std::size_t now = held_now().resident;
    return static_cast<double>(now - std::min(now, before.resident));
  };
  double peak = 0;
  const operation* next = decoded.operations();
  std::uint64_t reading = 1;
  for (std::uint64_t call = 1; call <= calls; ++call) {
    next = blocks.once(next, false);
    if (call == call_at_peak) peak = std::max(peak, held());
    for (; call >= calls * reading / (points * readings_a_point) && reading <= points * readings_a_point; ++reading) {
      const double now = held();
      peak = std::max(peak, now);
      if (reading % readings_a_point != 0) continue;
      resident[reading / readings_a_point - 1] = now;
      live[reading / readings_a_point - 1] = static_cast<double>(blocks.live());
    }
  }
  const auto most_live = static_cast<double>(decoded.whole().peak_live_bytes);
  findings result{{"peak_resident_bytes", peak},
                  {"final_resident_bytes", resident.back()},
                  {"peak_live_bytes", most_live},
                  {"peak_resident_per_live_byte", peak / most_live},
                  {"from_statm", !before.exact}};
  for (std::size_t point = 0; point < points; ++point) {
    result[counter_of("resident", point)] = resident[point];
    result[counter_of("live", point)] = live[point];
  }
  return result;
});

const family replay_memory({
    .question = "How much memory does a malloc hold while it serves a real program?",
    .operation = "one run of the child process, from start to end; the results are the counters, above all "
                 "peak_resident_per_live_byte",
    .untimed = "decoding the recording, before the child starts",
    .heap = "a process of its own, with that malloc preloaded as its only malloc: it makes the calls of a recorded program "
            "and writes every byte of every block; the memory that it held before the first call is subtracted",
    .held_against = "no control: the live bytes, those that the program had requested and not freed, are beside the resident "
                    "bytes (live_00 to live_31, resident_00 to resident_31: after each 32nd of the calls)",
    .unfairness = "A program may write less of its blocks than all bytes; a page that it never wrote is not resident. The "
                  "calls of all threads are made by one thread, in the order in which the program made them: memory does not "
                  "depend on how fast a call is, but a malloc that keeps memory for each thread keeps less here. The child does "
                  "not wait between calls: a malloc that gives memory back after a delay (jemalloc, mimalloc) had little time "
                  "for it. With a small heap, the memory that a malloc needs once is most of the figure. The peak is the "
                  "largest of 129 readings, at equal steps of the calls and when most bytes are live.",
    .metrics = {{"peak_resident_per_live_byte", "bytes per byte"}},
}, [](benchmark_registry& registry) {
  for (const named_recording& source : named_recordings()) {
    if (registry.chosen() == profile::smoke && source.name != made_up && !source.requested) continue;
    for (const malloc_library& library : malloc_libraries())
      if (can_be_deployed(library))
        registry.add(
            library.name, {{"recording", source.name}},
            [&source] { return std::make_shared<decoded_recording>(source.recorded, decoding_order{.one_lane = true}); },
            [&library](benchmark::State& state, const decoded_recording& decoded) {
              constexpr double most_seconds = 50;
              measure_child(state, {.task = "replay_memory", .malloc = deploy(library), .file = decoded.file(),
                                    .most_resident_bytes = harmless_bytes(std::numeric_limits<std::size_t>::max()),
                                    .most_seconds = most_seconds});
            },
            timing::once);
  }
});

}  // namespace
}  // namespace stackheap

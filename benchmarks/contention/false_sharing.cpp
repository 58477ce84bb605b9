// Does a malloc put blocks of two threads on one cache line, and what does that cost?
#include <atomic>
#include <new>
#include <string_view>

#include "heap.hpp"
#include "measure.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t bytes = 8;
constexpr std::size_t line_bytes = 64;
constexpr std::size_t padded_bytes = 4 * line_bytes;
constexpr std::int64_t writes_a_round = 1 << 14;

enum class mode {
  passive,  ///< one thread takes the blocks for all threads, one after another (the counterpart of cache-thrash)
  active,   ///< each thread takes its own block, at the same time (the counterpart of cache-scratch)
  padded,   ///< the control: blocks of four lines, written in the middle, so that no two threads can share a line
};
std::string_view name_of(mode kind) {
  return kind == mode::passive ? "passive" : kind == mode::active ? "active" : "padded";
}

/// The way a thread adds one to its number.
enum class write {
  plain,   ///< a load, an addition, a store: the store may wait in the core's buffer while the line is elsewhere
  atomic,  ///< one locked addition: the core must have the line to itself each time
};
std::string_view name_of(write kind) { return kind == write::plain ? "plain" : "atomic"; }

template <shares Strategy>
struct fixture {
  fixture(strategy_factory<Strategy> factory, unsigned count, mode kind, write way)
      : strategy(factory.make()), threads(count), block_bytes(kind == mode::padded ? padded_bytes : bytes), writing(way),
        blocks(count) {
    if (kind == mode::passive)
      for (std::byte*& block : blocks) block = static_cast<std::byte*>(strategy.allocate(block_bytes));
    else
      threads.round([&](unsigned thread) { blocks[thread] = static_cast<std::byte*>(strategy.allocate(block_bytes)); });
    for (std::byte* block : blocks) {
      if (block == nullptr) throw verification_error("the strategy ran out of memory");
      counters.push_back(::new (block + (kind == mode::padded ? padded_bytes / 2 : 0)) std::atomic<std::uint64_t>(0));
    }
    verify();
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  ~fixture() {
    for (std::byte* block : blocks) strategy.deallocate(block, block_bytes);
  }

  void round(unsigned thread) {
    std::atomic<std::uint64_t>& mine = *counters[thread];
    if (writing == write::atomic)
      for (std::int64_t i = 0; i < writes_a_round; ++i) mine.fetch_add(1, std::memory_order_relaxed);
    else
      for (std::int64_t i = 0; i < writes_a_round; ++i)
        mine.store(mine.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  void verify() {
    threads.round([this](unsigned thread) { round(thread); });
    for (const auto* counter : counters)
      if (counter->load() != writes_a_round) throw verification_error("two threads were given the same block");
  }

  /// Throws unless each thread has added at least `writes` times.
  void verify_writes(benchmark::IterationCount writes) const {
    for (const auto* counter : counters)
      if (counter->load() < static_cast<std::uint64_t>(writes))
        throw verification_error("a thread wrote less often than was counted");
  }

  /// Threads whose block shares its line with another thread's, as a share of all.
  double sharing_threads() const {
    const auto line = [](const void* address) { return reinterpret_cast<std::uintptr_t>(address) / line_bytes; };
    std::size_t sharing = 0;
    for (const auto* counter : counters)
      sharing += std::count_if(counters.begin(), counters.end(),
                               [&](const auto* neighbour) { return line(counter) == line(neighbour); }) > 1;
    return static_cast<double>(sharing) / static_cast<double>(counters.size());
  }

  Strategy strategy;
  team threads;
  std::size_t block_bytes;
  write writing;
  std::vector<std::byte*> blocks;
  std::vector<std::atomic<std::uint64_t>*> counters;
};

const family false_sharing({
    .question = "Does a malloc put blocks of two threads on one cache line, and what does that cost?",
    .operation = "add one to a number in an 8-byte block of the thread's own; all threads at once, timed until all are "
                 "done",
    .untimed = "starting and pinning the threads; taking the blocks; one verified round",
    .heap = "empty: the place of the first blocks of every thread is the question",
    .unfairness = "sharing_threads is the share of threads whose block lies on a cache line with the block of another "
                  "thread: the addresses are compared, not guessed from time. Plain writes wait in the store buffer of "
                  "a core and leave it together once the line arrives, which hides most of the cost from a loop that "
                  "does nothing else; atomic writes cannot wait. The place of the blocks varies from process to "
                  "process. Unlike the published cache-scratch and cache-thrash (Berger et al., Hoard, ASPLOS 2000), "
                  "blocks are kept while they are written, so that only the writing is measured.",
    .least_times = {{"false_sharing/.*write:plain", 0.1}, {"false_sharing/.*write:atomic", 2}},
}, [](benchmark_registry& registry) {
  const unsigned cores = this_machine().cores();
  const std::vector<unsigned> counts = registry.chosen() == profile::smoke ? std::vector{2U} : thread_counts(cores);
  for (const unsigned count : counts)
    for (const mode kind : {mode::passive, mode::active, mode::padded}) {
      if (count == 1 && kind != mode::padded) continue;  // there is no other thread to share a line with
      for (const write way : {write::plain, write::atomic})
        every_strategy({padded_bytes, std::size_t{2} * cores}, [&]<shares Strategy>(strategy_factory<Strategy> factory) {
          // none has only one block, and every block of mmap is a page
          if (std::is_same_v<Strategy, none> || std::is_same_v<Strategy, mmap_>) return;
          registry.add(
              factory.name, {{"mode", name_of(kind)}, {"write", name_of(way)}, {"threads", count}},
              [=] { return std::make_shared<fixture<Strategy>>(factory, count, kind, way); },
              [](benchmark::State& state, fixture<Strategy>& in) {
                measure_rounds(state, in.threads, writes_a_round, [&](unsigned thread) { in.round(thread); });
                in.verify_writes(state.iterations());
                state.counters["sharing_threads"] = in.sharing_threads();
              });
        });
    }
});

}  // namespace
}  // namespace stackheap

// Does a malloc put blocks of two threads on one cache line, and what does that cost?
//
// The modes are those of Hoard's cache-scratch and cache-thrash (E. Berger, K. McKinley, R. Blumofe and P. Wilson, "Hoard: a
// scalable memory allocator for multithreaded applications", ASPLOS 2000). In cache-scratch (passive false sharing) one
// thread hands out a block to every thread; each frees its block and takes a block again. In cache-thrash (active false
// sharing) every thread takes a block of its own at the same time. A third mode keeps the blocks as they were handed out.
// The published programs free and take a block after every so many writes; here it is kept while it is written, so that
// only the writing is measured. They measure the first blocks of a process, which share a line or not by how many blocks
// were taken before: here every mode is measured with 0 to 15 blocks before, modulo 16, and the figures are those of all.
#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <new>
#include <string_view>
#include <thread>

#include "heap.hpp"
#include "measure.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t bytes = 8;
constexpr std::size_t line_bytes = 64;
constexpr std::size_t padded_bytes = 4 * line_bytes;
constexpr std::size_t starts = 16;  ///< numbers of blocks taken before, from 0 on; a line holds at most 8 blocks
constexpr std::int64_t writes_a_start = 1 << 15;
constexpr std::int64_t writes_a_round = writes_a_start * static_cast<std::int64_t>(starts);

enum class mode {
  passive,  ///< a block that another thread took and handed out is freed, and a block taken again (cache-scratch)
  active,   ///< each thread takes its own block (cache-thrash)
  kept,     ///< one thread takes the blocks for all threads, and they are written as they were handed out
  padded,   ///< the control: blocks of four lines, written in the middle, so that no two threads can share a line
};
std::string_view name_of(mode kind) {
  constexpr std::array<std::string_view, 4> names{"passive", "active", "kept", "padded"};
  return names[static_cast<std::size_t>(kind)];
}

/// The way a thread adds one to its number.
enum class write {
  plain,   ///< a load, an addition, a store: the store may wait in the core's buffer while the line is elsewhere
  atomic,  ///< one locked addition: the core must have the line to itself each time
};
std::string_view name_of(write kind) { return kind == write::plain ? "plain" : "atomic"; }

using number = std::atomic<std::uint64_t>;

template <shares Strategy>
struct fixture {
  fixture(strategy_factory<Strategy> factory, unsigned count, mode kind, write way)
      : strategy(factory.make()), threads(count), block_bytes(kind == mode::padded ? padded_bytes : bytes), writing(way),
        all_wrote(count) {
    for (std::size_t start = 0; start < starts; ++start) {
      while (blocks.size() % starts != start) blocks.push_back(take(strategy, block_bytes));
      for (std::byte* block : blocks_of_threads(kind)) {
        if (block == nullptr) throw verification_error("the strategy ran out of memory");
        blocks.push_back(block);
        numbers[start].push_back(::new (block + (kind == mode::padded ? padded_bytes / 2 : 0)) number(0));
      }
    }
    verify();
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  ~fixture() {
    for (std::byte* block : blocks) strategy.deallocate(block, block_bytes);
  }

  /// A block for each thread, by threads that never took a block before; all live until the last has taken its block.
  std::vector<std::byte*> blocks_of_threads(mode kind) {
    std::vector<std::byte*> given(threads.size());
    if (kind == mode::passive || kind == mode::kept)
      for (std::byte*& block : given) block = take(strategy, block_bytes);
    if (kind == mode::kept) return given;
    std::barrier all_took(threads.size());
    std::vector<std::jthread> takers;
    for (std::byte*& block : given)
      takers.emplace_back([&] {
        if (kind == mode::passive) strategy.deallocate(block, block_bytes);
        block = static_cast<std::byte*>(strategy.allocate(block_bytes));
        all_took.arrive_and_wait();
      });
    takers.clear();
    return given;
  }

  void round(unsigned thread) {
    for (const auto& of_threads : numbers) {
      number& mine = *of_threads[thread];
      if (writing == write::atomic)
        for (std::int64_t i = 0; i < writes_a_start; ++i) mine.fetch_add(1, std::memory_order_relaxed);
      else
        for (std::int64_t i = 0; i < writes_a_start; ++i)
          mine.store(mine.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      all_wrote.arrive_and_wait();
    }
  }

  void verify() {
    threads.round([this](unsigned thread) { round(thread); });
    for (const auto& of_threads : numbers)
      for (const number* counted : of_threads)
        if (counted->load() != writes_a_start) throw verification_error("two threads were given the same block");
  }

  /// Throws unless each thread has added at least `writes` times.
  void verify_writes(benchmark::IterationCount writes) const {
    for (const auto& of_threads : numbers)
      for (const number* counted : of_threads)
        if (counted->load() < static_cast<std::uint64_t>(writes) / starts)
          throw verification_error("a thread wrote less often than was counted");
  }

  /// Threads whose block shares its line with another thread's, as a share of all, over all starts.
  double sharing_threads() const {
    const auto line = [](const void* address) { return reinterpret_cast<std::uintptr_t>(address) / line_bytes; };
    std::size_t sharing = 0;
    for (const auto& of_threads : numbers)
      for (const number* mine : of_threads)
        sharing += std::count_if(of_threads.begin(), of_threads.end(),
                                 [&](const number* neighbour) { return line(mine) == line(neighbour); }) > 1;
    return static_cast<double>(sharing) / static_cast<double>(starts * threads.size());
  }

  Strategy strategy;
  team threads;
  std::size_t block_bytes;
  write writing;
  std::vector<std::byte*> blocks;                    ///< everything that was taken
  std::array<std::vector<number*>, starts> numbers;  ///< of every thread
  std::barrier<> all_wrote;
};

const family false_sharing({
    .question = "Does a malloc put blocks of two threads on one cache line, and what does that cost?",
    .operation = "add one to a number in an 8-byte block of the thread's own; all threads at once, timed until all are "
                 "done; the mean of 16 sets of blocks, with 0 to 15 blocks taken before them",
    .untimed = "starting and pinning the threads; taking the blocks; one verified round, and more for 10 ms",
    .heap = "empty: the place of the first blocks of every thread is the question",
    .held_against = "mode:padded: the same writes to blocks that lie lines apart",
    .controls = "mode:padded/",
    .unfairness = "sharing_threads is the share of threads whose block lies on a cache line with the block of "
                  "another thread, in all 16 sets: the addresses are compared, not guessed from time. In "
                  "mode:passive a block that one thread handed out is freed and a block taken again (as in "
                  "cache-scratch), in mode:active every thread takes its own block (as in cache-thrash), in "
                  "mode:kept the blocks stay as they were handed out. Plain writes wait in the store buffer of a "
                  "core and leave it together once the line arrives, which hides most of the cost from a loop that "
                  "does nothing else; atomic writes cannot wait. Unlike in the published programs, blocks are kept "
                  "while they are written, so that only the writing is measured.",
    .least_times = {{"false_sharing/.*write:plain", 0.1}, {"false_sharing/.*write:atomic", 2}},
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  const unsigned cores = this_machine().cores();
  const std::vector<unsigned> counts = registry.chosen() == profile::smoke ? std::vector{2U} : thread_counts(cores);
  for (const unsigned count : counts) {
    if (registry.chosen() == profile::quick && count > std::max(2U, cores)) continue;
    for (const mode kind : {mode::passive, mode::active, mode::kept, mode::padded}) {
      if (count == 1 && kind != mode::padded) continue;  // there is no other thread to share a line with
      for (const write way : {write::plain, write::atomic})
        every_strategy({padded_bytes, 1}, [&]<shares Strategy>(strategy_factory<Strategy> factory) {
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
  }
});

}  // namespace
}  // namespace stackheap

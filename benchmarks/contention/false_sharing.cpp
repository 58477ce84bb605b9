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
  passive,  ///< one thread takes a block for each, one after another, and gives them out (cache-thrash's counterpart)
  active,   ///< each thread takes its own, at the same time (cache-scratch's counterpart)
  padded,   ///< the control: blocks of four lines, written in the middle, so that no two threads can share a line
};
std::string_view name_of(mode each) { return each == mode::passive ? "passive" : each == mode::active ? "active" : "padded"; }

/// How a thread adds one to its number.
enum class write {
  plain,   ///< a load, an addition, a store: the store may wait in the core's buffer while the line is elsewhere
  atomic,  ///< one locked addition: the core must have the line to itself each time
};
std::string_view name_of(write each) { return each == write::plain ? "plain" : "atomic"; }

template <shares Strategy>
struct world {
  world(contender<Strategy> by, unsigned count, mode how, write with)
      : strategy(by.make()), threads(count), block_bytes(how == mode::padded ? padded_bytes : bytes), writing(with), blocks(count) {
    if (how == mode::passive)
      for (std::byte*& each : blocks) each = static_cast<std::byte*>(strategy.allocate(block_bytes));
    else
      threads.round([&](unsigned thread) { blocks[thread] = static_cast<std::byte*>(strategy.allocate(block_bytes)); });
    for (std::byte* block : blocks) {
      if (block == nullptr) throw wrong_work("the strategy ran out of memory");
      counters.push_back(::new (block + (how == mode::padded ? padded_bytes / 2 : 0)) std::atomic<std::uint64_t>(0));
    }
    verify();
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world() {
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
      if (counter->load() != writes_a_round) throw wrong_work("two threads were given the same block");
  }

  /// Each thread has added at least so often.
  void verify_writes(benchmark::IterationCount writes) const {
    for (const auto* counter : counters)
      if (counter->load() < static_cast<std::uint64_t>(writes)) throw wrong_work("a thread wrote less often than was counted");
  }

  /// Threads whose block shares its line with another thread's, as a share of all.
  double sharing_threads() const {
    const auto line = [](const void* address) { return reinterpret_cast<std::uintptr_t>(address) / line_bytes; };
    std::size_t sharing = 0;
    for (const auto* one : counters)
      sharing += std::count_if(counters.begin(), counters.end(), [&](const auto* other) { return line(one) == line(other); }) > 1;
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
    .operation = "add one to a number in an 8-byte block of one's own; by each thread at once, timed until all are done",
    .untimed = "starting and pinning the threads, taking the blocks, one checked round",
    .heap = "empty: where the first blocks of each thread lie is what is asked",
    .unfairness = "sharing_threads is the share of threads whose block lies on a line with another thread's: addresses are "
                  "looked at, not guessed from time. Plain writes wait in a core's store buffer and go out together once the line "
                  "comes, which hides most of the price from a loop that does nothing else; atomic writes cannot wait. Where the blocks lie varies from process to process. Differs from the "
                  "published cache-scratch and cache-thrash (Berger et al., Hoard, ASPLOS 2000) in that blocks are kept "
                  "while they are written, so that the price of writing stands alone.",
}, [](enrolment& into) {
  const unsigned cores = this_machine().cores();
  const std::vector<unsigned> counts = into.chosen() == profile::smoke ? std::vector{2U} : thread_counts(cores);
  for (const unsigned count : counts)
    for (const mode how : {mode::passive, mode::active, mode::padded}) {
      if (count == 1 && how != mode::padded) continue;  // nobody to share a line with
      for (const write with : {write::plain, write::atomic})
        every_strategy({padded_bytes, std::size_t{2} * cores}, [&]<shares Strategy>(contender<Strategy> by) {
          if (std::is_same_v<Strategy, none> || std::is_same_v<Strategy, mmap_>) return;  // one block; a page each
          into.add(
              by.name, {{"mode", name_of(how)}, {"write", name_of(with)}, {"threads", count}},
              [=] { return std::make_shared<world<Strategy>>(by, count, how, with); },
              [](benchmark::State& state, world<Strategy>& in) {
                measure_rounds(state, in.threads, writes_a_round, [&](unsigned thread) { in.round(thread); });
                in.verify_writes(state.iterations());
                state.counters["sharing_threads"] = in.sharing_threads();
              });
        });
    }
});

}  // namespace
}  // namespace stackheap

// Do threads that never share a block get in each other's way?
#include "heap.hpp"
#include "measure.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t live = 1000;                   ///< blocks of each thread
constexpr std::size_t drawn = std::size_t{1} << 14;  ///< replacements of a round
constexpr size_mix mix = size_mix::uniform;

/// What one thread owns. It is made and dropped on that thread, so that thread-local memory is the right thread's.
template <class Strategy>
class share;

/// A strategy that owns replaces one block of its own after another.
template <owns Strategy>
class share<Strategy> {
 public:
  share(contender<Strategy> by, unsigned thread) : strategy_(by.make()), blocks_(live) {
    generator random(seed + thread);
    for (auto& [block, bytes] : blocks_) block = take(strategy_, bytes = draw_size(mix, random));
    script_ = replacements(live, mix, drawn, random);
  }
  share(const share&) = delete;
  share& operator=(const share&) = delete;
  ~share() {
    for (const auto& [block, bytes] : blocks_) strategy_.deallocate(block, bytes);
  }

  void round() {
    for (const replacement& next : script_) {
      auto& [block, bytes] = blocks_[next.slot];
      strategy_.deallocate(block, bytes);
      block = static_cast<std::byte*>(strategy_.allocate(next.bytes));
      bytes = next.bytes;
      *block = std::byte{1};
      escape(block);
    }
  }

 private:
  Strategy strategy_;
  std::vector<std::pair<std::byte*, std::size_t>> blocks_;
  std::vector<replacement> script_;
};

/// A strategy that only lends takes one block after another for a moment, of the same sizes.
template <lends Strategy>
  requires(!owns<Strategy>)
class share<Strategy> {
 public:
  share(contender<Strategy> by, unsigned thread) : strategy_(by.make()) {
    generator random(seed + thread);
    script_ = replacements(live, mix, drawn, random);
    verify_lends(strategy_, largest(mix));
  }

  void round() {
    for (const replacement& next : script_) lend(strategy_, next.bytes, touch_first{});
  }

 private:
  Strategy strategy_;
  std::vector<replacement> script_;
};

template <class Strategy>
struct world {
  world(contender<Strategy> by, unsigned count) : threads(count), shares(count) {
    std::vector<std::exception_ptr> failed(count);
    threads.round([&](unsigned thread) {
      try {
        shares[thread] = std::make_unique<share<Strategy>>(by, thread);
      } catch (...) {
        failed[thread] = std::current_exception();
      }
    });
    for (const std::exception_ptr& each : failed)
      if (each) std::rethrow_exception(each);
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world() {
    threads.round([&](unsigned thread) { shares[thread].reset(); });
  }

  team threads;
  std::vector<std::unique_ptr<share<Strategy>>> shares;
};

const family privates({
    .question = "Do threads that never share a block get in each other's way?",
    .operation = "replace a random one of a thread's own 1,000 live blocks by one of 16 to 1,024 B; lend such a block where "
                 "the strategy only lends; by each thread at once, timed until all are done",
    .untimed = "starting and pinning the threads, filling each thread's heap on that thread, drawing 16,384 replacements",
    .heap = "each thread's 1,000 live blocks",
    .unfairness = "Lending is less work than replacing a live block: compare a strategy with itself over threads, and "
                  "lenders with lenders. From more threads than cores on, threads take turns: the time per operation grows "
                  "with the turns. Arena, pool, thread_local and stack belong to each thread, as they would in a program.",
}, [](enrolment& into) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : into.chosen() == profile::smoke ? std::vector{1U, 2U} : thread_counts(cores))
    every_strategy({largest(mix), live + 1}, [&]<class Strategy>(contender<Strategy> by)
                     requires(lends<Strategy> || owns<Strategy>)
    {
      if (std::is_same_v<Strategy, mmap_>) return;  // measures the system's lock on its maps: see first_touch and scoped
      into.add(
          by.name, {{"threads", count}}, [=] { return std::make_shared<world<Strategy>>(by, count); },
          [](benchmark::State& state, world<Strategy>& in) {
            measure_rounds(state, in.threads, drawn, [&](unsigned thread) { in.shares[thread]->round(); });
          });
    });
});

}  // namespace
}  // namespace stackheap

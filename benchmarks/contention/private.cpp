// Do threads that never share a block slow each other down?
#include "heap.hpp"
#include "measure.hpp"
#include "team_heap.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t live = 1000;                   ///< blocks of each thread
constexpr std::size_t drawn = std::size_t{1} << 14;  ///< replacements of a round
constexpr size_mix mix = size_mix::uniform;

/// The blocks of one thread. They are made and dropped on that thread, so that thread-local memory belongs to it.
template <class Strategy>
class share;

/// A strategy that owns replaces one block of its own after another.
template <owns Strategy>
class share<Strategy> {
 public:
  share(strategy_factory<Strategy> factory, unsigned thread) : strategy_(factory.make()), blocks_(live) {
    generator random(seed + thread);
    for (auto& [block, bytes] : blocks_) block = take(strategy_, bytes = draw_size(mix, random));
    script_ = replacements(live, mix, drawn, random);
  }
  share(const share&) = delete;
  share& operator=(const share&) = delete;
  ~share() {
    for (const auto& [block, bytes] : blocks_) strategy_.deallocate(block, bytes);
  }

  /// A round in which every block is marked. False where another thread wrote into a block, until all hold theirs.
  bool stays_apart(unsigned thread, std::barrier<>& all_hold) {
    if (std::is_same_v<Strategy, none>) return true;  // the control's blocks are one and the same
    bool apart = true;
    for (std::size_t i = 0; i < live; ++i) mark(thread, i).write(blocks_[i].first, blocks_[i].second);
    for (const replacement& next : script_) {
      auto& [block, bytes] = blocks_[next.slot];
      apart = apart && mark(thread, next.slot).is_in(block, bytes);
      strategy_.deallocate(block, bytes);
      block = take(strategy_, bytes = next.bytes);
      mark(thread, next.slot).write(block, bytes);
    }
    all_hold.arrive_and_wait();
    for (std::size_t i = 0; i < live; ++i) apart = apart && mark(thread, i).is_in(blocks_[i].first, blocks_[i].second);
    all_hold.arrive_and_wait();
    return apart;
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

/// A strategy that only lends lends one block after another, of the same sizes.
template <lends Strategy>
  requires(!owns<Strategy>)
class share<Strategy> {
 public:
  share(strategy_factory<Strategy> factory, unsigned thread) : strategy_(factory.make()) {
    generator random(seed + thread);
    script_ = replacements(live, mix, drawn, random);
    verify_lends(strategy_, largest(mix));
  }

  bool stays_apart(unsigned thread, std::barrier<>& all_hold) {
    bool apart = false;
    lend(strategy_, largest(mix), [&](std::byte* block, std::size_t bytes) {
      mark(thread, 0).write(block, bytes);
      all_hold.arrive_and_wait();
      apart = mark(thread, 0).is_in(block, bytes);
      all_hold.arrive_and_wait();
    });
    return apart;
  }

  void round() {
    for (const replacement& next : script_) lend(strategy_, next.bytes, touch_first{});
  }

 private:
  Strategy strategy_;
  std::vector<replacement> script_;
};

template <class Strategy>
struct fixture {
  fixture(strategy_factory<Strategy> factory, unsigned count) : threads(count), shares(count) {
    std::vector<std::exception_ptr> failed(count);
    threads.round([&](unsigned thread) {
      try {
        shares[thread] = std::make_unique<share<Strategy>>(factory, thread);
      } catch (...) {
        failed[thread] = std::current_exception();
      }
    });
    for (const std::exception_ptr& error : failed)
      if (error) std::rethrow_exception(error);
    std::barrier all_hold(count);
    std::atomic<bool> overlapping = false;
    threads.round([&](unsigned thread) {
      if (!shares[thread]->stays_apart(thread, all_hold)) overlapping = true;
    });
    if (overlapping) throw verification_error(shared_memory_error);
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  ~fixture() {
    threads.round([&](unsigned thread) { shares[thread].reset(); });
  }

  team threads;
  std::vector<std::unique_ptr<share<Strategy>>> shares;
};

const family privates({
    .question = "Do threads that never share a block slow each other down?",
    .operation = "replace a random block of the 1,000 live blocks of a thread by a block of 16 to 1,024 B, or lend "
                 "such a block where the strategy only lends; all threads at once, timed until all are done",
    .untimed = "starting and pinning the threads; filling the heap of every thread on that thread; drawing 16,384 "
               "replacements; one round in which every thread marks its blocks and checks them; rounds for 10 ms",
    .heap = "the 1,000 live blocks of every thread",
    .held_against = "none: the same replacements in the same slots, with one block that always exists",
    .controls = "^private/none/",
    .unfairness = "Lending is less work than replacing a live block: compare a strategy with itself over numbers of "
                  "threads, and lenders with lenders. With more threads than cores, threads take turns: the time of an "
                  "operation grows with the turns. Arena, pool, thread_local and stack belong to one thread each, as "
                  "they would in a program.",
    .core = {"^private/(stack_array|glibc|malloc)/threads:2$"},
    .operations = {{.benchmark = "private/witness/threads:2",
                    .notes = one_block(mean_of_uniform_sizes, {{"first_written", nearly_all}, {"frees_elsewhere", 0}}),
                    .calls = 2, .workers = 2},
                   {.benchmark = "private/small_buffer/threads:1", .notes = blocks_of(1000, 1.0 / 1009), .preload = true}},
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : registry.chosen() == profile::smoke ? std::vector{1U, 2U} : thread_counts(cores))
    every_strategy({largest(mix), live + 1}, [&]<class Strategy>(strategy_factory<Strategy> factory)
                     requires(lends<Strategy> || owns<Strategy>)
    {
      // mmap would measure the kernel's lock on its mappings: see first_touch and scoped
      if (std::is_same_v<Strategy, mmap_>) return;
      registry.add(
          factory.name, {{"threads", count}}, [=] { return std::make_shared<fixture<Strategy>>(factory, count); },
          [](benchmark::State& state, fixture<Strategy>& in) {
            measure_rounds(state, in.threads, drawn, [&](unsigned thread) { in.shares[thread]->round(); });
          });
    });
});

}  // namespace
}  // namespace stackheap

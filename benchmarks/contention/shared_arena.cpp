// How much of the low cost of an arena or a pool remains when threads share it?
#include <algorithm>
#include <barrier>

#include "behind_mutex.hpp"
#include "heap.hpp"
#include "measure.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t bytes = 64;
constexpr std::size_t blocks_a_round = 4096;
constexpr std::size_t blocks_checked = 64;  ///< held by each thread at once while the memory is verified

/// Memory for a team: one for all threads, or one for each of them.
template <class Memory>
class fixture {
 public:
  fixture(const std::function<Memory()>& make, unsigned memories, unsigned count)
      : memories_(memories), all_taken_(count, reset_all{*this}), threads(count) {
    for (auto& place : memories_) place.reset(new apart{make()});
  }

  /// A strategy that owns takes and frees one block at a time. An arena takes all blocks; one reset drops them after
  /// every thread has taken its share: only then no thread uses them any more.
  void round(unsigned thread) {
    Memory& memory = of(thread);
    const std::size_t wanted = hide(bytes);
    for (std::size_t i = 0; i < blocks_a_round; ++i) {
      void* const block = memory.allocate(wanted);
      escape(block);
      if constexpr (owns<Memory>) memory.deallocate(block, wanted);
    }
    if constexpr (!owns<Memory>) drop_all(memory);
  }

  std::size_t memories() const { return memories_.size(); }

  void verify_apart() {
    std::vector<std::vector<std::byte*>> taken(threads.size());
    threads.round([&](unsigned thread) {
      for (std::size_t i = 0; i < blocks_checked; ++i)
        taken[thread].push_back(static_cast<std::byte*>(of(thread).allocate(bytes)));
    });
    std::vector<std::byte*> all;
    for (const auto& blocks : taken) all.insert(all.end(), blocks.begin(), blocks.end());
    std::sort(all.begin(), all.end());
    if (all.front() == nullptr) throw verification_error("the strategy ran out of blocks");
    for (std::size_t i = 1; i < all.size(); ++i)
      if (all[i] - all[i - 1] < static_cast<std::ptrdiff_t>(bytes)) throw verification_error("two blocks overlap");
    threads.round([&](unsigned thread) {
      if constexpr (owns<Memory>)
        for (std::byte* block : taken[thread]) of(thread).deallocate(block, bytes);
      else
        drop_all(of(thread));
    });
  }

 private:
  /// Two cache lines, so that no thread's memory keeps its metadata on the line of another.
  struct alignas(128) apart {
    Memory memory;
  };
  struct reset_all {
    fixture& in;
    void operator()() const noexcept {
      if constexpr (!owns<Memory>) in.memories_.front()->memory.reset();
    }
  };

  Memory& of(unsigned thread) { return memories_[thread % memories_.size()]->memory; }

  void drop_all(Memory& memory) {
    if (memories_.size() == threads.size() && threads.size() > 1) memory.reset();
    else all_taken_.arrive_and_wait();
  }

  std::vector<std::unique_ptr<apart>> memories_;
  std::barrier<reset_all> all_taken_;

 public:
  team threads;
};

template <class Memory>
void add_memory(benchmark_registry& registry, const std::string& name, const std::function<Memory()>& make, bool own,
                   unsigned count) {
  registry.add(
      name, {{"memory", own ? "own" : "shared"}, {"threads", count}},
      [=] {
        auto made = std::make_shared<fixture<Memory>>(make, own ? count : 1, count);
        if (name != "none") made->verify_apart();  // the control's blocks are one and the same
        return made;
      },
      [=](benchmark::State& state, fixture<Memory>& in) {
        measure_rounds(state, in.threads, blocks_a_round, [&](unsigned thread) { in.round(thread); });
        if (name != "none") in.verify_apart();  // all blocks are available again
        state.counters["memories"] = static_cast<double>(in.memories());
      });
}

/// Strategies made for threads are shared as they are. All others, and the control, are shared behind one mutex, or
/// owned by each thread without a mutex.
template <class Strategy>
void add_strategy(benchmark_registry& registry, const strategy_factory<Strategy>& factory, bool own, unsigned count) {
  if constexpr (shares<Strategy> && !std::is_same_v<Strategy, none>) {
    if (!own) add_memory<Strategy>(registry, factory.name, factory.make, own, count);
  } else if (own) {
    add_memory<Strategy>(registry, factory.name, factory.make, own, count);
  } else {
    using locked = behind_mutex<Strategy>;
    add_memory<locked>(registry, factory.name, [factory] { return locked(factory); }, own, count);
  }
}

const family shared_arena({
    .question = "How much of the low cost of an arena or a pool remains when threads share it behind a mutex?",
    .operation = "take 64 B and give them back; of an arena, take 64 B and drop all blocks by one reset when every "
                 "thread has taken 4,096; all threads at once, timed until all are done",
    .untimed = "starting and pinning the threads; making the memory; checking that the blocks of no two threads "
               "overlap; rounds for 10 ms",
    .heap = "empty",
    .held_against = "none: one block that always exists; with memory:shared, the cost of the mutex",
    .controls = "^shared_arena/none/",
    .unfairness = "memory:own is an arena or pool for every thread without a mutex: the cost before sharing. A "
                  "strategy that owns locks twice for an operation, an arena once, and its threads meet at every "
                  "reset. Blocks are not written. pmr_sync_pool and new_delete are made for threads and bring their "
                  "own locks. With more threads than cores, a thread may lose its core while it holds the mutex.",
    .operations = {{.benchmark = "shared_arena/new_delete/memory:shared/threads:2", .notes = blocks_of(64, 1), .calls = 2,
                    .workers = 2, .preload = true}},
    .least_times = {{"shared_arena/(arena|pmr_monotonic|pool)/memory:own", 0.3}, {"shared_arena/.*/memory:shared", 2}},
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  for (const unsigned count : registry.chosen() == profile::smoke ? std::vector{2U} : thread_counts(this_machine().cores()))
    for (const bool own : {true, false})
      every_strategy({bytes, blocks_a_round * (own ? 1 : count)}, [&]<class Strategy>(strategy_factory<Strategy> factory)
                       requires(owns<Strategy> || resets<Strategy>)
      {
        if constexpr (!std::is_same_v<Strategy, mmap_> && !std::is_same_v<Strategy, loaded_malloc>)
          add_strategy(registry, factory, own, count);
      });
});

}  // namespace
}  // namespace stackheap

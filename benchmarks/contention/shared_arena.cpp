// What becomes of an arena's or a pool's low price when threads share it?
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
constexpr std::size_t blocks_checked = 64;  ///< that each thread holds at once while the memory is verified

/// Memory for a team: one for all threads, or one for each of them.
template <class Memory>
class world {
 public:
  world(const std::function<Memory()>& make, unsigned memories, unsigned count)
      : memories_(memories), all_taken_(count, reset_all{*this}), threads(count) {
    for (auto& each : memories_) each.reset(new apart{make()});
  }

  /// An owner's block comes and goes. An arena's blocks are taken, and all dropped by one reset when every thread has
  /// its share: only then is it certain that nobody uses them any more.
  void round(unsigned thread) {
    Memory& memory = of(thread);
    const std::size_t wanted = opaque(bytes);
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
    for (const auto& each : taken) all.insert(all.end(), each.begin(), each.end());
    std::sort(all.begin(), all.end());
    if (all.front() == nullptr) throw wrong_work("the strategy ran out of blocks");
    for (std::size_t i = 1; i < all.size(); ++i)
      if (all[i] - all[i - 1] < static_cast<std::ptrdiff_t>(bytes)) throw wrong_work("two blocks overlap");
    threads.round([&](unsigned thread) {
      if constexpr (owns<Memory>)
        for (std::byte* block : taken[thread]) of(thread).deallocate(block, bytes);
      else
        drop_all(of(thread));
    });
  }

 private:
  /// Two lines, so that no thread's memory keeps its books on another's line.
  struct alignas(128) apart {
    Memory memory;
  };
  struct reset_all {
    world& in;
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
void enroll_memory(enrolment& into, const std::string& name, const std::function<Memory()>& make, bool own,
                   unsigned count) {
  into.add(
      name, {{"memory", own ? "own" : "shared"}, {"threads", count}},
      [=] {
        auto made = std::make_shared<world<Memory>>(make, own ? count : 1, count);
        if (name != "none") made->verify_apart();  // the control's blocks are one and the same
        return made;
      },
      [=](benchmark::State& state, world<Memory>& in) {
        measure_rounds(state, in.threads, blocks_a_round, [&](unsigned thread) { in.round(thread); });
        if (name != "none") in.verify_apart();  // what was taken is there again
        state.counters["memories"] = static_cast<double>(in.memories());
      });
}

/// Made for threads: shared as it is. All else, and the control: shared behind one mutex, or each thread's own without
/// one.
template <class Strategy>
void enroll_strategy(enrolment& into, const contender<Strategy>& by, bool own, unsigned count) {
  if constexpr (shares<Strategy> && !std::is_same_v<Strategy, none>) {
    if (!own) enroll_memory<Strategy>(into, by.name, by.make, own, count);
  } else if (own) {
    enroll_memory<Strategy>(into, by.name, by.make, own, count);
  } else {
    using locked = behind_mutex<Strategy>;
    enroll_memory<locked>(into, by.name, [by] { return locked(by); }, own, count);
  }
}

const family shared_arena({
    .question = "What becomes of an arena's or a pool's low price when threads share it behind a mutex?",
    .operation = "take 64 B and give them back; of an arena, take 64 B and drop all by one reset when each thread has "
                 "taken 4,096; by each thread at once, timed until all are done",
    .untimed = "starting and pinning the threads, making the memory, checking that no two threads' blocks overlap",
    .heap = "empty",
    .unfairness = "memory:own is each thread's own arena or pool without a mutex: the price before sharing. The "
                  "control none hands out one block, shared it is the price of the mutex. An owner locks twice an "
                  "operation, an arena once, and its threads meet at each reset. Blocks are not written. pmr_sync_pool "
                  "and new_delete are made for threads and bring their own means. From more threads than cores on, a "
                  "thread may lose its core while it holds the mutex.",
}, [](enrolment& into) {
  for (const unsigned count : into.chosen() == profile::smoke ? std::vector{2U} : thread_counts(this_machine().cores()))
    for (const bool own : {true, false})
      every_strategy({bytes, blocks_a_round * (own ? 1 : count)}, [&]<class Strategy>(contender<Strategy> by)
                       requires(owns<Strategy> || resets<Strategy>)
      {
        if constexpr (!std::is_same_v<Strategy, mmap_> && !std::is_same_v<Strategy, loaded_malloc>)
          enroll_strategy(into, by, own, count);
      });
});

}  // namespace
}  // namespace stackheap

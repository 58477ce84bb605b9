// What does it cost to get rid of many objects: each by itself, or all of them at once?
// Dropping cannot be timed without making: what is dropped must be there. Making all of it before would need gigabytes,
// and objects that left the cache long ago; pausing the clock costs more than an arena's reset. So a round makes n
// objects and drops them, `real_time` is both, and the clock is read before and after each dropping: `drop_ns` is the
// dropping alone. The two readings cost some tens of nanoseconds a round, which the control that drops nothing shows as
// its own drop_ns.
#include <chrono>

#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t bytes = 64;

/// Each object knows its number: a dropped block that is still in use would show.
struct object {
  std::uint64_t number;
  std::byte rest[bytes - sizeof(std::uint64_t)];
};

template <class Strategy>
class world {
 public:
  world(contender<Strategy> by, std::size_t count)
      : strategy_(by.make()), live_(strategy_, heap_state::resident, {bytes}), objects_(count) {
    if (std::is_same_v<Strategy, none>) return;  // the control's blocks are one and the same
    make();
    for (std::size_t i = 0; i < count; ++i)
      if (objects_[i]->number != i) throw wrong_work("two objects overlap");
    if constexpr (owns<Strategy>) drop_each();
    else drop_at_once();
  }

  void make() {
    const std::size_t wanted = opaque(bytes);
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      objects_[i] = static_cast<object*>(strategy_.allocate(wanted));
      objects_[i]->number = i;
      escape(objects_[i]);
    }
    escape(objects_.data());
  }
  /// In the order of their making, as the elements of a vector go.
  void drop_each()
    requires owns<Strategy>
  {
    const std::size_t given = opaque(bytes);
    for (object* each : objects_) strategy_.deallocate(opaque(each), given);
  }
  void drop_at_once() {
    if constexpr (resets<Strategy>) strategy_.reset();
    escape(this);
  }

  std::int64_t count() const { return static_cast<std::int64_t>(objects_.size()); }

 private:
  Strategy strategy_;
  on_heap<Strategy> live_;
  std::vector<object*> objects_;
};

template <class Strategy, void (world<Strategy>::*drop)()>
void make_and_drop(benchmark::State& state, world<Strategy>& in) {
  using clock = std::chrono::steady_clock;
  clock::duration dropping{};
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(in.count())) {
      in.make();
      const clock::time_point before = clock::now();
      (in.*drop)();
      dropping += clock::now() - before;
    }
  }
  const double ns = std::chrono::duration<double, std::nano>(dropping).count();
  state.counters["drop_ns"] = benchmark::Counter(ns, benchmark::Counter::kAvgIterations);
}

template <class Strategy, void (world<Strategy>::*drop)()>
void enroll_drop(enrolment& into, const contender<Strategy>& by, std::size_t count, const char* how) {
  into.add(
      by.name, {{"count", count}, {"drop", how}}, [=] { return std::make_shared<world<Strategy>>(by, count); },
      make_and_drop<Strategy, drop>);
}

const family cleanup({
    .question = "What does it cost to drop many objects: one by one, or all at once?",
    .operation = "make one of n objects of 64 B and, when all are made, drop it: each by itself in the order of "
                 "making, or all by one reset; drop_ns is the dropping alone",
    .untimed = "making the strategy; one checked round",
    .heap = "resident: four live blocks of the same size beside the objects",
    .unfairness = "real_time holds both, the making too: read drop_ns for the dropping. The clock is read twice a "
                  "round, some tens of nanoseconds, which are in both: the control that drops at once, none, shows how "
                  "much. The objects have no destructor to be run: with one, an arena must visit each object as well. "
                  "They were just made, so those of a small n are still in the cache.",
}, [](enrolment& into) {
  for (const std::size_t count : into.pick<std::size_t>({100}, {100, 10000}, {10, 100, 1000, 10000, 100000}))
    every_strategy(beside(heap_state::resident, {bytes, count}), [&]<class Strategy>(contender<Strategy> by)
                     requires(owns<Strategy> || resets<Strategy>)
    {
      if (std::is_same_v<Strategy, mmap_>) return;  // a page an object
      if constexpr (owns<Strategy>) enroll_drop<Strategy, &world<Strategy>::drop_each>(into, by, count, "each");
      if constexpr (resets<Strategy> || std::is_same_v<Strategy, none>)
        enroll_drop<Strategy, &world<Strategy>::drop_at_once>(into, by, count, "at_once");
    });
});

}  // namespace
}  // namespace stackheap

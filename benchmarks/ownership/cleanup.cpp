// What does it cost to drop many objects: one by one, or all at once? Dropping cannot be timed without making: the
// objects must exist. Making all of them before would need gigabytes, and the objects would have left the cache;
// pausing the clock costs more than the reset of an arena. So a round makes n objects and drops them; `real_time` is
// the time of both, and the clock is read before and after each dropping: `drop_ns` is the dropping alone. The two
// readings cost some tens of nanoseconds a round, which the control that drops nothing shows as its own drop_ns.
#include <chrono>

#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t bytes = 64;

/// Each object holds its number: overlapping blocks would be noticed.
struct object {
  std::uint64_t number;
  std::byte rest[bytes - sizeof(std::uint64_t)];
};

template <class Strategy>
class fixture {
 public:
  fixture(strategy_factory<Strategy> factory, std::size_t count)
      : strategy_(factory.make()), live_(strategy_, heap_state::resident, {bytes}), objects_(count) {
    if (std::is_same_v<Strategy, none>) return;  // the control's blocks are one and the same
    make();
    for (std::size_t i = 0; i < count; ++i)
      if (objects_[i]->number != i) throw verification_error("two objects overlap");
    if constexpr (owns<Strategy>) drop_each();
    else drop_at_once();
  }

  void make() {
    const std::size_t wanted = hide(bytes);
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      objects_[i] = static_cast<object*>(strategy_.allocate(wanted));
      objects_[i]->number = i;
      escape(objects_[i]);
    }
    escape(objects_.data());
  }
  /// In the order of making, like the elements of a vector.
  void drop_each()
    requires owns<Strategy>
  {
    const std::size_t given = hide(bytes);
    for (object* dropped : objects_) strategy_.deallocate(hide(dropped), given);
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

template <class Strategy, void (fixture<Strategy>::*drop)()>
void make_and_drop(benchmark::State& state, fixture<Strategy>& in) {
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

template <class Strategy, void (fixture<Strategy>::*drop)()>
void add_drop(benchmark_registry& registry, const strategy_factory<Strategy>& factory, std::size_t count, const char* way) {
  registry.add(
      factory.name, {{"count", count}, {"drop", way}}, [=] { return std::make_shared<fixture<Strategy>>(factory, count); },
      make_and_drop<Strategy, drop>);
}

const family cleanup({
    .question = "What does it cost to drop many objects: one by one, or all at once?",
    .operation = "make one of n objects of 64 B and, when all are made, drop it: one by one in the order of making, or "
                 "all by one reset; drop_ns is the dropping alone",
    .untimed = "making the strategy; one verified round",
    .heap = "resident: at least four live blocks of the same size beside the objects",
    .unfairness = "real_time includes the making: drop_ns is the result for the dropping. The clock is read twice a "
                  "round, which adds some tens of nanoseconds to both: the control none, which drops all objects at "
                  "once, shows how much. The objects have no destructor to run: with a destructor, an arena must visit "
                  "every object as well. The objects were just made, so small numbers of them are still in the cache.",
    .metrics = {{"drop_ns"}},
    .operations = {{.benchmark = "cleanup/witness/count:100/drop:each",
                    .notes = one_block(64, {{"frees_up", nearly_all}, {"first_written", nearly_all}}), .calls = 2,
                    .in_process = {{"live_at_last_taking", live_beside_resident(100, 64)}}}},
    .least_times = {{"cleanup/(arena|pmr_monotonic)/", 0.3}},
}, [](benchmark_registry& registry) {
  for (const std::size_t count : registry.pick<std::size_t>({100}, {100, 10000}, {10, 100, 1000, 10000, 100000}))
    every_strategy(beside(heap_state::resident, {bytes, count}), [&]<class Strategy>(strategy_factory<Strategy> factory)
                     requires(owns<Strategy> || resets<Strategy>)
    {
      if (std::is_same_v<Strategy, mmap_>) return;  // every block of mmap is a page
      if constexpr (owns<Strategy>) add_drop<Strategy, &fixture<Strategy>::drop_each>(registry, factory, count, "each");
      if constexpr (resets<Strategy> || std::is_same_v<Strategy, none>)
        add_drop<Strategy, &fixture<Strategy>::drop_at_once>(registry, factory, count, "at_once");
    });
});

}  // namespace
}  // namespace stackheap

// What does it cost to drop many objects: one by one, or all at once? Dropping cannot be timed without making: the
// objects must exist. Making all of them before would need gigabytes, and the objects would have left the cache;
// pausing the clock costs more than the reset of an arena. So a round makes n objects and drops them; `real_time` is
// the time of both, and the clock is read before and after the dropping: `drop_ns` is the dropping alone. The two
// readings cost some tens of nanoseconds, many times what the reset of an arena does. So a round makes several sets of n
// objects, until there is enough to drop between the two readings; what these still cost, the control that drops nothing
// shows as its own drop_ns.
#include <chrono>
#include <deque>
#include <span>

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

/// A strategy and its n objects.
template <class Strategy>
class object_set {
 public:
  object_set(const strategy_factory<Strategy>& factory, std::size_t count)
      : strategy_(factory.make()), live_(strategy_, heap_state::resident, {bytes}), objects_(count) {}

  void make() {
    const std::size_t wanted = hide(bytes);
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      objects_[i] = static_cast<object*>(strategy_.allocate(wanted));
      objects_[i]->number = i;
      escape(objects_[i]);
    }
    escape(objects_.data());
  }
  void verify() const {
    for (std::size_t i = 0; i < objects_.size(); ++i)
      if (objects_[i]->number != i) throw verification_error("two objects overlap");
  }
  /// Reads the strategy itself (not what it holds), which is then as near as if its objects had been made just now.
  void touch() const {
    const auto* const start = reinterpret_cast<const volatile std::byte*>(&strategy_);
    for (std::size_t at = 0; at < sizeof strategy_; at += cache_line) static_cast<void>(start[at]);
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

 private:
  Strategy strategy_;
  on_heap<Strategy> live_;
  std::vector<object*> objects_;
};

/// Between two readings of the clock lie at least so many drops, of objects or of whole sets, if their objects fit.
constexpr std::size_t enough_drops = 100;
constexpr std::size_t most_bytes = std::size_t{16} << 20;  // more would displace even the code that drops

template <class Strategy, void (object_set<Strategy>::*drop)()>
class fixture {
 public:
  fixture(const strategy_factory<Strategy>& factory, std::size_t count, std::size_t drops_of_a_set) : count_(count) {
    const std::size_t enough = (enough_drops + drops_of_a_set - 1) / drops_of_a_set;
    const std::size_t sets = std::clamp<std::size_t>(most_bytes / (count * bytes), 1, enough);
    for (std::size_t i = 0; i < sets; ++i) sets_.emplace_back(factory, count);
    make();
    if (!std::is_same_v<Strategy, none>)  // the control's blocks are one and the same
      for (const object_set<Strategy>& made : sets_) made.verify();
    drop_all(sets_.size());
  }

  void make() {
    for (object_set<Strategy>& next : sets_) next.make();
  }
  /// Brings back into the cache what the making of further sets has displaced: the strategies, and the code that drops.
  void prepare() {
    for (const object_set<Strategy>& made : sets_) made.touch();
    drop_all(0);
  }
  [[gnu::noinline]] void drop_all(std::size_t sets) {
    auto next = sets_.begin();
    for (std::size_t i = 0; i < sets; ++i, ++next) (*next.*drop)();
  }

  std::int64_t objects() const { return static_cast<std::int64_t>(sets_.size() * count_); }
  std::size_t sets() const { return sets_.size(); }

 private:
  std::size_t count_;
  std::deque<object_set<Strategy>> sets_;  // a deque, because what lies on a strategy's heap refers to the strategy
};

template <class Strategy, void (object_set<Strategy>::*drop)()>
void make_and_drop(benchmark::State& state, fixture<Strategy, drop>& in) {
  using clock = std::chrono::steady_clock;
  clock::duration dropping{};
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(in.objects())) {
      in.make();
      in.prepare();
      escape(&in);
      clock::time_point before = clock::now();
      before = clock::now();  // the first reading after long loads its code and data
      in.drop_all(in.sets());
      dropping += clock::now() - before;
    }
  }
  const double ns = std::chrono::duration<double, std::nano>(dropping).count();
  state.counters["drop_ns"] = benchmark::Counter(ns, benchmark::Counter::kAvgIterations);
}

template <class Strategy, void (object_set<Strategy>::*drop)()>
void add_drop(benchmark_registry& registry, const strategy_factory<Strategy>& factory, std::size_t count, const char* way,
              std::size_t drops_of_a_set) {
  registry.add(
      factory.name, {{"count", count}, {"drop", way}},
      [=] { return std::make_shared<fixture<Strategy, drop>>(factory, count, drops_of_a_set); },
      make_and_drop<Strategy, drop>);
}

const family cleanup({
    .question = "What does it cost to drop many objects: one by one, or all at once?",
    .operation = "make one of n objects of 64 B and, when all are made, drop it: one by one in the order of making, or "
                 "all by one reset; drop_ns is the dropping alone. The clock is read before and after at least 100 drops: "
                 "up to 100 sets of n objects, each with a strategy of its own, are made and then dropped together, as far "
                 "as their objects fit 16 MiB",
    .untimed = "making the strategies; one verified round",
    .heap = "resident: at least four live blocks of the same size beside the objects",
    .held_against = "none: the same sets and readings of the clock, and nothing is dropped",
    .controls = "^cleanup/none/",
    .unfairness = "real_time includes the making: drop_ns is the result for the dropping. It includes two readings of the "
                  "clock and the walk over the sets, by 100 drops at once a fraction of a nanosecond a drop: the control "
                  "none, which drops nothing, shows how much. The objects have no destructor to run: with a destructor, "
                  "an arena must visit every object as well. Objects that are dropped one by one were just made, so small "
                  "numbers of them are still in the cache. Of the many arenas that are dropped together, the objects are "
                  "not, and no reset reads them; the arenas themselves (a few pointers) are read again before the "
                  "dropping, so that a reset finds its arena in the cache as if it had been filled just now.",
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
      if constexpr (owns<Strategy>)
        add_drop<Strategy, &object_set<Strategy>::drop_each>(registry, factory, count, "each", count);
      if constexpr (resets<Strategy> || std::is_same_v<Strategy, none>)
        add_drop<Strategy, &object_set<Strategy>::drop_at_once>(registry, factory, count, "at_once", 1);
    });
});

}  // namespace
}  // namespace stackheap

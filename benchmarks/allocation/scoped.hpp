// Which operation do scoped and large share? Take n bytes, lend them to a borrower, give them back.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "heap.hpp"
#include "measure.hpp"
#include "threads.hpp"

namespace stackheap {

template <class Strategy, class Touch>
void take_and_give_back(benchmark::State& state, Strategy& strategy, std::size_t bytes, Touch touch) {
  bytes = hide(bytes);
  const measured measuring(state);
  for (auto _ : state) lend(strategy, bytes, touch);
}

/// A strategy beside four live blocks, with the stack that blocks of `bytes` need. Strategies that need no stack run on the
/// current thread: on another thread, a malloc may use another arena.
template <class Strategy>
struct scoped_fixture : resident_fixture<Strategy> {
  scoped_fixture(const strategy_factory<Strategy>& factory, std::size_t bytes)
      : resident_fixture<Strategy>(factory, std::vector{bytes}) {
    if constexpr (requires { Strategy::stack_bytes(capacity{}); }) room.emplace(Strategy::stack_bytes({bytes, 1}));
  }
  void run(const std::function<void()>& work) { room ? room->run(work) : work(); }

  std::optional<stack_room> room;
};

/// Does the untimed rounds. A malloc may give pages back only after it has freed gigabytes, or until it has seen a size
/// often: tcmalloc gives 64 MiB back once, within its first 129 rounds; tbbmalloc has a page fault in every 64th round of
/// 16 MiB, up to the 33,000th.
template <class Strategy, class Touch>
void settle_rounds(Strategy& strategy, std::size_t bytes, Touch touch) {
  using std::chrono::milliseconds;
  const bool is_large = bytes >= std::size_t{1} << 20;
  settle(is_large ? 1 << 16 : 256, is_large ? milliseconds(10) : milliseconds(100), [&] { lend(strategy, bytes, touch); });
}

/// Adds `family/strategy/bytes:n/touch:t` for every strategy that lends or owns.
template <class Touch>
void add_scoped(benchmark_registry& registry, std::size_t bytes, Touch touch) {
  const capacity need = beside(heap_state::resident, {bytes, 1});
  every_strategy(need, [&]<class Strategy>(strategy_factory<Strategy> factory)
                   requires(lends<Strategy> || owns<Strategy>)
  {
    registry.add(
        factory.name, {{"bytes", bytes}, {"touch", Touch::name}},
        [=] {
          auto made = std::make_shared<scoped_fixture<Strategy>>(factory, bytes);
          made->run([&] {
            verify_lends(made->strategy, bytes);
            settle_rounds(made->strategy, bytes, touch);
          });
          return made;
        },
        [=](benchmark::State& state, scoped_fixture<Strategy>& at) {
          at.run([&] { take_and_give_back(state, at.strategy, bytes, touch); });
        });
  });
}

}  // namespace stackheap

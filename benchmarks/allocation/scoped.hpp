// Which operation do scoped and large share? Take n bytes, lend them to a borrower, give them back.
#pragma once

#include <functional>

#include "heap.hpp"
#include "measure.hpp"
#include "threads.hpp"

namespace stackheap {

template <class Strategy, class Touch>
void take_and_give_back(benchmark::State& state, Strategy& strategy, std::size_t bytes, Touch touch) {
  bytes = hide(bytes);
  lend(strategy, bytes, touch);  // untimed: a stack that was never used before has its page faults here
  const measured measuring(state);
  for (auto _ : state) lend(strategy, bytes, touch);
}

/// Runs `work` where the strategy has the stack that blocks of `bytes` need. Strategies that need no stack run on the
/// current thread: on another thread, a malloc may use another arena.
template <class Strategy>
void with_its_stack(std::size_t bytes, const std::function<void()>& work) {
  if constexpr (requires { Strategy::stack_bytes(capacity{}); })
    with_stack_for(Strategy::stack_bytes({bytes, 1}), work);
  else
    work();
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
          auto made = std::make_shared<resident_fixture<Strategy>>(factory, std::vector{bytes});
          with_its_stack<Strategy>(bytes, [&] { verify_lends(made->strategy, bytes); });
          return made;
        },
        [=](benchmark::State& state, resident_fixture<Strategy>& at) {
          with_its_stack<Strategy>(bytes, [&] { take_and_give_back(state, at.strategy, bytes, touch); });
        });
  });
}

}  // namespace stackheap

// The operation that scoped and large share: take n bytes, lend them to a borrower, give them back.
#pragma once

#include <functional>

#include "heap.hpp"
#include "measure.hpp"
#include "threads.hpp"

namespace stackheap {

/// A strategy beside four live blocks of the size that comes and goes.
template <class Strategy>
struct scoped_world {
  scoped_world(contender<Strategy> by, std::size_t bytes) : strategy(by.make()), heap(strategy, heap_state::resident, {bytes}) {}
  Strategy strategy;
  on_heap<Strategy> heap;
};

template <class Strategy, class Touch>
void take_and_give_back(benchmark::State& state, Strategy& strategy, std::size_t bytes, Touch touch) {
  bytes = opaque(bytes);
  lend(strategy, bytes, touch);  // untimed: a stack that nobody went down yet has its page faults here
  const measured measuring(state);
  for (auto _ : state) lend(strategy, bytes, touch);
}

/// Runs `work` where the strategy has the stack it needs for blocks of `bytes`. One that needs none stays on this thread:
/// on another, a malloc may serve it from another arena.
template <class Strategy>
void with_its_stack(std::size_t bytes, const std::function<void()>& work) {
  if constexpr (requires { Strategy::stack_bytes(demand{}); })
    with_stack_for(Strategy::stack_bytes({bytes, 1}), work);
  else
    work();
}

/// Adds `family/strategy/bytes:n/touch:t` for every strategy that can.
template <class Touch>
void enroll_scoped(enrolment& into, std::size_t bytes, Touch touch) {
  const demand need = beside(heap_state::resident, {bytes, 1});
  every_strategy(need, [&]<class Strategy>(contender<Strategy> by)
                   requires(lends<Strategy> || owns<Strategy>)
  {
    into.add(
        by.name, {{"bytes", bytes}, {"touch", Touch::name}},
        [=] {
          auto made = std::make_shared<scoped_world<Strategy>>(by, bytes);
          with_its_stack<Strategy>(bytes, [&] { verify_lends(made->strategy, bytes); });
          return made;
        },
        [=](benchmark::State& state, scoped_world<Strategy>& at) {
          with_its_stack<Strategy>(bytes, [&] { take_and_give_back(state, at.strategy, bytes, touch); });
        });
  });
}

}  // namespace stackheap

// What does it cost to count references, and what when threads count on one object?
#include <memory>

#include "family.hpp"
#include "measure.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t copies_a_round = 1 << 14;

/// As wide as two lines, so that no two objects' counts share one.
struct alignas(128) counted {
  std::uint64_t value = 0;
};

enum class object {
  none,    ///< the control: a plain pointer is copied, nothing is counted
  own,     ///< each thread copies the owner of an object of its own
  shared,  ///< all threads copy the owner of one object
};
std::string_view name_of(object each) { return each == object::none ? "none" : each == object::own ? "own" : "shared"; }

struct world {
  world(object which, unsigned count) : threads(count), owners(count) {
    const auto one = std::make_shared<counted>();
    for (owner& each : owners) each.pointer = which == object::shared ? one : std::make_shared<counted>();
    expected_count = which == object::shared ? static_cast<long>(count) : 1;
  }

  void copy_pointer(unsigned thread) const {
    const owner& mine = owners[thread];
    for (std::int64_t i = 0; i < copies_a_round; ++i) {
      escape(&mine);
      counted* const copy = mine.pointer.get();
      escape(copy);
    }
  }

  void copy_owner(unsigned thread) const {
    const owner& mine = owners[thread];
    for (std::int64_t i = 0; i < copies_a_round; ++i) {
      const std::shared_ptr<counted> copy = mine.pointer;
      escape(copy.get());
    }
  }

  void verify() const {
    for (const owner& each : owners)
      if (each.pointer.use_count() != expected_count) throw wrong_work("a copy was not counted or not dropped");
  }

  struct alignas(128) owner {
    std::shared_ptr<counted> pointer;
  };

  team threads;
  std::vector<owner> owners;
  long expected_count = 1;
};

const family refcount({
    .question = "What does it cost to copy and drop a shared_ptr, alone and when threads share the object?",
    .operation = "copy a shared_ptr and drop the copy: one count up, one count down; by each thread at once, timed "
                 "until all are done",
    .untimed = "starting and pinning the threads, making the objects",
    .heap = "does not matter: nothing is allocated",
    .unfairness = "The process has had threads, so the counts are atomic even with one thread; a C++ library may leave "
                  "that out in a program that never had any. The copy is dropped at once: the best case of a count. "
                  "The control none copies a plain pointer.",
}, [](enrolment& into) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : into.chosen() == profile::smoke ? std::vector{1U, 2U} : thread_counts(cores))
    for (const object which : {object::none, object::own, object::shared})
      into.add(
          "", {{"object", name_of(which)}, {"threads", count}}, [=] { return std::make_shared<world>(which, count); },
          [=](benchmark::State& state, world& in) {
            const auto copy = which == object::none ? &world::copy_pointer : &world::copy_owner;
            measure_rounds(state, in.threads, copies_a_round, [&](unsigned thread) { (in.*copy)(thread); });
            in.verify();
          });
});

}  // namespace
}  // namespace stackheap

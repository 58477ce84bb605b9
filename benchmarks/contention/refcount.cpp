// What does it cost to count references, and what when threads count on one object?
#include <memory>

#include "family.hpp"
#include "measure.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t copies_a_round = 1 << 14;

/// As large as two cache lines, so that the counts of two objects never share a line.
struct alignas(128) counted {
  std::uint64_t value = 0;
};

enum class object {
  none,    ///< the control: a plain pointer is copied, nothing is counted
  own,     ///< each thread copies the owner of an object of its own
  shared,  ///< all threads copy the owner of one object
};
std::string_view name_of(object kind) { return kind == object::none ? "none" : kind == object::own ? "own" : "shared"; }

struct fixture {
  fixture(object which, unsigned count) : threads(count), owners(count) {
    const auto common = std::make_shared<counted>();
    for (owner& holder : owners) holder.pointer = which == object::shared ? common : std::make_shared<counted>();
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
    for (const owner& holder : owners)
      if (holder.pointer.use_count() != expected_count) throw verification_error("a copy was not counted or not dropped");
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
    .operation = "copy a shared_ptr and drop the copy: the count goes up and down once; all threads at once, timed "
                 "until all are done",
    .untimed = "starting and pinning the threads; making the objects; rounds for 10 ms",
    .heap = "does not matter: nothing is allocated",
    .held_against = "object:none: a plain pointer is copied, which counts nothing",
    .controls = "^refcount/object:none/",
    .unfairness = "The process has had threads, so the counts are atomic even with one thread; a C++ library may "
                  "count without atomic instructions in a program that never had a thread. The copy is dropped at "
                  "once: the best case.",
    .least_times = {{"refcount/object:none/", 0.1}, {"refcount/object:(own|shared)/", 4}},
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : registry.chosen() == profile::smoke ? std::vector{1U, 2U} : thread_counts(cores))
    for (const object which : {object::none, object::own, object::shared})
      registry.add(
          "", {{"object", name_of(which)}, {"threads", count}}, [=] { return std::make_shared<fixture>(which, count); },
          [=](benchmark::State& state, fixture& in) {
            const auto copy = which == object::none ? &fixture::copy_pointer : &fixture::copy_owner;
            measure_rounds(state, in.threads, copies_a_round, [&](unsigned thread) { (in.*copy)(thread); });
            in.verify();
          });
});

}  // namespace
}  // namespace stackheap

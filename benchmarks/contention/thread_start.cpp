// What does it cost to start a thread: does it pay for the size of its stack, or for the part it uses?
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "family.hpp"
#include "measured_process.hpp"
#include "thread_stack.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

/// Room below the descent for other frames and for the guard page, which some versions of glibc take from the stack.
constexpr std::size_t spare_bytes = 4 * stack_page;

enum class stack_from {
  none,   ///< the control: no thread, the same descent on an existing stack that was touched
  cache,  ///< from the C library, which keeps the stacks of ended threads and reuses them
  fresh,  ///< mapped before each start and unmapped after: the cost when no stack is kept
};
std::string_view name_of(stack_from origin) {
  return origin == stack_from::none ? "none" : origin == stack_from::cache ? "cached_stack" : "fresh_stack";
}

/// glibc keeps the stacks of ended threads up to so many bytes in all: a larger stack is fresh at every start.
constexpr std::size_t most_kept_bytes = std::size_t{40} << 20;

/// The processor of the started thread, as the names of the results tell it.
enum class core {
  starter,  ///< that of the thread which starts it: the usual case where a program pins its threads
  other,    ///< the next processor of the pinning
  any,      ///< the system's choice, as in a program that does not pin: starter and thread may run on every processor
};
std::string_view name_of(core place) {
  return place == core::starter ? "starter" : place == core::other ? "other" : "any";
}

/// The places that the pinning has: `any` alone where nothing is pinned, `starter` alone on one processor.
std::vector<core> places() {
  const std::vector<unsigned>& processors = current_pinning().processors();
  if (processors.empty()) return {core::any};
  if (processors.size() == 1) return {core::starter};
  return {core::starter, core::other, core::any};
}

/// Lets the calling thread run on every processor of the pinning for as long as this object lives, if `place` is any.
class roaming {
 public:
  explicit roaming(core place) : pinned_(place == core::any && !current_pinning().processors().empty()) {
    if (pinned_) processor_set(current_pinning().processors()).confine();
  }
  roaming(const roaming&) = delete;
  roaming& operator=(const roaming&) = delete;
  ~roaming() {
    try {
      if (pinned_) current_pinning().pin(0);
    } catch (const std::runtime_error&) {  // that processor is gone: what follows in this process is not pinned
    }
  }

 private:
  bool pinned_;
};

void require(int error, const char* refused = "the system refuses to start this thread") {
  if (error != 0) throw verification_error(std::string(refused).append(": ").append(std::strerror(error)));
}

constexpr const char* unknown_stack = "the system does not tell the stack of this thread";

/// Attributes of a thread to be started.
class attributes {
 public:
  attributes() { require(::pthread_attr_init(&value)); }
  attributes(const attributes&) = delete;
  attributes& operator=(const attributes&) = delete;
  ~attributes() { ::pthread_attr_destroy(&value); }
  pthread_attr_t value{};
};

/// The work of the started thread: nothing, or a descent; and, if it is not timed, an examination of its stack and its
/// processor.
struct task {
  std::size_t descent = 0;
  stack_facts* facts = nullptr;
  int* processor = nullptr;
};

void* enter(void* given) {
  const task& todo = *static_cast<const task*>(given);
  if (todo.descent != 0) descend(todo.descent);
  if (todo.facts != nullptr) *todo.facts = facts_of_this_stack();
  if (todo.processor != nullptr) *todo.processor = ::sched_getcpu();
  return nullptr;
}

/// 0, or the error of a start that failed.
int start_and_join(const attributes& settings, task& todo) {
  pthread_t thread;
  const int error = ::pthread_create(&thread, &settings.value, enter, &todo);
  return error != 0 ? error : ::pthread_join(thread, nullptr);
}

int start_and_join_on_fresh_stack(attributes& settings, std::size_t stack_bytes, task& todo) {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
  void* const stack = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (stack == MAP_FAILED) return errno;
  int error = ::pthread_attr_setstack(&settings.value, stack, stack_bytes);
  if (error == 0) error = start_and_join(settings, todo);
  ::munmap(stack, stack_bytes);
  return error;
}

/// Bytes of every thread's stack that the C library and the first frames take: mostly thread-local storage.
std::size_t taken_of_each_stack() {
  stack_facts facts;
  task look{.facts = &facts};
  require(start_and_join(attributes(), look));
  require(facts.error, unknown_stack);
  return (facts.above + stack_page - 1) / stack_page * stack_page;
}

/// The smallest stack, in bytes, with which the system starts a thread: 16 KiB on x86-64, 128 KiB on 64-bit ARM.
std::size_t least_stack() { return static_cast<std::size_t>(::sysconf(_SC_THREAD_STACK_MIN)); }

struct fixture {
  fixture(stack_from from, std::size_t bytes, bool touch, core on)
      : origin(from),
        place(on),
        stack_bytes(std::max(bytes + taken_of_each_stack() + spare_bytes, least_stack())),
        todo{.descent = touch ? bytes : 0} {
    if (from == stack_from::none) return;
    require(::pthread_attr_setstacksize(&settings.value, stack_bytes));
    if (place == core::other) {
      const processor_set next({current_pinning().processors()[1]});
      require(::pthread_attr_setaffinity_np(&settings.value, next.bytes(), next.get()));
    }
    task look{.descent = todo.descent, .facts = &facts};
    require(start(look));
    require(facts.error, unknown_stack);
    if (facts.reserved + spare_bytes < stack_bytes || facts.resident < todo.descent)
      throw verification_error("the thread's stack is smaller than requested");
    other_core = share_on_another_core();
    if ((place == core::starter && other_core > 0) || (place == core::other && other_core < 1))
      throw verification_error("the thread does not run on the processor that it was given");
  }

  /// 0, or the error of a start that failed.
  int start(task& given) {
    return origin == stack_from::cache ? start_and_join(settings, given)
                                       : start_and_join_on_fresh_stack(settings, stack_bytes, given);
  }
  double share_on_another_core() {
    constexpr int starts = 50;
    const roaming here(place);
    int others = 0;
    for (int i = 0; i < starts; ++i) {
      int processor = -1;
      task look{.processor = &processor};
      const int own = ::sched_getcpu();
      require(start(look));
      others += processor != own;
    }
    return static_cast<double>(others) / starts;
  }

  stack_from origin;
  core place;
  std::size_t stack_bytes;
  attributes settings;
  task todo;
  stack_facts facts;
  double other_core = 0;
};

void report_thread(benchmark::State& state, const fixture& in) {
  state.counters["stack_reserved"] = static_cast<double>(in.facts.reserved);
  state.counters["stack_resident"] = static_cast<double>(in.facts.resident);
  state.counters["other_core"] = in.other_core;
}

void start_on_cached_stack(benchmark::State& state, fixture& in) {
  report_thread(state, in);
  const roaming here(in.place);
  const measured_process measuring(state);
  for (auto _ : state) require(start_and_join(in.settings, in.todo));
}

void start_on_fresh_stack(benchmark::State& state, fixture& in) {
  report_thread(state, in);
  const roaming here(in.place);
  const measured_process measuring(state);
  for (auto _ : state) require(start_and_join_on_fresh_stack(in.settings, in.stack_bytes, in.todo));
}

void descend_here(benchmark::State& state, fixture& in) {
  stack_room(in.todo.descent).run([&] {
    enter(&in.todo);
    const measured_process measuring(state);
    for (auto _ : state) {
      enter(hide(&in.todo));
      escape(&in.todo);
    }
  });
}

const family thread_start({
    .question = "What does it cost to start a thread: does it pay for the size of its stack, or for the part it uses?",
    .operation = "start a thread with a stack of n bytes, which touches no page or one byte in every page, and join it",
    .untimed = "51 starts, whose threads examine their stack and their processor",
    .heap = "does not matter",
    .held_against = "none: the same touches on the starter's own stack; a start itself takes microseconds, of which "
                    "the loop around it is under a percent",
    .controls = "^thread_start/none/",
    .unfairness = "n is the part that the thread can use; the C library keeps more on every stack, mostly thread-local "
                  "storage, and some systems require a larger minimum: stack_reserved is the whole stack, "
                  "stack_resident the part of it that was in memory when the thread ended, page faults are those of "
                  "the starter and the thread. cached_stack is the usual case: glibc keeps the stacks of ended "
                  "threads, up to 40 MiB in all, and drops their pages; larger stacks are mapped and unmapped at every "
                  "start, so that only fresh_stack has them: what costs is the mapping, hardly its size. fresh_stack has no guard page, which saves one call. core says where the thread runs: on the "
                  "processor of its starter, as in a program whose threads inherit a pinning; on another processor, "
                  "which may have to be woken, and which the thread is sent to by one more system call (from Linux's "
                  "view a change of its affinity); or on any, the system's choice, as in a program that pins nothing: "
                  "other_core is the share of starts, of 50 before the timing, in which the thread ran on another "
                  "processor than its starter. With one processor there is only starter, with --pin=none only any. "
                  "Hardware counts, which end with the thread, are absent.",
    .least_times = {{"thread_start/(cached|fresh)_stack/", 2000}, {"thread_start/none/.*touch:all", 8}},
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  for (const std::size_t kib :
       registry.pick<std::size_t>({64, 8192}, {64, 1024, 8192, 65536}, {64, 256, 1024, 8192, 32768, 65536}))
    for (const bool touch : {false, true}) {
      if (touch && kib > 8192 && registry.chosen() != profile::full) continue;  // tens of milliseconds each
      const auto add = [&](stack_from from, core place, std::initializer_list<parameter> key,
                           void (*run)(benchmark::State&, fixture&)) {
        registry.add(
            name_of(from), key, [=] { return std::make_shared<fixture>(from, kib << 10, touch, place); }, run);
      };
      const parameter bytes("bytes", kib << 10), touched("touch", touch ? "all" : "none");
      add(stack_from::none, core::starter, {bytes, touched}, descend_here);
      for (const core place : places()) {
        if (place != places().front() && (touch || kib != 64)) continue;  // a processor costs the same for every stack
        const parameter on("core", name_of(place));
        if (kib << 10 < most_kept_bytes) add(stack_from::cache, place, {bytes, touched, on}, start_on_cached_stack);
        add(stack_from::fresh, place, {bytes, touched, on}, start_on_fresh_stack);
      }
    }
});

}  // namespace
}  // namespace stackheap

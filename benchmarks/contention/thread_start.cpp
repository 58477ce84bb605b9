// What does it cost to start a thread, and does it pay for its stack by the size or by the use?
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "family.hpp"
#include "measured_process.hpp"
#include "thread_stack.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

/// Room below the descent for the frames it stands on; and for the guard page, which some glibc take from the stack.
constexpr std::size_t spare_bytes = 4 * stack_page;

enum class stack_from {
  none,   ///< the control: no thread, the same descent on a stack that is there and was touched
  cache,  ///< the C library's: glibc keeps stacks of ended threads, up to 40 MiB in all, and gives them out again
  fresh,  ///< mapped before each start and unmapped after: what it costs when none is kept
};
std::string_view name_of(stack_from each) {
  return each == stack_from::none ? "none" : each == stack_from::cache ? "cached_stack" : "fresh_stack";
}

/// Attributes of a thread to be started.
class attributes {
 public:
  attributes() { ::pthread_attr_init(&value); }
  attributes(const attributes&) = delete;
  attributes& operator=(const attributes&) = delete;
  ~attributes() { ::pthread_attr_destroy(&value); }
  pthread_attr_t value{};
};

/// What the started thread does: nothing, or a descent; and, unless it is timed, a look at its stack.
struct task {
  std::size_t descent = 0;
  stack_facts* found = nullptr;
};

void* enter(void* given) {
  const task& todo = *static_cast<const task*>(given);
  if (todo.descent != 0) descend(todo.descent);
  if (todo.found != nullptr) *todo.found = facts_of_this_stack();
  return nullptr;
}

/// 0, or the error of a start that failed.
int start_and_join(const attributes& how, task& todo) {
  pthread_t thread;
  const int error = ::pthread_create(&thread, &how.value, enter, &todo);
  return error != 0 ? error : ::pthread_join(thread, nullptr);
}

int start_and_join_on_fresh_stack(attributes& how, std::size_t stack_bytes, task& todo) {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
  void* const stack = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (stack == MAP_FAILED) return errno;
  int error = ::pthread_attr_setstack(&how.value, stack, stack_bytes);
  if (error == 0) error = start_and_join(how, todo);
  ::munmap(stack, stack_bytes);
  return error;
}

void require(int error) {
  if (error != 0) throw wrong_work(std::string("the system refuses such a thread: ").append(std::strerror(error)));
}

/// Bytes the C library and the first frames take of every thread's stack: thread-local storage, mostly.
std::size_t taken_of_each_stack() {
  stack_facts facts;
  task look{.found = &facts};
  require(start_and_join(attributes(), look));
  return (facts.above + stack_page - 1) / stack_page * stack_page;
}

/// Bytes below which the system starts no thread: 16 KiB on x86-64, 128 KiB on 64-bit ARM.
std::size_t least_stack() { return static_cast<std::size_t>(::sysconf(_SC_THREAD_STACK_MIN)); }

struct world {
  world(stack_from from, std::size_t bytes, bool touch)
      : stack_bytes(std::max(bytes + taken_of_each_stack() + spare_bytes, least_stack())), todo{.descent = touch ? bytes : 0} {
    if (from == stack_from::none) return;
    task look{todo.descent, &facts};
    require(::pthread_attr_setstacksize(&how.value, stack_bytes));
    const bool cached = from == stack_from::cache;
    require(cached ? start_and_join(how, look) : start_and_join_on_fresh_stack(how, stack_bytes, look));
    if (facts.reserved + spare_bytes < stack_bytes || facts.resident < todo.descent)
      throw wrong_work("the thread had not the stack it was to have");
  }

  std::size_t stack_bytes;
  attributes how;
  task todo;
  stack_facts facts;
};

void report_stack(benchmark::State& state, const stack_facts& facts) {
  state.counters["stack_reserved"] = static_cast<double>(facts.reserved);
  state.counters["stack_resident"] = static_cast<double>(facts.resident);
}

void start_on_cached_stack(benchmark::State& state, world& in) {
  report_stack(state, in.facts);
  const measured_process measuring(state);
  for (auto _ : state) require(start_and_join(in.how, in.todo));
}

void start_on_fresh_stack(benchmark::State& state, world& in) {
  report_stack(state, in.facts);
  const measured_process measuring(state);
  for (auto _ : state) require(start_and_join_on_fresh_stack(in.how, in.stack_bytes, in.todo));
}

void descend_here(benchmark::State& state, world& in) {
  with_stack_for(in.todo.descent, [&] {
    enter(&in.todo);
    const measured_process measuring(state);
    for (auto _ : state) {
      enter(opaque(&in.todo));
      escape(&in.todo);
    }
  });
}

const family thread_start({
    .question = "What does it cost to start a thread, and is its stack paid for by its size or by its use?",
    .operation = "start a thread with a stack of n bytes, which touches none of them or one byte in each page, and "
                 "join it",
    .untimed = "one start, by whose thread the stack was looked at",
    .heap = "does not matter",
    .unfairness = "n is what the thread can use; what the C library keeps on every stack, mostly thread-local storage, "
                  "comes on top, and some systems want more at least: stack_reserved is the whole, stack_resident "
                  "what of it was memory when the thread ended, page faults are those of starter and thread. "
                  "cached_stack is what a program sees: glibc keeps the stacks of ended threads, up to 40 MiB in all, "
                  "and drops their pages; what is larger is mapped and unmapped every time. fresh_stack has no guard "
                  "page, which saves one call. The thread runs on its starter's processor, unless nothing is pinned. "
                  "Hardware counts, which end with the thread, are absent.",
}, [](enrolment& into) {
  for (const std::size_t kib :
       into.pick<std::size_t>({64, 8192}, {64, 1024, 8192, 65536}, {64, 256, 1024, 8192, 32768, 65536}))
    for (const bool touch : {false, true}) {
      if (touch && kib > 8192 && into.chosen() != profile::full) continue;  // tens of milliseconds each
      const auto enroll = [&](stack_from from, void (*run)(benchmark::State&, world&)) {
        into.add(
            name_of(from), {{"bytes", kib << 10}, {"touch", touch ? "all" : "none"}},
            [=] { return std::make_shared<world>(from, kib << 10, touch); }, run);
      };
      enroll(stack_from::none, descend_here);
      enroll(stack_from::cache, start_on_cached_stack);
      enroll(stack_from::fresh, start_on_fresh_stack);
    }
});

}  // namespace
}  // namespace stackheap

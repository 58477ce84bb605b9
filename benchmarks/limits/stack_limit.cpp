// How deep can calls go before the stack ends?
#include <pthread.h>
#include <sys/resource.h>

#include <csetjmp>
#include <csignal>
#include <thread>

#include "child.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// The stack of the signal handler, which runs when the normal stack is used up.
constexpr std::size_t handler_stack_bytes = std::size_t{64} << 10;
/// The expected fault lies within one frame below the lowest frame that was reached; any other fault is further away.
constexpr std::uintptr_t reach = 64 << 10;

/// The current descent, for the signal handler: one at a time in a child.
struct {
  std::uintptr_t from = 0, lowest = 0;
  std::size_t frames = 0;
  sigjmp_buf back;
} descent;

extern "C" void at_overflow(int, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (at <= descent.lowest && descent.lowest - at < reach) siglongjmp(descent.back, 1);
  std::signal(SIGSEGV, SIG_DFL);  // not the end of the stack: the child dies of this signal when the handler returns
}

/// Calls itself with `FrameBytes` of locals, of which it writes the lowest byte, until it is `most_bytes` down.
template <std::size_t FrameBytes>
[[gnu::noinline]] void go_down(std::size_t most_bytes) {
  std::byte locals[FrameBytes];
  locals[0] = std::byte{1};
  escape(locals);
  descent.lowest = reinterpret_cast<std::uintptr_t>(locals);
  ++descent.frames;
  escape(&descent);
  if (descent.from - descent.lowest < most_bytes) go_down<FrameBytes>(most_bytes);
  escape(locals);
}

void go_down_to_the_end(std::size_t frame_bytes, std::size_t most_bytes) {
  frame_bytes == 64 ? go_down<64>(most_bytes) : go_down<1024>(most_bytes);
}

/// Goes down the calling thread's stack until it ends.
findings find_end(std::size_t frame_bytes, std::size_t most_bytes) {
  const std::vector<std::byte> handler_stack(handler_stack_bytes);
  stack_t alternate{};
  alternate.ss_sp = const_cast<std::byte*>(handler_stack.data());
  alternate.ss_size = handler_stack.size();
  struct sigaction action {};
  action.sa_sigaction = at_overflow;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  if (::sigaltstack(&alternate, nullptr) != 0 || ::sigaction(SIGSEGV, &action, nullptr) != 0)
    throw verification_error("the signal at the end of the stack cannot be caught");
  descent.from = descent.lowest = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const bool ended = sigsetjmp(descent.back, 1) != 0;
  if (!ended) go_down_to_the_end(frame_bytes, most_bytes);
  const auto usable = static_cast<double>(descent.from - descent.lowest);
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
  return {{"usable_bytes", usable},
          {"frames", static_cast<double>(descent.frames)},
          {"frame_bytes", usable / static_cast<double>(descent.frames)},
          {"at_least", !ended}};
}

const child_task main_stack("stack_limit_main", [](const std::vector<std::size_t>& arguments) {
  findings results = find_end(arguments.at(0), arguments.at(1));
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    results["limit_bytes"] = static_cast<double>(limit.rlim_cur);
  return results;
});

const child_task thread_stack("stack_limit_thread", [](const std::vector<std::size_t>& arguments) {
  findings results;
  std::thread([&] {
    results = find_end(arguments.at(0), arguments.at(1));
    pthread_attr_t attributes;
    std::size_t bytes = 0;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return;
    if (::pthread_attr_getstacksize(&attributes, &bytes) == 0) results["limit_bytes"] = static_cast<double>(bytes);
    ::pthread_attr_destroy(&attributes);
  }).join();
  return results;
});

const family stack_limit({
    .question = "How much stack does a program have, and how many calls fit on it?",
    .operation = "one run of the child process, from start to end; the results are the counters "
                 "usable_bytes, frames and frame_bytes",
    .untimed = "nothing: the child starts and calls itself deeper and deeper, each frame with 64 or 1,024 B of locals "
               "whose lowest byte it writes, until the system refuses the next page; it catches that fault and reports "
               "the depth",
    .heap = "does not matter",
    .held_against = "no control: the results are counts of calls and bytes, and the time of the child process is "
                    "not a result",
    .unfairness = "frame_bytes is the space that a call really takes: the locals, the return address, saved registers, "
                  "padding. limit_bytes is the limit of the system (ulimit -s, the thread's attributes), absent where "
                  "the system sets none; usable_bytes is smaller because of the data above: arguments and environment, "
                  "a thread's own data. Where the stack is not limited, the descent ends at a quarter of the free "
                  "memory or a fixed size, and at_least is 1.",
    .metrics = {{"frames", "calls", false}},
}, [](benchmark_registry& registry) {
  const std::size_t most = registry.pick<std::size_t>({64 << 20}, {64 << 20}, {256 << 20}).front();
  for (const char* stack : {"main", "thread"})
    for (const std::size_t frame : registry.pick<std::size_t>({64}, {64, 1024}, {64, 1024}))
      registry.add(
          "", {{"stack", stack}, {"frame", frame}}, [] { return std::make_shared<char>(); },
          [=](benchmark::State& state, char&) {
            const std::string task = std::string("stack_limit_") + stack;
            measure_child(state, {.task = task, .arguments = {frame, harmless_bytes(most)}});
          },
          timing::once);
});

}  // namespace
}  // namespace stackheap

#include "process_state.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cfenv>
#include <cstddef>
#include <cstdint>
#include <locale>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace stackheap {
namespace {

std::string processors() {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return "";  // more processors than the set holds
  std::string text;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &allowed)) text += (text.empty() ? "" : ",") + std::to_string(i);
  return text;
}

std::string policy() {
  switch (::sched_getscheduler(0)) {
    case SCHED_OTHER: return "normal";
    case SCHED_BATCH: return "batch";
    case SCHED_IDLE: return "idle";
    case SCHED_FIFO: return "first in, first out";
    case SCHED_RR: return "round robin";
    default: return "another";
  }
}

std::string rounding_mode() {
  switch (std::fegetround()) {
    case FE_TONEAREST: return "nearest";
#ifdef FE_UPWARD
    case FE_UPWARD: return "upward";
#endif
#ifdef FE_DOWNWARD
    case FE_DOWNWARD: return "downward";
#endif
#ifdef FE_TOWARDZERO
    case FE_TOWARDZERO: return "toward zero";
#endif
    default: return "another";
  }
}

/// Whether numbers too small for their full precision are taken for zero (FTZ, DAZ).
std::string subnormal_numbers() {
#if defined(__SSE__)
  return (_mm_getcsr() & 0x8040u) == 0 ? "kept" : "zero";
#elif defined(__aarch64__)
  std::uint64_t control = 0;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  return (control & (std::uint64_t{1} << 24)) == 0 ? "kept" : "zero";
#else
  return "";
#endif
}

}  // namespace

process_state state_of_process() {
  return {
      {"niceness", std::to_string(::getpriority(PRIO_PROCESS, 0))},
      {"scheduling", policy()},
      {"processors", processors()},
      {"rounding mode", rounding_mode()},
      {"subnormal numbers", subnormal_numbers()},
      {"huge pages", ::prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1 ? "off" : "as the system allows"},
      {"stack limit", limit_of(RLIMIT_STACK)},
      {"address space limit", limit_of(RLIMIT_AS)},
      {"data limit", limit_of(RLIMIT_DATA)},
      {"limit of open files", limit_of(RLIMIT_NOFILE)},
  };
}

std::string changes_between(const process_state& before, const process_state& after) {
  std::string text;
  for (std::size_t i = 0; i < before.size(); ++i)
    if (before[i].second != after[i].second)
      text += (text.empty() ? "" : ", ") + before[i].first + ' ' + before[i].second + " to " + after[i].second;
  return text;
}

std::string scheduling() {
  const int niceness = ::getpriority(PRIO_PROCESS, 0);
  return policy() + (niceness == 0 ? "" : ", niceness " + std::to_string(niceness));
}

std::string limit_of(int resource) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return "";
  return limit.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(limit.rlim_cur);
}

void use_plain_locale() { std::locale::global(std::locale::classic()); }

}  // namespace stackheap

#include "measure.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#ifdef __linux__
#include <linux/perf_event.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace stackheap {
namespace {

constexpr std::uint64_t cache_event(std::uint64_t cache, std::uint64_t operation, std::uint64_t result) {
  return cache | operation << 8 | result << 16;
}

struct event {
  std::uint32_t type;
  std::uint64_t config;
};

constexpr std::array<event, counts::kinds> events{{
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES},
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
    {PERF_TYPE_HW_CACHE, cache_event(PERF_COUNT_HW_CACHE_DTLB, PERF_COUNT_HW_CACHE_OP_READ, PERF_COUNT_HW_CACHE_RESULT_MISS)},
}};

/// The calling thread's counters, opened at its first measurement and closed when it ends.
class thread_counters {
 public:
  thread_counters() {
    for (std::size_t i = 0; i < events.size(); ++i) {
      perf_event_attr wanted{};
      wanted.size = sizeof wanted;
      wanted.type = events[i].type;
      wanted.config = events[i].config;
      wanted.disabled = 1;
      wanted.exclude_kernel = 1;
      wanted.exclude_hv = 1;
      wanted.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
      files_[i] = static_cast<int>(::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
      if (files_[i] < 0) error_ = errno;
    }
  }
  thread_counters(const thread_counters&) = delete;
  thread_counters& operator=(const thread_counters&) = delete;
  ~thread_counters() {
    for (const int file : files_)
      if (file >= 0) ::close(file);
  }

  void start() {
    if (none()) return;
    before_ = read();
    counting_ = ::prctl(PR_TASK_PERF_EVENTS_ENABLE) == 0;
  }

  std::array<std::optional<double>, counts::kinds> stop() {
    std::array<std::optional<double>, counts::kinds> values{};
    if (none() || !counting_ || ::prctl(PR_TASK_PERF_EVENTS_DISABLE) != 0) return values;
    const auto after = read();
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (!before_[i] || !after[i]) continue;
      const double value = static_cast<double>(after[i]->value - before_[i]->value);
      const double enabled = static_cast<double>(after[i]->enabled - before_[i]->enabled);
      const double running = static_cast<double>(after[i]->running - before_[i]->running);
      if (running > 0) values[i] = value * enabled / running;
    }
    return values;
  }

  bool none() const { return std::all_of(files_.begin(), files_.end(), [](int file) { return file < 0; }); }
  int error() const { return error_; }
  bool has(std::size_t kind) const { return files_[kind] >= 0; }

 private:
  struct reading {
    std::uint64_t value = 0, enabled = 0, running = 0;
  };

  using readings = std::array<std::optional<reading>, counts::kinds>;

  readings read() const {
    readings all{};
    for (std::size_t i = 0; i < events.size(); ++i)
      if (reading now; files_[i] >= 0 && ::read(files_[i], &now, sizeof now) == sizeof now) all[i] = now;
    return all;
  }

  std::array<int, counts::kinds> files_{};
  readings before_{};
  bool counting_ = false;
  int error_ = 0;
};

thread_counters& counters_of_this_thread() {
  static thread_local thread_counters counters;
  return counters;
}

double page_faults_of_this_thread() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return static_cast<double>(usage.ru_minflt + usage.ru_majflt);
}

}  // namespace

counts& counts::operator+=(const counts& more) {
  for (std::size_t i = 0; i < kinds; ++i)
    if (more.values[i]) values[i] = values[i].value_or(0) + *more.values[i];
  page_faults += more.page_faults;
  return *this;
}

counting::counting() { counters_of_this_thread(); }

void counting::start() {
  faults_before_ = page_faults_of_this_thread();
  counters_of_this_thread().start();
}

counts counting::stop() {
  counts result;
  result.values = counters_of_this_thread().stop();
  result.page_faults = page_faults_of_this_thread() - faults_before_;
  return result;
}

std::string available_counters() {
  const thread_counters counters;  // not this thread's own: a forked child would inherit them, and count this process
  if (counters.none()) return std::string("none: perf_event_open says ").append(std::strerror(counters.error()));
  std::string names;
  for (std::size_t i = 0; i < counts::kinds; ++i)
    if (counters.has(i)) names.append(names.empty() ? "" : ",").append(counts::names[i]);
  return names;
}

namespace {

/// The minimum of three attempts, because interruptions only add time.
template <class Step>
double ns_of(Step step) {
  constexpr int steps = 20000;
  double best = 1e300;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < steps; i += 10) {
#pragma GCC unroll 10  // at every level of optimization: a neighbour on the same core slows a branch, not an addition
      for (int unrolled = 0; unrolled < 10; ++unrolled) step();
    }
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count() / steps);
  }
  return best;
}

}  // namespace

// The addend is hidden: some processors add a small constant while renaming, at no cost in time.

double ns_per_addition() {
  std::uint64_t sum = 0;
  const std::uint64_t addend = hide<std::uint64_t>(1);
  const double ns = ns_of([&] { sum = hide(sum + addend); });
  keep(sum);
  return ns;
}

double ns_per_eight_additions() {
  std::uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
  const std::uint64_t addend = hide<std::uint64_t>(1);
  const double ns = ns_of([&] {
    a = hide(a + addend), b = hide(b + addend), c = hide(c + addend), d = hide(d + addend);
    e = hide(e + addend), f = hide(f + addend), g = hide(g + addend), h = hide(h + addend);
  });
  keep(a + b + c + d + e + f + g + h);
  return ns;
}

void core_speed::show(benchmark::State& state) const {
  const core_speed now;
  state.counters["ns_per_addition"] = (addition_ + now.addition_) / 2;
  state.counters["ns_per_eight_additions"] = (eight_ + now.eight_) / 2;
}

measured::~measured() {
  total_ += counting_.stop();
  const auto per_operation = [&](double value) { return benchmark::Counter(value / operations_, benchmark::Counter::kAvgIterations); };
  for (std::size_t i = 0; i < counts::kinds; ++i)
    if (total_.values[i]) state_.counters[counts::names[i]] = per_operation(*total_.values[i]);
  state_.counters["page_faults"] = per_operation(total_.page_faults);
  speed_before_.show(state_);
}

}  // namespace stackheap

// What disturbed the process of a benchmark, and is not seen from outside: was it stopped while it measured, and do threads
// run in it that the benchmark did not start?
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>

namespace stackheap {

/// Notes when child processes are stopped (SIGSTOP, a terminal, a job scheduler) and continued. The system tells this at
/// once, by a signal that the parent waits for: nothing is asked while a child measures.
class stop_watch {
 public:
  /// Blocks SIGCHLD and SIGCONT in this process. Throws std::system_error where the system refuses.
  stop_watch();
  stop_watch(const stop_watch&) = delete;
  stop_watch& operator=(const stop_watch&) = delete;
  ~stop_watch();

  /// For poll(): readable when a child was stopped, continued or has ended.
  int readable() const { return signals_; }
  /// To be called by a new child: its signals are then as those of a process that watches nothing.
  void leave_child() const;

  void add(pid_t child);
  void remove(pid_t child) { children_.erase(child); }
  /// Takes note of what has happened since the last call.
  void look();
  /// Seconds for which this child was stopped, until now. At most so many, where this process was stopped as well: it did
  /// not see when that began.
  double seconds(pid_t child) const;

 private:
  using clock = std::chrono::steady_clock;

  struct notes {
    std::chrono::duration<double> stopped{};
    std::optional<clock::time_point> since;
  };

  sigset_t signals_before_{};
  int signals_ = -1;
  clock::time_point last_look_ = clock::now();
  std::map<pid_t, notes> children_;
};

/// The processor time, in seconds, of all threads of this process but the calling thread; empty where it is alone.
/// A thread that is ending, although it was joined before, does not count. Where a benchmark's own threads have ended,
/// these are the threads of a library, mostly of its malloc. `tasks` is a folder as /proc/self/task.
std::optional<double> seconds_of_other_threads(const std::filesystem::path& tasks = "/proc/self/task");

}  // namespace stackheap

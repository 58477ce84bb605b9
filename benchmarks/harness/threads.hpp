// How do benchmarks use threads? A team works in rounds; a deep thread has a stack of any size.
#pragma once

#include <pthread.h>

#include <barrier>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "measure.hpp"

namespace stackheap {

/// Threads that work in rounds, each pinned to a processor of its own while there are enough. The caller is thread 0,
/// so a team of one starts no thread.
///
/// Google Benchmark's own Threads(n) is not used: version 1.7.1 divides the wall time by n (its issue 1834), while the
/// team measures the time until *all* threads have done their work, counted once.
class team {
 public:
  explicit team(unsigned threads);
  team(const team&) = delete;
  team& operator=(const team&) = delete;
  ~team();

  unsigned size() const { return size_; }

  /// Runs `work(thread)` on all threads at once and returns when all are done. Work must not throw. Throws
  /// std::runtime_error when a thread could not be pinned.
  void round(const std::function<void(unsigned)>& work);

  /// Nanoseconds that a cache line takes from the processor of thread 0 to that of thread 1 or back: the median of three
  /// stretches, together under a millisecond. The host of a virtual machine moves its processors, between cores that share
  /// a cache and cores that do not, for seconds to minutes. Empty where both may share a processor.
  std::optional<double> ns_line_trip();

  /// Starts counting on the other threads; stop_counting() returns the counts.
  void start_counting();
  counts stop_counting();

  /// How often short work is repeated within a round; 0 until it is measured, and constant from then on: Google Benchmark
  /// 1.7.1 aborts when the repetitions of a benchmark differ in their iterations.
  std::int64_t repeats = 0;

 private:
  void serve(unsigned thread);

  unsigned size_;
  std::barrier<> start_;
  std::barrier<> done_;
  const std::function<void(unsigned)>* work_ = nullptr;  ///< null ends the threads; the barriers order it
  std::mutex pinning_;
  std::exception_ptr unpinned_;  ///< set before a thread's first round, so that the barriers order it
  std::vector<std::jthread> others_;
};

/// Times a cache line's trip between the threads of a team when it is made and when it is destroyed, around what is
/// measured between: the counter ns_line_trip is the larger of both.
class line_trips {
 public:
  line_trips(benchmark::State& state, team& threads);
  line_trips(const line_trips&) = delete;
  line_trips& operator=(const line_trips&) = delete;
  ~line_trips();

 private:
  benchmark::State& state_;
  team& threads_;
  std::optional<double> before_;
};

/// Runs a timed loop over rounds of a team. `operations` is the number of operations of each thread in one call of
/// `work`; short work is repeated within a round. The first rounds, for 10 ms, are not timed: until then a processor that
/// waited may be slow to wake, and a malloc may not have shared its memory out. The reported time is that of one operation of
/// one thread while all threads work: a time that does not grow with the threads is ideal scaling.
void measure_rounds(benchmark::State& state, team& threads, std::int64_t operations,
                    const std::function<void(unsigned)>& work);

/// A thread whose stack holds a block of `held_bytes` for as long as this object lives, with room below it for
/// `room_bytes` more. Work runs on that thread, on the processor of the thread that made it.
class deep_thread {
 public:
  /// Throws std::system_error when the system refuses such a stack.
  deep_thread(std::size_t held_bytes, std::size_t room_bytes);
  deep_thread(const deep_thread&) = delete;
  deep_thread& operator=(const deep_thread&) = delete;
  ~deep_thread();

  std::byte* held() const { return held_; }  ///< aligned to 4 KiB
  /// Runs `work` on that thread and waits for it; its exceptions are thrown here.
  void run(const std::function<void()>& work);

 private:
  static void* enter(void* self);
  void serve(std::byte* held);

  std::size_t held_bytes_;
  std::byte* held_ = nullptr;
  pthread_t thread_{};
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* work_ = nullptr;
  std::exception_ptr thrown_;
  bool ending_ = false;
};

/// Room for `bytes` more of stack: on the thread that makes this object if it has that room, else on a deep thread, which
/// keeps the pages of its stack as long as this object lives.
class stack_room {
 public:
  /// Throws std::system_error when the system refuses such a stack.
  explicit stack_room(std::size_t bytes);
  /// Runs `work` there; its exceptions are thrown here.
  void run(const std::function<void()>& work);

 private:
  std::optional<deep_thread> deep_;
};

}  // namespace stackheap

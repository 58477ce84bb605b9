// Is a stop of a child noticed, and the processor time of threads that a benchmark did not start?
#include "disturbance.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>

namespace stackheap {
namespace {

/// A process that waits for its end.
class waiting_child {
 public:
  explicit waiting_child(const stop_watch& watch) : process_(::fork()) {
    if (process_ != 0) return;
    watch.leave_child();
    for (;;) ::pause();
  }
  ~waiting_child() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  pid_t process() const { return process_; }

 private:
  pid_t process_;
};

void wait_for(const stop_watch& watch) {
  pollfd waiting{watch.readable(), POLLIN, 0};
  ASSERT_EQ(::poll(&waiting, 1, 60'000), 1);
}

TEST(stop_watch, adds_up_the_stops_of_a_child) {
  stop_watch watch;
  const waiting_child child(watch), other(watch);
  watch.add(child.process()), watch.add(other.process());
  double before = 0;
  for (int stop = 0; stop < 2; ++stop) {
    ::kill(child.process(), SIGSTOP);
    wait_for(watch);
    watch.look();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_GE(watch.seconds(child.process()), before + 0.02) << "while it is stopped";
    ::kill(child.process(), SIGCONT);
    wait_for(watch);
    watch.look();
    const double after = watch.seconds(child.process());
    EXPECT_GE(after, before + 0.02);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(watch.seconds(child.process()), after) << "it runs again";
    before = after;
  }
  EXPECT_EQ(watch.seconds(other.process()), 0.0);
}

TEST(stop_watch, a_child_that_is_stopped_before_it_is_watched_counts) {
  stop_watch watch;
  const waiting_child child(watch);
  ::kill(child.process(), SIGSTOP);
  wait_for(watch);
  watch.add(child.process());
  ::kill(child.process(), SIGCONT);
  wait_for(watch);
  watch.look();
  EXPECT_GT(watch.seconds(child.process()), 0.0);
}

TEST(stop_watch, a_stop_that_it_could_not_see_lasted_since_it_looked_last) {
  stop_watch watch;
  const waiting_child child(watch);
  watch.add(child.process());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ::raise(SIGCONT);  // as if this process had been stopped as well
  ::kill(child.process(), SIGSTOP);
  siginfo_t change{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.process()), &change, WSTOPPED | WNOWAIT), 0);
  watch.look();
  EXPECT_GE(watch.seconds(child.process()), 0.02);
}

TEST(stop_watch, signals_are_as_before_when_it_ends) {
  sigset_t before, during, after;
  ::sigprocmask(SIG_BLOCK, nullptr, &before);
  {
    const stop_watch watch;
    ::sigprocmask(SIG_BLOCK, nullptr, &during);
  }
  ::sigprocmask(SIG_BLOCK, nullptr, &after);
  for (const int signal : {SIGCHLD, SIGCONT, SIGINT}) {
    EXPECT_EQ(::sigismember(&during, signal), signal != SIGINT);
    EXPECT_EQ(::sigismember(&after, signal), ::sigismember(&before, signal));
  }
}

#if !defined(__SANITIZE_THREAD__)  // it has a thread of its own
TEST(other_threads, their_processor_time_counts_until_they_end) {
  constexpr double wanted = 0.03;
  EXPECT_EQ(seconds_of_other_threads(), std::nullopt);
  std::atomic<bool> burnt = false, done = false;
  std::thread worker([&] {
    timespec used{};
    while (static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec) < wanted)
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    burnt = true;
    burnt.notify_one();
    done.wait(false);
  });
  burnt.wait(false);
  EXPECT_GE(seconds_of_other_threads().value_or(0), 0.9 * wanted);
  done = true;
  done.notify_one();
  worker.join();
  EXPECT_EQ(seconds_of_other_threads(), std::nullopt) << "joined, whether or not the kernel still lists it";
}
#endif

TEST(other_threads, are_read_as_the_kernel_writes_them) {
  namespace fs = std::filesystem;
  const fs::path tasks = fs::path(testing::TempDir()) / ("tasks." + std::to_string(::getpid()));
  const auto write = [&](const std::string& task, const char* file, const std::string& text) {
    fs::create_directories(tasks / task);
    std::ofstream(tasks / task / file) << text << '\n';
  };
  const std::string ticks = std::to_string(2 * ::sysconf(_SC_CLK_TCK));
  write("1", "stat", "1 (a) b) R 1 1 1 0 -1 4194304 0 0 0 0 " + ticks + " 0 0 0 20 0");
  EXPECT_EQ(seconds_of_other_threads(tasks), 2.0) << "in ticks, where nothing finer is known";
  write("1", "schedstat", "1500000000 7 8");
  EXPECT_EQ(seconds_of_other_threads(tasks), 1.5);
  write("2", "stat", "2 (ending) R 1 1 1 0 -1 4194308 0 0 0 0 " + ticks + " 0 0 0 20 0");
  write("2", "schedstat", "9000000000 7 8");
  EXPECT_EQ(seconds_of_other_threads(tasks), 1.5) << "a thread that ends";
  write("3", "stat", "3 (cut");
  EXPECT_EQ(seconds_of_other_threads(tasks), 1.5);
  EXPECT_EQ(seconds_of_other_threads(tasks / "none"), std::nullopt);
  fs::remove_all(tasks);
}

}  // namespace
}  // namespace stackheap

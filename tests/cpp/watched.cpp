// Does code that hangs, prints, ends its process or leaves others behind do this program no harm?
#include "watched.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace stackheap {
namespace {

constexpr std::chrono::milliseconds enough{20'000}, little{100};

[[noreturn]] void hang() {
  for (;;) ::pause();
}

watched_end only(const std::function<void(answer&)>& work, std::chrono::milliseconds patience = enough) {
  return watch({work}, patience).front();
}

/// Leaves a process in a session of its own that ignores what can be ignored, and has every file open.
void leave_daemon() {
  if (::fork() != 0) return;
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  for (int number = 1; number < 32; ++number) std::signal(number, SIG_IGN);
  hang();
}

/// Does the work in a process that is the parent of all orphans; whether it ended as the work says, and no child of it is
/// left.
bool leaves_nobody(const std::function<bool()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    adopt_orphans();
    const bool well = work();
    ::_exit(well && ::waitpid(-1, nullptr, WNOHANG) < 0 ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

TEST(watched, an_answer_is_what_was_sent_until_the_end) {
  const watched_end end = only([](answer& told) {
    told.send("one "), told.send(std::string("two\0", 4));
    std::exit(0);
  });
  EXPECT_EQ(end.answer, std::string("one two\0", 8));
  EXPECT_EQ(end.fault, "");
}

TEST(watched, an_answer_that_is_too_long_is_cut_off) {
  const watched_end end = only([](answer& told) {
    for (int i = 0; i < 1000; ++i) told.send(std::string(1000, 'x'));
    std::exit(0);
  });
  EXPECT_EQ(end.fault, "");
  EXPECT_GT(end.answer.size(), std::size_t{60'000});
  EXPECT_LT(end.answer.size(), std::size_t{70'000});
}

TEST(error_stream, the_line_that_names_an_error_is_the_cause) {
  const auto cause = [](std::string_view words) {
    error_stream errors;
    EXPECT_EQ(::write(errors.writable(), words.data(), words.size()), static_cast<ssize_t>(words.size()));
    EXPECT_EQ(errors.read(), words);
    return errors.quoted_cause();
  };
  EXPECT_EQ(cause(""), "");
  EXPECT_EQ(cause("\n\n"), "");
  EXPECT_EQ(cause("free(): invalid pointer\n"), " (\"free(): invalid pointer\")");
  EXPECT_EQ(cause("***WARNING*** Library was built as DEBUG\n"), "");
  EXPECT_EQ(cause("***WARNING*** Library was built as DEBUG\nno memory map\n"), " (\"no memory map\")");
  EXPECT_EQ(cause("no memory map\nlibx.so: Warning: that is all\n"), " (\"no memory map\")");
  EXPECT_EQ(cause("<jemalloc>: Error in munmap(): Invalid argument\nframe 1\nframe 2\n"),
            " (\"<jemalloc>: Error in munmap(): Invalid argument\")");
  EXPECT_EQ(cause("a.c:7: f: Assertion `0' failed.\nbye"), " (\"a.c:7: f: Assertion `0' failed.\")");
  EXPECT_EQ(cause("==7==ERROR: AddressSanitizer: attempting free\n    #0 0x1 in free\n==7==ABORTING\n"),
            " (\"==7==ERROR: AddressSanitizer: attempting free\")");
  EXPECT_EQ(cause(std::string(4000, 'x')), " (\"" + std::string(200, 'x') + "\")");
}

TEST(error_stream, a_stream_that_has_ended_or_never_ends_is_read) {
  error_stream errors;
  const pid_t writer = ::fork();
  if (writer == 0)
    for (;;) ::write(errors.writable(), "again and again\n", 16) < 0 ? ::usleep(10) : 0;
  errors.close_writable();
  for (int turn = 0; turn < 100; ++turn) EXPECT_LE(errors.read().size(), std::size_t{100'000});
  EXPECT_GE(errors.readable(), 0);
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  while (!errors.read().empty()) {}
  EXPECT_LT(errors.readable(), 0);
  EXPECT_EQ(errors.read(), "");
}

TEST(time_limit, only_the_time_for_which_this_process_runs_passes) {
  using std::chrono::milliseconds;
  const time_limit::clock::time_point begun{};
  time_limit limit(milliseconds(2500), begun);
  EXPECT_EQ(limit.left(begun + milliseconds(400)), milliseconds(2100));
  EXPECT_EQ(limit.left(begun + std::chrono::hours(1)), milliseconds(1100));  // it was stopped meanwhile
  EXPECT_EQ(limit.left(begun + std::chrono::hours(1) + milliseconds(1000)), milliseconds(100));
  EXPECT_LE(limit.left(begun + std::chrono::hours(2)).count(), 0);
}

TEST(watched, all_files_may_be_closed) {
  const watched_end end = only([](answer& told) {
    for (int file = 0; file < 1000; ++file) ::close(file);
    told.send("still there");
    std::exit(0);
  });
  EXPECT_EQ(end.answer, "still there");
}

TEST(watched, what_is_printed_goes_nowhere_and_the_end_of_the_errors_is_kept) {
  testing::internal::CaptureStdout();
  const watched_end end = only([](answer& told) {
    char text[8];
    for (int i = 0; i < 100'000; ++i) std::puts("a banner of a debug build");
    for (int i = 0; i < 10'000; ++i) std::fputs("more words\n", stderr);
    while (::write(STDERR_FILENO, "last words\n", 11) < 0) ::usleep(100);  // until its parent has read
    told.send(::read(STDIN_FILENO, text, sizeof text) == 0 ? "no input" : "input");
    std::exit(0);
  });
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(end.cause, " (\"last words\")");
  EXPECT_EQ(end.answer, "no input");
}

TEST(watched, every_end_has_its_words) {
  EXPECT_EQ(only([](answer&) { std::abort(); }).fault, "it died of Aborted");
  EXPECT_EQ(only([](answer&) { std::exit(3); }).fault, "it ended the process");
  EXPECT_EQ(only([](answer&) { ::_exit(0); }).fault, "");
  EXPECT_EQ(only([](answer&) { std::quick_exit(0); }).fault, "");
  EXPECT_EQ(only([](answer&) { ::kill(0, SIGTERM), hang(); }).fault, "it died of Terminated");
  const watched_end thrown = only([](answer&) { throw std::runtime_error("no memory left"); });
  EXPECT_EQ(thrown.fault, "it ended the process");
  EXPECT_EQ(thrown.cause, " (\"no memory left\")");
}

TEST(watched, nothing_that_a_process_does_to_its_signals_lets_it_live_on) {
  const std::vector<std::function<void(answer&)>> works{
      [](answer&) { hang(); },
      [](answer&) {
        for (int number = 1; number < 65; ++number) std::signal(number, SIG_IGN);
        hang();
      },
      [](answer&) {
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, nullptr);
        hang();
      },
      [](answer&) { std::raise(SIGSTOP); },
      [](answer& told) { told.send("well"), std::exit(0); },
  };
  const auto begun = std::chrono::steady_clock::now();
  const std::vector<watched_end> ends = watch(works, little);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(ends[i].fault, "it hung for 1 s") << i;
  EXPECT_EQ(ends[3].fault, "it stopped its process for 1 s");
  EXPECT_EQ(ends[4].answer, "well");
  EXPECT_EQ(ends[4].fault, "");
}

TEST(watched, what_a_process_forks_ends_with_it) {
  int alive[2];
  ASSERT_EQ(::pipe(alive), 0);
  const watched_end end = only([](answer& told) {
    if (::fork() == 0) hang();
    told.send("well"), std::exit(0);
  });
  EXPECT_EQ(end.answer, "well");
  EXPECT_EQ(end.fault, "");
  ::close(alive[1]);
  char text;
  EXPECT_EQ(::read(alive[0], &text, 1), 0);  // the end of the pipe, which the forked process had open too
  ::close(alive[0]);
}

TEST(watched, a_daemon_is_found_in_whatever_session) {
  EXPECT_TRUE(leaves_nobody([] {
    const watched_end end = only([](answer& told) {
      for (int i = 0; i < 20; ++i) leave_daemon();
      told.send("well"), std::exit(0);
    });
    return end.answer == "well" && end.fault.empty();
  }));
  EXPECT_TRUE(leaves_nobody([] { return only([](answer&) { leave_daemon(), hang(); }, little).fault == "it hung for 1 s"; }));
}

TEST(watched, a_process_that_had_children_before_ends_no_child) {
  const pid_t child = ::fork();
  if (child == 0) {
    const pid_t before = ::fork();
    if (before == 0) hang();
    adopt_orphans();
    end_children();
    const bool lives = ::waitpid(before, nullptr, WNOHANG) == 0;
    ::kill(before, SIGKILL);
    ::_exit(lives ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(watched, a_signal_that_ends_a_process_ends_its_children_too) {
  int alive[2];
  ASSERT_EQ(::pipe(alive), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    adopt_orphans();
    if (::fork() == 0) leave_daemon(), hang();
    leave_daemon();
    ::usleep(10'000);
    std::raise(SIGTERM);
    hang();
  }
  ::close(alive[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  char text;
  EXPECT_EQ(::read(alive[0], &text, 1), 0);
  ::close(alive[0]);
}

}  // namespace
}  // namespace stackheap

// What does a program cost, run once? Starts it in a session of its own, waits for it and for every process that it left,
// and writes a line of figures.
//
//   observe --report=FD [--stdin=FILE] [--set=NAME=VALUE]... FILE WORD...
//
// FILE is run with the words as its arguments, the first of them its own name. CPU time and faults are those of the whole
// tree: wait4 counts a process with the children that it waited for, and this process is the reaper of all orphans. Not
// counted are children whose parent ignores SIGCHLD: the kernel does not count them for anyone. The peak of the resident
// memory is that of the largest single process.
//
// It is a program of its own, and small, because the kernel counts the memory that a process had before exec as part of its
// peak: a program that is started by a large process would seem as large.
//
// SIGTERM, SIGINT or SIGHUP, or the end of the process that started it: kills all, and reports what was used until then.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

#include "children.hpp"

namespace {

constexpr long long ns_per_second = 1'000'000'000;
constexpr long long grace_ns = ns_per_second / 10;       // for processes that end shortly after the program
constexpr long long most_killing_ns = 5 * ns_per_second;  // what lives on then belongs to another user

long long now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * ns_per_second + time.tv_nsec;
}

/// What all processes used that have ended so far.
struct usage {
  long long user_us = 0, system_us = 0, peak_kib = 0, minor_faults = 0, major_faults = 0, switches = 0;

  void add(const rusage& of) {
    user_us += of.ru_utime.tv_sec * 1'000'000LL + of.ru_utime.tv_usec;
    system_us += of.ru_stime.tv_sec * 1'000'000LL + of.ru_stime.tv_usec;
    peak_kib = of.ru_maxrss > peak_kib ? of.ru_maxrss : peak_kib;
    minor_faults += of.ru_minflt;
    major_faults += of.ru_majflt;
    switches += of.ru_nivcsw;
  }
};

struct tree {
  pid_t program = 0;
  long long begun_ns = 0, ended_ns = 0;  // 0: it runs
  int status = 0;
  usage used;
  int left_behind = 0;  // processes that had to be killed after the program's end
  long long stopped_ns = 0, stopped_since_ns = 0;  // 0: it is not stopped

  /// Notes when the program is stopped (SIGSTOP, a terminal, a job scheduler) and continued.
  void look_for_stops() {
    siginfo_t change{};
    const auto changed = [&] { return waitid(P_PID, static_cast<id_t>(program), &change, WSTOPPED | WCONTINUED | WNOHANG) == 0; };
    while (ended_ns == 0 && changed() && change.si_pid != 0) {
      if (change.si_code == CLD_CONTINUED) go_on();
      else if (stopped_since_ns == 0) stopped_since_ns = now_ns();
      change = {};
    }
  }

  void go_on() {
    if (stopped_since_ns != 0) stopped_ns += now_ns() - stopped_since_ns;
    stopped_since_ns = 0;
  }

  /// Reaps what has ended. Returns whether any process is left.
  bool reap(bool killing) {
    for (;;) {
      rusage of{};
      int state = 0;
      const pid_t ended = wait4(-1, &state, WNOHANG, &of);
      if (ended <= 0) return ended == 0;
      used.add(of);
      if (ended != program) {
        left_behind += killing;
        continue;
      }
      ended_ns = now_ns();
      go_on();
      status = state;
    }
  }
};

/// Waits for a signal of the set; false after the time.
bool wait_for_signal(const sigset_t& signals, long long ns, int& number) {
  const timespec time{ns / ns_per_second, ns % ns_per_second};
  number = ns < 0 ? sigwaitinfo(&signals, nullptr) : sigtimedwait(&signals, nullptr, &time);
  return number > 0;
}

/// Kills until no process is left. Returns whether it succeeded.
bool kill_all(tree& processes, const sigset_t& signals) {
  const long long begun = now_ns();
  const bool left_behind = processes.ended_ns != 0;
  for (long long wait = 1'000'000; now_ns() - begun < most_killing_ns; wait = wait < 50'000'000 ? 2 * wait : wait) {
    if (processes.ended_ns == 0) kill(-processes.program, SIGKILL);
    stackheap::kill_children();  // the children of a killed process become children of this process in turn
    int ignored = 0;
    wait_for_signal(signals, wait, ignored);
    if (!processes.reap(left_behind)) return true;
  }
  return false;
}

/// Whether a file that the kernel cannot start is a script without a first line that names its interpreter.
bool is_text(const char* file) {
  char start[256];
  const int opened = open(file, O_RDONLY | O_CLOEXEC);
  const ssize_t size = opened < 0 ? -1 : read(opened, start, sizeof start);
  close(opened);
  return size > 0 && std::memchr(start, '\0', static_cast<std::size_t>(size)) == nullptr;
}

[[noreturn]] void become(const char* file, char** words, int input, char** settings, const sigset_t& mask, int errors) {
  setsid();  // without a terminal, and a group that can be killed as a whole
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (dup2(input, STDIN_FILENO) < 0) _exit(127);
  for (char** setting = settings; *setting != nullptr; ++setting) putenv(*setting);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  execv(file, words);
  const int reason = errno;
  if (reason == ENOEXEC && is_text(file)) {  // as every shell does
    const char shell[] = "/bin/sh";
    words[-1] = const_cast<char*>(shell);  // the place of FILE
    words[0] = const_cast<char*>(file);
    execv(shell, words - 1);
  }
  const ssize_t written = write(errors, &reason, sizeof reason);
  _exit(written == sizeof reason ? 127 : 126);
}

[[noreturn]] void refuse(int report, const char* what, int reason) {
  dprintf(report, "refused=%s: %s\n", what, std::strerror(reason));
  std::_Exit(2);
}

}  // namespace

int main(int count, char** words) {
  const char* input_file = "/dev/null";
  int report = STDERR_FILENO, at = 1, settings_count = 0;
  char** const settings = static_cast<char**>(std::calloc(static_cast<std::size_t>(count) + 1, sizeof(char*)));
  if (settings == nullptr) return 2;
  for (; at < count && std::strncmp(words[at], "--", 2) == 0; ++at) {
    char* const option = words[at] + 2;
    if (std::strncmp(option, "report=", 7) == 0) report = std::atoi(option + 7);
    else if (std::strncmp(option, "stdin=", 6) == 0) input_file = option + 6;
    else if (std::strncmp(option, "set=", 4) == 0) settings[settings_count++] = option + 4;
    else refuse(report, option, EINVAL);
  }
  if (count - at < 2) refuse(report, "a file and its words are needed", EINVAL);
  fcntl(report, F_SETFD, FD_CLOEXEC);

  const pid_t starter = getppid();
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) refuse(report, "prctl", errno);
  signal(SIGCHLD, SIG_DFL);  // where it is ignored, no process can be waited for
  sigset_t signals, mask;
  sigemptyset(&signals);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  sigprocmask(SIG_BLOCK, &signals, &mask);
  if (getppid() != starter) return 2;  // it ended before it could be waited for

  const int input = open(input_file, O_RDONLY | O_CLOEXEC);
  if (input < 0) refuse(report, input_file, errno);
  int errors[2];
  if (pipe2(errors, O_CLOEXEC) != 0) refuse(report, "pipe", errno);

  tree processes;
  processes.begun_ns = now_ns();
  processes.program = fork();
  if (processes.program < 0) refuse(report, "fork", errno);
  if (processes.program == 0) become(words[at], words + at + 1, input, settings, mask, errors[1]);
  close(errors[1]);
  close(input);
  int reason = 0;
  if (read(errors[0], &reason, sizeof reason) == sizeof reason) {
    waitpid(processes.program, nullptr, 0);
    refuse(report, words[at], reason);
  }

  bool killed = false, alive = true, cleared = true;
  while (alive) {
    int number = 0;
    const long long limit = processes.ended_ns == 0 ? -1 : processes.ended_ns + grace_ns - now_ns();
    const bool signalled = processes.ended_ns != 0 && limit <= 0 ? false : wait_for_signal(signals, limit, number);
    processes.look_for_stops();
    alive = processes.reap(false);
    killed = killed || (signalled && number != SIGCHLD);
    if (alive && (killed || (!signalled && processes.ended_ns != 0))) {
      cleared = kill_all(processes, signals);
      break;
    }
  }
  const usage& used = processes.used;
  dprintf(report,
          "process=%d status=%d killed=%d cleared=%d left_behind=%d wall_ns=%lld stopped_ns=%lld user_us=%lld "
          "system_us=%lld peak_kib=%lld minor_faults=%lld major_faults=%lld switches=%lld\n",
          processes.program, processes.status, killed, cleared, processes.left_behind,
          (processes.ended_ns != 0 ? processes.ended_ns : now_ns()) - processes.begun_ns, processes.stopped_ns,
          used.user_us, used.system_us, used.peak_kib, used.minor_faults, used.major_faults, used.switches);
  return 0;
}

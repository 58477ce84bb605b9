#include "disturbance.hpp"

#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace stackheap {

stop_watch::stop_watch() {
  std::signal(SIGCHLD, SIG_DFL);  // where it is ignored, the system would reap the children
  sigset_t watched;
  ::sigemptyset(&watched);
  ::sigaddset(&watched, SIGCHLD);
  ::sigaddset(&watched, SIGCONT);  // tells that this process itself was stopped
  if (::sigprocmask(SIG_BLOCK, &watched, &signals_before_) != 0)
    throw std::system_error(errno, std::generic_category(), "signals cannot be blocked");
  signals_ = ::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) throw std::system_error(errno, std::generic_category(), "signals cannot be read");
}

stop_watch::~stop_watch() {
  ::close(signals_);
  leave_child();
}

void stop_watch::leave_child() const { ::sigprocmask(SIG_SETMASK, &signals_before_, nullptr); }

void stop_watch::add(pid_t child) {
  children_[child] = {};
  look();  // it may have been stopped already
}

void stop_watch::look() {
  bool was_stopped = false;
  for (signalfd_siginfo signal; ::read(signals_, &signal, sizeof signal) == sizeof signal;)
    was_stopped = was_stopped || signal.ssi_signo == SIGCONT;
  const clock::time_point now = clock::now();
  const clock::time_point began = was_stopped ? last_look_ : now;
  last_look_ = now;
  for (auto& [child, noted] : children_) {
    siginfo_t change{};
    while (::waitid(P_PID, static_cast<id_t>(child), &change, WSTOPPED | WCONTINUED | WNOHANG) == 0 && change.si_pid != 0) {
      if (change.si_code != CLD_CONTINUED) {
        if (!noted.since) noted.since = began;
      } else {
        noted.stopped += now - noted.since.value_or(began);
        noted.since.reset();
      }
      change = {};
    }
  }
}

double stop_watch::seconds(pid_t child) const {
  const notes& noted = children_.at(child);
  const std::chrono::duration<double> open = noted.since ? clock::now() - *noted.since : clock::duration{};
  return (noted.stopped + open).count();
}

namespace {

std::string line_of(const std::filesystem::path& file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

/// The processor time of a thread in seconds; empty where it is ending.
std::optional<double> seconds_of_thread(const std::filesystem::path& task) {
  const std::string stat = line_of(task / "stat");  // number (name) state ..., see proc(5)
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream words(stat.substr(name_end + 1));
  std::string skipped;
  unsigned long flags = 0, user_ticks = 0, system_ticks = 0;
  for (int i = 0; i < 6; ++i) words >> skipped;
  words >> flags;
  for (int i = 0; i < 4; ++i) words >> skipped;
  words >> user_ticks >> system_ticks;
  constexpr unsigned long ending = 4;  // PF_EXITING: the kernel sets it before it wakes who joins the thread
  if (!words || (flags & ending) != 0) return {};
  std::istringstream precise(line_of(task / "schedstat"));
  if (double ns = 0; precise >> ns) return ns * 1e-9;
  return static_cast<double>(user_ticks + system_ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace

std::optional<double> seconds_of_other_threads(const std::filesystem::path& tasks) {
  std::optional<double> sum;
  std::error_code ignored;
  const std::string own = std::to_string(::gettid());
  for (std::filesystem::directory_iterator at(tasks, ignored), end; !ignored && at != end; at.increment(ignored))
    if (at->path().filename() != own)
      if (const auto seconds = seconds_of_thread(at->path())) sum = sum.value_or(0) + *seconds;
  return sum;
}

}  // namespace stackheap

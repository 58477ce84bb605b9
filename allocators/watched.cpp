#include "watched.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <regex>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "children.hpp"

namespace stackheap {
namespace {

constexpr int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

bool adopts = false;

/// Whether this process has any child, ended or not.
bool has_children() {
  siginfo_t ignored{};
  return ::waitid(P_ALL, 0, &ignored, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// Kills until no child is left: the children of a killed process become children of this process in turn. It gives up
/// after some seconds, as a process of another user cannot be killed.
void kill_all_children() {
  constexpr timespec wait{0, 1'000'000};
  constexpr int most_turns = 3000;
  for (int turn = 0; turn < most_turns && has_children(); ++turn) {
    kill_children();
    ::nanosleep(&wait, nullptr);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
  }
}

extern "C" void end_with_children(int number) {
  kill_all_children();
  std::signal(number, SIG_DFL);
  std::raise(number);  // takes effect when this handler returns
}

/// A watched process, and what is known of it.
struct watched {
  answer told;
  watched_end end;
  pid_t process = -1;
  std::unique_ptr<error_stream> errors;  ///< null: no process was started
  bool runs = false;
};

void start(watched& work, const std::function<void(answer&)>& does) {
  try {
    work.errors = std::make_unique<error_stream>();
  } catch (const std::system_error& error) {
    work.end.fault = error.what();
    return;
  }
  const pid_t parent = ::getpid();
  work.process = ::fork();
  if (work.process == 0) {
    leave_group(parent);
    ::dup2(work.errors->writable(), STDERR_FILENO);
    silence();
    try {
      does(work.told);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(1);
  }
  if (work.process < 0) work.end.fault = std::string("no process can be started: ") + std::strerror(errno);
  work.runs = work.process > 0;
  if (work.runs) ::setpgid(work.process, work.process);  // whoever comes first
  work.errors->close_writable();
}

bool is_stopped(pid_t process) {
  siginfo_t change{};
  return ::waitid(P_PID, static_cast<id_t>(process), &change, WSTOPPED | WNOHANG | WNOWAIT) == 0 && change.si_pid != 0;
}

std::string fault_of(int status) {
  if (WIFSIGNALED(status)) return std::string("it died of ") + ::strsignal(WTERMSIG(status));
  return status == 0 ? "" : "it ended the process";
}

void finish(watched& work, std::chrono::milliseconds patience) {
  if (work.process > 0) {
    const std::string waited = " for " + std::to_string(std::chrono::ceil<std::chrono::seconds>(patience).count()) + " s";
    if (work.runs) work.end.fault = (is_stopped(work.process) ? "it stopped its process" : "it hung") + waited;
    if (work.runs) ::kill(work.process, SIGKILL);
    const int status = end_group(work.process);
    if (!work.runs) work.end.fault = fault_of(status);
  }
  if (work.errors) work.errors->read(), work.end.cause = work.errors->quoted_cause();
  work.end.answer = work.told.text();
}

}  // namespace

struct answer::board {
  std::atomic<std::size_t> bytes;
  char text[(std::size_t{64} << 10) - sizeof bytes];
};

answer::answer() {
  void* const memory = ::mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "no memory for the answer of a process");
  shared_.reset(static_cast<board*>(memory), [](board* mapped) { ::munmap(mapped, sizeof(board)); });
}

void answer::send(std::string_view text) {
  const std::size_t at = std::min<std::size_t>(shared_->bytes, sizeof shared_->text);
  const std::size_t fits = std::min(text.size(), sizeof shared_->text - at);
  std::memcpy(shared_->text + at, text.data(), fits);
  shared_->bytes = at + fits;
}

std::string answer::text() const { return {shared_->text, std::min<std::size_t>(shared_->bytes, sizeof shared_->text)}; }

error_stream::error_stream() {
  if (::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0) throw std::system_error(errno, std::generic_category(), "no pipe can be made");
}

error_stream::~error_stream() {
  close_writable();
  if (ends_[0] >= 0) ::close(ends_[0]);
}

void error_stream::close_writable() {
  if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
}

std::string error_stream::read() {
  constexpr std::size_t kept = 4096, most = 16 * kept;  // a process may write without end
  std::string come;
  char buffer[kept];
  ssize_t bytes = 0;
  while (ends_[0] >= 0 && come.size() < most && (bytes = ::read(ends_[0], buffer, sizeof buffer)) > 0)
    come.append(buffer, static_cast<std::size_t>(bytes));
  if (bytes == 0 && ends_[0] >= 0 && come.size() < most) ::close(std::exchange(ends_[0], -1));
  last_ += come;
  if (last_.size() > kept) last_.erase(0, last_.size() - kept);
  return come;
}

std::string error_stream::quoted_cause() const {
  constexpr std::size_t longest = 200;  // bytes; std::regex needs a stack for each
  static const std::regex noise(R"((\S+: )?\W*(warning|note|hint|info|debug)\b.*|[-=\s]+|[=\s]*==\d+==\s*(aborting)?)",
                                std::regex::icase);
  static const std::regex error(R"((.*\b)?(fatal|error|exception|panicked at)\b.*:.*|.*\bassertion\b.*\bfailed\b.*)",
                                std::regex::icase);
  std::string last, last_error;
  std::istringstream lines(last_);
  for (std::string line; std::getline(lines, line);) {
    line.resize(std::min(line.size(), longest));
    if (line.empty() || std::regex_match(line, noise)) continue;
    if (std::regex_match(line, error)) last_error = line;
    last = line;
  }
  const std::string& cause = last_error.empty() ? last : last_error;
  return cause.empty() ? "" : " (\"" + cause + "\")";
}

std::chrono::milliseconds time_limit::left(clock::time_point now) {
  left_ -= std::min<clock::duration>(now - std::exchange(last_, now), step);
  return std::chrono::ceil<std::chrono::milliseconds>(left_);
}

std::vector<watched_end> watch(const std::vector<std::function<void(answer&)>>& works, std::chrono::milliseconds patience) {
  std::fflush(nullptr);  // otherwise a child's exit writes buffered text a second time
  time_limit limit(patience);
  std::vector<watched> all(works.size());
  for (std::size_t i = 0; i < works.size(); ++i) start(all[i], works[i]);
  const auto still_runs = [](watched& work) {
    if (work.errors) work.errors->read();
    return work.runs = work.runs && !has_ended(work.process);
  };
  while (std::count_if(all.begin(), all.end(), still_runs) > 0 && limit.left().count() > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::vector<watched_end> ends;
  for (watched& work : all) {
    finish(work, patience);
    ends.push_back(std::move(work.end));
  }
  end_children();
  return ends;
}

void leave_group(pid_t parent) {
  ::setpgid(0, 0);
  for (const int number : ending_signals)
    if (std::signal(number, SIG_DFL) == SIG_IGN) std::signal(number, SIG_IGN);  // as under nohup
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(3);
}

void silence() {
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(nowhere, STDIN_FILENO);
  ::dup2(nowhere, STDOUT_FILENO);
  if (nowhere > STDERR_FILENO) ::close(nowhere);
}

bool has_ended(pid_t process) {
  siginfo_t end{};
  return ::waitid(P_PID, static_cast<id_t>(process), &end, WEXITED | WNOHANG | WNOWAIT) != 0 || end.si_pid != 0;
}

int end_group(pid_t process) {
  siginfo_t ignored{};
  while (::waitid(P_PID, static_cast<id_t>(process), &ignored, WEXITED | WNOWAIT) < 0 && errno == EINTR) {}
  ::kill(-process, SIGKILL);  // before its number is free for another process
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

void adopt_orphans() {
  if (has_children()) return;
  std::signal(SIGCHLD, SIG_DFL);  // where it is ignored, no process can be waited for
  adopts = ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
  for (const int number : ending_signals)
    if (std::signal(number, end_with_children) == SIG_IGN) std::signal(number, SIG_IGN);
}

void end_children() {
  if (adopts) kill_all_children();
}

}  // namespace stackheap

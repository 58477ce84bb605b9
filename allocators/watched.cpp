#include "watched.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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
#include <system_error>
#include <thread>

namespace stackheap {
namespace {

constexpr int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

bool adopts = false;

/// Whether this process has any child, ended or not.
bool has_children() {
  siginfo_t ignored{};
  return ::waitid(P_ALL, 0, &ignored, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// The number at the start of a text; 0 where there is none.
pid_t number_at(const char* text) {
  pid_t number = 0;
  for (; *text >= '0' && *text <= '9'; ++text) number = 10 * number + (*text - '0');
  return number;
}

/// The parent of a process; 0 where it has ended.
pid_t parent_of(const char* process) {
  char file[64] = "/proc/", text[512];
  std::strncat(file, process, 16);
  std::strcat(file, "/stat");
  const int stat = ::open(file, O_RDONLY | O_CLOEXEC);
  if (stat < 0) return 0;
  const ssize_t size = ::read(stat, text, sizeof text - 1);
  ::close(stat);
  text[size > 0 ? size : 0] = '\0';
  const char* const name_end = std::strrchr(text, ')');  // the name may contain anything
  return name_end != nullptr && std::strlen(name_end) > 4 ? number_at(name_end + 4) : 0;  // ") S 1234 ..."
}

/// Kills every child of this process. A signal's handler may call it: it takes no memory.
void kill_children() {
  struct entry {  // of the kernel's getdents64
    std::uint64_t number;
    std::int64_t offset;
    unsigned short bytes;
    unsigned char type;
    char name[1];
  };
  const int processes = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (processes < 0) return;
  const pid_t self = ::getpid();
  alignas(entry) char buffer[4096];
  for (long size; (size = ::syscall(SYS_getdents64, processes, buffer, sizeof buffer)) > 0;)
    for (long at = 0; at < size; at += reinterpret_cast<entry*>(buffer + at)->bytes) {
      const char* const name = reinterpret_cast<entry*>(buffer + at)->name;
      if (const pid_t process = number_at(name); process > 0 && parent_of(name) == self) ::kill(process, SIGKILL);
    }
  ::close(processes);
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
  int words = -1;  ///< to be read: its stream of errors
  bool runs = false;
};

void start(watched& work, const std::function<void(answer&)>& does) {
  int words[2];
  if (::pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0) {
    work.end.fault = std::string("no pipe can be made: ") + std::strerror(errno);
    return;
  }
  const pid_t parent = ::getpid();
  work.process = ::fork();
  if (work.process == 0) {
    leave_group(parent);
    ::dup2(words[1], STDERR_FILENO);
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
  ::close(words[1]);
  work.words = words[0];
}

/// Takes what the process has written since the last call, and keeps the beginning of it.
void read_words(watched& from) {
  constexpr std::size_t kept = 4096;
  char buffer[4096];
  for (ssize_t bytes; (bytes = ::read(from.words, buffer, sizeof buffer)) > 0;)
    from.end.words.append(buffer, std::min(static_cast<std::size_t>(bytes), kept - std::min(kept, from.end.words.size())));
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
  if (work.words >= 0) read_words(work), ::close(work.words);
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

std::vector<watched_end> watch(const std::vector<std::function<void(answer&)>>& works, std::chrono::milliseconds patience) {
  std::fflush(nullptr);  // otherwise a child's exit writes buffered text a second time
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::vector<watched> all(works.size());
  for (std::size_t i = 0; i < works.size(); ++i) start(all[i], works[i]);
  const auto still_runs = [](watched& work) {
    if (work.words >= 0) read_words(work);
    return work.runs = work.runs && !has_ended(work.process);
  };
  while (std::count_if(all.begin(), all.end(), still_runs) > 0 && std::chrono::steady_clock::now() < deadline)
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

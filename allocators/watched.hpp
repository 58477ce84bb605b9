// How does code run that may hang, print, end its process or leave others behind? In a process of its own, which is watched.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stackheap {

/// What a watched process tells the process that watches it. It is memory of both, because the watched code may close, or
/// write to, any descriptor.
class answer {
 public:
  /// Throws std::system_error where the system gives no memory.
  answer();

  /// Adds to the text; what does not fit is left out.
  void send(std::string_view text);
  std::string text() const;

 private:
  struct board;
  std::shared_ptr<board> shared_;
};

/// The stream of errors of a process, which its parent reads.
class error_stream {
 public:
  /// Throws std::system_error where the system makes no pipe.
  error_stream();
  error_stream(const error_stream&) = delete;
  error_stream& operator=(const error_stream&) = delete;
  ~error_stream();

  /// The end to write to, for a new process; the parent closes it when it has started the process.
  int writable() const { return ends_[1]; }
  void close_writable();

  /// The end to read from; negative after the end of the stream.
  int readable() const { return ends_[0]; }

  /// Takes what has come since the last call; returns it, and keeps the last of it.
  std::string read();

  /// The line that tells why the process failed, in parentheses and quotes: the last that names an error, else the last that
  /// is not a warning. Empty where there is none. suite.base.failure.cause_in chooses alike.
  std::string quoted_cause() const;

 private:
  int ends_[2];
  std::string last_;
};

/// A limit of time that passes only while this process runs: not while it is stopped, or the whole system is.
class time_limit {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds step{1000};

  explicit time_limit(std::chrono::milliseconds limit, clock::time_point now = clock::now()) : left_(limit), last_(now) {}

  /// What is left; negative or zero where the limit is over. Between two calls, no more passes than a step.
  std::chrono::milliseconds left(clock::time_point now = clock::now());

 private:
  clock::duration left_;
  clock::time_point last_;
};

/// How a watched process ended.
struct watched_end {
  std::string answer;  ///< what its work sent
  std::string cause;   ///< as error_stream::quoted_cause
  std::string fault;   ///< "it hung for 10 s", "it died of Aborted" or the like; empty where the process ended well
};

/// How long a library may take to be loaded, tested and asked.
inline constexpr std::chrono::seconds patience_with_a_library{10};

/// Runs each work in a process of its own, all at once, and kills those that have not ended after `patience`, with every
/// process of their groups. Nobody reads what they print, and their standard input is empty. A work ends its process by
/// std::exit, because a library may also hang there; an exception is its last word.
std::vector<watched_end> watch(const std::vector<std::function<void(answer&)>>& works, std::chrono::milliseconds patience);

/// In a new process that is to be ended by end_group: it gets a group of its own and the usual actions for signals, and
/// dies with its parent.
void leave_group(pid_t parent);

/// Gives this process empty streams of input and output: whatever a library prints goes nowhere.
void silence();

/// Whether a child of this process has ended; it can still be waited for.
bool has_ended(pid_t process);

/// Waits for a process that was started as above, and kills all that are left of its group. Returns its status.
int end_group(pid_t process);

/// From now on this process is the parent of whatever its descendants leave behind, and takes them with it where SIGINT,
/// SIGTERM or SIGHUP ends it. A process that already has children, as one that a shell's `exec` started, leaves all as it is.
void adopt_orphans();

/// After adopt_orphans: kills every child of this process, and theirs.
void end_children();

}  // namespace stackheap

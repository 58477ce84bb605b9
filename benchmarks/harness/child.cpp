#include "child.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "measure.hpp"
#include "process_state.hpp"
#include "topology.hpp"
#include "watched.hpp"

namespace stackheap {
namespace {

namespace fs = std::filesystem;
using seconds = std::chrono::duration<double>;

constexpr std::string_view option = "--child=";
/// Under this number a child has the pipe for its results: a library may write to the standard output, or close it.
constexpr int results_pipe = 4;
/// Above the numbers that a child has its files under.
constexpr int first_free = 10;
/// How often a parent checks the memory and the age of its children.
constexpr int look_every_ms = 10;

std::map<std::string, child_task::function, std::less<>>& tasks() {
  static std::map<std::string, child_task::function, std::less<>> all;
  return all;
}

/// Whether this file has a symbol `malloc` without a prefix. Loads it.
bool has_plain_malloc(const std::string& file) {
  void* const handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  use_plain_locale();
  if (handle == nullptr) return false;
  const void* const function = ::dlsym(handle, "malloc");  // never closed: not every malloc can be unloaded
  return function != nullptr && same_file(file_of(function), file);
}

/// "libx_proxy.so.2.8", "libx_proxy.so.2" or "libx_proxy.so" beside "libx.so.2.8"; empty when there is no such file.
std::string proxy_of(const std::string& file) {
  const fs::path path(file);
  const std::string name = path.filename();
  const auto at = name.find(".so");
  if (at == std::string::npos) return "";
  for (std::string ending = name.substr(at); !ending.empty(); ending.resize(ending.rfind('.'))) {
    const fs::path proxy = path.parent_path() / (name.substr(0, at) + "_proxy" + ending);
    if (std::error_code ignored; fs::exists(proxy, ignored)) return real_path(proxy.c_str());
  }
  return "";
}

/// The parent's environment with another preload, and without the static thread-local storage that the program reserves
/// for the libraries it opens itself (reserve_static_tls): a child opens no library, and every thread's stack would
/// hold it.
std::vector<std::string> environment(const std::string& preload) {
  const std::string tunables = "GLIBC_TUNABLES=";
  std::vector<std::string> all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)  // null: a library has cleared it
    if (const std::string variable = *entry; variable.starts_with(tunables))
      all.push_back(tunables + without_tunable(variable.substr(tunables.size()), static_tls_tunable));
    else if (!variable.starts_with("LD_PRELOAD="))
      all.push_back(variable);
  if (!preload.empty()) all.push_back("LD_PRELOAD=" + preload);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::size_t resident_bytes_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  std::size_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Bytes; a child writes a few hundred.
constexpr std::size_t most_text = std::size_t{1} << 20;

/// A running child and its output so far.
class running_child {
 public:
  explicit running_child(const child_order& order)
      : order_(order), started_(std::chrono::steady_clock::now()), limit_(std::chrono::milliseconds(std::llround(1e3 * order.most_seconds))) {
    std::string call(option);
    call += order.task;
    for (const std::size_t argument : order.arguments) call += ',' + std::to_string(argument);
    std::vector<std::string> words{program_invocation_name, call}, variables = environment(order.malloc.preload);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw verification_error(std::string("cannot make a pipe: ") + std::strerror(errno));
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const int results = ::fcntl(ends[1], F_DUPFD_CLOEXEC, first_free);
    const int file = order.file >= 0 ? ::fcntl(order.file, F_DUPFD_CLOEXEC, first_free) : -1;
    int error = results < 0 || (order.file >= 0 && file < 0) ? errno : 0;
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions, errors_.writable(), STDERR_FILENO);
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO})
      if (error == 0) error = ::posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions, results, results_pipe);
    if (error == 0 && file >= 0) error = ::posix_spawn_file_actions_adddup2(&actions, file, inherited_file);
    if (error == 0)
      error = ::posix_spawn(&process_, "/proc/self/exe", &actions, nullptr, pointers(words).data(), pointers(variables).data());
    ::posix_spawn_file_actions_destroy(&actions);
    for (const int done : {ends[1], results, file})
      if (done >= 0) ::close(done);
    errors_.close_writable();
    output_ = ends[0];
    if (error != 0) fail(std::string("the child did not start: ") + std::strerror(error));
  }
  running_child(const running_child&) = delete;
  running_child& operator=(const running_child&) = delete;
  ~running_child() {
    if (running()) kill("it was no longer needed");
  }

  bool running() const { return output_ >= 0; }
  int output() const { return output_; }
  const child_report& report() const { return report_; }

  /// Takes new output of the child; parses it when the child has closed its end.
  void read() {
    char text[4096];
    const ssize_t bytes = ::read(output_, text, sizeof text);
    if (bytes > 0) text_.append(text, static_cast<std::size_t>(bytes));
    if (text_.size() > most_text) return kill("it was ended because it wrote too much output");
    if (bytes > 0 || (bytes < 0 && errno == EINTR)) return;
    finish();
  }

  /// Takes note of a child that has ended, also where a process that it left behind holds the pipe; ends a child that has
  /// become too large or too old.
  void look() {
    errors_.read();
    if (has_ended(process_)) {
      for (pollfd rest{output_, POLLIN, 0}; running() && ::poll(&rest, 1, 0) > 0;) read();
      if (running()) finish();
    } else if (const std::size_t resident = resident_bytes_of(process_); resident > order_.most_resident_bytes)
      kill("it was ended because it held " + std::to_string(resident >> 20) + " MiB, more than the " +
           std::to_string(order_.most_resident_bytes >> 20) + " MiB that it may hold");
    else if (limit_.left().count() <= 0)
      kill("its process was ended because it took longer than " + std::to_string(static_cast<int>(order_.most_seconds)) + " s");
  }

 private:
  double age() const { return seconds(std::chrono::steady_clock::now() - started_).count(); }

  void finish() {
    report_.seconds = age();
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {}
    close();
    judge(status);
  }

  void kill(const std::string& why) {
    ::kill(process_, SIGKILL);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {}
    report_.seconds = age();
    fail(why);
  }

  void fail(const std::string& why) {
    errors_.read();
    report_.wrong = "child " + order_.task + ": " + why + errors_.quoted_cause();
    close();
  }

  void close() {
    if (output_ >= 0) ::close(output_);
    output_ = -1;
  }

  void judge(int status) {
    const double lived = report_.seconds;
    report_ = parse_report(text_);
    report_.seconds = lived;
    if (!report_.wrong.empty()) return fail(report_.wrong);
    if (WIFSIGNALED(status)) return fail(std::string("it died of ") + ::strsignal(WTERMSIG(status)));
    if (status != 0 || report_.malloc_file.empty()) return fail("it ended without a result");
    if (!same_file(report_.malloc_file, order_.malloc.malloc_file))
      return fail("its malloc was that of " + report_.malloc_file + ", not of " + order_.malloc.malloc_file);
    const auto wanted = [&](const std::string& file) { return same_file(file, order_.malloc.library_file); };
    if (std::none_of(report_.loaded.begin(), report_.loaded.end(), wanted))
      fail("it did not load " + order_.malloc.library_file);
  }

  const child_order& order_;
  std::chrono::steady_clock::time_point started_;
  time_limit limit_;
  error_stream errors_;
  pid_t process_ = 0;
  int output_ = -1;
  std::string text_;
  child_report report_;
};

/// One line for each fact: the file of this process's malloc, every loaded file, every result.
std::string account_of(const findings& results) {
  std::ostringstream text;
  text.precision(17);
  text << "malloc=" << file_of(::dlsym(RTLD_DEFAULT, "malloc")) << '\n';
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* to) {
        if (object->dlpi_name != nullptr && *object->dlpi_name != '\0')
          *static_cast<std::ostringstream*>(to) << "loaded=" << real_path(object->dlpi_name) << '\n';
        else if (object->dlpi_addr != 0)  // the program itself has no name
          *static_cast<std::ostringstream*>(to) << "loaded=" << real_path("/proc/self/exe") << '\n';
        return 0;
      },
      &text);
  for (const auto& [name, value] : results) text << name << '=' << value << '\n';
  return text.str();
}

void write_all(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t bytes = ::write(results_pipe, text.data() + at, text.size() - at);
    if (bytes < 0 && errno != EINTR) ::_exit(1);
    at += static_cast<std::size_t>(std::max<ssize_t>(bytes, 0));
  }
}

}  // namespace

std::string without_tunable(std::string_view tunables, std::string_view name) {
  std::string kept;
  while (!tunables.empty()) {
    const std::string_view item = tunables.substr(0, tunables.find(':'));
    tunables.remove_prefix(std::min(item.size() + 1, tunables.size()));
    if (!item.empty() && item.substr(0, item.find('=')) != name) kept.append(kept.empty() ? "" : ":").append(item);
  }
  return kept;
}

child_task::child_task(std::string_view name, function work) { tasks().emplace(name, work); }

static const char* const nothing_to_preload = " has no symbol malloc, and no proxy library beside it can be preloaded";

std::string fault_of_deployment(const malloc_library& library) {
  // Without a prefix, the load test has proven that malloc stands in the file.
  if (!library.available() || library.process || library.prefix.empty() || !proxy_of(library.file).empty()) return "";
  static std::map<std::string, std::string> faults;  // by file: it takes a process to look
  const auto [known, is_new] = faults.try_emplace(library.file);
  if (is_new) {
    const watched_end end = watch({[&](answer& told) {
      told.send(has_plain_malloc(library.file) ? "malloc" : "no malloc");
      std::exit(0);
    }}, patience_with_a_library).front();
    if (end.answer.empty()) known->second = library.file + " failed when it was loaded again: " + end.fault;
    else if (end.answer != "malloc") known->second = library.file + nothing_to_preload;
  }
  return known->second;
}

deployment deploy(const malloc_library& library) {
  if (!library.available()) throw verification_error(library.name + " is not available: " + library.reason);
  deployment chosen{"", library.file, library.file};
  if (library.process) {
    const char* const preloaded = std::getenv("LD_PRELOAD");
    chosen.preload = preloaded != nullptr ? preloaded : "";
  } else if (same_file(library.file, file_of(::dlsym(RTLD_DEFAULT, "gnu_get_libc_version")))) {
    chosen.preload = "";  // without a preload, a process has the C library's own
  } else if (has_plain_malloc(library.file)) {
    chosen.preload = library.file;
  } else {
    chosen.malloc_file = proxy_of(library.file);
    if (chosen.malloc_file.empty()) throw verification_error(library.file + nothing_to_preload);
    chosen.preload = library.file + ':' + chosen.malloc_file;  // the proxy alone would load the library that the system finds
  }
  return chosen;
}

deployment own_deployment() {
  for (const malloc_library& library : malloc_libraries())
    if (library.process) return deploy(library);
  throw verification_error("the process's own malloc is not known");
}

std::vector<child_report> run_children(const std::vector<child_order>& orders) {
  std::vector<std::unique_ptr<running_child>> children;
  for (const child_order& order : orders) {
    current_pinning().pin(static_cast<unsigned>(children.size()));  // a child inherits the processor of its parent
    children.push_back(std::make_unique<running_child>(order));
  }
  current_pinning().pin(0);
  for (;;) {
    std::vector<pollfd> waiting;
    for (const auto& child : children)
      if (child->running()) waiting.push_back({child->output(), POLLIN, 0});
    if (waiting.empty()) break;
    ::poll(waiting.data(), waiting.size(), look_every_ms);
    for (const auto& child : children) {
      const auto ready = [&](const pollfd& entry) { return entry.fd == child->output() && entry.revents != 0; };
      if (child->running() && std::any_of(waiting.begin(), waiting.end(), ready)) child->read();
      if (child->running()) child->look();
    }
  }
  std::vector<child_report> reports;
  reports.reserve(children.size());
  for (const auto& child : children) reports.push_back(child->report());
  return reports;
}

child_report run_child(const child_order& order) {
  child_report report = run_children({order}).front();
  if (!report.wrong.empty()) throw verification_error(report.wrong);
  return report;
}

void show(benchmark::State& state, const child_report& report) {
  if (!report.wrong.empty()) throw verification_error(report.wrong);
  for (const auto& [name, value] : report.results) state.counters[name] = value;
  state.counters["child_seconds"] = report.seconds;
  core_speed().show(state);
  state.SetLabel("malloc of " + report.malloc_file);
}

child_report parse_report(std::string_view text) {
  child_report report;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = line.substr(0, equals), value = line.substr(equals + 1);
    if (key == "wrong") report.wrong = value;
    else if (key == "malloc") report.malloc_file = value;
    else if (key == "loaded") report.loaded.push_back(value);
    else report.results[key] = std::strtod(value.c_str(), nullptr);
  }
  return report;
}

void measure_child(benchmark::State& state, const child_order& order) {
  child_report report;
  time_once(state, [&] { return (report = run_child(order)).seconds; });
  show(state, report);
}

std::optional<int> run_as_child(int argc, char** argv) {
  if (argc != 2 || !std::string_view(argv[1]).starts_with(option)) return {};
  std::istringstream words(argv[1] + option.size());
  std::string name, word;
  std::getline(words, name, ',');
  const auto task = tasks().find(name);
  if (task == tasks().end()) throw std::invalid_argument(std::string(argv[1]) + ": unknown task");
  std::vector<std::size_t> arguments;
  while (std::getline(words, word, ',')) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc() || end != word.data() + word.size())
      throw std::invalid_argument(std::string(argv[1]) + ": '" + word + "' is not a whole number");
    arguments.push_back(number);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::ofstream("/proc/self/oom_score_adj") << 1000;
  try {
    write_all(account_of(task->second(arguments)));
  } catch (const std::exception& error) {
    write_all(std::string("wrong=") + error.what() + '\n');
  }
  ::_exit(0);  // without freeing the blocks of the task one by one
}

}  // namespace stackheap

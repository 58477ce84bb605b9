#include "apart.hpp"

#include <benchmark/benchmark.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "disturbance.hpp"
#include "family.hpp"
#include "layout.hpp"
#include "plain_names.hpp"
#include "process_state.hpp"
#include "shared_cache.hpp"
#include "turns.hpp"
#include "watched.hpp"

namespace stackheap {
namespace {

/// A reporter and where its text goes. It stands in the parent; children inherit it and send their text.
struct output {
  std::unique_ptr<benchmark::BenchmarkReporter> reporter;
  std::ostream* stream;
};

std::unique_ptr<benchmark::BenchmarkReporter> file_reporter(const options& chosen) {
  if (flag(chosen, "benchmark_out_format") != "console") return std::make_unique<benchmark::JSONReporter>();
  return std::make_unique<benchmark::ConsoleReporter>(benchmark::ConsoleReporter::OO_None);
}

using clock = std::chrono::steady_clock;

// A child asks its parent, before it reports, for how long it was stopped; the answer is a double. Then it sends its texts.
constexpr char asks_for_stops = '?', begins_texts = '!';

void send(int socket, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t bytes = ::send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) ::_exit(3);
    sent += static_cast<std::size_t>(bytes);
  }
}

/// In a child: the seconds for which it was stopped.
double stopped_seconds(int socket) {
  send(socket, std::string(1, asks_for_stops));
  double seconds = 0;
  ssize_t bytes = 0;
  while ((bytes = ::recv(socket, &seconds, sizeof seconds, MSG_WAITALL)) < 0 && errno == EINTR) {}
  if (bytes != sizeof seconds) ::_exit(3);
  return seconds;
}

/// In a child, after its benchmark: what disturbed it, as counters of its row.
class disturbances {
 public:
  explicit disturbances(int socket) : socket_(socket) {}

  void add_to(benchmark::BenchmarkReporter::Run& run) {
    if (!known_) look();
    known_ = true;
    // The larger of both times: others may have come while the benchmark ran.
    if (const auto before = run.counters.find("ns_shared_cache"); before != run.counters.end() && cache_after_)
      before->second.value = std::max(before->second.value, *cache_after_);
    if (stopped_ > 0) run.counters["stopped_seconds"] = stopped_;
    if (threads_) run.counters["malloc_thread_cores"] = *threads_;
  }

 private:
  void look() {
    stopped_ = stopped_seconds(socket_);
    drop_prepared();  // the threads that are left are not the benchmark's
    const std::chrono::duration<double> lived = clock::now() - begun_;
    if (const auto seconds = seconds_of_other_threads()) threads_ = *seconds / lived.count();
    cache_after_ = ns_shared_cache_again();
  }

  int socket_;
  clock::time_point begun_ = clock::now();
  bool known_ = false;
  double stopped_ = 0;
  std::optional<double> threads_;
  std::optional<double> cache_after_;
};

/// In a child: keeps what each output's reporter writes about the benchmark, and nothing else.
class piece : public benchmark::BenchmarkReporter {
 public:
  /// `first`: nothing was reported before, so that a console reporter writes its header, and a JSON reporter no comma.
  piece(std::vector<output>& outputs, std::size_t name_width, std::size_t index, bool first, int socket)
      : outputs_(outputs), texts_(outputs.size()), name_width_(name_width), index_(index), begun_(first), disturbed_(socket) {}

  bool ReportContext(const Context& context) override {
    Context wide = context;
    wide.name_field_width = name_width_;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      outputs_[i].reporter->SetOutputStream(&texts_[i]);
      outputs_[i].reporter->SetErrorStream(&ignored_);
      outputs_[i].reporter->ReportContext(wide);
      texts_[i].str("");
    }
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    use_plain_locale();  // a library may have set another when it was first used
    std::vector<Run> renamed = runs;
    for (Run& run : renamed) {
      run.run_name.iterations.clear();
      run.run_name.time_type.clear();
      run.family_index = static_cast<std::int64_t>(index_);
      if (run.run_type == Run::RT_Iteration) disturbed_.add_to(run);
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (!begun_) outputs_[i].reporter->ReportRuns(renamed), texts_[i].str("");
      outputs_[i].reporter->ReportRuns(renamed);
    }
    begun_ = true;
  }

  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const std::ostringstream& text : texts_) all.push_back(text.str());
    return all;
  }

 private:
  std::vector<output>& outputs_;
  std::vector<std::ostringstream> texts_;
  std::ostringstream ignored_;
  std::size_t name_width_;
  std::size_t index_;
  bool begun_;
  disturbances disturbed_;
};

std::string plain(const std::string& name) {
  const std::string suffix = timed_once_suffix;
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
}

/// The plain names of the benchmarks that the filter selects.
std::vector<std::string> selected_names(options& chosen) {
  const auto listing = [&](const char* value) {
    std::string option = std::string("--benchmark_list_tests=") + value;
    char* arguments[]{chosen.rest.front().data(), option.data(), nullptr};  // Google Benchmark keeps the first
    int count = 2;
    benchmark::Initialize(&count, arguments);
  };
  std::ostringstream names;
  benchmark::ConsoleReporter to_names(benchmark::ConsoleReporter::OO_None);
  to_names.SetOutputStream(&names);
  listing("true");
  benchmark::RunSpecifiedBenchmarks(&to_names, nullptr, matching_plain_names(benchmark::GetBenchmarkFilter()));
  listing("false");
  std::vector<std::string> all;
  std::istringstream lines(names.str());
  for (std::string name; std::getline(lines, name);)
    if (!name.empty()) all.push_back(plain(name));
  return all;
}

/// "family/strategy" of a name.
std::string strategy_of(const std::string& name) {
  const auto slash = name.find('/');
  return name.substr(0, slash == std::string::npos ? slash : name.find('/', slash + 1));
}

/// The malloc library that a benchmark measures, as NAME or as NAME+stack; null where it measures another strategy.
const malloc_library* library_of(const std::string& name) {
  const std::string strategy = strategy_of(name);
  const std::string word = strategy.substr(0, strategy.find('+')).substr(std::min(strategy.find('/'), strategy.size()));
  const auto& all = malloc_libraries();
  const auto library = std::find_if(all.begin(), all.end(), [&](const malloc_library& known) { return '/' + known.name == word; });
  return library != all.end() ? &*library : nullptr;
}

/// What a benchmark that hangs makes suspect: its malloc library wherever it is measured, any other strategy in its family.
std::string suspect_in(const std::string& name) {
  const malloc_library* const library = library_of(name);
  return library != nullptr ? library->name : strategy_of(name);
}

/// Loads the benchmark's library before the process has other threads: only the first thread can let glibc leave the end of
/// the heap to it.
void load_library_of(const std::string& name) {
  const malloc_library* const library = library_of(name);
  if (library == nullptr || !library->available()) return;
  try {
    library->load();
  } catch (const std::runtime_error&) {  // the benchmark will tell
    return;
  }
}

/// Texts as they go through the socket: the length of each, then all of them.
std::string framed(const std::vector<std::string>& texts) {
  std::string frame, bodies;
  for (const std::string& text : texts) {
    const std::size_t bytes = text.size();
    frame.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
    bodies += text;
  }
  return frame + bodies;
}

/// Empty where the frame is not whole: the child died.
std::vector<std::string> unframed(const std::string& frame, std::size_t count) {
  std::vector<std::string> texts;
  std::size_t at = count * sizeof(std::size_t);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t bytes = 0;
    if (frame.size() < count * sizeof bytes) return {};
    std::memcpy(&bytes, frame.data() + i * sizeof bytes, sizeof bytes);
    if (frame.size() - at < bytes) return {};
    texts.push_back(frame.substr(at, bytes));
    at += bytes;
  }
  return texts;
}

/// How the process of a benchmark ended.
struct outcome {
  std::vector<std::string> texts;  ///< empty when it failed
  std::string failure;
  bool hung = false;
};

class separate_runs {
 public:
  separate_runs(const options& chosen, std::vector<output>& outputs, std::size_t name_width)
      : chosen_(chosen), outputs_(outputs), name_width_(name_width) {}

  void run(const std::vector<std::string>& names) {
    for (std::size_t next = 0; next < names.size();) {
      std::size_t end = next + 1;
      while (runs_at_once(names[next]) && end < names.size() && runs_at_once(names[end])) ++end;
      std::vector<std::optional<child>> started;
      for (std::size_t i = next; i < end; ++i)
        started.push_back(hung_.contains(suspect_in(names[i])) ? std::nullopt : std::optional(start(names[i], i)));
      for (std::size_t i = next; i < end; ++i) report(names[i], i, started[i - next]);
      end_children();  // what a library left behind would disturb the next benchmark
      next = end;
    }
  }

 private:
  /// A process that measures, the socket to it, and what it writes to its stream of errors.
  struct child {
    pid_t process;
    int socket;
    std::unique_ptr<error_stream> errors;
  };

  void report(const std::string& name, std::size_t index, const std::optional<child>& started) {
    const std::string suspect = suspect_in(name);
    outcome ended;
    if (started)
      ended = end_of(*started);
    else
      ended.failure = "not measured: " + suspect + " hung in a benchmark before";
    if (ended.hung) hung_.insert(suspect);
    if (ended.texts.empty()) ended = end_of(start(name, index, ended.failure));
    if (ended.texts.empty()) throw std::runtime_error(name + ": " + ended.failure);
    for (std::size_t i = 0; i < outputs_.size(); ++i) *outputs_[i].stream << ended.texts[i] << std::flush;
  }

  /// With an `error`, the benchmark is not measured but reported with that error.
  child start(const std::string& name, std::size_t index, const std::optional<std::string>& error = {}) {
    std::cout.flush();
    std::fflush(nullptr);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::runtime_error(std::string("no socket to a process: ") + std::strerror(errno));
    auto errors = std::make_unique<error_stream>();
    const pid_t parent = ::getpid();
    const pid_t process = ::fork();
    if (process < 0) throw std::runtime_error(std::string("no process for a benchmark: ") + std::strerror(errno));
    if (process == 0) {
      leave_group(parent);
      ::dup2(errors->writable(), STDERR_FILENO);
      silence();
      ::close(ends[0]);  // otherwise this child would not notice that its parent has gone
      stops_.leave_child();
      measure_here(name, index, error, ends[1]);
    }
    ::setpgid(process, process);  // whoever comes first
    ::close(ends[1]);
    errors->close_writable();
    stops_.add(process);
    return {process, ends[0], std::move(errors)};
  }

  outcome end_of(const child& started) {
    outcome ended;
    std::string frame;
    ended.hung = !read_to_end(started, frame);
    ::close(started.socket);
    stops_.remove(started.process);
    if (ended.hung) ::kill(started.process, SIGKILL);
    const int status = end_group(started.process);
    pass_on(*started.errors);
    if (ended.hung)
      ended.failure = "its process was ended because it took longer than " + std::to_string(chosen_.limit_seconds) + " s";
    else if (WIFSIGNALED(status))
      ended.failure = std::string("its process died of ") + ::strsignal(WTERMSIG(status));
    else if (status != 0)
      ended.failure = "its process ended with exit code " + std::to_string(WEXITSTATUS(status));
    else if (ended.texts = unframed(frame, outputs_.size()); ended.texts.empty())
      ended.failure = "its process ended before it had reported";
    if (!ended.failure.empty()) ended.failure += started.errors->quoted_cause();
    return ended;
  }

  /// What a process wrote to its stream of errors comes out of this program's.
  static void pass_on(error_stream& errors) {
    const std::string words = errors.read();
    std::fwrite(words.data(), 1, words.size(), stderr);
  }

  [[noreturn]] void measure_here(const std::string& name, std::size_t index, const std::optional<std::string>& error,
                                 int socket) {
    keep_only(name, error, chosen_.iterations);
    if (chosen_.by_turns && !error) take_turns(*chosen_.by_turns);
    seed_layout(chosen_.layout, name);
    move_process_heap();
    on_moved_stack(drawn_stack_distance(), [&] {
      piece reporter(outputs_, name_width_, index, index == 0, socket);
      if (!error) load_library_of(name);
      benchmark::RunSpecifiedBenchmarks(&reporter, nullptr, "all");
      send(socket, begins_texts + framed(reporter.texts()));
    });
    std::exit(0);
  }

  /// False when the limit was reached before the process had ended. It may close its end long before, as exec does.
  bool read_to_end(const child& from, std::string& texts) {
    time_limit limit{std::chrono::seconds(chosen_.limit_seconds)};
    char buffer[4096];
    for (bool begun = false, closed = false;;) {
      const auto left = std::min(limit.left(), time_limit::step);
      pollfd waiting[]{{closed ? -1 : from.socket, POLLIN, 0}, {stops_.readable(), POLLIN, 0}, {from.errors->readable(), POLLIN, 0}};
      const bool ended = has_ended(from.process);  // and what it left behind may still hold the other end
      if (left.count() <= 0) return ended;
      if (::poll(waiting, std::size(waiting), ended ? 0 : static_cast<int>(left.count())) < 0) continue;  // a signal came
      stops_.look();
      pass_on(*from.errors);
      if (waiting[0].revents == 0 && ended) return true;
      if (waiting[0].revents == 0) continue;
      const ssize_t bytes = ::read(from.socket, buffer, sizeof buffer);
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes <= 0) {
        closed = true;
        continue;
      }
      const char* next = buffer;
      for (; !begun && next < buffer + bytes; ++next) {
        begun = *next == begins_texts;
        if (*next == asks_for_stops) answer(from);
      }
      texts.append(next, static_cast<std::size_t>(buffer + bytes - next));
    }
  }

  void answer(const child& to) const {
    const double seconds = stops_.seconds(to.process);
    // A child that has died meanwhile needs no answer; how it ended is seen next.
    if (::send(to.socket, &seconds, sizeof seconds, MSG_NOSIGNAL) < 0) return;
  }

  const options& chosen_;
  std::vector<output>& outputs_;
  std::size_t name_width_;
  std::set<std::string> hung_;
  stop_watch stops_;
};

std::size_t width_of(const std::vector<std::string>& names) {
  constexpr std::size_t least = 10, statistic = sizeof "_median" - 1;
  std::size_t width = least;
  for (const std::string& name : names) width = std::max(width, name.size() + statistic);
  return width;
}

}  // namespace

std::size_t run_apart(options& chosen) {
  const std::vector<std::string> names = selected_names(chosen);
  if (names.empty()) return 0;
  if (chosen.by_turns && names.size() > 1)
    throw std::invalid_argument("--turns goes with one benchmark, but --only and --benchmark_filter select " + std::to_string(names.size()));
  if (chosen.by_turns && timed_once(names.front()))
    throw std::invalid_argument("--turns: " + names.front() + " takes no turns, because each process measures it once");
  const std::string file_name = flag(chosen, "benchmark_out");
  std::ofstream file;
  std::vector<output> outputs;
  outputs.push_back({std::unique_ptr<benchmark::BenchmarkReporter>(benchmark::CreateDefaultDisplayReporter()), &std::cout});
  if (!file_name.empty()) {
    file.open(file_name);
    outputs.push_back({file_reporter(chosen), &file});
  }
  const std::size_t name_width = width_of(names);
  benchmark::BenchmarkReporter::Context context;
  context.name_field_width = name_width;
  for (output& to : outputs) {
    to.reporter->SetOutputStream(to.stream);
    to.reporter->SetErrorStream(&std::cerr);
    to.reporter->ReportContext(context);
  }
  separate_runs(chosen, outputs, name_width).run(names);
  for (output& to : outputs) {
    to.reporter->Finalize();
    to.stream->flush();
  }
  if (!file) throw std::runtime_error("--benchmark_out=" + file_name + ": could not be written to its end: is the disk full?");
  return names.size();
}

}  // namespace stackheap

#include "apart.hpp"

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
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
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "family.hpp"
#include "layout.hpp"
#include "plain_names.hpp"

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

/// In a child: keeps what each output's reporter writes about the benchmark, and nothing else.
class piece : public benchmark::BenchmarkReporter {
 public:
  /// `first`: nothing was reported before, so that a console reporter writes its header, and a JSON reporter no comma.
  piece(std::vector<output>& outputs, std::size_t name_width, std::size_t index, bool first)
      : outputs_(outputs), texts_(outputs.size()), name_width_(name_width), index_(index), begun_(first) {}

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
    std::vector<Run> renamed = runs;
    for (Run& run : renamed) {
      run.run_name.iterations.clear();
      run.run_name.time_type.clear();
      run.family_index = static_cast<std::int64_t>(index_);
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
std::string contender_of(const std::string& name) {
  const auto slash = name.find('/');
  return name.substr(0, slash == std::string::npos ? slash : name.find('/', slash + 1));
}

void send(int pipe_end, const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t bytes = ::write(pipe_end, text.data() + sent, text.size() - sent);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) ::_exit(3);
    sent += static_cast<std::size_t>(bytes);
  }
}

/// Texts as they go through the pipe: the length of each, then all of them.
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
        started.push_back(hung_.contains(contender_of(names[i])) ? std::nullopt : std::optional(start(names[i], i)));
      for (std::size_t i = next; i < end; ++i) report(names[i], i, started[i - next]);
      next = end;
    }
  }

 private:
  /// A process that measures, and the reading end of its pipe.
  struct child {
    pid_t process;
    int pipe_end;
  };

  void report(const std::string& name, std::size_t index, const std::optional<child>& started) {
    const std::string contender = contender_of(name);
    outcome ended;
    if (started)
      ended = end_of(*started);
    else
      ended.failure = "not measured: " + contender + " hung in a benchmark before";
    if (ended.hung) hung_.insert(contender);
    if (ended.texts.empty()) ended = end_of(start(name, index, ended.failure));
    if (ended.texts.empty()) throw std::runtime_error(name + ": " + ended.failure);
    for (std::size_t i = 0; i < outputs_.size(); ++i) *outputs_[i].stream << ended.texts[i] << std::flush;
  }

  /// With an `error`, the benchmark is not measured but reported with that error.
  child start(const std::string& name, std::size_t index, const std::optional<std::string>& error = {}) {
    std::cout.flush();
    std::fflush(nullptr);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(std::string("no pipe to a process: ") + std::strerror(errno));
    const pid_t parent = ::getpid();
    const pid_t process = ::fork();
    if (process < 0) throw std::runtime_error(std::string("no process for a benchmark: ") + std::strerror(errno));
    if (process == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(3);
      measure_here(name, index, error, ends[1]);
    }
    ::close(ends[1]);
    return {process, ends[0]};
  }

  outcome end_of(const child& started) const {
    outcome ended;
    std::string frame;
    ended.hung = !read_to_end(started.pipe_end, frame);
    ::close(started.pipe_end);
    if (ended.hung) ::kill(started.process, SIGKILL);
    int status = 0;
    while (::waitpid(started.process, &status, 0) < 0 && errno == EINTR) {}
    if (ended.hung)
      ended.failure = "its process was ended, because it took longer than " + std::to_string(chosen_.limit_seconds) + " s";
    else if (WIFSIGNALED(status))
      ended.failure = std::string("its process died of ") + ::strsignal(WTERMSIG(status));
    else if (status != 0)
      ended.failure = "its process ended with exit code " + std::to_string(WEXITSTATUS(status));
    else if (ended.texts = unframed(frame, outputs_.size()); ended.texts.empty())
      ended.failure = "its process ended before it had reported";
    return ended;
  }

  [[noreturn]] void measure_here(const std::string& name, std::size_t index, const std::optional<std::string>& error,
                                 int pipe_end) {
    keep_only(name, error);
    seed_layout(chosen_.layout, name);
    move_process_heap();
    on_moved_stack(drawn_stack_distance(), [&] {
      piece reporter(outputs_, name_width_, index, index == 0);
      benchmark::RunSpecifiedBenchmarks(&reporter, nullptr, "all");
      send(pipe_end, framed(reporter.texts()));
    });
    std::exit(0);
  }

  /// False when the limit was reached before the other end was closed.
  bool read_to_end(int pipe_end, std::string& text) const {
    using clock = std::chrono::steady_clock;
    const clock::time_point deadline = clock::now() + std::chrono::seconds(chosen_.limit_seconds);
    char buffer[4096];
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
      pollfd waiting{pipe_end, POLLIN, 0};
      const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 1 << 30))) : 0;
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return false;
      const ssize_t bytes = ::read(pipe_end, buffer, sizeof buffer);
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes <= 0) return true;
      text.append(buffer, static_cast<std::size_t>(bytes));
    }
  }

  const options& chosen_;
  std::vector<output>& outputs_;
  std::size_t name_width_;
  std::set<std::string> hung_;
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
  return names.size();
}

}  // namespace stackheap

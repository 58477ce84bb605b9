// stackheap: what does memory cost here? A Google Benchmark program with the suite's own options.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "child.hpp"
#include "every_strategy.hpp"
#include "family.hpp"
#include "measure.hpp"
#include "topology.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

constexpr const char* help_text = R"(stackheap: what does memory cost on this machine?

usage: stackheap [option]... [Google Benchmark option]...

  --profile=smoke|quick|full       which arguments, and how long each is measured (default: quick)
  --allocator=NAME=FILE[,PREFIX]   another malloc, as NAME; PREFIX stands before malloc, free, ... in its symbols
  --only=REGEX                     only the benchmarks whose name has a match
  --pin=cores|none|LIST            a processor for each thread (default: cores, one of each physical core first)
  --list[=json]                    families, and strategies with their availability; measures nothing
  --help                           this, and Google Benchmark's options
  --child=TASK[,NUMBER]...         how the program calls itself, to find something out in a process of its own

An option's value may also stand as the next argument. Exit status: 0 measured, 2 nothing could be.
)";

struct options {
  profile chosen = profile::quick;
  std::vector<malloc_request> allocators;
  std::string only;
  std::string pin = "cores";
  std::optional<std::string> list;
  bool min_time_given = false;
  std::vector<std::string> rest;  ///< Google Benchmark's
};

/// Takes the suite's options out of the arguments. Throws std::invalid_argument, with one line, on a bad one.
options parse(int argc, char** argv) {
  options chosen;
  chosen.rest.emplace_back(argc > 0 ? argv[0] : "stackheap");
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const auto value = [&]() -> std::string {
      if (equals != std::string::npos) return argument.substr(equals + 1);
      if (i + 1 < argc) return argv[++i];
      throw std::invalid_argument(name + " needs a value");
    };
    if (name == "--profile") chosen.chosen = parse_profile(value());
    else if (name == "--allocator") chosen.allocators.push_back(parse_malloc_request(value()));
    else if (name == "--only") chosen.only = value();
    else if (name == "--pin") chosen.pin = value();
    else if (name == "--list") chosen.list = equals == std::string::npos ? "text" : value();
    else if (name == "--help" || name == "-h") std::cout << help_text << '\n', chosen.rest.emplace_back("--help");
    else if (name.starts_with("--benchmark_") || name.starts_with("--v")) chosen.rest.push_back(argument);
    else throw std::invalid_argument("unknown option '" + argument + "' (--help lists them)");
    chosen.min_time_given = chosen.min_time_given || name == "--benchmark_min_time";
  }
  if (chosen.list && *chosen.list != "text" && *chosen.list != "json")
    throw std::invalid_argument("--list=" + *chosen.list + ": wanted nothing or json");
  return chosen;
}

/// How long each benchmark is measured at least: in one process, of the several that make a run.
std::string min_time(profile chosen) {
  const std::string seconds = chosen == profile::smoke ? "0.0005" : chosen == profile::quick ? "0.004" : "0.01";
  return seconds + STACKHEAP_MIN_TIME_SUFFIX;  // Google Benchmark 1.8 wants the unit, 1.7 refuses it
}

/// The value of a Google Benchmark flag among the arguments; empty when it is not given.
std::string flag(const options& chosen, const std::string& name) {
  std::string value;
  for (const std::string& each : chosen.rest)
    if (each.starts_with("--" + name + "=")) value = each.substr(name.size() + 3);
  return value;
}

std::regex compiled(const std::string& pattern) {
  constexpr std::size_t longest = 1000;  // std::regex descends as deep as its pattern is long
  if (pattern.size() > longest) throw std::invalid_argument("--only: longer than " + std::to_string(longest) + " characters");
  try {
    return std::regex(pattern);
  } catch (const std::regex_error&) {
    throw std::invalid_argument("--only=" + pattern + ": no regular expression");
  }
}

std::string json_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      quoted += code;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string json_texts(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& each : texts) joined += (joined.empty() ? "" : ",") + json_text(each);
  return '[' + joined + ']';
}

/// What is there to be measured: each family that has a benchmark left after --only.
struct enrolled {
  const family* of;
  std::vector<std::string> names;
};

std::vector<enrolled> enroll_all(const options& chosen, const std::regex& only) {
  std::vector<enrolled> all;
  for (const family* each : families()) {
    enrolment into(each->name, chosen.chosen, only, each->facts.before_threads);
    each->enroll(into);
    if (!into.names().empty()) all.push_back({each, into.names()});
  }
  return all;
}

std::string why_not(const malloc_library& missing) {
  return missing.reason + (missing.package.empty() ? "" : " (install: " + missing.package + ')');
}

void list_text(const std::vector<enrolled>& all) {
  std::string chapter;
  for (const auto& [of, names] : all) {
    if (of->chapter != chapter && !of->facts.before_threads) std::cout << '\n' << (chapter = of->chapter) << '\n';
    std::printf("  %-15s %5zu benchmarks  %.*s\n", of->name.c_str(), names.size(),
                static_cast<int>(of->facts.question.size()), of->facts.question.data());
    std::fflush(stdout);
  }
  std::cout << "\nstrategies\n";
  describe_strategies([](const char* name, const char* what) { std::printf("  %-15s %s\n", name, what); });
  for (const malloc_library& each : malloc_libraries()) {
    std::printf("  %-15s %s; ", each.name.c_str(), each.what.c_str());
    if (each.available())
      std::printf("%s %s%s\n", each.version.empty() ? "version unknown" : each.version.c_str(), each.file.c_str(),
                  each.process ? " (the process's own)" : "");
    else
      std::printf("not available: %s\n", why_not(each).c_str());
  }
}

std::string first_line_of(const char* file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

/// What a result must say of where it was measured, in words.
std::vector<std::pair<std::string, std::string>> facts(const options& chosen) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [&](const std::string& key, const std::string& value) { all.emplace_back(key, value); };
  add("suite_version", STACKHEAP_VERSION);
  add("profile", std::string(name_of(chosen.chosen)));
  add("seed", std::to_string(seed));
  add("compiler", STACKHEAP_COMPILER);
  add("build_type", STACKHEAP_BUILD_TYPE);
  add("build_flags", STACKHEAP_BUILD_FLAGS);
  add("library_build_type_note",
      "library_build_type speaks of the installed Google Benchmark library, whose code is not in any timed loop; "
      "build_type speaks of this program");
  const topology& machine = this_machine();
  if (!machine.cpu_model().empty()) add("cpu_model", machine.cpu_model());
  if (utsname system{}; ::uname(&system) == 0) add("architecture", system.machine);
  add("topology", machine.description());
  add("cores", std::to_string(machine.cores()));
  add("processing_units", std::to_string(machine.units().size()));
  add("pinning", current_pinning().description());
  const std::pair<const char*, int> levels[] = {{"l1d_bytes", 1}, {"l2_bytes", 2}, {"l3_bytes", 3}};
  for (const auto& [key, level] : levels)
    if (const auto bytes = machine.cache_bytes(level)) add(key, std::to_string(*bytes));
  add("counters", available_counters());
  const char* const preloaded = std::getenv("LD_PRELOAD");
  add("preloaded", preloaded != nullptr ? preloaded : "");
  add("transparent_hugepages", first_line_of("/sys/kernel/mm/transparent_hugepage/enabled"));
  add("page_bytes", std::to_string(::sysconf(_SC_PAGESIZE)));
  for (const malloc_library& each : malloc_libraries()) {
    if (each.process) add("process_malloc", each.name);
    add("malloc." + each.name, each.available() ? (each.version.empty() ? "unknown" : each.version) + ' ' + each.file
                                                : "not available: " + why_not(each));
  }
  return all;
}

void list_json(const std::vector<enrolled>& all, const options& chosen) {
  std::cout << "{\"families\":[";
  const char* comma = "";
  for (const auto& [of, names] : all) {
    const about& facts = of->facts;
    const std::vector<std::string> whole{"^" + of->name + "/"};
    std::cout << comma << "\n{\"name\":" << json_text(of->name) << ",\"chapter\":" << json_text(of->chapter)
              << ",\"question\":" << json_text(facts.question) << ",\"operation\":" << json_text(facts.operation)
              << ",\"untimed\":" << json_text(facts.untimed) << ",\"heap\":" << json_text(facts.heap)
              << ",\"unfairness\":" << json_text(facts.unfairness)
              << ",\"parts\":" << json_texts(facts.parts.empty() ? whole : facts.parts)
              << ",\"benchmarks\":" << json_texts(names) << '}';
    comma = ",";
  }
  std::cout << "],\n\"strategies\":[";
  comma = "";
  const auto row = [&](const malloc_library& each) {
    std::cout << comma << "\n{\"name\":" << json_text(each.name) << ",\"what\":" << json_text(each.what)
              << ",\"available\":" << (each.available() ? "true" : "false") << ",\"file\":" << json_text(each.file)
              << ",\"version\":" << json_text(each.version) << ",\"reason\":" << json_text(each.reason)
              << ",\"package\":" << json_text(each.package) << ",\"process\":" << (each.process ? "true" : "false") << '}';
    comma = ",";
  };
  describe_strategies([&](const char* name, const char* what) {
    malloc_library plain;
    plain.name = name;
    plain.what = what;
    row(plain);
  });
  for (const malloc_library& each : malloc_libraries()) row(each);
  std::cout << "],\n\"context\":{";
  comma = "";
  for (const auto& [key, value] : facts(chosen)) {
    std::cout << comma << json_text(key) << ':' << json_text(value);
    comma = ",";
  }
  std::cout << "}}\n";
}

/// Google Benchmark exits with 1 and half a line when it cannot write; asked beforehand, this says which file and why.
void check_writable(const std::string& file) {
  if (file.empty()) return;
  struct stat unused{};
  const bool existed = ::stat(file.c_str(), &unused) == 0;
  std::FILE* const opened = std::fopen(file.c_str(), "a");
  if (opened == nullptr) throw std::invalid_argument("cannot write " + file + ": " + std::strerror(errno));
  std::fclose(opened);
  if (!existed) std::remove(file.c_str());
}

/// Google Benchmark does not look whether what it wrote has arrived: on a full disk it has not.
void check_written(const std::string& file) {
  struct stat found{};
  if (::stat(file.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return;
  std::ifstream written(file, std::ios::binary);
  if (char last = 0; !written.seekg(-1, std::ios::end) || !written.get(last) || last != '\n')
    throw std::runtime_error("could not write all of " + file + ": is the disk full?");
}

/// Google Benchmark prints its help and says nothing of failure when it is given another; its CSV, given up by itself,
/// aborts at the second benchmark with other counters than the first (csv_reporter.cc of 1.7.1).
void check_format(const options& chosen, const std::string& name) {
  if (const std::string format = flag(chosen, name); !format.empty() && format != "console" && format != "json")
    throw std::invalid_argument("--" + name + "=" + format + ": wanted console or json");
}

/// Where a standard stream is closed, the next file that is opened takes its place: the result, with the screen's text in
/// it. What stands there now refuses every write.
void occupy_closed_streams() {
  int opened = 0;
  do opened = ::open("/dev/null", O_RDONLY);
  while (opened >= 0 && opened <= 2);
  if (opened > 2) ::close(opened);
}

/// As of a file: what was printed has arrived, or it is an error.
void check_printed() {
  if (std::cout.flush() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw std::runtime_error("could not write all to standard output: is it closed, or its disk full?");
}

/// Which of the mallocs that were asked for are not there; empty when all are.
std::string faults_of_requests(const options& chosen) {
  std::string all;
  for (const malloc_library& each : malloc_libraries())
    for (const malloc_request& request : chosen.allocators)
      if (each.name == request.name && !each.available()) all += "; " + each.name + " is not available: " + each.reason;
  return all;
}

int run(int argc, char** argv) {
  options chosen = parse(argc, argv);
  const std::regex only = compiled(chosen.only);
  load_malloc_libraries(chosen.allocators);
  current_pinning() = pinning::parse(chosen.pin, this_machine());
  const std::vector<enrolled> all = enroll_all(chosen, only);
  if (all.empty())
    throw std::invalid_argument("no benchmark's name matches --only=" + chosen.only + " (--list shows the " +
                                std::to_string(families().size()) + " families)" + faults_of_requests(chosen));
  if (chosen.list) {
    *chosen.list == "json" ? list_json(all, chosen) : list_text(all);
    check_printed();
    return 0;
  }
  for (const malloc_library& each : malloc_libraries())
    if (!each.available())
      std::fprintf(stderr, "not available: %s: %s\n", each.name.c_str(), why_not(each).c_str());
  if (const auto preloaded = std::getenv("LD_PRELOAD"); preloaded != nullptr && *preloaded != '\0')
    std::fprintf(stderr, "started with LD_PRELOAD=%s\n", preloaded);
  check_format(chosen, "benchmark_format");
  check_format(chosen, "benchmark_out_format");
  check_writable(flag(chosen, "benchmark_out"));
  if (!chosen.min_time_given) chosen.rest.insert(chosen.rest.begin() + 1, "--benchmark_min_time=" + min_time(chosen.chosen));
  std::vector<char*> arguments;
  for (std::string& each : chosen.rest) arguments.push_back(each.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (count > 1) throw std::invalid_argument("unknown option '" + std::string(arguments[1]) + "' (--help lists them)");
  for (const auto& [key, value] : facts(chosen)) benchmark::AddCustomContext(key, value);
  current_pinning().pin(0);
  const std::size_t matched = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (matched > 0) check_written(flag(chosen, "benchmark_out"));
  if (matched == 0) throw std::invalid_argument("no benchmark matches --benchmark_filter=" + flag(chosen, "benchmark_filter"));
  check_printed();
  return 0;
}

}  // namespace
}  // namespace stackheap

int main(int argc, char** argv) {
  try {
    if (const auto status = stackheap::run_as_child(argc, argv)) return *status;
    stackheap::occupy_closed_streams();
    stackheap::reserve_static_tls(argv);
    return stackheap::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "stackheap: %s\n", error.what());
    return 2;
  }
}

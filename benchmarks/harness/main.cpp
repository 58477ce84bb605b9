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

  --profile=smoke|quick|full       choose the arguments and the time for each benchmark (default: quick)
  --allocator=NAME=FILE[,PREFIX]   add a malloc library as NAME; PREFIX is the prefix of its malloc, free, ... symbols
  --only=REGEX                     measure only the benchmarks whose name matches
  --pin=cores|none|LIST            pin each thread to a processor (default: cores, every physical core once first)
  --list[=json]                    list the families, and the strategies with their availability; measure nothing
  --help                           show this help and the options of Google Benchmark
  --child=TASK[,NUMBER]...         run a task in this process: used internally to measure in a process of its own

The value of an option may also be the next argument. Exit status: 0 on success, 2 if nothing was measured.
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
    throw std::invalid_argument("--list takes no value or 'json', got '" + *chosen.list + "'");
  return chosen;
}

/// The least time for each benchmark: in one process, of the several that make a run.
std::string min_time(profile chosen) {
  const std::string seconds = chosen == profile::smoke ? "0.0005" : chosen == profile::quick ? "0.004" : "0.01";
  return seconds + STACKHEAP_MIN_TIME_SUFFIX;  // Google Benchmark 1.8 requires the unit, 1.7 refuses it
}

/// The value of a Google Benchmark flag among the arguments; empty when it is not given.
std::string flag(const options& chosen, const std::string& name) {
  std::string value;
  for (const std::string& argument : chosen.rest)
    if (argument.starts_with("--" + name + "=")) value = argument.substr(name.size() + 3);
  return value;
}

std::regex compiled(const std::string& pattern) {
  constexpr std::size_t longest = 1000;  // std::regex descends as deep as its pattern is long
  if (pattern.size() > longest) throw std::invalid_argument("--only: the regular expression is longer than " + std::to_string(longest) + " characters");
  try {
    return std::regex(pattern);
  } catch (const std::regex_error&) {
    throw std::invalid_argument("--only=" + pattern + ": not a valid regular expression");
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
  for (const std::string& text : texts) joined += (joined.empty() ? "" : ",") + json_text(text);
  return '[' + joined + ']';
}

/// A family that has benchmarks after --only, and their names.
struct registered {
  const family* source;
  std::vector<std::string> names;
};

std::vector<registered> register_all(const options& chosen, const std::regex& only) {
  std::vector<registered> all;
  for (const family* member : families()) {
    benchmark_registry registry(member->name, chosen.chosen, only, member->facts.before_threads);
    member->add_benchmarks(registry);
    if (!registry.names().empty()) all.push_back({member, registry.names()});
  }
  return all;
}

std::string why_not(const malloc_library& missing) {
  return missing.reason + (missing.package.empty() ? "" : " (install: " + missing.package + ')');
}

void list_text(const std::vector<registered>& all) {
  std::string chapter;
  for (const auto& [source, names] : all) {
    if (source->chapter != chapter && !source->facts.before_threads) std::cout << '\n' << (chapter = source->chapter) << '\n';
    std::printf("  %-15s %5zu benchmarks  %.*s\n", source->name.c_str(), names.size(),
                static_cast<int>(source->facts.question.size()), source->facts.question.data());
    std::fflush(stdout);
  }
  std::cout << "\nstrategies\n";
  describe_strategies([](const char* name, const char* description, const char*) { std::printf("  %-15s %s\n", name, description); });
  for (const malloc_library& library : malloc_libraries()) {
    std::printf("  %-15s %s; ", library.name.c_str(), library.description.c_str());
    if (library.available())
      std::printf("%s %s%s\n", library.version.empty() ? "version unknown" : library.version.c_str(), library.file.c_str(),
                  library.process ? " (the process's own)" : "");
    else
      std::printf("not available: %s\n", why_not(library).c_str());
  }
}

std::string first_line_of(const char* file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

/// The facts about machine and program that every result must hold: they go into its context.
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
      "library_build_type is that of the installed Google Benchmark library, whose code is not in any timed loop; "
      "build_type is that of this program");
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
  for (const malloc_library& library : malloc_libraries()) {
    if (library.process) add("process_malloc", library.name);
    add("malloc." + library.name, library.available() ? (library.version.empty() ? "unknown" : library.version) + ' ' + library.file
                                                : "not available: " + why_not(library));
  }
  return all;
}

void list_json(const std::vector<registered>& all, const options& chosen) {
  std::cout << "{\"families\":[";
  const char* comma = "";
  for (const auto& [source, names] : all) {
    const about& facts = source->facts;
    const std::vector<std::string> whole{"^" + source->name + "/"};
    std::cout << comma << "\n{\"name\":" << json_text(source->name) << ",\"chapter\":" << json_text(source->chapter)
              << ",\"question\":" << json_text(facts.question) << ",\"operation\":" << json_text(facts.operation)
              << ",\"untimed\":" << json_text(facts.untimed) << ",\"heap\":" << json_text(facts.heap)
              << ",\"unfairness\":" << json_text(facts.unfairness)
              << ",\"parts\":" << json_texts(facts.process_groups.empty() ? whole : facts.process_groups)
              << ",\"benchmarks\":" << json_texts(names) << '}';
    comma = ",";
  }
  std::cout << "],\n\"strategies\":[";
  comma = "";
  const auto row = [&](const malloc_library& library, const char* idea) {
    std::cout << comma << "\n{\"name\":" << json_text(library.name) << ",\"what\":" << json_text(library.description)
              << ",\"idea\":" << json_text(idea)
              << ",\"available\":" << (library.available() ? "true" : "false") << ",\"file\":" << json_text(library.file)
              << ",\"version\":" << json_text(library.version) << ",\"reason\":" << json_text(library.reason)
              << ",\"package\":" << json_text(library.package) << ",\"process\":" << (library.process ? "true" : "false") << '}';
    comma = ",";
  };
  describe_strategies([&](const char* name, const char* description, const char* idea) {
    malloc_library plain;
    plain.name = name;
    plain.description = description;
    row(plain, idea);
  });
  for (const malloc_library& library : malloc_libraries()) row(library, "heap");
  std::cout << "],\n\"context\":{";
  comma = "";
  for (const auto& [key, value] : facts(chosen)) {
    std::cout << comma << json_text(key) << ':' << json_text(value);
    comma = ",";
  }
  std::cout << "}}\n";
}

/// Google Benchmark exits with 1 and half a line when it cannot write; this check, made before, names the file and the
/// reason.
void check_writable(const std::string& file) {
  if (file.empty()) return;
  struct stat unused{};
  const bool existed = ::stat(file.c_str(), &unused) == 0;
  std::FILE* const opened = std::fopen(file.c_str(), "a");
  if (opened == nullptr) throw std::invalid_argument("cannot write " + file + ": " + std::strerror(errno));
  std::fclose(opened);
  if (!existed) std::remove(file.c_str());
}

/// Google Benchmark does not check that its output was written: on a full disk it was not.
void check_written(const std::string& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  std::ifstream written(file, std::ios::binary);
  if (char last = 0; !written.seekg(-1, std::ios::end) || !written.get(last) || last != '\n')
    throw std::runtime_error("could not write all of " + file + ": is the disk full?");
}

/// For an unknown format, Google Benchmark prints its help and does not fail; its CSV, which it has deprecated, aborts at
/// the second benchmark whose counters differ from the first (csv_reporter.cc of 1.7.1).
void check_format(const options& chosen, const std::string& name) {
  if (const std::string format = flag(chosen, name); !format.empty() && format != "console" && format != "json")
    throw std::invalid_argument("--" + name + "=" + format + ": the format must be console or json");
}

/// Where a standard stream is closed, the next opened file takes its number: the result file would receive the text for
/// the screen. This opens a file that refuses every write in its place.
void occupy_closed_streams() {
  int opened = 0;
  do opened = ::open("/dev/null", O_RDONLY);
  while (opened >= 0 && opened <= 2);
  if (opened > 2) ::close(opened);
}

/// Throws when printed text could not be written.
void check_printed() {
  if (std::cout.flush() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw std::runtime_error("could not write everything to standard output: is it closed, or is the disk full?");
}

/// Names the requested mallocs that are not available, with the reasons; empty when all are.
std::string faults_of_requests(const options& chosen) {
  std::string all;
  for (const malloc_library& library : malloc_libraries())
    for (const malloc_request& request : chosen.allocators)
      if (library.name == request.name && !library.available()) all += "; " + library.name + " is not available: " + library.reason;
  return all;
}

int run(int argc, char** argv) {
  options chosen = parse(argc, argv);
  const std::regex only = compiled(chosen.only);
  load_malloc_libraries(chosen.allocators);
  current_pinning() = pinning::parse(chosen.pin, this_machine());
  const std::vector<registered> all = register_all(chosen, only);
  if (all.empty())
    throw std::invalid_argument("no benchmark's name matches --only=" + chosen.only + " (--list shows the " +
                                std::to_string(families().size()) + " families)" + faults_of_requests(chosen));
  if (chosen.list) {
    *chosen.list == "json" ? list_json(all, chosen) : list_text(all);
    check_printed();
    return 0;
  }
  for (const malloc_library& library : malloc_libraries())
    if (!library.available())
      std::fprintf(stderr, "not available: %s: %s\n", library.name.c_str(), why_not(library).c_str());
  if (const auto preloaded = std::getenv("LD_PRELOAD"); preloaded != nullptr && *preloaded != '\0')
    std::fprintf(stderr, "started with LD_PRELOAD=%s\n", preloaded);
  check_format(chosen, "benchmark_format");
  check_format(chosen, "benchmark_out_format");
  check_writable(flag(chosen, "benchmark_out"));
  if (!chosen.min_time_given) chosen.rest.insert(chosen.rest.begin() + 1, "--benchmark_min_time=" + min_time(chosen.chosen));
  std::vector<char*> arguments;
  for (std::string& argument : chosen.rest) arguments.push_back(argument.data());
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

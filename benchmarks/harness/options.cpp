#include "options.hpp"

#include <charconv>
#include <iostream>
#include <limits>
#include <random>
#include <sstream>
#include <stdexcept>

#include "near_misses.hpp"
#include "printable.hpp"

namespace stackheap {
namespace {

constexpr const char* help_text = R"(stackheap: what does memory cost on this machine?

usage: stackheap [option]... [Google Benchmark option]...

  --profile=smoke|quick|full       choose the arguments and the time for each benchmark (default: quick)
  --allocator=NAME=FILE[,PREFIX]   add a malloc library as NAME; PREFIX is the prefix of its malloc, free, ... symbols
  --tested=[NAME[,NAME]...]        measure with these malloc libraries only; an earlier start has tested them
  --recording=NAME=FILE            replay the recording of a program as NAME, in place of those of this program
  --events=NUMBER                  replay only the first so many events of each such recording
  --only=REGEX                     measure only the benchmarks whose name matches
  --pin=cores|none|LIST            pin each thread to a processor (default: cores, every physical core once first)
  --layout=NUMBER                  choose the memory layout that each benchmark's process draws (default: at random)
  --limit=SECONDS                  end a benchmark whose process takes longer, as an error (default: 60)
  --iterations=NUMBER              repeat the operation so often in each repetition of a benchmark
  --turns=IN,OUT[,REPETITIONS]     take turns with another process: write a byte to the open file OUT and wait for a byte from
                                   IN before each repetition of the one benchmark, or before every so many repetitions
  --list[=json]                    list the families, and the strategies with their availability; measure nothing
  --describe-recording=FILE        print what a recording of a program's calls of malloc holds, as JSON; measure nothing
  --version                        print the version and the revision; measure nothing
  --help                           show this help and the options of Google Benchmark
  --child=TASK[,NUMBER]...         run a task in this process: used internally to measure in a process of its own

The value of an option may also be the next argument. Exit status: 0 on success, 2 if nothing was measured.
)";

template <class Number>
Number number(const std::string& option, const std::string& text, Number least) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least)
    throw std::invalid_argument(option + "=" + text + ": not a whole number from " + std::to_string(least) + " to " +
                                std::to_string(std::numeric_limits<Number>::max()));
  return value;
}

/// The options that the help text explains.
std::vector<std::string> known_options() {
  std::vector<std::string> names;
  std::istringstream lines(help_text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("  --")) names.push_back(line.substr(2, line.find_first_of("=[ ", 2) - 2));
  return names;
}

std::vector<std::string> names_in(const std::string& list) {
  std::vector<std::string> names;
  std::istringstream items(list);
  for (std::string name; std::getline(items, name, ',');) names.push_back(name);
  return names;
}

}  // namespace

options parse(int argc, char** argv) {
  options chosen;
  chosen.layout = std::random_device{}();
  chosen.rest.push_back(printable(argc > 0 ? argv[0] : "stackheap"));  // Google Benchmark writes it into its JSON
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
    else if (name == "--tested") chosen.tested = names_in(value());
    else if (name == "--recording") chosen.recordings.push_back(parse_recording_request(value()));
    else if (name == "--events") chosen.events = number<std::uint64_t>(name, value(), 1);
    else if (name == "--only") chosen.only = value();
    else if (name == "--pin") chosen.pin = value();
    else if (name == "--layout") chosen.layout = number<std::uint64_t>(name, value(), 0);
    else if (name == "--limit") chosen.limit_seconds = number<unsigned>(name, value(), 1);
    else if (name == "--iterations") chosen.iterations = number<std::int64_t>(name, value(), 1);
    else if (name == "--turns") chosen.by_turns = parse_turns(value());
    else if (name == "--list") chosen.list = equals == std::string::npos ? "text" : value();
    else if (name == "--describe-recording") chosen.described = value();
    else if (name == "--version") chosen.version = true;
    else if (name == "--help" || name == "-h") std::cout << help_text << '\n', chosen.rest.emplace_back("--help");
    else if (name.starts_with("--benchmark_") || name.starts_with("--v")) chosen.rest.push_back(argument);
    else throw std::invalid_argument("unknown option '" + argument + "'" + did_you_mean(name, known_options()) + " (--help lists them)");
    chosen.min_time_given = chosen.min_time_given || name == "--benchmark_min_time";
  }
  if (chosen.list && *chosen.list != "text" && *chosen.list != "json")
    throw std::invalid_argument("--list takes no value or 'json', got '" + *chosen.list + "'");
  return chosen;
}

std::string min_time(profile chosen) {
  const std::string seconds = chosen == profile::smoke ? "0.0005" : chosen == profile::quick ? "0.004" : "0.01";
  return seconds + STACKHEAP_MIN_TIME_SUFFIX;  // Google Benchmark 1.8 requires the unit, 1.7 refuses it
}

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

void check_format(const options& chosen, const std::string& name) {
  if (const std::string format = flag(chosen, name); !format.empty() && format != "console" && format != "json")
    throw std::invalid_argument("--" + name + "=" + format + ": the format must be console or json");
}

}  // namespace stackheap

#include "options.hpp"

#include <iostream>
#include <stdexcept>

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

}  // namespace

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

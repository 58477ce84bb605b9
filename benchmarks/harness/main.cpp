// stackheap: what does memory cost here? A Google Benchmark program with the suite's own options.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "apart.hpp"
#include "catalogue.hpp"
#include "child.hpp"
#include "context.hpp"
#include "near_misses.hpp"
#include "options.hpp"
#include "printable.hpp"
#include "process_state.hpp"
#include "profile.hpp"
#include "reader.hpp"
#include "recordings.hpp"
#include "streams.hpp"
#include "topology.hpp"
#include "watched.hpp"

namespace stackheap {
namespace {

/// Names the mallocs that were asked for and are not available, with the reasons; empty when all are.
std::string faults_of_requests(const options& chosen) {
  std::vector<std::string> names = chosen.tested.value_or(std::vector<std::string>());
  for (const malloc_request& request : chosen.allocators) names.push_back(request.name);
  std::string all;
  for (const malloc_library& library : malloc_libraries())
    if (!library.available() && std::find(names.begin(), names.end(), library.name) != names.end())
      all += "; " + library.name + " is not available: " + library.reason;
  return all;
}

/// What --only probably meant.
std::string near_miss(const options& chosen) {
  std::vector<std::string> names;
  for (const registered& family : register_all(chosen.chosen, std::regex("")))
    names.insert(names.end(), family.names.begin(), family.names.end());
  return did_you_mean_in(chosen.only, names);
}

/// Why mallocs lack the benchmarks that need a process of their own; empty when none does.
std::string faults_of_deployments() {
  std::string all;
  for (const malloc_library& library : malloc_libraries())
    if (const std::string fault = fault_of_deployment(library); !fault.empty()) all += "; " + library.name + ": " + fault;
  return all;
}

void describe_recording(const std::string& path) {
  try {
    const recording::mapped_file file(path);
    recording::reader recorded(file.bytes());
    std::cout << as_json(recording::describe(recorded)) << '\n';
  } catch (const std::runtime_error& fault) {
    throw std::invalid_argument("--describe-recording=" + path + ": " + fault.what());
  }
}

int run(int argc, char** argv) {
  options chosen = parse(argc, argv);
  if (chosen.version) {
    std::cout << version() << '\n';
    check_printed();
    return 0;
  }
  if (chosen.described) {
    describe_recording(*chosen.described);
    check_printed();
    return 0;
  }
  const std::regex only = compiled(chosen.only);
  check_writable(flag(chosen, "benchmark_out"));  // before any work
  find_malloc_libraries(chosen.allocators, chosen.tested);
  find_recordings(chosen.recordings, chosen.events);
  current_pinning() = pinning::parse(chosen.pin, this_machine());
  const std::vector<registered> all = register_all(chosen.chosen, only);
  if (all.empty())
    throw std::invalid_argument("no benchmark's name matches --only=" + chosen.only + near_miss(chosen) + " (--list shows the " +
                                std::to_string(families().size()) + " families)" + faults_of_requests(chosen) + faults_of_deployments());
  if (chosen.list) {
    *chosen.list == "json" ? list_json(std::cout, all, chosen.chosen) : list_text(std::cout, all);
    check_printed();
    return 0;
  }
  for (const malloc_library& library : malloc_libraries())
    if (!library.available() && !chosen.tested)
      std::fprintf(stderr, "not available: %s: %s\n", printable(library.name).c_str(),
                   printable(why_not(library)).c_str());
  if (const auto preloaded = std::getenv("LD_PRELOAD"); preloaded != nullptr && *preloaded != '\0')
    std::fprintf(stderr, "started with LD_PRELOAD=%s\n", printable(preloaded).c_str());
  check_format(chosen, "benchmark_format");
  check_format(chosen, "benchmark_out_format");
  if (!chosen.min_time_given) chosen.rest.insert(chosen.rest.begin() + 1, "--benchmark_min_time=" + min_time(chosen.chosen));
  std::vector<char*> arguments;
  for (std::string& argument : chosen.rest)
    if (!argument.starts_with("--benchmark_out=")) arguments.push_back(argument.data());  // run_apart writes that file
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (count > 1) throw std::invalid_argument("unknown option '" + std::string(arguments[1]) + "' (--help lists them)");
  for (const auto& [key, value] : facts(chosen.chosen)) benchmark::AddCustomContext(key, value);
  benchmark::AddCustomContext("layout_number", std::to_string(chosen.layout));
  current_pinning().pin(0);
  const std::string listing = flag(chosen, "benchmark_list_tests");
  const std::size_t matched = listing.empty() || listing == "false" ? run_apart(chosen) : benchmark::RunSpecifiedBenchmarks();
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
    stackheap::use_plain_locale();  // a preloaded library may have set another
    if (const auto status = stackheap::run_as_child(argc, argv)) return *status;
    stackheap::occupy_closed_streams();
    stackheap::reserve_static_tls(argv);
    stackheap::adopt_orphans();
    return stackheap::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "stackheap: %s\n", stackheap::printable(error.what()).c_str());
    return 2;
  }
}

#include "context.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "child.hpp"
#include "measure.hpp"
#include "printable.hpp"
#include "process_state.hpp"
#include "recordings.hpp"
#include "shared_cache.hpp"
#include "topology.hpp"
#include "workload.hpp"

extern const char stackheap_revision[100];  // the build writes it; empty where nobody knows it

namespace stackheap {
namespace {

constexpr std::string_view glibc_tunables = "GLIBC_TUNABLES";

/// Whether a variable changes how a malloc works: MALLOC_CONF, MIMALLOC_..., a jemalloc's <prefix>_MALLOC_CONF, and others.
bool is_malloc_setting(std::string_view name) {
  return name == glibc_tunables || name == "SCUDO_OPTIONS" || name.find("MALLOC_") != std::string_view::npos;
}

/// "NAME=VALUE NAME=VALUE" of the environment, sorted; without the static thread-local storage that this program asks for.
std::string malloc_settings() {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    const std::string_view name = variable.substr(0, variable.find('='));
    if (!is_malloc_setting(name)) continue;
    std::string value(variable.substr(std::min(name.size() + 1, variable.size())));
    if (name == glibc_tunables) value = without_tunable(value, static_tls_tunable);
    if (name == glibc_tunables && value.empty()) continue;
    all.push_back(std::string(name) + '=' + value);
  }
  std::sort(all.begin(), all.end());
  std::string text;
  for (const std::string& variable : all) text += (text.empty() ? "" : " ") + variable;
  return text;
}

/// The processors that this process may use, however it is pinned: "0,1,4".
std::string affinity() {
  std::vector<unsigned> units = this_machine().units();
  std::sort(units.begin(), units.end());
  std::string text;
  for (const unsigned unit : units) text += (text.empty() ? "" : ",") + std::to_string(unit);
  return text;
}

std::string first_line_of(const char* file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

}  // namespace

std::string version() {
  const std::string revision = *stackheap_revision != '\0' ? stackheap_revision : "unknown";
  return "stackheap " STACKHEAP_VERSION ", revision " + revision;
}

std::vector<std::pair<std::string, std::string>> facts(profile chosen) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [&](const std::string& key, const std::string& value) { all.emplace_back(key, printable(value)); };
  add("suite_version", STACKHEAP_VERSION);
  add("format", STACKHEAP_FORMAT);
  if (*stackheap_revision != '\0') add("revision", stackheap_revision);
  add("profile", std::string(name_of(chosen)));
  add("seed", std::to_string(seed));
  add("layout", "drawn by the process of each benchmark");
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
  add("affinity", affinity());
  add("stack_limit", limit_of(RLIMIT_STACK));
  add("address_space_limit", limit_of(RLIMIT_AS));
  add("data_limit", limit_of(RLIMIT_DATA));
  add("scheduling", scheduling());
  add("overcommit_memory", first_line_of("/proc/sys/vm/overcommit_memory"));
  add("malloc_settings", malloc_settings());
  const std::pair<const char*, int> levels[] = {{"l1d_bytes", 1}, {"l2_bytes", 2}, {"l3_bytes", 3}};
  for (const auto& [key, level] : levels)
    if (const auto bytes = machine.cache_bytes(level)) add(key, std::to_string(*bytes));
  if (const auto bytes = shared_cache_set(machine.cache_bytes(2), machine.cache_bytes(3)))
    add("shared_cache_set_bytes", std::to_string(*bytes));
  add("counters", available_counters());
  const char* const preloaded = std::getenv("LD_PRELOAD");
  add("preloaded", preloaded != nullptr ? preloaded : "");
  add("transparent_hugepages", first_line_of("/sys/kernel/mm/transparent_hugepage/enabled"));
  add("page_bytes", std::to_string(::sysconf(_SC_PAGESIZE)));
  for (const named_recording& source : named_recordings())  // those of the program are known by its revision
    if (source.requested) add("recording." + source.name, std::to_string(source.recorded.file.size()) + " bytes");
  for (const malloc_library& library : malloc_libraries()) {
    if (library.process) add("process_malloc", library.name);
    const std::string version = library.version.empty() ? "unknown" : library.version;
    add("malloc." + library.name,
        library.available() ? version + ' ' + library.file : "not available: " + why_not(library));
    if (!library.changes.empty()) add("malloc_changes." + library.name, library.changes);
  }
  return all;
}

std::string why_not(const malloc_library& missing) {
  return missing.reason + (missing.package.empty() ? "" : " (install: " + missing.package + ')');
}

}  // namespace stackheap

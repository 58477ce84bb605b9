#include "context.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "measure.hpp"
#include "shared_cache.hpp"
#include "topology.hpp"
#include "workload.hpp"

extern const char stackheap_revision[100];  // the build writes it; empty where nobody knows it

namespace stackheap {
namespace {

std::string first_line_of(const char* file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> facts(profile chosen) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [&](const std::string& key, const std::string& value) { all.emplace_back(key, value); };
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
  for (const malloc_library& library : malloc_libraries()) {
    if (library.process) add("process_malloc", library.name);
    const std::string version = library.version.empty() ? "unknown" : library.version;
    add("malloc." + library.name,
        library.available() ? version + ' ' + library.file : "not available: " + why_not(library));
  }
  return all;
}

std::string why_not(const malloc_library& missing) {
  return missing.reason + (missing.package.empty() ? "" : " (install: " + missing.package + ')');
}

}  // namespace stackheap

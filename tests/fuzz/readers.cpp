#include "readers.hpp"

#include <algorithm>
#include <array>

#include "child.hpp"
#include "family.hpp"
#include "free_memory.hpp"
#include "held_memory.hpp"
#include "loaded_malloc.hpp"
#include "made_up_system.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

void promise(bool kept, const char* text) {
  if (!kept) throw broken_promise(text);
}

void malloc_request_is_named(const std::string& text) {
  const malloc_request parsed = parse_malloc_request(text);
  promise(!parsed.name.empty() && !parsed.file.empty(), "a malloc has a name and a file");
  promise(parsed.name.find_first_of("/= \n") == std::string::npos, "a malloc's name fits into a benchmark's");
}

void pinning_is_on_this_machine(const std::string& text) {
  static const topology machine = topology::synthetic("package:1 core:4 pu:2");
  const pinning chosen = pinning::parse(text, machine);
  for (const unsigned unit : chosen.processors()) promise(unit < 8, "a processor is one of the machine's");
}

void profile_has_its_name(const std::string& text) { promise(name_of(parse_profile(text)) == text, "a profile is called so"); }

void rollup_is_read(const std::string& text) {
  if (!parse_rollup(text)) throw std::invalid_argument("nothing");
}

void statm_is_no_contradiction(const std::string& text) {
  const auto held = parse_statm(text, 4096);
  if (!held) throw std::invalid_argument("nothing");
  promise(held->unshared <= held->resident, "what is unshared is resident");
}

void tunable_is_taken_out(const std::string& text) {
  const std::string kept = without_tunable(text, static_tls_tunable);
  promise(kept.size() <= text.size(), "nothing is added");
  promise(without_tunable(kept, static_tls_tunable) == kept, "a second time changes nothing");
  promise((':' + kept + ':').find(std::string(":") + static_tls_tunable + '=') == std::string::npos, "the tunable is gone");
  if (kept.empty()) throw std::invalid_argument("nothing");
}

/// There are no tasks here, so whatever is asked must be refused or be no order at all.
void order_to_a_child_is_refused(const std::string& text) {
  std::string program = "program", order = text;
  char* words[] = {program.data(), order.data(), nullptr};
  if (!order.starts_with("--child=")) return promise(!run_as_child(2, words), "what is no order is done");
  order.insert(8, "none,");
  words[1] = order.data();
  run_as_child(2, words);
  throw broken_promise("a task that is not there was done");
}

void report_of_a_child_is_read(const std::string& text) {
  const child_report report = parse_report(text);
  promise(report.results.size() + report.loaded.size() <= text.size(), "nothing is found that was not said");
  promise(report.wrong.find('\n') == std::string::npos, "what went wrong is one line");
  if (report.results.empty()) throw std::invalid_argument("nothing");
}

/// Files of the text's parts, in turn; a part ends at a bar.
void write_parts(const made_up_system& here, const std::string& text) {
  constexpr std::array files{"proc/self/cgroup", "proc/meminfo", "sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current",
                             "sys/fs/cgroup/memory.stat", "sys/fs/cgroup/cpu.max", "sys/fs/cgroup/a/cpu.cfs_quota_us",
                             "sys/fs/cgroup/a/cpu.cfs_period_us"};
  std::size_t from = 0;
  for (const char* const file : files) {
    const std::size_t to = std::min(text.find('|', from), text.size());
    here.write(file, text.substr(from, to - from));
    from = std::min(to + 1, text.size());
  }
}

void limits_of_groups_are_limits(const std::string& text) {
  const made_up_system here;
  write_parts(here, text);
  const auto memory = free_memory(here.root);
  const auto quota = cgroup_cpu_quota(here.root);
  promise(!quota || *quota > 0, "a quota of time is more than none");
  if (quota) promise(topology::synthetic("core:4 pu:1", quota).cores() <= 4, "a quota gives no cores");
  if (!memory && !quota) throw std::invalid_argument("nothing");
}

}  // namespace

const std::vector<reader>& readers() {
  static const std::vector<reader> all{
      {"malloc_requests", {"mine", "=", ",", "/lib/x.so", "prefix_", "..", "=,"}, malloc_request_is_named},
      {"pinnings", {"0", "1", "7", "-", ",", "8", "999999999999", "cores", "none", "0-7"}, pinning_is_on_this_machine},
      {"profiles", {"smoke", "quick", "full", "s"}, profile_has_its_name},
      {"rollups",
       {"Rss:", "Private_Dirty:", " ", "1664", " kB\n", "\n", "99999999999999999999", "-1", ":", "AnonHugePages:"},
       rollup_is_read},
      {"statm", {"765 ", "405 ", "3 ", " ", "-1", "99999999999999999999", "\n"}, statm_is_no_contradiction},
      {"tunables", {"glibc.rtld.optional_static_tls", "=", ":", "16384", "glibc.malloc.check", "::"}, tunable_is_taken_out},
      {"orders", {"--child=", "sum", ",", "1", "99999999999999999999", "-1", " "}, order_to_a_child_is_refused},
      {"reports",
       {"wrong=", "malloc=", "loaded=", "/lib/x.so", "\n", "bytes", "=", "1e308", "nan", "-1"},
       report_of_a_child_is_read},
      {"groups",
       {"0::/", "4:memory:/a", "7:cpu,cpuacct:/a", "\n", "|", "..", "/", "max", "MemAvailable: ", " kB", "100000 ",
        "inactive_file ", "-1"},
       limits_of_groups_are_limits},
  };
  return all;
}

bool reads(const reader& chosen, const std::string& text) {
  try {
    chosen.read(text);
    return true;
  } catch (const std::invalid_argument& refused) {
    // Its own words are one line; what it quotes is its user's.
    const bool one_line = std::string_view(refused.what()).find('\n') == std::string::npos;
    promise(one_line || text.find('\n') != std::string::npos, "a refusal is one line");
    return false;
  }
}

}  // namespace stackheap

#include "topology.hpp"

#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <tuple>

#include "control_groups.hpp"

namespace stackheap {

struct topology::loaded {
  loaded() {
    if (hwloc_topology_init(&handle) != 0) throw std::runtime_error("hwloc cannot begin a topology");
  }
  loaded(const loaded&) = delete;
  loaded& operator=(const loaded&) = delete;
  ~loaded() { hwloc_topology_destroy(handle); }
  hwloc_topology_t handle{};
};

namespace {

/// Efficiency of the kind of core that `unit` belongs to: higher is faster; 0 where all are equal or it is unknown.
int efficiency(hwloc_topology_t machine, hwloc_obj_t unit) {
#if HWLOC_API_VERSION >= 0x00020400
  const int kind = hwloc_cpukinds_get_by_cpuset(machine, unit->cpuset, 0);
  int value = 0;
  if (kind >= 0 && hwloc_cpukinds_get_info(machine, static_cast<unsigned>(kind), nullptr, &value, nullptr, nullptr, 0) == 0)
    return std::max(value, 0);
#endif
  return 0;
}

/// Bytes by level, from level 1 on; 0 where the size is unknown.
std::vector<std::size_t> data_caches(hwloc_obj_t unit) {
  std::vector<std::size_t> bytes;
  for (hwloc_obj_t above = unit; above != nullptr; above = above->parent)
    if (hwloc_obj_type_is_dcache(above->type)) {
      const std::size_t level = above->attr->cache.depth;
      bytes.resize(std::max(bytes.size(), level));
      bytes[level - 1] = above->attr->cache.size;
    }
  return bytes;
}

std::string count_of(int count, const std::string& noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

std::optional<double> quota_in(const std::filesystem::path& group) {
  double quota = 0, period = 0;
  if (std::ifstream file(group / "cpu.max"); file >> quota >> period && quota > 0 && period > 0) return quota / period;
  std::ifstream quota_file(group / "cpu.cfs_quota_us"), period_file(group / "cpu.cfs_period_us");
  if (quota_file >> quota && period_file >> period && quota > 0 && period > 0) return quota / period;
  return {};
}

}  // namespace

topology topology::from(loaded& hwloc, std::optional<double> quota_cores) {
  hwloc_topology_t machine = hwloc.handle;
  topology result;
  // Rank of a unit within its core, slower kinds of core after faster ones, then the machine's own order.
  std::vector<std::tuple<int, int, int, unsigned>> order;
  std::map<hwloc_obj_t, int> seen;
  hwloc_obj_t first = nullptr;
  for (hwloc_obj_t unit = nullptr; (unit = hwloc_get_next_obj_by_type(machine, HWLOC_OBJ_PU, unit)) != nullptr;) {
    hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(machine, HWLOC_OBJ_CORE, unit);
    const int within = seen[core != nullptr ? core : unit]++;
    order.emplace_back(within, -efficiency(machine, unit), static_cast<int>(order.size()), unit->os_index);
  }
  std::sort(order.begin(), order.end());
  for (const auto& ranked : order) result.units_.push_back(std::get<3>(ranked));
  if (!result.units_.empty()) first = hwloc_get_pu_obj_by_os_index(machine, result.units_.front());
  if (first != nullptr) result.cache_bytes_ = data_caches(first);
  result.cores_ = std::max<unsigned>(1, static_cast<unsigned>(seen.size()));
  if (quota_cores) result.cores_ = std::clamp<unsigned>(static_cast<unsigned>(std::floor(*quota_cores)), 1, result.cores_);
  result.description_ = count_of(std::max(1, hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_PACKAGE)), "package") + ", " +
                       count_of(static_cast<int>(seen.size()), "core") + ", " +
                       count_of(static_cast<int>(result.units_.size()), "processing unit");
  if (const hwloc_obj_t package = hwloc_get_obj_by_type(machine, HWLOC_OBJ_PACKAGE, 0))
    if (const char* const model = hwloc_obj_get_info_by_name(package, "CPUModel")) result.cpu_model_ = model;
  if (quota_cores) {
    std::ostringstream text;
    text << ", time for " << *quota_cores << " by its control group";
    result.description_ += text.str();
  }
  return result;
}

topology topology::of_this_machine() {
  loaded hwloc;
  // hwloc restricts only a topology of which it is told that it is that of this system.
  constexpr unsigned long flags = HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM | HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING;
  if (hwloc_topology_set_flags(hwloc.handle, flags) != 0 || hwloc_topology_load(hwloc.handle) != 0)
    throw std::runtime_error(std::string("hwloc cannot read the processors of this machine: ") + std::strerror(errno));
  return from(hwloc, cgroup_cpu_quota());
}

topology topology::synthetic(const std::string& description, std::optional<double> quota_cores) {
  loaded hwloc;
  if (hwloc_topology_set_synthetic(hwloc.handle, description.c_str()) != 0 || hwloc_topology_load(hwloc.handle) != 0)
    throw std::invalid_argument("hwloc cannot build '" + description + "'");
  return from(hwloc, quota_cores);
}

std::optional<std::size_t> topology::cache_bytes(int level) const {
  const auto index = static_cast<std::size_t>(level - 1);
  if (index >= cache_bytes_.size() || cache_bytes_[index] == 0) return {};
  return cache_bytes_[index];
}

std::string topology::description() const { return description_; }

std::optional<double> cgroup_cpu_quota(const std::filesystem::path& root) {
  std::optional<double> least;  // a quota of any group above applies as well
  for (const std::filesystem::path& group : control_groups("cpu", root))
    if (const auto quota = quota_in(group); quota && (!least || *quota < *least)) least = quota;
  return least;
}

std::vector<unsigned> thread_counts(unsigned cores) {
  std::vector<unsigned> counts{1, 2, cores, 2 * cores};
  for (unsigned count = 4; count < 2 * cores; count *= 2) counts.push_back(count);
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

pinning pinning::parse(const std::string& text, const topology& machine) {
  pinning chosen;
  if (text == "none") return chosen;
  if (text == "cores") {
    chosen.processors_ = machine.units();
    return chosen;
  }
  const auto refuse = [&](const std::string& why) {
    return std::invalid_argument("--pin=" + text + ": " + why + " (expected cores, none, or a list of processors such as 0,2,4-7)");
  };
  if (text.ends_with(',')) throw refuse("a processor must follow the last comma");
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    unsigned low = 0, high = 0;
    const char* const end = item.data() + item.size();
    std::from_chars_result read = std::from_chars(item.data(), end, low);
    high = low;
    if (read.ec == std::errc() && read.ptr != end && *read.ptr == '-') read = std::from_chars(read.ptr + 1, end, high);
    if (read.ec != std::errc() || read.ptr != end || high < low || high > 1'000'000)
      throw refuse("'" + item + "' is not a processor");
    for (unsigned unit = low; unit <= high; ++unit) {
      if (std::find(machine.units().begin(), machine.units().end(), unit) == machine.units().end())
        throw refuse("this process may not use processor " + std::to_string(unit));
      chosen.processors_.push_back(unit);
    }
  }
  if (chosen.processors_.empty()) throw refuse("the list has no processor");
  return chosen;
}

processor_set::processor_set(const std::vector<unsigned>& processors) {
  const unsigned last = *std::max_element(processors.begin(), processors.end());
  bytes_ = CPU_ALLOC_SIZE(last + 1);
  set_ = CPU_ALLOC(last + 1);
  if (set_ == nullptr) throw std::bad_alloc();
  CPU_ZERO_S(bytes_, set_);
  for (const unsigned unit : processors) CPU_SET_S(unit, bytes_, set_);
}

processor_set::~processor_set() { CPU_FREE(set_); }

void processor_set::confine() const {
  if (::sched_setaffinity(0, bytes_, set_) == 0) return;  // the processor may have gone offline since
  const std::string why = std::strerror(errno);
  std::string wanted;
  for (unsigned unit = 0; unit < bytes_ * 8; ++unit)
    if (CPU_ISSET_S(unit, bytes_, set_)) wanted += (wanted.empty() ? "" : ",") + std::to_string(unit);
  throw std::runtime_error("cannot pin a thread to processor " + wanted + ": " + why);
}

void pinning::pin(unsigned index) const {
  if (!processors_.empty()) processor_set({processors_[index % processors_.size()]}).confine();
}

std::string pinning::description() const {
  if (processors_.empty()) return "none";
  std::string text;
  for (const unsigned unit : processors_) text += (text.empty() ? "" : ",") + std::to_string(unit);
  return text;
}

pinning& current_pinning() {
  static pinning chosen;
  return chosen;
}

const topology& this_machine() {
  static const topology machine = topology::of_this_machine();
  return machine;
}

}  // namespace stackheap

// Which processors may this process use, in which order, and how large are their caches?
#pragma once

#include <sched.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stackheap {

/// The machine as hwloc sees it, within what this process may use (affinity, cpuset, and a container's share of time).
class topology {
 public:
  static topology of_this_machine();
  /// For tests: hwloc's synthetic description, such as "package:2 core:64 pu:2". `quota_cores` as of_quota() finds it.
  static topology synthetic(const std::string& description, std::optional<double> quota_cores = {});

  /// Operating-system numbers of the usable processing units: the fastest kind of core first, one unit of each physical
  /// core before any second one.
  const std::vector<unsigned>& units() const { return units_; }
  /// Physical cores this process can keep busy: at least 1, and no more than a container's time quota allows.
  unsigned cores() const { return cores_; }
  /// Bytes of the data cache of `level` next to the first unit; empty when unknown.
  std::optional<std::size_t> cache_bytes(int level) const;
  /// "2 packages, 128 cores, 256 processing units", as usable.
  std::string description() const;
  /// The model name of the first package; empty when it is unknown.
  const std::string& cpu_model() const { return cpu_model_; }

 private:
  struct loaded;
  static topology from(loaded& hwloc, std::optional<double> quota_cores);

  std::vector<unsigned> units_;
  unsigned cores_ = 1;
  std::vector<std::size_t> cache_bytes_;
  std::string description_;
  std::string cpu_model_;
};

/// The CPU time, in CPUs, that control groups grant this process (cpu.max, cpu.cfs_quota_us); empty when there is no
/// limit. `root` is a prefix of /proc and /sys, for tests.
std::optional<double> cgroup_cpu_quota(const std::filesystem::path& root = "/");

/// 1, 2, 4, ... below `2 * cores`, the number of cores and twice that number: at least 1 and 2, ascending.
std::vector<unsigned> thread_counts(unsigned cores);

/// Processors that a thread may run on, as the system calls take them.
class processor_set {
 public:
  /// `processors` is not empty.
  explicit processor_set(const std::vector<unsigned>& processors);
  processor_set(const processor_set&) = delete;
  processor_set& operator=(const processor_set&) = delete;
  ~processor_set();

  /// Confines the calling thread, and the threads that it starts from now on, to these processors.
  /// Throws std::runtime_error where the system refuses.
  void confine() const;
  const cpu_set_t* get() const { return set_; }
  std::size_t bytes() const { return bytes_; }

 private:
  cpu_set_t* set_;
  std::size_t bytes_;
};

/// Where threads are pinned; made from --pin: "cores", "none" or a list as "0,2,4-7".
class pinning {
 public:
  /// Throws std::invalid_argument, with one line, on any other text or on a processor that this process may not use.
  static pinning parse(const std::string& text, const topology& machine);

  /// Pins the calling thread as the `index`-th of a team; after the last processor it starts again with the first.
  /// Throws std::runtime_error when the system refuses.
  void pin(unsigned index) const;
  std::string description() const;
  const std::vector<unsigned>& processors() const { return processors_; }

 private:
  std::vector<unsigned> processors_;  ///< empty: not pinned
};

/// The pinning of this run; main sets it before any benchmark runs.
pinning& current_pinning();

/// The machine of this run, read once.
const topology& this_machine();

}  // namespace stackheap

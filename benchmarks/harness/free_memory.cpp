#include "free_memory.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

namespace stackheap {
namespace {

namespace fs = std::filesystem;

/// Where nothing says what is free, an experiment takes no more than this.
constexpr std::size_t unknown_harmless = std::size_t{64} << 20;

std::optional<std::size_t> number_in(const fs::path& file) {
  std::size_t number = 0;
  if (std::ifstream in(file); in >> number) return number;
  return {};  // no such file, or "max"
}

/// The number that stands after `key` in a file of lines "key number".
std::size_t number_of(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  std::size_t number = 0;
  for (std::string word; in >> word >> number;)
    if (word == key) return number;
  return 0;
}

/// What a group leaves; the names of its files differ between the two versions of control groups.
std::optional<std::size_t> left_by(const fs::path& group, const char* limit_file, const char* use_file,
                                   const char* droppable_key) {
  const auto limit = number_in(group / limit_file), use = number_in(group / use_file);
  if (!limit || !use) return {};
  const std::size_t held = *use - std::min(*use, number_of(group / "memory.stat", droppable_key));
  return *limit - std::min(*limit, held);
}

std::optional<std::size_t> least(std::optional<std::size_t> one, std::optional<std::size_t> other) {
  if (!one || !other) return one ? one : other;
  return std::min(*one, *other);
}

std::optional<std::size_t> left_by_groups(const fs::path& root) {
  std::ifstream groups(root / "proc/self/cgroup");
  std::optional<std::size_t> left;
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers != "memory") continue;
    const fs::path tree = root / "sys/fs/cgroup" / controllers;
    // A limit anywhere above binds as well; inside a container the path may not exist: the root is the group itself.
    for (auto group = fs::path(line.substr(second + 1));; group = group.parent_path()) {
      const fs::path here = tree / group.relative_path();
      left = least(left, left_by(here, "memory.max", "memory.current", "inactive_file"));
      left = least(left, left_by(here, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"));
      if (!group.has_relative_path()) break;
    }
  }
  return left;
}

std::optional<std::size_t> available_to_all(const fs::path& root) {
  std::ifstream file(root / "proc/meminfo");
  for (std::string line; std::getline(file, line);)
    if (unsigned long kib = 0; std::sscanf(line.c_str(), "MemAvailable: %lu kB", &kib) == 1) return kib * 1024;
  return {};
}

}  // namespace

std::optional<std::size_t> free_memory(const fs::path& root) {
  return least(available_to_all(root), left_by_groups(root));
}

std::size_t harmless_bytes(std::size_t wanted) {
  const auto free = free_memory();
  return std::min(wanted, free ? *free / 4 : unknown_harmless);
}

}  // namespace stackheap

#include "free_memory.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

#include "control_groups.hpp"

namespace stackheap {
namespace {

namespace fs = std::filesystem;

/// The most that an experiment takes where the free memory is unknown.
constexpr std::size_t unknown_harmless = std::size_t{64} << 20;

std::optional<std::size_t> number_in(const fs::path& file) {
  std::size_t number = 0;
  if (std::ifstream in(file); in >> number) return number;
  return {};  // no such file, or "max"
}

/// The number after `key` in a file of lines "key number".
std::size_t number_of(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  std::size_t number = 0;
  for (std::string word; in >> word >> number;)
    if (word == key) return number;
  return 0;
}

/// The rest in a group; the names of its files differ between the two versions of control groups.
std::optional<std::size_t> left_by(const fs::path& group, const char* limit_file, const char* use_file,
                                   const char* droppable_key) {
  const auto limit = number_in(group / limit_file), use = number_in(group / use_file);
  if (!limit || !use) return {};
  const std::size_t held = *use - std::min(*use, number_of(group / "memory.stat", droppable_key));
  return *limit - std::min(*limit, held);
}

std::optional<std::size_t> least(std::optional<std::size_t> first, std::optional<std::size_t> second) {
  if (!first || !second) return first ? first : second;
  return std::min(*first, *second);
}

/// A limit of any group above applies as well.
std::optional<std::size_t> left_by_groups(const fs::path& root) {
  std::optional<std::size_t> left;
  for (const fs::path& group : control_groups("memory", root)) {
    left = least(left, left_by(group, "memory.max", "memory.current", "inactive_file"));
    left = least(left, left_by(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"));
  }
  return left;
}

/// A line of /proc/meminfo, in bytes.
std::optional<std::size_t> meminfo(const fs::path& root, const std::string& key) {
  std::ifstream file(root / "proc/meminfo");
  for (std::string line; std::getline(file, line);)
    if (unsigned long kib = 0; std::sscanf(line.c_str(), (key + ": %lu kB").c_str(), &kib) == 1) return kib * 1024;
  return {};
}

}  // namespace

std::optional<std::size_t> free_memory(const fs::path& root) {
  return least(meminfo(root, "MemAvailable"), left_by_groups(root));
}

std::optional<std::size_t> all_memory(const fs::path& root) {
  std::optional<std::size_t> all = meminfo(root, "MemTotal");
  if (all) *all += meminfo(root, "SwapTotal").value_or(0);
  for (const fs::path& group : control_groups("memory", root))
    for (const char* const limit : {"memory.max", "memory.limit_in_bytes"}) all = least(all, number_in(group / limit));
  return all;
}

std::size_t harmless_bytes(std::size_t wanted) {
  const auto free = free_memory();
  return std::min(wanted, free ? *free / 4 : unknown_harmless);
}

}  // namespace stackheap

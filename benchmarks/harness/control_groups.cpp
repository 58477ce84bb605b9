#include "control_groups.hpp"

#include <fstream>
#include <string>

namespace stackheap {
namespace {

namespace fs = std::filesystem;

/// Whether the word is in the list, which is separated by commas.
bool names(const std::string& list, std::string_view word) {
  return (',' + list + ',').find(',' + std::string(word) + ',') != std::string::npos;
}

}  // namespace

std::vector<fs::path> control_groups(std::string_view controller, const fs::path& root) {
  std::vector<fs::path> groups;
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {  // number:controllers:path, no controllers in version 2
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && !names(controllers, controller)) continue;
    const fs::path tree = root / "sys/fs/cgroup" / controllers;
    for (auto group = fs::path(line.substr(second + 1));; group = group.parent_path()) {
      groups.push_back(tree / group.relative_path());
      if (!group.has_relative_path()) break;
    }
  }
  return groups;
}

}  // namespace stackheap

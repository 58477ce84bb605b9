// Which control groups limit this process? A container is such a group, and has less than the whole machine.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace stackheap {

/// The folders of this process's groups, and of all groups above them, that `controller` ("memory", "cpu") controls, in
/// either version of control groups. They may not exist: inside a container the path of its group may be missing, and
/// the root is the group itself. `root` is a prefix of /proc and /sys, for tests.
std::vector<std::filesystem::path> control_groups(std::string_view controller, const std::filesystem::path& root = "/");

}  // namespace stackheap

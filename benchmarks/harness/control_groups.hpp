// Which control groups limit this process? A container is one, and what it may use is less than what the machine has.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace stackheap {

/// The folders of the groups that this process is in, and of all above them, as far as `controller` ("memory", "cpu") rules
/// there, in either version of control groups. Not each needs to exist: inside a container the path of its group may not,
/// and the root is the group itself. `root` stands before /proc and /sys, for tests.
std::vector<std::filesystem::path> control_groups(std::string_view controller, const std::filesystem::path& root = "/");

}  // namespace stackheap

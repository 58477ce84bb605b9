// How much memory may this process take without harm to the machine or its container?
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace stackheap {

/// Free memory in bytes: the minimum of the machine's MemAvailable and of the rest in each control group above this
/// process (limit minus use, without file pages that can be dropped). Empty when both are unknown. `root` is a prefix
/// of /proc and /sys, for tests.
std::optional<std::size_t> free_memory(const std::filesystem::path& root = "/");

/// All memory in bytes that this process could ever use: the machine's memory and swap, or the lowest limit of a control
/// group above this process. Empty when unknown.
std::optional<std::size_t> all_memory(const std::filesystem::path& root = "/");

/// The most that an experiment may take: `wanted`, but never more than a quarter of the free memory.
std::size_t harmless_bytes(std::size_t wanted);

}  // namespace stackheap

// How much memory may this process take without harm to the machine, or to the container it runs in?
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace stackheap {

/// Bytes that are free to be taken: the least of the machine's MemAvailable and of what each control group above this
/// process leaves (limit minus use, where file pages that can be dropped are not counted as use). Empty when nothing
/// says. `root` stands before /proc and /sys, for tests.
std::optional<std::size_t> free_memory(const std::filesystem::path& root = "/");

/// What an experiment may take at most: `wanted`, but never more than a quarter of what is free.
std::size_t harmless_bytes(std::size_t wanted);

}  // namespace stackheap

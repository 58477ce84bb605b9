// Did a piece of memory get huge pages?
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace stackheap {

inline constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

/// The share of `bytes` from `data` on that is on huge pages, from /proc/self/smaps, which counts whole mappings: huge
/// pages of the same mapping outside the piece are counted too. Negative when it is unknown.
inline double huge_share(const void* data, std::size_t bytes) {
  std::ifstream file("/proc/self/smaps");
  const auto low = reinterpret_cast<std::uintptr_t>(data), high = low + bytes;
  double huge = 0;
  bool inside = false, known = false;
  for (std::string line; std::getline(file, line);) {
    unsigned long from = 0, to = 0, kib = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2)
      inside = from < high && low < to;
    else if (inside && std::sscanf(line.c_str(), "AnonHugePages: %lu kB", &kib) == 1)
      huge += static_cast<double>(kib) * 1024, known = true;
  }
  return known ? std::min(1.0, huge / static_cast<double>(bytes)) : -1;
}

}  // namespace stackheap

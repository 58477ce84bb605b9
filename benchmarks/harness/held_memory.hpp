// How much memory does this process hold, as the kernel counts it?
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace stackheap {

/// What of a process stands in memory, in bytes.
struct held_memory {
  std::size_t resident = 0;   ///< all of its pages that are in memory
  std::size_t unshared = 0;   ///< those that belong to it alone
  std::size_t lazy_free = 0;  ///< given back with MADV_FREE: still resident, but the kernel may take them when it wants
  std::size_t huge = 0;       ///< those on huge pages
  bool exact = false;         ///< from smaps_rollup; statm, the way out, knows neither lazy_free nor huge
};

/// Reads `folder`/smaps_rollup, or `folder`/statm where the former is masked or missing. Allocates nothing, so that it
/// does not change what it measures. Throws wrong_work when neither can be read.
held_memory held_now(const char* folder = "/proc/self");

/// The text of smaps_rollup; empty when it says nothing of Rss.
std::optional<held_memory> parse_rollup(std::string_view text);
/// The text of statm, which counts in pages.
std::optional<held_memory> parse_statm(std::string_view text, std::size_t page_bytes);

}  // namespace stackheap

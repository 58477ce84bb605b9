// How much memory does this process hold, as the kernel counts it?
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace stackheap {

/// The memory of a process, in bytes.
struct held_memory {
  std::size_t resident = 0;   ///< all of its pages that are in memory
  std::size_t unshared = 0;   ///< pages that belong to it alone
  std::size_t lazy_free = 0;  ///< given back with MADV_FREE: still resident, but the kernel may take them at any time
  std::size_t huge = 0;       ///< on huge pages
  bool exact = false;         ///< from smaps_rollup; statm, the fallback, has neither lazy_free nor huge
};

/// Reads `folder`/smaps_rollup, or `folder`/statm where the former cannot be read. Allocates nothing, so that it does not
/// change its own result. Throws verification_error when neither can be read.
held_memory held_now(const char* folder = "/proc/self");

/// Parses the text of smaps_rollup; empty when it has no Rss.
std::optional<held_memory> parse_rollup(std::string_view text);
/// Parses the text of statm, which counts in pages.
std::optional<held_memory> parse_statm(std::string_view text, std::size_t page_bytes);

}  // namespace stackheap

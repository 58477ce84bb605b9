// Does a benchmark keep its plain name where Google Benchmark adds how it was timed?
#pragma once

#include <string>

namespace stackheap {

/// Google Benchmark adds this to the names of benchmarks that are timed once (timing::once). It is in no result.
inline constexpr const char* timed_once_suffix = "/iterations:1/manual_time";

/// The filter, so that a `$` matches the end of a plain name too: Google Benchmark compares it with the longer name.
std::string matching_plain_names(const std::string& filter);

}  // namespace stackheap

// How much of the cache that it shares with other cores, and with other guests of its host, does this process have? No
// operating system tells. A walk through a set that fits this cache does: others that use it push the set out, for minutes
// at a time (CacheInspector, Song et al., ACM TACO 2021, measures clouds so).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace stackheap {

/// How often a set past the second-level cache is gone through before the timing. The shared cache keeps more of a set that
/// is read again and again: through three scattered pointers the first round costs a third more than the eighth, in a list
/// that is scattered over more memory than this cache holds nearly twice as much as the tenth.
inline constexpr std::size_t rounds_before_timing = 8;

/// The set of the walk: a quarter of the shared cache, about what a guest has of it while its host is quiet, so that it is
/// slow to walk as soon as the sets of benchmarks are; but at least four times the second-level cache, which then holds
/// little of it, and at most 8 MiB, which take milliseconds. Empty where the shared cache is unknown or not at least twice
/// as large.
std::optional<std::size_t> shared_cache_set(std::optional<std::size_t> second_cache, std::optional<std::size_t> shared_cache);

/// Nanoseconds of a load that waits for the load before it, at random in that set: the median of the stretches of a walk
/// through all of it, right after such a walk. A set that was just read in order would still be there, whoever uses the cache:
/// a slow walk leaves others the time to push it out, and is slow for that reason. Empty without a set.
std::optional<double> ns_shared_cache();

/// Whether the family of this benchmark declares that its data lie past the second-level cache (about::past_second_cache).
bool past_second_cache(const std::string& name);

/// ns_shared_cache() for a benchmark whose data lie past the second-level cache: taken at the first call for its name,
/// before its data exist, and so without an effect on them. Empty for other benchmarks.
std::optional<double> shared_cache_beside(const std::string& name);

/// ns_shared_cache() once more, where it was taken beside the last benchmark: others may have come since. The smallest of
/// several attempts, because a cache holds on to what the benchmark itself read last, for some passes through the set.
std::optional<double> ns_shared_cache_again();

}  // namespace stackheap

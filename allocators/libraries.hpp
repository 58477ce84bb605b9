// Which malloc libraries can be loaded? One row for each; a new malloc is a new row.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "loaded_malloc.hpp"

namespace stackheap {

/// A malloc library as distributions ship it.
struct library_row {
  std::string_view name;                      ///< result name
  std::string_view description;                      ///< one phrase for people
  std::array<std::string_view, 3> sonames;    ///< tried in order
  std::string_view prefix;                    ///< prefix of malloc, free, ... in the library's symbols
  std::string_view package;                   ///< Debian's package
  version_function version;                   ///< asks the opened library; empty when it cannot tell
  std::array<std::string_view, 3> quick = {};  ///< the only families in which a quick run measures it; empty: all families
};

std::string glibc_version(const malloc_load&, std::string_view prefix);
std::string mimalloc_version(const malloc_load&, std::string_view prefix);
std::string jemalloc_version(const malloc_load&, std::string_view prefix);
std::string tcmalloc_version(const malloc_load&, std::string_view prefix);
std::string tbbmalloc_version(const malloc_load&, std::string_view prefix);
std::string no_version(const malloc_load&, std::string_view prefix);

inline constexpr std::array libraries{
    library_row{"glibc", "the C library's malloc (ptmalloc)", {"libc.so.6"}, "", "libc6", glibc_version},
    library_row{"mimalloc", "Microsoft's malloc: free lists sharded by page",
                {"libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so"}, "", "libmimalloc2.0", mimalloc_version},
    library_row{"jemalloc", "FreeBSD's malloc: arenas, extents, thread caches",
                {"libjemalloc.so.2", "libjemalloc.so"}, "", "libjemalloc2", jemalloc_version},
    library_row{"tcmalloc", "gperftools' thread-caching malloc",
                {"libtcmalloc_minimal.so.4", "libtcmalloc_minimal.so"}, "", "libtcmalloc-minimal4", tcmalloc_version},
    library_row{"tbbmalloc", "oneTBB's scalable malloc, called directly",
                {"libtbbmalloc.so.2", "libtbbmalloc.so"}, "scalable_", "libtbbmalloc2", tbbmalloc_version},
    // What people preload: each call goes through a second function, and free first asks whose block it is.
    library_row{"tbbmalloc_proxy", "oneTBB's scalable malloc through its proxy, as it is preloaded",
                {"libtbbmalloc_proxy.so.2"}, "", "libtbbmalloc2", tbbmalloc_version, {"scoped", "churn", "private"}},
};

}  // namespace stackheap

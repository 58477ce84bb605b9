// How is a malloc library opened at run time, how is it proven whose functions it gives, and why is it not available?
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "strategy.hpp"

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace stackheap {

/// The functions of one malloc library. Every library, the process's own included, is called through such pointers.
class loaded_malloc {
 public:
  static constexpr bool thread_safe = true;

  void* allocate(std::size_t bytes) {
    void* const block = malloc(bytes);
#if defined(__SANITIZE_THREAD__)  // cannot see that the library orders a free before the malloc that gives it again
    __tsan_acquire(reinterpret_cast<void*>(free));
#endif
    return block;
  }
  void deallocate(void* block, std::size_t) {
#if defined(__SANITIZE_THREAD__)
    __tsan_release(reinterpret_cast<void*>(free));
#endif
    free(block);
  }

  void* (*malloc)(std::size_t) = nullptr;
  void (*free)(void*) = nullptr;
  void* (*calloc)(std::size_t, std::size_t) = nullptr;
  void* (*realloc)(void*, std::size_t) = nullptr;
  int (*posix_memalign)(void**, std::size_t, std::size_t) = nullptr;
  std::size_t (*usable_size)(void*) = nullptr;  ///< null where the library has no such function
};

/// A malloc library and what its trial found out. The library itself is loaded by the process that needs it: two mallocs
/// never share a process.
struct malloc_library {
  std::string name;
  std::string description;
  std::string prefix;    ///< of malloc, free, ... in the library's symbols
  std::string file;      ///< real path of the file whose symbols these are
  std::string version;   ///< from the library itself; empty when it cannot tell. The name of a file tells another version
  std::string reason;    ///< why it is not available; empty when it is
  std::string package;   ///< Debian's package, where there is one
  bool process = false;  ///< its malloc is the one this process itself uses
  std::string changes;   ///< what else it changes in its process when it is loaded and used, as changes_between says it

  bool available() const { return reason.empty(); }

  /// Loads the library into this process, where it is not loaded yet. Throws std::runtime_error with the reason where it
  /// cannot be loaded.
  loaded_malloc load() const;
};

/// A library in this process.
struct malloc_load {
  loaded_malloc functions;
  std::string file;           ///< real path; empty when it could not be loaded
  std::string reason;         ///< why it cannot be used; empty when it can
  void* handle = nullptr;     ///< of dlopen
};

/// Loads `file` (a path or a soname) with RTLD_NOW | RTLD_LOCAL and takes its functions under `prefix`. Each is proven by
/// dladdr to stand in that very file; when one does not, or the file cannot be loaded, `reason` says so in one line.
malloc_load load_malloc(const std::string& file, std::string_view prefix);

/// The malloc that this process itself calls.
malloc_load process_malloc();

/// Asks an opened library, whose malloc has that prefix, for its version; empty when it cannot tell.
using version_function = std::string (*)(const malloc_load& library, std::string_view prefix);

/// Asks in every way that a row of libraries.hpp knows: for a library of which only the file is known.
std::string any_known_version(const malloc_load& library, std::string_view prefix);

/// A library to be tried: the first of `files` that is there.
struct malloc_trial {
  std::vector<std::string> files;
  std::string prefix;
  version_function version = any_known_version;
  bool tested = false;  ///< before: then it is only loaded and asked for its version
};

/// Loads and uses each library in a process of its own. Returns its row: its file and version, and in `reason` why it cannot
/// be loaded, or in one line its fault (crash, hang, bad blocks) and its own words. A library that only fails when it is
/// asked for its version has no version. Whatever a library does, all others are tried.
std::vector<malloc_library> try_mallocs(const std::vector<malloc_trial>& trials);
/// How the reason of a library begins that could be loaded and then had a fault.
inline constexpr std::string_view in_the_load_test = "in the load test ";

/// Whether a name may stand in that of a benchmark: of [a-z0-9_.-], and not empty.
bool is_plain_name(std::string_view name);

/// A malloc named on the command line as NAME=FILE[,PREFIX].
struct malloc_request {
  std::string name, file, prefix;
};

/// Throws std::invalid_argument, with one line, on anything but NAME=FILE[,PREFIX] with a NAME of [a-z0-9_.-].
malloc_request parse_malloc_request(std::string_view text);

/// Tries every row of libraries.hpp and every request, each in a process of its own, and finds the library that this
/// process itself uses; a process malloc that is not among them gets a row of its own, `process`. Nothing is loaded
/// here. With `tested`, only the libraries of these names are looked for, and not tested again: that takes some
/// milliseconds for each. Call once, before the first malloc_libraries(). Throws std::invalid_argument, with one line,
/// when a requested library cannot be loaded or its name is taken.
void find_malloc_libraries(const std::vector<malloc_request>& requests,
                           const std::optional<std::vector<std::string>>& tested = {});

/// All rows, available or not. Empty before find_malloc_libraries.
const std::vector<malloc_library>& malloc_libraries();

/// Some libraries (jemalloc) need more static thread-local storage than a running program has left. glibc sets it aside
/// at start only, so this sets the tunable below and executes the program once more. Returns when that is done or
/// cannot be done; a library that needs more storage then fails to load, with its own reason.
void reserve_static_tls(char** argv);
inline constexpr const char* static_tls_tunable = "glibc.rtld.optional_static_tls";

/// The path without links; `file` itself where it does not exist.
std::string real_path(const char* file);

/// The file that holds `address`; empty when no loaded file does.
std::string file_of(const void* address);

/// Whether two paths lead to one file.
bool same_file(const std::string& first, const std::string& second);

}  // namespace stackheap

#include "loaded_malloc.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <vector>

#include "every_strategy.hpp"
#include "libraries.hpp"
#include "process_state.hpp"

namespace stackheap {

std::string real_path(const char* file) {
  char resolved[PATH_MAX];
  return ::realpath(file, resolved) != nullptr ? resolved : file;
}

std::string file_of(const void* address) {
  Dl_info info{};
  return ::dladdr(address, &info) != 0 && info.dli_fname != nullptr ? real_path(info.dli_fname) : "";
}

bool same_file(const std::string& first, const std::string& second) {
  std::error_code ignored;
  return first == second || std::filesystem::equivalent(first, second, ignored);
}

namespace {

template <class Function>
Function* symbol(void* handle, const std::string& name) {
  return reinterpret_cast<Function*>(::dlsym(handle, name.c_str()));
}

/// The first symbol that the handle has among `names`, each with `prefix` before it.
template <class Function>
Function* first_symbol(void* handle, std::string_view prefix, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (Function* function = symbol<Function>(handle, std::string(prefix) + name)) return function;
  return nullptr;
}

/// The function of this name, if it stands in the library itself and not in a library that it needs.
template <class Function>
Function* own_symbol(const malloc_load& library, const std::string& name) {
  const auto function = symbol<Function>(library.handle, name);
  return same_file(file_of(reinterpret_cast<const void*>(function)), library.file) ? function : nullptr;
}

std::string last_error() {
  const char* const text = ::dlerror();
  return text != nullptr ? text : "unknown error";
}

loaded_malloc functions_of(void* handle, std::string_view prefix) {
  loaded_malloc functions;
  functions.malloc = first_symbol<void*(std::size_t)>(handle, prefix, {"malloc"});
  functions.free = first_symbol<void(void*)>(handle, prefix, {"free"});
  functions.calloc = first_symbol<void*(std::size_t, std::size_t)>(handle, prefix, {"calloc"});
  functions.realloc = first_symbol<void*(void*, std::size_t)>(handle, prefix, {"realloc"});
  functions.posix_memalign = first_symbol<int(void**, std::size_t, std::size_t)>(handle, prefix, {"posix_memalign"});
  functions.usable_size = first_symbol<std::size_t(void*)>(handle, prefix, {"malloc_usable_size", "usable_size", "msize"});
  return functions;
}

/// Empty when every function stands in `file`; else the name of a function that does not, and its file.
std::string foreign_symbol(const loaded_malloc& functions, const std::string& file, std::string_view prefix) {
  const std::pair<const char*, const void*> all[] = {
      {"malloc", reinterpret_cast<const void*>(functions.malloc)},
      {"free", reinterpret_cast<const void*>(functions.free)},
      {"calloc", reinterpret_cast<const void*>(functions.calloc)},
      {"realloc", reinterpret_cast<const void*>(functions.realloc)},
      {"posix_memalign", reinterpret_cast<const void*>(functions.posix_memalign)},
  };
  for (const auto& [name, address] : all) {
    const std::string full = std::string(prefix) + name;
    if (address == nullptr) return "it has no symbol " + full;
    if (const std::string holder = file_of(address); !same_file(holder, file))
      return "its " + full + " is that of " + holder;
  }
  return "";
}

/// Takes the functions of an opened library and proves where they come from; the process itself has RTLD_DEFAULT as
/// handle.
void take_functions(malloc_load& library, std::string_view prefix) {
  library.functions = functions_of(library.handle, prefix);
  library.reason = foreign_symbol(library.functions, library.file, prefix);
  // usable_size is optional: a function that stands in another file (by search order) does not belong to this library.
  if (const auto extra = reinterpret_cast<const void*>(library.functions.usable_size);
      extra != nullptr && !same_file(file_of(extra), library.file))
    library.functions.usable_size = nullptr;
}

std::vector<malloc_library>& rows() {
  static std::vector<malloc_library> all;
  return all;
}

malloc_trial trial_of(const library_row& known, bool tested) {
  malloc_trial trial{{}, std::string(known.prefix), known.version, tested};
  for (const std::string_view soname : known.sonames)
    if (!soname.empty()) trial.files.emplace_back(soname);
  return trial;
}

malloc_trial trial_of(const malloc_request& request, bool tested) {
  // A name without a slash would be searched for on the system; a file of that name in this folder takes precedence.
  const bool here = request.file.find('/') == std::string::npos && ::access(request.file.c_str(), F_OK) == 0;
  return {{here ? "./" + request.file : request.file}, request.prefix, any_known_version, tested};
}

}  // namespace

std::string glibc_version(const malloc_load& library, std::string_view) {
  const auto ask = own_symbol<const char*()>(library, "gnu_get_libc_version");
  return ask != nullptr ? ask() : "";
}

std::string mimalloc_version(const malloc_load& library, std::string_view) {
  const auto ask = own_symbol<int()>(library, "mi_version");
  if (ask == nullptr) return "";
  const int number = ask();  // 2.0.9 is 209 up to 2.2.4, and 20205 (major, two digits minor, two digits patch) later
  const int minor_unit = number < 1000 ? 10 : 100;
  return std::to_string(number / (minor_unit * minor_unit)) + '.' + std::to_string(number / minor_unit % minor_unit) + '.' +
         std::to_string(number % minor_unit);
}

std::string jemalloc_version(const malloc_load& library, std::string_view prefix) {
  using function = int(const char*, void*, std::size_t*, void*, std::size_t);
  auto ask = own_symbol<function>(library, std::string(prefix) + "mallctl");
  if (ask == nullptr) ask = own_symbol<function>(library, "mallctl");
  const char* version = nullptr;
  std::size_t bytes = sizeof version;
  if (ask == nullptr || ask("version", &version, &bytes, nullptr, 0) != 0 || version == nullptr) return "";
  const std::string whole = version;  // "5.3.0-0-g54eaed1d8b56b1aa528be3bdd1877e59c56fa90c"
  return whole.substr(0, whole.find('-'));
}

std::string tcmalloc_version(const malloc_load& library, std::string_view) {
  const auto ask = own_symbol<const char*(int*, int*, const char**)>(library, "tc_version");
  if (ask == nullptr) return "";
  int major = 0, minor = 0;
  const char* patch = "";
  ask(&major, &minor, &patch);
  return std::to_string(major) + '.' + std::to_string(minor) + (patch != nullptr ? patch : "");
}

std::string tbbmalloc_version(const malloc_load& library, std::string_view) {
  // It has no function for it, but a line that it prints where TBB_VERSION is set. The proxy needs the library itself.
  const auto of_tbb = reinterpret_cast<const void*>(symbol<void*(std::size_t)>(library.handle, "scalable_malloc"));
  if (of_tbb == nullptr) return "";
  std::ifstream file(file_of(of_tbb), std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(file), {});
  const std::string_view line = "TBBmalloc: VERSION";
  const auto at = content.find(line);
  if (at == std::string::npos) return "";
  const auto begin = content.find_first_not_of(" \t", at + line.size());
  return begin == std::string::npos ? "" : content.substr(begin, content.find_first_not_of("0123456789.", begin) - begin);
}

std::string no_version(const malloc_load&, std::string_view) { return ""; }

std::string any_known_version(const malloc_load& library, std::string_view prefix) {
  for (const library_row& known : libraries)
    if (std::string version = known.version(library, prefix); !version.empty()) return version;
  return "";
}

namespace {

/// Lets this process's glibc malloc take and give back no more memory at the end of the heap, where other mallocs (tcmalloc)
/// take theirs: sbrk(), up to glibc 2.36 at least, reads and writes that end without a lock, so of two threads that move it
/// at once, in different mallocs, one gets memory that the other gives back. To be called first by the process's first thread:
/// others have heaps of their own. Later calls do nothing.
void leave_the_heaps_end() {
#ifdef __GLIBC__
  static std::atomic<bool> done = false;
  if (done.exchange(true)) return;
  constexpr int kept_ahead = 64 << 20;  // addresses only: no page is touched
  constexpr int usual = 128 << 10;      // glibc's own M_TOP_PAD
  constexpr std::size_t small = 64 << 10;  // below what it takes by mmap
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  ::mallopt(M_TOP_PAD, kept_ahead);
  const void* const end = ::sbrk(0);
  std::vector<void*> blocks(100, nullptr);
  for (void*& block : blocks)
    if (::sbrk(0) == end) block = std::malloc(small);
  for (void* block : blocks) std::free(block);
  ::mallopt(M_TOP_PAD, usual);
#endif
}

/// Throws std::invalid_argument for the first request whose file cannot be loaded as a malloc library.
void refuse_unloadable(const std::vector<malloc_request>& requests) {
  for (const malloc_request& request : requests)
    for (const malloc_library& row : rows())
      if (row.name == request.name && !row.available() && !row.reason.starts_with(in_the_load_test))
        throw std::invalid_argument("--allocator " + request.name + ": " + request.file +
                                    " cannot be loaded as a malloc library: " + row.reason);
}

}  // namespace

malloc_load load_malloc(const std::string& file, std::string_view prefix) {
  malloc_load loaded;
  loaded.handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  use_plain_locale();
  link_map* map = nullptr;
  if (loaded.handle == nullptr || ::dlinfo(loaded.handle, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) {
    loaded.reason = last_error();
    if (loaded.reason.find("static TLS") != std::string::npos)
      loaded.reason += std::string("; set aside more in the environment: GLIBC_TUNABLES=") + static_tls_tunable + "=BYTES";
    return loaded;
  }
  loaded.file = real_path(map->l_name);
  take_functions(loaded, prefix);
  if (loaded.reason.empty() && !same_file(loaded.file, process_malloc().file)) leave_the_heaps_end();
  return loaded;
}

malloc_load process_malloc() {
  malloc_load own;
  own.handle = RTLD_DEFAULT;
  own.file = file_of(reinterpret_cast<const void*>(symbol<void*(std::size_t)>(RTLD_DEFAULT, "malloc")));
  take_functions(own, "");
  return own;
}

loaded_malloc malloc_library::load() const {
  const malloc_load loaded = process ? process_malloc() : load_malloc(file, prefix);
  if (!loaded.reason.empty()) throw std::runtime_error(name + " cannot be loaded: " + loaded.reason);
  return loaded.functions;
}

bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::strchr("_.-", c) != nullptr;
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), plain);
}

namespace {

bool may_begin_a_symbol(std::string_view text) {
  const auto in_symbols = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  return std::all_of(text.begin(), text.end(), in_symbols);
}

/// The file that a user means: ~ is that of the shell, which replaces it only at the start of a word.
std::string without_tilde(std::string_view file) {
  const char* const home = std::getenv("HOME");
  return file.starts_with("~/") && home != nullptr ? home + std::string(file.substr(1)) : std::string(file);
}

bool exists(std::string_view file) { return ::access(without_tilde(file).c_str(), F_OK) == 0; }

/// The path as it stays true when a library changes the folder; a name that only the system can find stays a name.
std::string in_full(std::string_view file) {
  const std::string meant = without_tilde(file);
  if (meant.empty() || (meant.find('/') == std::string::npos && !exists(meant))) return meant;
  std::error_code problem;
  const std::filesystem::path whole = std::filesystem::absolute(meant, problem);
  return problem ? meant : whole.string();
}

}  // namespace

malloc_request parse_malloc_request(std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    return std::invalid_argument("--allocator " + std::string(text) + ": " + why + " (expected NAME=FILE[,PREFIX])");
  };
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) throw refuse("it has no '='");
  malloc_request request;
  request.name = text.substr(0, equals);
  const std::string_view rest = text.substr(equals + 1);
  // A prefix is the beginning of a symbol; any other text after a comma belongs to the file's name, and so does a comma in the
  // name of a file that exists.
  if (const auto comma = rest.rfind(',');
      comma != std::string_view::npos && may_begin_a_symbol(rest.substr(comma + 1)) && !exists(rest)) {
    request.file = in_full(rest.substr(0, comma));
    request.prefix = rest.substr(comma + 1);
  } else {
    request.file = in_full(rest);
  }
  if (!is_plain_name(request.name))
    throw refuse("the name may have only a-z, 0-9, '_', '.' and '-'");
  if (request.file.empty()) throw refuse("it names no file");
  return request;
}

void find_malloc_libraries(const std::vector<malloc_request>& requests,
                           const std::optional<std::vector<std::string>>& tested) {
  std::vector<malloc_library>& all = rows();
  all.clear();
  std::vector<malloc_trial> trials;
  std::vector<std::size_t> tried;  // the row of each trial
  const auto add = [&](const auto& wanted, std::string_view description, std::string_view package) {
    malloc_library& row = all.emplace_back();
    row.name = wanted.name;
    row.description = description;
    row.package = package;
    if (tested && std::find(tested->begin(), tested->end(), wanted.name) == tested->end()) {
      row.reason = "not among the libraries of --tested";
      return;
    }
    trials.push_back(trial_of(wanted, tested.has_value()));
    tried.push_back(all.size() - 1);
  };
  for (const library_row& known : libraries) add(known, known.description, known.package);
  for (const malloc_request& request : requests) {
    bool taken = std::any_of(all.begin(), all.end(), [&](const auto& row) { return row.name == request.name; });
    describe_strategies([&](std::string_view name, const auto&...) { taken = taken || name == request.name; });
    if (taken) throw std::invalid_argument("--allocator " + request.name + ": the name is already taken");
    add(request, "a malloc given by --allocator", "");
  }
  const std::vector<malloc_library> found = try_mallocs(trials);
  for (std::size_t i = 0; i < found.size(); ++i) {
    malloc_library row = found[i];
    row.name = all[tried[i]].name, row.description = all[tried[i]].description, row.package = all[tried[i]].package;
    all[tried[i]] = std::move(row);
  }
  if (!tested) refuse_unloadable(requests);
  if (std::any_of(all.begin(), all.end(), [](const malloc_library& row) { return row.process; })) return;
  const malloc_load own = process_malloc();
  malloc_library& row = all.emplace_back();
  row.name = "process";
  row.description = "the process's own malloc";
  row.process = true;
  row.file = own.file;
  row.reason = own.reason;
  row.version = try_mallocs({{{own.file}, "", any_known_version, true}}).front().version;  // it may fail when it is asked
}

const std::vector<malloc_library>& malloc_libraries() { return rows(); }

// glibc places no library's static thread-local storage on a better alignment than the program's own has: without this,
// tcmalloc, which wants a cache line, is not loaded on 64-bit ARM.
alignas(64) thread_local std::byte cache_line_of_each_thread[64];

namespace {

/// The thread-local storage that a library's file declares, in bytes; zero where it has none or cannot be read.
std::size_t thread_local_bytes(const std::string& file) {
  std::ifstream opened(file, std::ios::binary);
  ElfW(Ehdr) header{};
  if (!opened.read(reinterpret_cast<char*>(&header), sizeof header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return 0;
  std::size_t bytes = 0;
  for (unsigned index = 0; index < header.e_phnum; ++index) {
    ElfW(Phdr) segment{};
    opened.seekg(static_cast<std::streamoff>(header.e_phoff + index * sizeof segment));
    if (!opened.read(reinterpret_cast<char*>(&segment), sizeof segment)) break;
    if (segment.p_type == PT_TLS) bytes = std::max<std::size_t>(bytes, segment.p_memsz);
  }
  return bytes;
}

/// The static thread-local storage to set aside: no process loads more than one of the libraries, and what that needs itself.
std::size_t static_tls_bytes(char** argv) {
  constexpr std::size_t usual = 16 << 10, for_others = 4 << 10;  // jemalloc takes 3 KiB
  constexpr std::size_t most = 1 << 20;  // every thread's stack holds it: a damaged file must not take all memory
  const std::string_view option = "--allocator";
  std::size_t largest = 0;
  for (char** word = argv; *word != nullptr; ++word) {
    const std::string_view text = *word;
    const bool whole = text == option && word[1] != nullptr;
    if (!whole && !text.starts_with(std::string(option) + '=')) continue;
    try {
      largest = std::max(largest, thread_local_bytes(parse_malloc_request(whole ? word[1] : text.substr(option.size() + 1)).file));
    } catch (const std::invalid_argument&) {  // told where all options are read
      continue;
    }
  }
  return largest > most ? usual : std::max(usual, (largest + for_others + 63) / 64 * 64);
}

}  // namespace

void reserve_static_tls(char** argv) {
  const char* const set = std::getenv("GLIBC_TUNABLES");
  const std::string tunables = set != nullptr ? set : "";
  if (tunables.find(static_tls_tunable) != std::string::npos) return;
  const std::string wanted = (tunables.empty() ? "" : tunables + ":") + static_tls_tunable + "=" +
                             std::to_string(static_tls_bytes(argv));
  if (::setenv("GLIBC_TUNABLES", wanted.c_str(), 1) != 0) return;
  const char* const self = "/proc/self/exe";
  ::execv(real_path(self).c_str(), argv);  // under valgrind, which is what /proc/self/exe then executes
  ::execv(self, argv);                     // the file may have been replaced meanwhile
}

}  // namespace stackheap

// Does a malloc library do what C requires of malloc? It is tested in a process of its own, which it may crash or hang.
#include <malloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <bit>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "loaded_malloc.hpp"
#include "process_state.hpp"
#include "watched.hpp"

namespace stackheap {
namespace {

struct block {
  unsigned char* at;
  std::size_t bytes;
  unsigned char mark;
};

bool holds(const block& filled) {
  return std::count(filled.at, filled.at + filled.bytes, filled.mark) == static_cast<std::ptrdiff_t>(filled.bytes);
}

/// The fault of the blocks that `malloc` gives; empty when there is no fault. Leaves `live` full and marked.
std::string fault_of_blocks(const loaded_malloc& tried, std::vector<block>& live) {
  for (const std::size_t bytes : {1, 8, 24, 64, 100, 1000, 4096, 65536, 1 << 20})
    for (int copy = 0; copy < (bytes <= 4096 ? 32 : 2); ++copy) {
      auto* const got = static_cast<unsigned char*>(tried.malloc(bytes));
      const std::string asked = "malloc(" + std::to_string(bytes) + ") ";
      if (got == nullptr) return asked + "gave no memory";
      if (reinterpret_cast<std::uintptr_t>(got) % std::min(block_alignment, std::bit_floor(bytes)) != 0)
        return asked + "gave a block that is not aligned";
      live.push_back({got, bytes, static_cast<unsigned char>(1 + live.size() % 251)});
      std::memset(got, live.back().mark, bytes);
    }
  return std::all_of(live.begin(), live.end(), holds) ? "" : "two live blocks of malloc overlapped, or it wrote into one";
}

std::string fault_of_the_rest(const loaded_malloc& tried) {
  constexpr std::size_t bytes = 1000;
  auto* const zeros = static_cast<unsigned char*>(tried.calloc(10, bytes / 10));  // a malloc's used memory is dirty by now
  if (zeros == nullptr || !holds({zeros, bytes, 0})) return "calloc gave no zeroed memory";
  std::memset(zeros, 7, bytes);
  auto* const moved = static_cast<unsigned char*>(tried.realloc(zeros, 100 * bytes));
  if (moved == nullptr || !holds({moved, bytes, 7})) return "realloc did not keep what was in the block";
  tried.free(moved);
  for (const std::size_t alignment : {64, 4096}) {
    void* got = nullptr;
    if (tried.posix_memalign(&got, alignment, bytes) != 0 || reinterpret_cast<std::uintptr_t>(got) % alignment != 0)
      return "posix_memalign gave no block aligned to " + std::to_string(alignment);
    tried.free(got);
  }
  return "";
}

/// The bytes that the C library's malloc has given out in this process; zero where it does not say.
std::size_t given_by_the_c_library() {
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 33)
  const auto all = ::mallinfo2();
  return all.uordblks + all.hblkhd;
#endif
#endif
  return 0;
}

/// A library is loaded after the program: a function of its own that calls malloc by the exported name gets the program's.
/// A library whose malloc itself takes from the C library is built on it, and has no such fault.
std::string fault_of_inner_calls(const loaded_malloc& tried) {
  constexpr std::size_t bytes = 1 << 20;
  const auto takes_from_the_c_library = [](const auto& take) {
    const std::size_t before = given_by_the_c_library();
    return take() != nullptr && given_by_the_c_library() >= before + bytes;
  };
  void *own = nullptr, *zeros = nullptr, *aligned = nullptr;
  if (takes_from_the_c_library([&] { return own = tried.malloc(bytes); })) return tried.free(own), "";
  std::string from_there;
  const auto check = [&](const std::string& name, const auto& take) {
    if (takes_from_the_c_library(take)) from_there += (from_there.empty() ? "" : ", ") + name;
  };
  check("calloc", [&] { return zeros = tried.calloc(1, bytes); });
  check("posix_memalign", [&] { return tried.posix_memalign(&aligned, 64, bytes) == 0 ? aligned : nullptr; });
  if (from_there.empty()) check("realloc", [&] { return own = tried.realloc(own, 2 * bytes); });
  if (!from_there.empty())
    return from_there + " gave memory of the C library's malloc (link the library with -Wl,-Bsymbolic)";
  for (void* block : {own, zeros, aligned}) tried.free(block);
  return "";
}

/// Several threads take blocks at once, fill each with a mark of their own, and hold them until every thread has taken
/// its blocks: a malloc that is not made for threads gives two of them the same block.
std::string fault_of_threads(const loaded_malloc& tried) {
  constexpr unsigned threads = 4, blocks = 200;  // more threads than the pairs that most families measure
  constexpr int turns = 10;
  constexpr unsigned char marks = 255 / threads;
  std::atomic<bool> no_memory = false, overlapped = false;
  std::barrier all_hold(threads);
  const auto work = [&](unsigned thread) {
    std::vector<block> held;
    held.reserve(blocks);
    for (int turn = 0; turn < turns; ++turn) {
      for (unsigned i = 0; i < blocks; ++i) {
        const std::size_t bytes = std::size_t{8} << i % 8;
        auto* const got = static_cast<unsigned char*>(tried.malloc(bytes));
        if (got == nullptr) {
          no_memory = true;
          continue;
        }
        held.push_back({got, bytes, static_cast<unsigned char>(1 + thread * marks + i % marks)});
        std::memset(got, held.back().mark, bytes);
      }
      all_hold.arrive_and_wait();
      if (!std::all_of(held.begin(), held.end(), holds)) overlapped = true;
      all_hold.arrive_and_wait();  // what is freed may be given, and written, again
      for (const block& taken : held) tried.free(taken.at);
      held.clear();
    }
  };
  std::vector<std::jthread> team;
  for (unsigned thread = 0; thread < threads; ++thread) team.emplace_back(work, thread);
  team.clear();  // waits for all
  if (no_memory) return "malloc gave no memory to threads that called it at once";
  return overlapped ? "malloc gave two threads the same memory at once" : "";
}

std::string fault_of(const loaded_malloc& tried) {
  for (int round = 0; round < 2; ++round) {  // the second round on the memory that the first gave back
    std::vector<block> live;
    if (std::string fault = fault_of_blocks(tried, live); !fault.empty()) return fault;
    for (const block& taken : live) tried.free(taken.at);
    if (std::string fault = fault_of_inner_calls(tried); !fault.empty()) return fault;
    if (std::string fault = fault_of_the_rest(tried); !fault.empty()) return fault;
  }
  return fault_of_threads(tried);
}

/// Loads the first of `files` that is there.
malloc_load load_first(const std::vector<std::string>& files, std::string_view prefix) {
  malloc_load loaded;
  for (const std::string& file : files) {
    malloc_load attempt = load_malloc(file, prefix);
    // A damaged library is reported; a missing file is not, when another name may exist.
    const bool missing = attempt.reason.starts_with(file + ": cannot open shared object file: No such file");
    if (&file == &files.front() || !missing) loaded = std::move(attempt);
    if (!loaded.file.empty()) break;  // found, whether or not it can be used: its own reason is reported
  }
  return loaded;
}

/// A descriptor that a library has no reason to touch.
class witness {
 public:
  witness() : file_(::memfd_create("witness", MFD_CLOEXEC)) { is_whole_ = ::fstat(file_, &opened_) == 0; }
  witness(const witness&) = delete;
  witness& operator=(const witness&) = delete;
  ~witness() { ::close(file_); }

  bool untouched() const {
    struct stat now{};
    return !is_whole_ || (::fstat(file_, &now) == 0 && now.st_dev == opened_.st_dev && now.st_ino == opened_.st_ino);
  }

 private:
  int file_;
  struct stat opened_{};
  bool is_whole_;
};

/// The row of a library, as the trial's process finds it, without its version.
malloc_library row_here(const malloc_load& loaded, bool tested) {
  malloc_library row;
  row.file = loaded.file;
  row.reason = loaded.reason;
  row.process = row.available() && loaded.functions.malloc == process_malloc().functions.malloc;
  if (tested || !row.available() || row.process) return row;
  if (const std::string fault = fault_of(loaded.functions); !fault.empty()) row.reason = std::string(in_the_load_test) + fault;
  return row;
}

// The trial's process sends its parent the row as texts, each ended by a zero byte. The version comes last, because to
// ask for it may end the process: a library that only fails there can be measured.

void send(answer& to, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) to.send(part.substr(0, part.find('\0')) + '\0');
}

/// The version as the library says it, where that is a plain word.
std::string plain_version(const std::string& version) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || std::strchr("._+-~", c) != nullptr; };
  return version.size() <= 40 && std::all_of(version.begin(), version.end(), plain) ? version : "";
}

/// What a row's text held.
enum class received { nothing, row_without_version, all };

received read_row(const std::string& text, malloc_library& row) {
  std::vector<std::string> parts;
  for (std::size_t at = 0, end; (end = text.find('\0', at)) != std::string::npos; at = end + 1)
    parts.push_back(text.substr(at, end - at));
  if (parts.size() < 4) return received::nothing;
  row.file = parts[0], row.reason = parts[1], row.process = !parts[2].empty(), row.changes = parts[3];
  if (parts.size() == 4) return received::row_without_version;
  row.version = parts[4];
  return received::all;
}

/// Exits normally, because a library may also hang at exit.
[[noreturn]] void try_here(const malloc_trial& trial, answer& told) {
  const witness descriptor;
  const process_state before = state_of_process();
  const malloc_load loaded = load_first(trial.files, trial.prefix);
  malloc_library row = row_here(loaded, trial.tested);
  if (row.available() && !descriptor.untouched())
    row.reason = std::string(in_the_load_test) + "it closed files that the program had opened";
  const std::string changes = changes_between(before, state_of_process());
  send(told, {row.file, row.reason, row.process ? "process" : "", changes});
  send(told, {loaded.reason.empty() ? plain_version(trial.version(loaded, trial.prefix)) : ""});
  std::exit(0);
}

malloc_library row_of(const malloc_trial& trial, const watched_end& end) {
  malloc_library row;
  const received got = read_row(end.answer, row);
  const bool whole = end.fault.empty() || got == received::row_without_version;
  if (got == received::nothing || !whole)
    row.reason = std::string(in_the_load_test) + (end.fault.empty() ? "it ended the process" : end.fault);
  if (row.reason.starts_with(in_the_load_test)) row.reason += end.cause;
  row.prefix = trial.prefix;
  return row;
}

}  // namespace

std::vector<malloc_library> try_mallocs(const std::vector<malloc_trial>& trials) {
  std::vector<std::function<void(answer&)>> works;
  for (const malloc_trial& trial : trials)
    works.emplace_back([&trial](answer& told) { try_here(trial, told); });
  const std::vector<watched_end> ends = watch(works, patience_with_a_library);
  std::vector<malloc_library> rows;
  for (std::size_t i = 0; i < trials.size(); ++i) rows.push_back(row_of(trials[i], ends[i]));
  return rows;
}

}  // namespace stackheap

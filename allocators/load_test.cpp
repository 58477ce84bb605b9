// Does a malloc library do what C requires of malloc? It is tested in a process of its own, which it may crash or hang.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "loaded_malloc.hpp"

namespace stackheap {
namespace {

constexpr unsigned patience_seconds = 10;
constexpr std::string_view no_fault = "none";

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
    if (std::string fault = fault_of_the_rest(tried); !fault.empty()) return fault;
  }
  return fault_of_threads(tried);
}

/// In the child: writes the fault to the pipe, then exits normally, because a library may also hang at exit.
[[noreturn]] void try_here(const std::string& file, std::string_view prefix, int pipe_end) {
  ::alarm(patience_seconds);
  if (const int nowhere = ::open("/dev/null", O_WRONLY); nowhere >= 0) ::dup2(nowhere, 2);  // the library's own error messages
  const malloc_library loaded = load_malloc("", file, prefix);
  const std::string fault = loaded.available() ? fault_of(loaded.functions) : "";
  const std::string_view verdict = fault.empty() ? no_fault : fault;
  if (::write(pipe_end, verdict.data(), verdict.size()) < 0) ::_exit(1);
  std::exit(0);
}

}  // namespace

std::string fault_in_load_test(const std::string& file, std::string_view prefix) {
  std::fflush(nullptr);  // otherwise the child's exit writes buffered text a second time
  int ends[2];
  const pid_t child = ::pipe2(ends, O_CLOEXEC) == 0 ? ::fork() : -1;
  if (child < 0) return std::string("the load test cannot start: ") + std::strerror(errno);
  if (child == 0) try_here(file, prefix, ends[1]);
  ::close(ends[1]);
  char answer[300];
  const ssize_t bytes = ::read(ends[0], answer, sizeof answer);  // ends, at the latest, when the child does
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    return "in the load test it hung for " + std::to_string(patience_seconds) + " s";
  if (WIFSIGNALED(status)) return std::string("in the load test it died of ") + ::strsignal(WTERMSIG(status));
  if (bytes <= 0 || status != 0) return "in the load test it ended the process";
  const std::string_view verdict(answer, static_cast<std::size_t>(bytes));
  return verdict == no_fault ? "" : "in the load test " + std::string(verdict);
}

}  // namespace stackheap

// How much does a malloc grant at once, and how much of that is really there?
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "child.hpp"
#include "held_memory.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::size_t block_bytes = 4 * mib;  ///< taken at a time when memory is touched

/// What came of asking malloc for one block, of which nothing is touched.
struct answer {
  bool given = false, granted = false;
  std::size_t books = 0;  ///< what malloc itself wrote for it, in bytes of resident memory
};

/// Asks in a process of its own, so that no question changes the next one's answer (jemalloc keeps the addresses it was
/// given, tcmalloc its books).
answer ask(std::size_t bytes) {
  void* const shared = ::mmap(nullptr, sizeof(answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw wrong_work("the system maps no memory");
  auto* const said = std::construct_at(static_cast<answer*>(shared));
  const pid_t asking = ::fork();
  if (asking == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::size_t before = held_now().resident;
    said->granted = opaque(std::malloc(bytes)) != nullptr;
    const std::size_t after = held_now().resident;
    said->books = after - std::min(after, before);
    said->given = true;
    ::_exit(0);
  }
  if (asking < 0) throw wrong_work("the system grants no process");
  while (::waitpid(asking, nullptr, 0) < 0 && errno == EINTR) {}
  const answer found = *said;
  ::munmap(shared, sizeof(answer));
  if (!found.given) throw wrong_work("malloc of " + std::to_string(bytes) + " bytes ended the process");
  return found;
}

/// The largest single block that malloc grants, to 1/256 of it. Asks for twice as much each time, because a malloc may
/// write books in proportion to what is asked for (tcmalloc), or all of the block (with MALLOC_PERTURB_ set, glibc's):
/// it stops, and says so, once that passes `most_books`, so that no question can take much more.
findings largest_granted(std::size_t most_books) {
  std::size_t granted = 0, refused = SIZE_MAX, books = 0;
  const auto found = [&] { return refused - granted <= granted / 256; };
  for (std::size_t next = mib; !found() && next <= PTRDIFF_MAX && books < most_books;) {
    const answer at = ask(next);
    (at.granted ? granted : refused) = next;
    books = std::max(books, at.books);
    next = refused == SIZE_MAX ? 2 * granted : granted + (refused - granted) / 2;
  }
  return {{"granted_bytes", static_cast<double>(granted)},
          {"books_bytes", static_cast<double>(books)},
          {"at_least", !found()}};
}

const child_task granted("heap_limit_granted", [](const std::vector<std::size_t>& arguments) {
  findings found = largest_granted(arguments.at(0));
  int overcommit = 0;
  if (std::ifstream("/proc/sys/vm/overcommit_memory") >> overcommit) found["overcommit_memory"] = overcommit;
  return found;
});

/// Takes blocks and writes one byte of each page until malloc refuses or `most` bytes are touched; stops before that
/// when others take what was free, so that `most` always stays left for them.
const child_task touched("heap_limit_touched", [](const std::vector<std::size_t>& arguments) {
  const std::size_t most = arguments.at(0), page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t bytes = 0;
  bool refused = false, crowded = false;
  while (bytes + block_bytes <= most && !refused && !crowded) {
    auto* const block = static_cast<volatile unsigned char*>(std::malloc(block_bytes));
    if ((refused = block == nullptr)) break;
    for (std::size_t at = 0; at < block_bytes; at += page) block[at] = 1;
    bytes += block_bytes;
    crowded = free_memory().value_or(SIZE_MAX) < most;
  }
  return findings{{"touched_bytes", static_cast<double>(bytes)},
                  {"most_bytes", static_cast<double>(most)},
                  {"at_least", !refused},
                  {"crowded", crowded}};
});

const family heap_limit({
    .question = "How much memory does a malloc grant at once, and how much of it is really there?",
    .operation = "a billionth of one run of the child process, from start to end (the figure in ns is its time in "
                 "seconds); what was found stands in the counters: granted_bytes, touched_bytes",
    .untimed = "nothing: the child starts, doubles what it asks for and then halves its way to the largest block "
               "that is granted (limit:granted), or takes blocks of 4 MiB and writes to each page until no more is "
               "given (limit:touched)",
    .heap = "a process of its own, with that malloc preloaded as its only one, under the limits that this process "
            "is under (ulimit -v, control groups)",
    .unfairness = "What is granted is a promise: Linux backs memory when it is touched, and how far it promises "
                  "more than it has is a setting (overcommit_memory: 0 within reason, 1 always, 2 never), which "
                  "some mallocs go round (MAP_NORESERVE). What is touched is bounded, so that nobody is harmed: by "
                  "a quarter of the free memory and a fixed size (most_bytes); at_least is 1 where that bound, not "
                  "the system, ended it, and crowded where others took memory meanwhile. It is measured for the "
                  "process's own malloc only, as it depends on the machine and not on the malloc.",
}, [](enrolment& into) {
  const std::size_t most = into.pick<std::size_t>({16 * mib}, {256 * mib}, {2048 * mib}).front();
  const std::size_t most_books = harmless_bytes(into.pick<std::size_t>({16 * mib}, {128 * mib}, {128 * mib}).front());
  const auto ready = [] { return std::make_shared<char>(); };
  for (const malloc_library& library : malloc_libraries()) {
    if (!library.available()) continue;
    into.add(library.name, {{"limit", "granted"}}, ready, [=, &library](benchmark::State& state, char&) {
      measure_child(state, {.task = "heap_limit_granted", .arguments = {most_books}, .malloc = deploy(library)});
    });
    if (library.process)
      into.add(library.name, {{"limit", "touched"}}, ready, [=, &library](benchmark::State& state, char&) {
        const std::size_t harmless = harmless_bytes(most);
        measure_child(state, {.task = "heap_limit_touched", .arguments = {harmless}, .malloc = deploy(library),
                              .most_resident_bytes = harmless + 64 * mib});
      });
  }
});

}  // namespace
}  // namespace stackheap

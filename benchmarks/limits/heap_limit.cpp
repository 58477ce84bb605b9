// How much does a malloc grant in one block, and how much of it can be used?
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "child.hpp"
#include "forked.hpp"
#include "free_memory.hpp"
#include "held_memory.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::size_t block_bytes = 4 * mib;  ///< taken at a time when memory is touched

/// The result of requesting one block, which is not touched.
struct answer {
  bool given = false, granted = false;
  std::size_t metadata = 0;  ///< resident bytes that malloc itself wrote for the block
};

/// Requests a block in a process of its own, so that no request changes the result of the next (jemalloc keeps its
/// addresses, tcmalloc its metadata).
answer ask(std::size_t bytes) {
  void* const shared = ::mmap(nullptr, sizeof(answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw verification_error("the system refuses to map memory");
  auto* const reply = std::construct_at(static_cast<answer*>(shared));
  in_a_copy([&] {
    const std::size_t before = held_now().resident;
    reply->granted = hide(std::malloc(bytes)) != nullptr;
    const std::size_t after = held_now().resident;
    reply->metadata = after - std::min(after, before);
    reply->given = true;
  });
  const answer result = *reply;
  ::munmap(shared, sizeof(answer));
  if (!result.given) throw verification_error("malloc of " + std::to_string(bytes) + " bytes ended the process");
  return result;
}

/// The largest single block that malloc grants, to 1/256 of it. Asks for twice as much each time, because a malloc may
/// write metadata in proportion to the size (tcmalloc), or all of the block (glibc's, with MALLOC_PERTURB_ set). It
/// stops, and says so, once that passes `most_metadata`, so that no question can take much more.
findings largest_granted(std::size_t most_metadata) {
  std::size_t granted = 0, refused = SIZE_MAX, metadata = 0;
  const auto narrowed = [&] { return refused - granted <= granted / 256; };
  for (std::size_t next = mib; !narrowed() && next <= PTRDIFF_MAX && metadata < most_metadata;) {
    const answer at = ask(next);
    (at.granted ? granted : refused) = next;
    metadata = std::max(metadata, at.metadata);
    next = refused == SIZE_MAX ? 2 * granted : granted + (refused - granted) / 2;
  }
  return {{"granted_bytes", static_cast<double>(granted)},
          {"books_bytes", static_cast<double>(metadata)},
          {"at_least", !narrowed()}};
}

const child_task granted("heap_limit_granted", [](const std::vector<std::size_t>& arguments) {
  findings results = largest_granted(arguments.at(0));
  if (const auto present = all_memory()) results["present_bytes"] = static_cast<double>(*present);
  int overcommit = 0;
  if (std::ifstream("/proc/sys/vm/overcommit_memory") >> overcommit) results["overcommit_memory"] = overcommit;
  return results;
});

/// Takes blocks and writes one byte of each page until malloc refuses or `most` bytes are touched; stops earlier when
/// other programs take the free memory, so that `most` bytes always remain for them.
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
    .question = "How much memory does a malloc grant in one block, and how much can really be used?",
    .operation = "one run of the child process, from start to end; the results are the counters "
                 "granted_bytes and touched_bytes",
    .untimed = "nothing: the child starts, doubles its request and then bisects to the largest block that is granted "
               "(limit:granted), or takes blocks of 4 MiB and writes to every page until malloc refuses "
               "(limit:touched)",
    .heap = "a process of its own, with that malloc preloaded as its only malloc, under the limits of this process "
            "(ulimit -v, control groups)",
    .held_against = "no control: the results are counts of bytes, and the time of the child process is not a result",
    .unfairness = "A granted block is a promise: Linux provides memory when it is touched, and how far the promises "
                  "may exceed the memory is a setting (overcommit_memory: 0 within reason, 1 always, 2 never), which "
                  "some mallocs avoid (MAP_NORESERVE). The touched memory is limited to protect other programs: by a "
                  "quarter of the free memory and a fixed size (most_bytes); at_least is 1 where that limit, not the "
                  "system, ended the test, and crowded is 1 where other programs took memory meanwhile. limit:touched "
                  "is measured for the process's own malloc only, as it depends on the machine and not on the malloc. "
                  "present_bytes is the memory and swap of the machine, or the limit of its container.",
    // Not touched_bytes: the free memory depends on the moment, not on the malloc.
    .metrics = {{"granted_bytes", "bytes", false}},
}, [](benchmark_registry& registry) {
  const std::size_t most = registry.pick<std::size_t>({16 * mib}, {256 * mib}, {2048 * mib}).front();
  const std::size_t most_metadata = harmless_bytes(registry.pick<std::size_t>({16 * mib}, {128 * mib}, {128 * mib}).front());
  const auto ready = [] { return std::make_shared<char>(); };
  for (const malloc_library& library : malloc_libraries()) {
    if (!can_be_deployed(library)) continue;
    registry.add(library.name, {{"limit", "granted"}}, ready, [=, &library](benchmark::State& state, char&) {
      measure_child(state, {.task = "heap_limit_granted", .arguments = {most_metadata}, .malloc = deploy(library)});
    }, timing::once);
    if (library.process)
      registry.add(library.name, {{"limit", "touched"}}, ready, [=, &library](benchmark::State& state, char&) {
        const std::size_t harmless = harmless_bytes(most);
        measure_child(state, {.task = "heap_limit_touched", .arguments = {harmless}, .malloc = deploy(library),
                              .most_resident_bytes = harmless + 64 * mib});
      }, timing::once);
  }
});

}  // namespace
}  // namespace stackheap

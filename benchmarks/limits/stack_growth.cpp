// What does it cost when the stack grows into new pages?
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "family.hpp"
#include "free_memory.hpp"
#include "measure.hpp"
#include "passes.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

constexpr std::size_t page = 4096;

/// Goes down the stack to below `floor`, in frames of just under a page, and writes the lowest byte of each.
[[gnu::noinline]] void descend(std::uintptr_t floor) {
  std::byte frame[page - 64];
  frame[0] = std::byte{1};
  escape(frame);
  if (reinterpret_cast<std::uintptr_t>(frame) > floor) descend(floor);
  escape(frame);
}

/// The same, `bytes` deep, from `offset` bytes further down. The pages between are not touched: this file is compiled
/// without -fstack-clash-protection (some distributions' default), which would touch them.
[[gnu::noinline]] void descend_from(std::size_t offset, std::size_t bytes) {
  auto* const start = static_cast<std::byte*>(__builtin_alloca(offset));
  escape(start);
  descend(reinterpret_cast<std::uintptr_t>(start) - bytes);
  escape(start);
}

/// The pages below this frame, down to the end of the stack, without a few pages next to the frame.
struct pages_below {
  pages_below() {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0)
      throw verification_error("the bounds of this thread's stack are unknown");
    void* lowest = nullptr;
    std::size_t bytes = 0;
    const int error = ::pthread_attr_getstack(&attributes, &lowest, &bytes);
    ::pthread_attr_destroy(&attributes);
    if (error != 0) throw verification_error("the bounds of this thread's stack are unknown");
    first = static_cast<std::byte*>(lowest);
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) / page * page;
    count = (here - reinterpret_cast<std::uintptr_t>(lowest)) / page - near;
  }

  static constexpr std::size_t near = 4;  ///< pages in use by the callers and what they call
  std::byte* first;
  std::size_t count;

  /// Gives all of them back: glibc reuses the touched stacks of ended threads.
  void forget() const {
    if (::madvise(first, count * page, MADV_DONTNEED) != 0)
      throw verification_error(std::string("madvise does not take the pages of the stack back: ") + std::strerror(errno));
  }
  /// How many of the highest `pages` pages are in memory.
  std::size_t resident(std::size_t pages) const {
    std::vector<unsigned char> flags(pages);
    if (::mincore(first + (count - pages) * page, pages * page, flags.data()) != 0)
      throw verification_error("mincore cannot tell which pages of the stack are in memory");
    return static_cast<std::size_t>(std::count_if(flags.begin(), flags.end(), [](unsigned is) { return (is & 1) != 0; }));
  }
};

/// Runs `work` on a fresh thread with room for a descent of `bytes`.
void on_fresh_stack(std::size_t bytes, const std::function<void()>& work) {
  if (bytes > harmless_bytes(bytes))
    throw verification_error("needs " + std::to_string(bytes >> 20) + " MiB, more than a quarter of the free memory");
  deep_thread(0, bytes).run(work);
}

/// Throws verification_error unless a descent into an untouched stack brings in every page of its way.
void verify_descent(std::size_t bytes) {
  on_fresh_stack(bytes + 2 * page, [=] {
    const pages_below below;
    below.forget();
    const std::size_t way = bytes / page - pages_below::near;
    if (below.resident(way) != 0) throw verification_error("the stack was not untouched");
    descend_from(0, bytes);
    if (below.resident(way) != way) throw verification_error("the descent missed pages");
  });
}

enum class touch { first, second };

/// The stack of a pass, first and second alike: descents of `bytes` one below the other over 64 MiB.
struct way {
  static constexpr std::size_t whole = std::size_t{64} << 20;
  std::size_t bytes;  ///< of one descent

  std::size_t step() const { return bytes + 2 * page; }
  std::size_t descents() const { return whole / bytes; }
  static constexpr std::size_t pages = whole / page;
  void go() const {
    for (std::size_t i = 0; i < descents(); ++i) descend_from(i * step(), bytes);
  }
};

/// Seconds of one pass, on a stack whose pages were given back.
double time_descents(benchmark::State& state, const way& down, touch timed) {
  double seconds = 0;
  on_fresh_stack(down.descents() * down.step(), [&] {
    pages_below().forget();
    if (timed == touch::second) down.go();
    const measured measuring(state, way::pages);
    seconds = seconds_of([&] { down.go(); });
  });
  return seconds;
}

const family stack_growth({
    .question = "What does it cost when the stack grows into new pages?",
    .operation = "go down the stack by one page of 4 KiB, and up again: a call whose frame is nearly as large as a "
                 "page, of which one byte is written. Descents of n bytes follow one below the other over 64 MiB of "
                 "stack; the time is that of the median of three such passes, divided by the pages",
    .untimed = "starting, for every pass, a thread whose stack is large enough, and giving back the pages that an "
               "earlier thread touched; once, a check that the descent finds an untouched stack and touches every page. "
               "For second: the same descents, just before",
    .heap = "does not matter",
    .held_against = "touch:second: the same way over pages that are there",
    .controls = "touch:second$",
    .unfairness = "touch:first and touch:second take the same way over as many pages, so that the pages of the second "
                  "have left the first caches too; going up and down in a few pages again and again costs a nanosecond "
                  "or two a page. page_faults shows whether the system brings pages in one by one; where the stack gets huge pages, "
                  "there are far fewer. The stack is that of a thread; the stack of main grows in the same way, up to "
                  "its limit.",
    .least_times = {{"stack_growth/.*touch:first", 200}, {"stack_growth/.*touch:second", 0.5}},
}, [](benchmark_registry& registry) {
  const std::size_t passes = registry.chosen() == profile::smoke ? 1 : 3;
  for (const std::size_t kib :
       registry.pick<std::size_t>({64}, {64, 1024, 8192}, {64, 128, 256, 512, 1024, 2048, 4096, 8192}))
    for (const touch timed : {touch::first, touch::second}) {
      const way down{kib << 10};
      registry.add(
          "", {{"bytes", down.bytes}, {"touch", timed == touch::first ? "first" : "second"}},
          [=] {
            verify_descent(down.bytes);
            return std::make_shared<char>();
          },
          [=](benchmark::State& state, char&) {
            time_passes(state, passes, way::pages, [&] { return time_descents(state, down, timed); });
          },
          timing::once);
    }
});

}  // namespace
}  // namespace stackheap

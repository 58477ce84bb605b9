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
    ::pthread_attr_getstack(&attributes, &lowest, &bytes);
    ::pthread_attr_destroy(&attributes);
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

/// Descents one below the other (`step` is what each covers) or into the same pages again (`step` is 0).
void time_descents(benchmark::State& state, std::size_t bytes, std::size_t step) {
  std::size_t offset = 0;
  const measured measuring(state);
  while (state.KeepRunningBatch(static_cast<std::int64_t>(bytes / page))) {
    descend_from(offset, bytes);
    offset += step;
  }
}

const family stack_growth({
    .question = "What does it cost when the stack grows into new pages?",
    .operation = "go down the stack by one page of 4 KiB, and up again: a call whose frame is nearly as large as a "
                 "page, of which one byte is written",
    .untimed = "starting a thread whose stack is large enough, and giving back the pages that an earlier thread "
               "touched; once, a check that the descent finds an untouched stack and touches every page",
    .heap = "does not matter",
    .unfairness = "touch:first continues below its last page every time, touch:second repeats the same pages. "
                  "page_faults shows whether the system brings pages in one by one; where the stack gets huge pages, "
                  "there are far fewer. The stack is that of a thread; the stack of main grows in the same way, up to "
                  "its limit.",
    .least_times = {{"stack_growth/.*touch:first", 200}, {"stack_growth/.*touch:second", 0.5}},
}, [](benchmark_registry& registry) {
  for (const std::size_t kib :
       registry.pick<std::size_t>({64}, {64, 1024, 8192}, {64, 128, 256, 512, 1024, 2048, 4096, 8192}))
    for (const bool first : {true, false}) {
      const std::size_t bytes = kib << 10;
      registry.add(
          "", {{"bytes", bytes}, {"touch", first ? "first" : "second"}},
          [=] {
            verify_descent(bytes);
            return std::make_shared<char>();
          },
          [=](benchmark::State& state, char&) {
            const std::size_t step = bytes + 2 * page;
            const auto pages = static_cast<benchmark::IterationCount>(bytes / page);
            const auto descents = static_cast<std::size_t>((state.max_iterations + pages - 1) / pages);
            on_fresh_stack((first ? descents : 1) * step, [&] {
              pages_below().forget();
              if (!first) descend_from(0, bytes);
              time_descents(state, bytes, first ? step : 0);
            });
          });
    }
});

}  // namespace
}  // namespace stackheap

// When does a process really receive memory: when it allocates, or at the first write to each page?
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <vector>

#include "family.hpp"
#include "free_memory.hpp"
#include "huge_pages.hpp"
#include "measure.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

/// Pages between two checks of the time: 2 MiB of 4 KiB pages, a whole huge page.
constexpr std::size_t stride = 512;
/// The number of pages that a second touch repeats.
constexpr std::size_t most_second = 8 * stride;
/// Each page is written at the next of so many lines: the same line of every page would compete for one cache set.
constexpr std::size_t lines_round = 64;
/// glibc maps every block larger than 32 MiB anew; where another malloc reuses memory, the benchmark is an error.
constexpr std::size_t surely_mapped_bytes = std::size_t{64} << 20;

enum class origin { stack, malloc, calloc, mmap, thp };
constexpr std::initializer_list<origin> every_origin{origin::stack, origin::malloc, origin::calloc, origin::mmap,
                                                     origin::thp};
std::string_view name_of(origin from) {
  switch (from) {
    case origin::stack: return "stack";
    case origin::malloc: return "malloc";
    case origin::calloc: return "calloc";
    case origin::mmap: return "mmap";
    case origin::thp: break;
  }
  return "thp";
}

const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

/// Pages that were never written. Throws verification_error where the system does not give them.
class fresh_pages {
 public:
  fresh_pages(origin from, std::size_t pages) : bytes_(pages * page) {
    if (const auto free = free_memory(); free && bytes_ > *free / 2)
      throw verification_error("needs " + std::to_string(bytes_ >> 20) + " MiB of fresh memory: choose a shorter min_time");
    switch (from) {
      case origin::stack:
        data_ = thread_.emplace(bytes_, page).held();
        ::madvise(data_, bytes_, MADV_DONTNEED);  // the C library may reuse the stack of an ended thread
        break;
      case origin::malloc:
        block_ = std::malloc(std::max(bytes_ + page, surely_mapped_bytes));
        data_ = aligned(block_, page);
        break;
      case origin::calloc:
        block_ = std::calloc(std::max(bytes_ + page, surely_mapped_bytes), 1);
        data_ = aligned(block_, page);
        break;
      case origin::mmap:
      case origin::thp:
        mapped_ = bytes_ + huge_page_bytes;
        void* const got = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (got == MAP_FAILED) throw verification_error("mmap refuses " + std::to_string(mapped_) + " bytes");
        ::madvise(got, mapped_, from == origin::thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
        mapping_ = got;
        data_ = aligned(mapping_, huge_page_bytes);
        break;
    }
  }
  fresh_pages(const fresh_pages&) = delete;
  fresh_pages& operator=(const fresh_pages&) = delete;
  ~fresh_pages() {
    std::free(block_);
    if (mapping_ != nullptr) ::munmap(mapping_, mapped_);
  }

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  /// Runs `work` on the thread that owns the stack, otherwise here.
  void run(const std::function<void()>& work) { thread_ ? thread_->run(work) : work(); }

  /// The share of the pages that are already in memory.
  double present_share() const {
    std::vector<unsigned char> pages(bytes_ / page);
    if (::mincore(data_, bytes_, pages.data()) != 0)
      throw verification_error("mincore cannot tell which pages are present");
    std::size_t present = 0;
    for (const unsigned char flags : pages) present += flags & 1;
    return static_cast<double>(present) / static_cast<double>(pages.size());
  }

 private:
  static std::byte* aligned(void* memory, std::size_t alignment) {
    if (memory == nullptr) throw verification_error("the system refuses the memory");
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    return static_cast<std::byte*>(memory) + (alignment - address % alignment) % alignment;
  }

  std::size_t bytes_;
  std::byte* data_ = nullptr;
  std::optional<deep_thread> thread_;
  void* block_ = nullptr;
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
};

void write_each(benchmark::State& state, std::byte* data, std::size_t pages) {
  const std::size_t page_bytes = page;
  std::size_t at = 0;
  const measured measuring(state);
  while (state.KeepRunningBatch(stride)) {
    for (std::size_t i = at; i < at + stride; ++i) {
      data[i * page_bytes + i % lines_round * 64] = std::byte{1};
      escape(data);
    }
    at = at + stride < pages ? at + stride : 0;
  }
}

/// Every call gets fresh memory for all its first writes: nothing is mapped or given back during the timing.
void first_writes(benchmark::State& state, origin from) {
  const std::size_t pages = (static_cast<std::size_t>(state.max_iterations) + stride - 1) / stride * stride;
  fresh_pages memory(from, pages);
  if (memory.present_share() > 0)
    throw verification_error("this memory is not fresh: pages were present before the first write");
  memory.run([&] { write_each(state, memory.data(), pages); });
  if (memory.present_share() < 1) throw verification_error("a page is missing after its first write");
  if (const double huge = huge_share(memory.data(), memory.bytes()); huge >= 0) state.counters["huge_share"] = huge;
}

void second_writes(benchmark::State& state, fresh_pages& memory) {
  memory.run([&] { write_each(state, memory.data(), memory.bytes() / page); });
  if (const double huge = huge_share(memory.data(), memory.bytes()); huge >= 0) state.counters["huge_share"] = huge;
}

const family first_touch({
    .question = "When does a process really receive memory: when it allocates, or at the first write to each page?",
    .operation = "write one byte to a page, one page after another, each time at the next of 64 lines: the first write "
                 "to a page, or the second",
    .untimed = "allocating, before the loop, as much memory as the writes will need; proving that none of its pages "
               "was present (mincore); giving it back. For second: one write to every page",
    .heap = "does not matter: the memory is one block, at least as large as the pages that are written. stack: the "
            "stack of a thread started for it; malloc, calloc: of the process, 64 MiB or more, so that the block comes "
            "from the system; mmap: with huge pages disabled; thp: with huge pages requested",
    .unfairness = "Pages from the kernel may still be in the cache, because they were given back a moment ago: the "
                  "best case. The first write to a huge page pays for the whole huge page, and the time is spread over "
                  "all its 4 KiB pages. Where the system gives huge pages without a request, every storage can have "
                  "them: huge_share shows it. second repeats 4,096 pages, more than most TLBs hold.",
    .least_times = {{"first_touch/home:(stack|malloc|calloc|mmap)/touch:first", 200}, {"first_touch/home:.*/touch:second", 0.3}},
}, [](benchmark_registry& registry) {
  for (const origin from : every_origin) {
    registry.add(
        "", {{"home", name_of(from)}, {"touch", "first"}}, [=] { return std::make_shared<origin>(from); },
        [](benchmark::State& state, const origin& source) { first_writes(state, source); });
    registry.add(
        "", {{"home", name_of(from)}, {"touch", "second"}},
        [=] {
          auto memory = std::make_shared<fresh_pages>(from, most_second);
          for (std::size_t i = 0; i < most_second; ++i) memory->data()[i * page] = std::byte{1};
          if (memory->present_share() < 1) throw verification_error("a page is missing after its first write");
          return memory;
        },
        second_writes);
  }
});

}  // namespace
}  // namespace stackheap

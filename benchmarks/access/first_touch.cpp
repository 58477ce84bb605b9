// When is memory really taken: on asking for it, or on the first write to each page?
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

/// Pages between two looks at whether to go on: 2 MiB of 4 KiB pages, a whole huge page.
constexpr std::size_t stride = 512;
/// A second touch goes round so many pages.
constexpr std::size_t most_second = 8 * stride;
/// On each page the next line is written, round so many: were it the same one, all would compete for one cache set.
constexpr std::size_t lines_round = 64;
/// glibc maps every block larger than 32 MiB anew, whatever was freed before; others may not, and are then refused.
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

/// Pages that nobody has written to yet. Throws wrong_work where they cannot be had.
class fresh_pages {
 public:
  fresh_pages(origin from, std::size_t pages) : bytes_(pages * page) {
    if (const auto free = free_memory(); free && bytes_ > *free / 2)
      throw wrong_work("needs " + std::to_string(bytes_ >> 20) + " MiB of fresh memory: choose a shorter min_time");
    switch (from) {
      case origin::stack:
        data_ = thread_.emplace(bytes_, page).held();
        ::madvise(data_, bytes_, MADV_DONTNEED);  // the C library may have handed out an old thread's stack
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
        if (got == MAP_FAILED) throw wrong_work("mmap refuses " + std::to_string(mapped_) + " bytes");
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
  /// Runs `work` on the thread whose stack it is, else here.
  void run(const std::function<void()>& work) { thread_ ? thread_->run(work) : work(); }

  /// Share of the pages that have memory behind them already.
  double present_share() const {
    std::vector<unsigned char> pages(bytes_ / page);
    if (::mincore(data_, bytes_, pages.data()) != 0) throw wrong_work("mincore does not say which pages are there");
    std::size_t present = 0;
    for (const unsigned char each : pages) present += each & 1;
    return static_cast<double>(present) / static_cast<double>(pages.size());
  }

 private:
  static std::byte* aligned(void* memory, std::size_t alignment) {
    if (memory == nullptr) throw wrong_work("the memory is refused");
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

/// Every call has fresh memory for as many first writes as it will do: nothing is mapped or given back while time runs.
void first_writes(benchmark::State& state, origin from) {
  const std::size_t pages = (static_cast<std::size_t>(state.max_iterations) + stride - 1) / stride * stride;
  fresh_pages memory(from, pages);
  if (memory.present_share() > 0) throw wrong_work("this memory is not fresh: pages were there before the first write");
  memory.run([&] { write_each(state, memory.data(), pages); });
  if (memory.present_share() < 1) throw wrong_work("a page is not there after its first write");
  if (const double huge = huge_share(memory.data(), memory.bytes()); huge >= 0) state.counters["huge_share"] = huge;
}

void second_writes(benchmark::State& state, fresh_pages& memory) {
  memory.run([&] { write_each(state, memory.data(), memory.bytes() / page); });
  if (const double huge = huge_share(memory.data(), memory.bytes()); huge >= 0) state.counters["huge_share"] = huge;
}

const family first_touch({
    .question = "When is memory really taken: on asking for it, or on the first write to each page?",
    .operation = "write one byte to a page, one page after another, at a line that goes round: for the first time, or "
                 "the second",
    .untimed = "asking for the memory, before the loop, as much as its writes will need; proving that none of its "
               "pages was there (mincore); giving it back. For second, one write to each page",
    .heap = "does not matter: the memory is one block of at least as many bytes as are written. stack: that of a "
            "thread started for it; malloc, calloc: of the process, 64 MiB or more, so that it comes from the system; "
            "mmap: with huge pages refused; thp: with huge pages asked for",
    .unfairness = "The pages the kernel hands out may still be warm from being given back a moment ago: the best "
                  "case. A huge page is paid for by its first write alone, and the time is spread over all its 4 KiB. "
                  "Where the system gives huge pages unasked, homes that did not ask get them too: huge_share says. "
                  "second goes round 4,096 pages, more than most TLBs hold.",
}, [](enrolment& into) {
  for (const origin from : every_origin) {
    into.add(
        "", {{"home", name_of(from)}, {"touch", "first"}}, [=] { return std::make_shared<origin>(from); },
        [](benchmark::State& state, const origin& of) { first_writes(state, of); });
    into.add(
        "", {{"home", name_of(from)}, {"touch", "second"}},
        [=] {
          auto memory = std::make_shared<fresh_pages>(from, most_second);
          for (std::size_t i = 0; i < most_second; ++i) memory->data()[i * page] = std::byte{1};
          if (memory->present_share() < 1) throw wrong_work("a page is not there after its first write");
          return memory;
        },
        second_writes);
  }
});

}  // namespace
}  // namespace stackheap

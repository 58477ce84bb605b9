#include "placed_array.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "family.hpp"
#include "free_memory.hpp"
#include "huge_pages.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

constexpr std::size_t page = 4096;

alignas(page) std::byte static_memory[static_bytes];

/// glibc maps every block larger than 32 MiB anew, whatever was freed before; where another malloc reuses memory, its
/// pages are not untouched, and the benchmark is an error.
constexpr std::size_t surely_mapped_bytes = std::size_t{64} << 20;

std::byte* aligned(void* memory, std::size_t alignment) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  return static_cast<std::byte*>(memory) + (alignment - address % alignment) % alignment;
}

}  // namespace

std::string_view name_of(storage kind) {
  switch (kind) {
    case storage::stack: return "stack";
    case storage::static_data: return "static";
    case storage::heap: return "heap";
    case storage::zeroed_heap: return "zeroed_heap";
    case storage::mmap_4k: return "mmap_4k";
    case storage::mmap_thp: break;
  }
  return "mmap_thp";
}

struct placed_array::place {
  std::optional<deep_thread> thread;
  void* block = nullptr;
  void* mapping = nullptr;
  std::size_t mapped = 0;

  place() = default;
  place(const place&) = delete;
  place& operator=(const place&) = delete;
  ~place() {
    std::free(block);
    if (mapping != nullptr) ::munmap(mapping, mapped);
  }

  std::byte* map(std::size_t bytes, bool huge) {
    mapped = bytes + huge_page_bytes;
    void* const got = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) throw verification_error("mmap refuses " + std::to_string(mapped) + " bytes");
    mapping = got;
    ::madvise(mapping, mapped, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);  // what was granted: huge_share()
    return aligned(mapping, huge_page_bytes);
  }
};

placed_array::placed_array(storage kind, std::size_t bytes, fresh pages) : place_(new place), bytes_(bytes) {
  if (const auto free = free_memory(); free && bytes > *free / 2)
    throw verification_error("needs " + std::to_string(bytes >> 20) + " MiB, more than half of the free memory");
  const std::size_t alignment = std::max(page, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
  const std::size_t block_bytes = std::max(bytes + alignment, pages == fresh::untouched ? surely_mapped_bytes : 0);
  switch (kind) {
    case storage::stack:
      data_ = place_->thread.emplace(bytes, page).held();
      // The C library may reuse an old stack.
      if (pages == fresh::untouched && ::madvise(data_, bytes, MADV_DONTNEED) != 0)
        throw verification_error("madvise does not take the pages of the stack back");
      break;
    case storage::static_data:
      if (bytes > static_bytes) throw verification_error("the static array holds at most 256 MiB");
      data_ = static_memory;
      break;
    case storage::heap:
    case storage::zeroed_heap:
      place_->block = kind == storage::heap ? std::malloc(block_bytes) : std::calloc(block_bytes, 1);
      if (place_->block == nullptr) throw verification_error("malloc refuses " + std::to_string(block_bytes) + " bytes");
      data_ = aligned(place_->block, alignment);
      break;
    case storage::mmap_4k:
    case storage::mmap_thp:
      data_ = place_->map(bytes, kind == storage::mmap_thp);
      break;
  }
  if (pages == fresh::written) run([&] { std::memset(data_, 0, bytes_); });
}

placed_array::~placed_array() {
  // The static array cannot be freed; its pages can be given back.
  if (data_ == static_memory) ::madvise(static_memory, (bytes_ + page - 1) / page * page, MADV_DONTNEED);
}

void placed_array::run(const std::function<void()>& work) const {
  place_->thread ? place_->thread->run(work) : work();
}

double placed_array::huge_share() const { return stackheap::huge_share(data_, bytes_); }

double placed_array::present_share() const {
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((bytes_ + page_bytes - 1) / page_bytes);
  if (::mincore(data_, bytes_, pages.data()) != 0) throw verification_error("mincore cannot tell which pages are present");
  std::size_t present = 0;
  for (const unsigned char flags : pages) present += flags & 1;
  return static_cast<double>(present) / static_cast<double>(pages.size());
}

}  // namespace stackheap

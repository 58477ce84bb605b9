#include "placed_array.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "family.hpp"
#include "free_memory.hpp"
#include "huge_pages.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

constexpr std::size_t page = 4096;

alignas(page) std::byte static_memory[static_bytes];

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

placed_array::placed_array(storage kind, std::size_t bytes) : place_(new place), bytes_(bytes) {
  if (const auto free = free_memory(); free && bytes > *free / 2)
    throw verification_error("needs " + std::to_string(bytes >> 20) + " MiB, more than half of the free memory");
  switch (kind) {
    case storage::stack:
      data_ = place_->thread.emplace(bytes, page).held();
      break;
    case storage::static_data:
      if (bytes > static_bytes) throw verification_error("the static array holds at most 256 MiB");
      data_ = static_memory;
      break;
    case storage::heap:
      if ((place_->block = std::malloc(bytes + page)) == nullptr)
        throw verification_error("malloc refuses " + std::to_string(bytes + page) + " bytes");
      data_ = aligned(place_->block, page);
      break;
    case storage::mmap_4k:
    case storage::mmap_thp:
      data_ = place_->map(bytes, kind == storage::mmap_thp);
      break;
  }
  run([&] { std::memset(data_, 0, bytes_); });
}

placed_array::~placed_array() {
  // The static array cannot be freed; its pages can be given back.
  if (data_ == static_memory) ::madvise(static_memory, (bytes_ + page - 1) / page * page, MADV_DONTNEED);
}

void placed_array::run(const std::function<void()>& work) const {
  place_->thread ? place_->thread->run(work) : work();
}

double placed_array::huge_share() const { return stackheap::huge_share(data_, bytes_); }

}  // namespace stackheap

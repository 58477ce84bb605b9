// A malloc library for the tests: everything a malloc needs, under the prefix `whole_`, over mmap: one mapping a block.
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace {

/// Stands in the 4 KiB before a block.
struct mapping {
  std::size_t bytes;
};
constexpr std::size_t page = 4096;

mapping* mapping_of(void* block) { return reinterpret_cast<mapping*>(static_cast<std::byte*>(block) - page); }

}  // namespace

extern "C" {

void* whole_malloc(std::size_t bytes) {
  if (bytes > static_cast<std::size_t>(-1) - page) return nullptr;
  void* const mapped = mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  static_cast<mapping*>(mapped)->bytes = bytes;
  return static_cast<std::byte*>(mapped) + page;
}

void whole_free(void* block) {
  if (block != nullptr) munmap(mapping_of(block), mapping_of(block)->bytes + page);
}

void* whole_calloc(std::size_t count, std::size_t bytes) {
  std::size_t all = 0;
  return __builtin_mul_overflow(count, bytes, &all) ? nullptr : whole_malloc(all);
}

void* whole_realloc(void* block, std::size_t bytes) {
  void* const moved = whole_malloc(bytes);
  if (moved == nullptr || block == nullptr) return moved;
  std::memcpy(moved, block, std::min(bytes, mapping_of(block)->bytes));
  whole_free(block);
  return moved;
}

int whole_posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  if (alignment > page) return EINVAL;
  *block = whole_malloc(bytes);
  return *block == nullptr ? ENOMEM : 0;
}

}  // extern "C"

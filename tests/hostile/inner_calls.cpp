// A malloc library for the tests whose functions call each other by their exported names, over a mapping that it never
// gives back. Without -Wl,-Bsymbolic, these calls go to the malloc of the program that loads it.
#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {

void* malloc(std::size_t bytes) {
  constexpr std::size_t all = std::size_t{1} << 36;
  static char* const memory = static_cast<char*>(
      mmap(nullptr, 2 * all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  static std::atomic<std::size_t> used;
  return memory + used.fetch_add((bytes + 31) / 16 * 16) % all;
}

void free(void*) {}

void* calloc(std::size_t count, std::size_t bytes) { return std::memset(malloc(count * bytes), 0, count * bytes); }

void* realloc(void* block, std::size_t bytes) {
  void* const moved = malloc(bytes);
  return block == nullptr ? moved : std::memcpy(moved, block, bytes / 100);  // the load test grows to 100 times
}

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  const auto at = reinterpret_cast<std::uintptr_t>(malloc(bytes + alignment));
  *block = reinterpret_cast<void*>((at + alignment - 1) / alignment * alignment);
  return 0;
}

}  // extern "C"

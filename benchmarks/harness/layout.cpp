#include "layout.hpp"

#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <random>
#include <utility>
#include <vector>

#include "loaded_malloc.hpp"
#include "measure.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

constexpr std::size_t two_pages = 8192;
constexpr std::size_t alignment = 16;

std::mutex drawing;
generator random_layout(seed);

/// Blocks that are never freed; they stay reachable, also while the process ends.
std::vector<void*>& kept() {
  static auto* const blocks = new std::vector<void*>;
  return *blocks;
}

void keep_block(std::size_t bytes) { kept().push_back(std::malloc(bytes)); }

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if __GLIBC_PREREQ(2, 33)
#define STACKHEAP_KNOWS_THE_HEAPS_END
#endif
#endif

#ifdef STACKHEAP_KNOWS_THE_HEAPS_END
bool process_malloc_is_glibcs() {
  return same_file(process_malloc().file, file_of(::dlsym(RTLD_DEFAULT, "gnu_get_libc_version")));
}

/// Takes blocks of `bytes` until one comes from beyond `end_of_used`; no more than a program that has just begun can have.
void take_free_blocks(std::size_t bytes, std::uintptr_t end_of_used) {
  constexpr int most = 100'000;
  for (int i = 0; i < most; ++i) {
    void* const block = std::malloc(bytes);
    if (block == nullptr) return;
    *static_cast<void**>(block) = std::exchange(kept().front(), block);  // they stay reachable, in a chain
    if (reinterpret_cast<std::uintptr_t>(block) >= end_of_used) return;
  }
}

void take_all_free_blocks() {
  const std::uintptr_t end_of_used = reinterpret_cast<std::uintptr_t>(::sbrk(0)) - ::mallinfo2().keepcost;
  kept().assign(1, nullptr);
  kept().reserve(2);
  // The large sizes first, which also makes glibc merge small free chunks; then every size of its thread cache.
  for (std::size_t bytes = 65536; bytes > 1032; bytes /= 2) take_free_blocks(bytes, end_of_used);
  for (std::size_t bytes = 1032; bytes >= 24; bytes -= alignment) take_free_blocks(bytes, end_of_used);
}
#endif

}  // namespace

void seed_layout(std::uint64_t number, std::string_view benchmark) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a: the same on every standard library
  for (const char c : benchmark) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::seed_seq mixed{static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32),
                      static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32)};
  const std::lock_guard lock(drawing);
  random_layout.seed(mixed);
}

std::size_t drawn_below(std::size_t bound) {
  const std::lock_guard lock(drawing);
  return static_cast<std::size_t>(below(bound, random_layout));
}

std::size_t drawn_stack_distance() { return alignment * drawn_below(two_pages / alignment); }

void move_process_heap() {
#ifdef STACKHEAP_KNOWS_THE_HEAPS_END
  if (process_malloc_is_glibcs()) {
    take_all_free_blocks();
    keep_block(alignment * (1 + drawn_below(two_pages / alignment)));
    return;
  }
#endif
  for (std::size_t i = drawn_below(64); i > 0; --i) keep_block(alignment * (1 + drawn_below(64)));
}

void on_moved_stack(std::size_t distance, const std::function<void()>& work) {
  escape(__builtin_alloca(distance + 1));
  work();
}

}  // namespace stackheap

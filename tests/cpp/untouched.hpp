// Memory whose pages are not there yet, for tests that count page faults.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

namespace stackheap {

inline constexpr std::size_t page = 4096;
inline bool has_small_pages() { return ::sysconf(_SC_PAGESIZE) == page; }

/// Pages that are not there yet.
class untouched {
 public:
  explicit untouched(std::size_t pages) : bytes_(pages * page) {
    void* const mapped = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::madvise(mapped, bytes_, MADV_NOHUGEPAGE);
    memory_ = static_cast<std::byte*>(mapped);
  }
  untouched(const untouched&) = delete;
  untouched& operator=(const untouched&) = delete;
  ~untouched() { ::munmap(memory_, bytes_); }
  void touch() {
    for (std::size_t at = 0; at < bytes_; at += page) memory_[at] = std::byte{1};
  }

 private:
  std::size_t bytes_;
  std::byte* memory_;
};

}  // namespace stackheap

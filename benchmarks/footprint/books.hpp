// The books a footprint benchmark keeps of its blocks: they must not count as memory of the malloc that is looked at.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "family.hpp"

namespace stackheap {

/// An array mapped aside from every malloc and written once, so that it is all there before anything is measured.
template <class Entry>
  requires std::is_trivially_copyable_v<Entry>
class books {
 public:
  /// Throws wrong_work where the system maps no more.
  explicit books(std::size_t entries) : entries_(entries) {
    void* const mapped = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw wrong_work("no memory for the benchmark's own books");
    std::memset(mapped, 1, bytes());
    first_ = static_cast<Entry*>(mapped);
  }
  books(const books&) = delete;
  books& operator=(const books&) = delete;
  ~books() { ::munmap(first_, bytes()); }

  std::size_t size() const { return entries_; }
  Entry& operator[](std::size_t index) { return first_[index]; }
  Entry* begin() { return first_; }
  Entry* end() { return first_ + entries_; }

 private:
  std::size_t bytes() const { return entries_ * sizeof(Entry); }

  std::size_t entries_;
  Entry* first_ = nullptr;
};

}  // namespace stackheap

// Where does a footprint benchmark keep its own data about its blocks? In memory that does not count as the malloc's.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "family.hpp"

namespace stackheap {

/// An array outside of every malloc: mapped, and written once, so that all of it is in memory before the measurement.
template <class Entry>
  requires std::is_trivially_copyable_v<Entry>
class side_array {
 public:
  /// Throws verification_error where the system refuses the mapping.
  explicit side_array(std::size_t entries) : entries_(entries) {
    void* const mapped = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw verification_error("the system has no memory for the benchmark's own data");
    std::memset(mapped, 1, bytes());
    first_ = static_cast<Entry*>(mapped);
  }
  side_array(const side_array&) = delete;
  side_array& operator=(const side_array&) = delete;
  ~side_array() { ::munmap(first_, bytes()); }

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

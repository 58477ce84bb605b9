// Where can an array be stored? The same bytes on a stack, in the program's static data, on the heap, or mapped with
// small or huge pages; and which pages did the kernel grant?
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>

namespace stackheap {

enum class storage {
  stack,
  static_data,
  heap,         ///< by malloc
  zeroed_heap,  ///< by calloc
  mmap_4k,
  mmap_thp,
};
/// Without zeroed_heap, which differs from heap only before the first write.
inline constexpr std::initializer_list<storage> every_storage{storage::stack, storage::static_data, storage::heap,
                                                              storage::mmap_4k, storage::mmap_thp};
std::string_view name_of(storage);

/// The pages of new memory.
enum class fresh {
  written,    ///< each page was written once: all are present, and zero
  untouched,  ///< no page was ever written; heap blocks are so large that they come from the system
};

/// `bytes` of memory in one kind of storage, aligned to 4 KiB.
class placed_array {
 public:
  /// Throws verification_error where the system refuses it, or where it would take more than half of the free memory.
  placed_array(storage kind, std::size_t bytes, fresh pages = fresh::written);
  placed_array(const placed_array&) = delete;
  placed_array& operator=(const placed_array&) = delete;
  ~placed_array();

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  /// Runs `work` on the thread whose stack holds this memory, otherwise on the calling thread.
  void run(const std::function<void()>& work) const;
  /// The share of the bytes on huge pages (/proc/self/smaps); negative when it is unknown.
  double huge_share() const;
  /// The share of the pages that are in memory. Throws verification_error when it is unknown.
  double present_share() const;

 private:
  struct place;
  std::unique_ptr<place> place_;
  std::byte* data_ = nullptr;
  std::size_t bytes_;
};

/// The largest static array. It is part of every process of the program, so the program does not even start where the
/// system grants less memory (ulimit -v, strict overcommit, a small machine).
inline constexpr std::size_t static_bytes = std::size_t{256} << 20;

}  // namespace stackheap

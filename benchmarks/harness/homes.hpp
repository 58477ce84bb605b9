// Where can an array live? The same bytes on a stack, in the program's own data, on the heap, or mapped with small or
// huge pages; and did it get the pages it asked for?
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>

namespace stackheap {

enum class home { stack, statik, heap, mmap_4k, mmap_thp };
inline constexpr std::initializer_list<home> every_home{home::stack, home::statik, home::heap, home::mmap_4k, home::mmap_thp};
std::string_view name_of(home);

/// `bytes` of memory in one home, aligned to 4 KiB, each page written once (so that it is there).
class residence {
 public:
  /// Throws wrong_work where it cannot be had, or would take more than half of the machine's free memory.
  residence(home where, std::size_t bytes);
  residence(const residence&) = delete;
  residence& operator=(const residence&) = delete;
  ~residence();

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  /// Runs `work` where this memory is at home: on the thread whose stack it is, else here.
  void run(const std::function<void()>& work) const;
  /// Share of the bytes that stand on huge pages, as the kernel says (/proc/self/smaps); negative when it does not.
  double huge_share() const;

 private:
  struct place;
  std::unique_ptr<place> place_;
  std::byte* data_ = nullptr;
  std::size_t bytes_;
};

/// Largest array the static home can hold. It is part of every process of the program, which the system does not even
/// start where it grants less memory (ulimit -v, strict overcommit, a small machine).
inline constexpr std::size_t static_bytes = std::size_t{256} << 20;

}  // namespace stackheap

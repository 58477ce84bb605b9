// Is it known which memory got huge pages?
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <new>

#include "huge_pages.hpp"

namespace stackheap {
namespace {

/// 8 MiB that begin at a huge page, every page written.
class written {
 public:
  explicit written(int advice)
      : mapping_(::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (mapping_ == MAP_FAILED) throw std::bad_alloc();
    ::madvise(mapping_, mapped, advice);
    const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
    data_ = static_cast<std::byte*>(mapping_) + (huge_page_bytes - address % huge_page_bytes) % huge_page_bytes;
    std::memset(data_, 1, bytes);
  }
  written(const written&) = delete;
  written& operator=(const written&) = delete;
  ~written() { ::munmap(mapping_, mapped); }

  double share() const { return huge_share(data_, bytes); }

 private:
  static constexpr std::size_t bytes = std::size_t{8} << 20, mapped = bytes + huge_page_bytes;
  void* mapping_;
  std::byte* data_ = nullptr;
};

bool offered() {
  std::string line;
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  return std::getline(file, line) && line.find("[never]") == std::string::npos;
}

TEST(the_share_of_huge_pages, is_none_where_they_were_refused) {
  const written beside(MADV_HUGEPAGE);
  EXPECT_EQ(written(MADV_NOHUGEPAGE).share(), 0);
}

TEST(the_share_of_huge_pages, is_more_where_they_were_asked_for) {
  if (!offered()) GTEST_SKIP() << "this system has no transparent huge pages";
  EXPECT_GE(written(MADV_HUGEPAGE).share(), 0.25) << "one of four";
}

}  // namespace
}  // namespace stackheap

// Is it known which memory got huge pages?
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "huge_pages.hpp"

namespace stackheap {
namespace {

/// 8 MiB of a mapping, every page written, and their share of huge pages.
double share_after(int advice) {
  constexpr std::size_t bytes = std::size_t{8} << 20, mapped = bytes + huge_page_bytes;
  void* const mapping = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return -1;
  ::madvise(mapping, mapped, advice);
  const auto address = reinterpret_cast<std::uintptr_t>(mapping);
  auto* const data = static_cast<std::byte*>(mapping) + (huge_page_bytes - address % huge_page_bytes) % huge_page_bytes;
  std::memset(data, 1, bytes);
  const double share = huge_share(data, bytes);
  ::munmap(mapping, mapped);
  return share;
}

bool offered() {
  std::string line;
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  return std::getline(file, line) && line.find("[never]") == std::string::npos;
}

TEST(the_share_of_huge_pages, is_none_where_they_were_refused) { EXPECT_EQ(share_after(MADV_NOHUGEPAGE), 0); }

TEST(the_share_of_huge_pages, is_more_where_they_were_asked_for) {
  if (!offered()) GTEST_SKIP() << "this system has no transparent huge pages";
  EXPECT_GT(share_after(MADV_HUGEPAGE), 0);
}

}  // namespace
}  // namespace stackheap

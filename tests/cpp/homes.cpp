// Does an array live where its home says, on the pages that were asked for?
#include "homes.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "family.hpp"
#include "loaded_malloc.hpp"

namespace stackheap {
namespace {

constexpr std::size_t bytes = std::size_t{4} << 20;

bool is_on_this_stack(const std::byte* block) {
  pthread_attr_t attributes;
  ::pthread_getattr_np(::pthread_self(), &attributes);
  void* lowest = nullptr;
  std::size_t size = 0;
  ::pthread_attr_getstack(&attributes, &lowest, &size);
  ::pthread_attr_destroy(&attributes);
  return block >= lowest && block < static_cast<std::byte*>(lowest) + size;
}

/// In the program's own file or the zeros behind it.
bool is_of_the_program(const std::byte* block) { return same_file(file_of(block), std::filesystem::read_symlink("/proc/self/exe")); }

TEST(homes, each_gives_whole_pages_of_zeros_that_hold_what_is_written) {
  for (const home where : every_home) {
    SCOPED_TRACE(name_of(where));
    const residence at(where, bytes);
    EXPECT_EQ(at.bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at.data()) % 4096, 0U);
    EXPECT_EQ(std::count(at.data(), at.data() + bytes, std::byte{0}), static_cast<std::ptrdiff_t>(bytes));
    at.run([&] { std::memset(at.data(), 7, bytes); });
    EXPECT_EQ(std::count(at.data(), at.data() + bytes, std::byte{7}), static_cast<std::ptrdiff_t>(bytes));
  }
}

TEST(homes, an_array_is_where_its_home_says) {
  for (const home where : every_home) {
    SCOPED_TRACE(name_of(where));
    const residence at(where, bytes);
    bool on_stack = false;
    at.run([&] { on_stack = is_on_this_stack(at.data()); });
    EXPECT_EQ(on_stack, where == home::stack);
    EXPECT_EQ(is_of_the_program(at.data()), where == home::statik);
  }
}

TEST(homes, pages_are_as_large_as_was_asked) {
  const double small = residence(home::mmap_4k, bytes).huge_share();
  const double huge = residence(home::mmap_thp, bytes).huge_share();
  if (small < 0) GTEST_SKIP() << "this system does not say which pages are huge";
  EXPECT_EQ(small, 0);
  std::string line;
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  if (!std::getline(file, line) || line.find("[never]") != std::string::npos) GTEST_SKIP() << "there are no huge pages";
  EXPECT_GT(huge, 0);
}

TEST(homes, static_memory_is_given_back_as_zeros) {
  { std::memset(residence(home::statik, bytes).data(), 7, bytes); }
  const residence again(home::statik, bytes);
  EXPECT_EQ(std::count(again.data(), again.data() + bytes, std::byte{0}), static_cast<std::ptrdiff_t>(bytes));
}

TEST(homes, what_the_machine_does_not_have_is_refused) {
  for (const home where : every_home) EXPECT_THROW(residence(where, SIZE_MAX / 4), wrong_work) << name_of(where);
  EXPECT_THROW(residence(home::statik, static_bytes + 4096), wrong_work);
}

}  // namespace
}  // namespace stackheap

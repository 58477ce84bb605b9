// Is an array in the requested storage, on the requested pages?
#include "placed_array.hpp"

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

TEST(placed_array, every_storage_gives_whole_pages_of_zeros_that_hold_what_is_written) {
  for (const storage kind : every_storage) {
    SCOPED_TRACE(name_of(kind));
    const placed_array at(kind, bytes);
    EXPECT_EQ(at.bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at.data()) % 4096, 0U);
    EXPECT_EQ(std::count(at.data(), at.data() + bytes, std::byte{0}), static_cast<std::ptrdiff_t>(bytes));
    at.run([&] { std::memset(at.data(), 7, bytes); });
    EXPECT_EQ(std::count(at.data(), at.data() + bytes, std::byte{7}), static_cast<std::ptrdiff_t>(bytes));
  }
}

TEST(placed_array, an_array_is_in_the_requested_storage) {
  for (const storage kind : every_storage) {
    SCOPED_TRACE(name_of(kind));
    const placed_array at(kind, bytes);
    bool on_stack = false;
    at.run([&] { on_stack = is_on_this_stack(at.data()); });
    EXPECT_EQ(on_stack, kind == storage::stack);
    EXPECT_EQ(is_of_the_program(at.data()), kind == storage::static_data);
  }
}

TEST(placed_array, pages_have_the_requested_size) {
  const double small = placed_array(storage::mmap_4k, bytes).huge_share();
  const double huge = placed_array(storage::mmap_thp, bytes).huge_share();
  if (small < 0) GTEST_SKIP() << "this system does not say which pages are huge";
  EXPECT_EQ(small, 0);
  std::string line;
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  if (!std::getline(file, line) || line.find("[never]") != std::string::npos) GTEST_SKIP() << "there are no huge pages";
  EXPECT_GT(huge, 0);
}

TEST(placed_array, static_memory_is_given_back_as_zeros) {
  { std::memset(placed_array(storage::static_data, bytes).data(), 7, bytes); }
  const placed_array again(storage::static_data, bytes);
  EXPECT_EQ(std::count(again.data(), again.data() + bytes, std::byte{0}), static_cast<std::ptrdiff_t>(bytes));
}

TEST(placed_array, what_the_machine_does_not_have_is_refused) {
  for (const storage kind : every_storage) EXPECT_THROW(placed_array(kind, SIZE_MAX / 4), verification_error) << name_of(kind);
  EXPECT_THROW(placed_array(storage::static_data, static_bytes + 4096), verification_error);
}

}  // namespace
}  // namespace stackheap

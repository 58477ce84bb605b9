// The tests run as the program does: with the static storage that jemalloc needs, with every malloc loaded, and with a
// child process being this program executed again.
#include <gtest/gtest.h>

#include <stdexcept>

#include "child.hpp"
#include "loaded_malloc.hpp"

int main(int argc, char** argv) {
  try {
    if (const auto status = stackheap::run_as_child(argc, argv)) return *status;
  } catch (const std::invalid_argument&) {
    return 2;
  }
  stackheap::reserve_static_tls(argv);
  testing::InitGoogleTest(&argc, argv);
  stackheap::find_malloc_libraries({});
  return RUN_ALL_TESTS();
}

// The tests run as the program does: with the static storage that jemalloc needs, and with every malloc loaded.
#include <gtest/gtest.h>

#include "loaded_malloc.hpp"

int main(int argc, char** argv) {
  stackheap::reserve_static_tls(argv);
  testing::InitGoogleTest(&argc, argv);
  stackheap::load_malloc_libraries({});
  return RUN_ALL_TESTS();
}

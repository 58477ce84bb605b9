// A library for the tests that is nearly a malloc: it has no partial_realloc.
#include <cstdlib>

extern "C" {

void* partial_malloc(std::size_t bytes) { return std::malloc(bytes); }
void partial_free(void* block) { std::free(block); }
void* partial_calloc(std::size_t count, std::size_t bytes) { return std::calloc(count, bytes); }
int partial_posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  return posix_memalign(block, alignment, bytes);
}

}  // extern "C"

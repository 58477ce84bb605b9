// Does the profile of a recording say when blocks live, and who frees them? A program whose answers are known: `known NAME`
// does what the function of that name is for. For tests/python/program/test_known_recordings.py, which has the numbers.
#include <pthread.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::size_t bytes = 100;

/// Each frame frees its block before it returns.
void stack(int depth) {
  void* const block = std::malloc(bytes);
  if (depth > 1) stack(depth - 1);
  std::free(block);
}

/// A block is freed when two younger blocks live.
void fifo() {
  void* queue[3] = {};
  for (int i = 0; i < 1'000; ++i) {
    std::free(queue[i % 3]);
    queue[i % 3] = std::malloc(bytes);
  }
}

void* handed[1'000];

void* free_all(void*) {
  for (void* block : handed) std::free(block);
  return nullptr;
}

/// Another thread frees all blocks.
void handover() {
  for (void*& block : handed) block = std::malloc(bytes);
  pthread_t other;
  if (::pthread_create(&other, nullptr, free_all, nullptr) != 0 || ::pthread_join(other, nullptr) != 0) std::abort();
}

/// A block grows from 1 byte to 1 KiB.
void grow() {
  void* block = std::malloc(1);
  for (std::size_t size = 2; size <= 1'024; size *= 2) block = std::realloc(block, size);
  std::free(block);
}

/// Blocks die in the order in which they were taken, all before another is taken.
void regions() {
  void* blocks[10];
  for (int round = 0; round < 100; ++round) {
    for (void*& block : blocks) block = std::malloc(bytes);
    for (void* block : blocks) std::free(block);
  }
}

/// Blocks that are not freed.
void keep() {
  for (int i = 0; i < 100; ++i)
    if (std::malloc(bytes) == nullptr) std::abort();
}

}  // namespace

int main(int, char** words) {
  if (std::malloc(1) == nullptr) std::abort();  // without a call there is no recording
  const auto is = [&](const char* name) { return std::strcmp(words[1], name) == 0; };
  for (int i = 0; is("stack") && i < 100; ++i) stack(10);
  if (is("fifo")) fifo();
  if (is("handover")) handover();
  if (is("grow")) grow();
  if (is("regions")) regions();
  if (is("keep")) keep();
}

// What does the recorder do when the program calls malloc? It calls the malloc that the program would have called, passes
// its answer on as it is, and notes the call. free(NULL) is passed on and not noted: nothing is freed.
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "recorder_events.hpp"

namespace stackheap::recorder {

next_functions next;
__thread thread_state self __attribute__((tls_model("initial-exec")));

namespace {

// Memory for what dlsym may ask for while `next` is not yet known. It is never given back.
alignas(64) unsigned char first_memory[32 << 10];
constinit std::atomic<std::size_t> first_memory_used;

bool is_first_memory(const void* block) {
  return reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(first_memory) < sizeof first_memory;
}

void* from_first_memory(std::size_t bytes) {
  if (bytes > sizeof first_memory) return nullptr;
  const std::size_t size = (bytes + 31) / 16 * 16;  // and what is behind the block is its own, too
  const std::size_t at = first_memory_used.fetch_add(size);
  return at + size > sizeof first_memory ? nullptr : first_memory + at;
}

/// Whether `next` is known. It is not while it is being looked for.
bool have_next() {
  if (next.free == nullptr) begin();
  return next.free != nullptr;
}

void count_unseen() {
  if (is_recording() && !self.ours) unseen.fetch_add(1, std::memory_order_relaxed);
}

/// What one call of the program is: until its end, calls that come meanwhile are not the program's or cannot be noted.
class call {
 public:
  explicit call(thread_state& me) : me_(me), by(me.by) {
    me_.by = 0;
    me_.busy = true;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~call() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    me_.busy = false;
  }
  call(const call&) = delete;
  call& operator=(const call&) = delete;

 private:
  thread_state& me_;

 public:
  const unsigned char by;
};

/// A call of malloc that is not to be noted, or the process's first call.
[[gnu::noinline]] void* malloc_unnoted(std::size_t bytes) {
  if (next.free == nullptr) return have_next() ? std::malloc(bytes) : from_first_memory(bytes);
  count_unseen();
  return next.malloc(bytes);
}

[[gnu::noinline]] void* calloc_unnoted(std::size_t count, std::size_t size) {
  if (next.free == nullptr) return have_next() ? std::calloc(count, size) : from_first_memory(count * size);  // which is zero
  count_unseen();
  return next.calloc(count, size);
}

[[gnu::noinline]] void free_unnoted(void* block) {
  if (is_first_memory(block) || !have_next()) return;
  if (block != nullptr) count_unseen();
  next.free(block);
}

/// What aligned allocations have in common: `allocate` returns the block.
template <class Allocate>
void* aligned(std::size_t alignment, std::size_t bytes, Allocate allocate) {
  thread_state& me = self;
  if (!have_next()) return nullptr;
  if (!to_be_noted(me)) {
    count_unseen();
    return allocate();
  }
  const call now(me);
  void* const block = allocate();
  note_aligned(me, block, op_of(event_kind::aligned, now.by), alignment, bytes);
  return block;
}

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

/// realloc of a block that is not null.
void* realloc_noted(thread_state& me, void* old, std::size_t bytes) {
  const call now(me);
  const block_name name = forget(old);
  void* const block = next.realloc(old, bytes);
  if (block == nullptr && bytes == 0) {
    note_free(me, name, 0);
  } else if (block == nullptr) {
    if (name) known_entry(old)->store(name, std::memory_order_relaxed);
    note_taken(me, nullptr, op_of(event_kind::failed), bytes);
  } else {
    note_realloc(me, name, block, bytes);
  }
  return block;
}

}  // namespace
}  // namespace stackheap::recorder

using namespace stackheap::recorder;

extern "C" {

STACKHEAP_EXPORTED void* malloc(std::size_t bytes) {
  thread_state& me = self;
  if (!to_be_noted(me)) [[unlikely]] return malloc_unnoted(bytes);
  const call now(me);
  void* const block = next.malloc(bytes);
  note_taken(me, block, op_of(event_kind::malloc, now.by), bytes);
  return block;
}

STACKHEAP_EXPORTED void free(void* block) {
  thread_state& me = self;
  if (block == nullptr || !to_be_noted(me)) [[unlikely]] return free_unnoted(block);
  if (is_first_memory(block)) [[unlikely]] return;
  {
    const call now(me);
    note_free(me, forget(block), now.by);
  }
  next.free(block);
}

STACKHEAP_EXPORTED void* calloc(std::size_t count, std::size_t size) {
  thread_state& me = self;
  if (!to_be_noted(me)) [[unlikely]] return calloc_unnoted(count, size);
  const call now(me);
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
  void* const block = next.calloc(count, size);
  note_taken(me, block, op_of(event_kind::calloc, now.by), bytes);
  return block;
}

STACKHEAP_EXPORTED void* realloc(void* old, std::size_t bytes) {
  thread_state& me = self;
  if (old == nullptr) return malloc(bytes);
  if (is_first_memory(old)) [[unlikely]] {
    void* const block = malloc(bytes);
    const auto behind = static_cast<std::size_t>(first_memory + sizeof first_memory - static_cast<unsigned char*>(old));
    if (block != nullptr) std::memcpy(block, old, bytes < behind ? bytes : behind);
    return block;
  }
  if (!to_be_noted(me)) [[unlikely]] {
    if (!have_next()) return nullptr;
    count_unseen();
    return next.realloc(old, bytes);
  }
  return realloc_noted(me, old, bytes);
}

STACKHEAP_EXPORTED void* reallocarray(void* old, std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (!__builtin_mul_overflow(count, size, &bytes)) return realloc(old, bytes);
  thread_state& me = self;
  if (to_be_noted(me)) {
    const call now(me);
    note_taken(me, nullptr, op_of(event_kind::failed), SIZE_MAX);
  }
  errno = ENOMEM;
  return nullptr;
}

STACKHEAP_EXPORTED int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  int failed = ENOMEM;
  aligned(alignment, bytes, [&]() -> void* {
    failed = next.posix_memalign(block, alignment, bytes);
    return failed == 0 ? *block : nullptr;
  });
  return failed;
}

STACKHEAP_EXPORTED void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return aligned(alignment, bytes, [&] { return next.aligned_alloc(alignment, bytes); });
}

STACKHEAP_EXPORTED void* memalign(std::size_t alignment, std::size_t bytes) {
  return aligned(alignment, bytes, [&] { return next.memalign(alignment, bytes); });
}

STACKHEAP_EXPORTED void* valloc(std::size_t bytes) {
  return aligned(page_bytes(), bytes, [&] { return next.valloc(bytes); });
}

STACKHEAP_EXPORTED void* pvalloc(std::size_t bytes) {
  return aligned(page_bytes(), bytes, [&] { return next.pvalloc(bytes); });
}

// Other names of free.
STACKHEAP_EXPORTED void cfree(void* block) { free(block); }
STACKHEAP_EXPORTED void free_sized(void* block, std::size_t) { free(block); }
STACKHEAP_EXPORTED void free_aligned_sized(void* block, std::size_t, std::size_t) { free(block); }

}  // extern "C"

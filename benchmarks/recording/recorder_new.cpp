// What does the recorder do when the program calls operator new? It marks the call of malloc that the program's operator new
// makes next as one of C++. Where that operator new has a malloc of its own, the call is noted here.
#include <dlfcn.h>

#include <cstdlib>
#include <new>

#include "recorder_events.hpp"

#if __SIZEOF_SIZE_T__ == __SIZEOF_LONG__
#define STACKHEAP_SIZE "m"  // how size_t is written in a symbol's name
#else
#define STACKHEAP_SIZE "j"
#endif

namespace stackheap::recorder {
namespace {

/// Whether the next operator new has been seen not to call malloc; then its operator delete does not call free.
constinit std::atomic<bool> has_malloc_of_its_own;

/// As find_next. A program in C may load the C++ library with a plug-in, and keep it from those who search all libraries.
void* find_operator(const char* name) {
  if (void* const found = find_next(name)) return found;
  const own_calls meanwhile;
  for (const char* const library : {"libstdc++.so.6", "libc++.so.1"}) {
    void* const loaded = ::dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (void* const found = loaded == nullptr ? nullptr : ::dlsym(loaded, name)) return found;
  }
  ::dlerror();
  return nullptr;
}

template <class Function>
Function* look_up(const char* name, std::atomic<Function*>& known) {
  Function* found = known.load(std::memory_order_relaxed);
  if (found == nullptr) [[unlikely]] {
    const kept_errno kept;
    found = reinterpret_cast<Function*>(find_operator(name));
    known.store(found, std::memory_order_relaxed);
  }
  return found;
}

/// An operator behind this library: looked for at its first call. Where there is none, it is malloc or free.
template <class... Rest>
struct next_new {
  const char* symbol;
  std::atomic<void* (*)(std::size_t, Rest...)> known{};

  void* operator()(std::size_t bytes, Rest... rest) {
    if (const auto found = look_up(symbol, known)) return found(bytes, rest...);
    return std::malloc(bytes > 0 ? bytes : 1);
  }
};

template <class... Rest>
struct next_delete {
  const char* symbol;
  std::atomic<void (*)(void*, Rest...)> known{};

  void operator()(void* block, Rest... rest) {
    if (const auto found = look_up(symbol, known)) return found(block, rest...);
    std::free(block);
  }
};

template <class Allocate>
void* noted_new(std::size_t bytes, std::size_t alignment, unsigned char by, Allocate allocate) {
  thread_state& me = self;
  if (!to_be_noted(me)) return allocate();
  me.by |= by;
  void* const block = allocate();
  by = me.by;
  me.by = 0;
  if (by == 0 || !to_be_noted(me)) return block;
  has_malloc_of_its_own.store(true, std::memory_order_relaxed);
  me.busy = true;
  if (alignment == 0)
    note_taken(me, block, op_of(event_kind::malloc, by), bytes);
  else
    note_aligned(me, block, op_of(event_kind::aligned, by), alignment, bytes);
  me.busy = false;
  return block;
}

template <class Free>
void noted_delete(void* block, unsigned char by, Free release) {
  thread_state& me = self;
  if (block == nullptr || !to_be_noted(me)) return release();
  if (!has_malloc_of_its_own.load(std::memory_order_relaxed)) {
    me.by |= by;
    release();
    me.by = 0;
    return;
  }
  me.busy = true;
  note_free(me, forget(block), by);
  release();
  me.busy = false;
}

}  // namespace
}  // namespace stackheap::recorder

using namespace stackheap::recorder;
using std::align_val_t;
using nothrow = const std::nothrow_t&;

STACKHEAP_EXPORTED void* operator new(std::size_t bytes) {
  static constinit next_new<> next_operator{"_Znw" STACKHEAP_SIZE};
  return noted_new(bytes, 0, by_cpp, [&] { return next_operator(bytes); });
}
STACKHEAP_EXPORTED void* operator new[](std::size_t bytes) {
  static constinit next_new<> next_operator{"_Zna" STACKHEAP_SIZE};
  return noted_new(bytes, 0, by_cpp | by_array, [&] { return next_operator(bytes); });
}
STACKHEAP_EXPORTED void* operator new(std::size_t bytes, nothrow tag) noexcept {
  static constinit next_new<nothrow> next_operator{"_Znw" STACKHEAP_SIZE "RKSt9nothrow_t"};
  return noted_new(bytes, 0, by_cpp, [&] { return next_operator(bytes, tag); });
}
STACKHEAP_EXPORTED void* operator new[](std::size_t bytes, nothrow tag) noexcept {
  static constinit next_new<nothrow> next_operator{"_Zna" STACKHEAP_SIZE "RKSt9nothrow_t"};
  return noted_new(bytes, 0, by_cpp | by_array, [&] { return next_operator(bytes, tag); });
}
STACKHEAP_EXPORTED void* operator new(std::size_t bytes, align_val_t alignment) {
  static constinit next_new<align_val_t> next_operator{"_Znw" STACKHEAP_SIZE "St11align_val_t"};
  return noted_new(bytes, std::size_t(alignment), by_cpp, [&] { return next_operator(bytes, alignment); });
}
STACKHEAP_EXPORTED void* operator new[](std::size_t bytes, align_val_t alignment) {
  static constinit next_new<align_val_t> next_operator{"_Zna" STACKHEAP_SIZE "St11align_val_t"};
  return noted_new(bytes, std::size_t(alignment), by_cpp | by_array, [&] { return next_operator(bytes, alignment); });
}
STACKHEAP_EXPORTED void* operator new(std::size_t bytes, align_val_t alignment, nothrow tag) noexcept {
  static constinit next_new<align_val_t, nothrow> next_operator{"_Znw" STACKHEAP_SIZE "St11align_val_tRKSt9nothrow_t"};
  return noted_new(bytes, std::size_t(alignment), by_cpp, [&] { return next_operator(bytes, alignment, tag); });
}
STACKHEAP_EXPORTED void* operator new[](std::size_t bytes, align_val_t alignment, nothrow tag) noexcept {
  static constinit next_new<align_val_t, nothrow> next_operator{"_Zna" STACKHEAP_SIZE "St11align_val_tRKSt9nothrow_t"};
  return noted_new(bytes, std::size_t(alignment), by_cpp | by_array, [&] { return next_operator(bytes, alignment, tag); });
}

STACKHEAP_EXPORTED void operator delete(void* block) noexcept {
  static constinit next_delete<> next_operator{"_ZdlPv"};
  noted_delete(block, by_cpp, [&] { next_operator(block); });
}
STACKHEAP_EXPORTED void operator delete[](void* block) noexcept {
  static constinit next_delete<> next_operator{"_ZdaPv"};
  noted_delete(block, by_cpp | by_array, [&] { next_operator(block); });
}
STACKHEAP_EXPORTED void operator delete(void* block, std::size_t bytes) noexcept {
  static constinit next_delete<std::size_t> next_operator{"_ZdlPv" STACKHEAP_SIZE};
  noted_delete(block, by_cpp, [&] { next_operator(block, bytes); });
}
STACKHEAP_EXPORTED void operator delete[](void* block, std::size_t bytes) noexcept {
  static constinit next_delete<std::size_t> next_operator{"_ZdaPv" STACKHEAP_SIZE};
  noted_delete(block, by_cpp | by_array, [&] { next_operator(block, bytes); });
}
STACKHEAP_EXPORTED void operator delete(void* block, nothrow tag) noexcept {
  static constinit next_delete<nothrow> next_operator{"_ZdlPvRKSt9nothrow_t"};
  noted_delete(block, by_cpp, [&] { next_operator(block, tag); });
}
STACKHEAP_EXPORTED void operator delete[](void* block, nothrow tag) noexcept {
  static constinit next_delete<nothrow> next_operator{"_ZdaPvRKSt9nothrow_t"};
  noted_delete(block, by_cpp | by_array, [&] { next_operator(block, tag); });
}
STACKHEAP_EXPORTED void operator delete(void* block, align_val_t alignment) noexcept {
  static constinit next_delete<align_val_t> next_operator{"_ZdlPvSt11align_val_t"};
  noted_delete(block, by_cpp, [&] { next_operator(block, alignment); });
}
STACKHEAP_EXPORTED void operator delete[](void* block, align_val_t alignment) noexcept {
  static constinit next_delete<align_val_t> next_operator{"_ZdaPvSt11align_val_t"};
  noted_delete(block, by_cpp | by_array, [&] { next_operator(block, alignment); });
}
STACKHEAP_EXPORTED void operator delete(void* block, std::size_t bytes, align_val_t alignment) noexcept {
  static constinit next_delete<std::size_t, align_val_t> next_operator{"_ZdlPv" STACKHEAP_SIZE "St11align_val_t"};
  noted_delete(block, by_cpp, [&] { next_operator(block, bytes, alignment); });
}
STACKHEAP_EXPORTED void operator delete[](void* block, std::size_t bytes, align_val_t alignment) noexcept {
  static constinit next_delete<std::size_t, align_val_t> next_operator{"_ZdaPv" STACKHEAP_SIZE "St11align_val_t"};
  noted_delete(block, by_cpp | by_array, [&] { next_operator(block, bytes, alignment); });
}
STACKHEAP_EXPORTED void operator delete(void* block, align_val_t alignment, nothrow tag) noexcept {
  static constinit next_delete<align_val_t, nothrow> next_operator{"_ZdlPvSt11align_val_tRKSt9nothrow_t"};
  noted_delete(block, by_cpp, [&] { next_operator(block, alignment, tag); });
}
STACKHEAP_EXPORTED void operator delete[](void* block, align_val_t alignment, nothrow tag) noexcept {
  static constinit next_delete<align_val_t, nothrow> next_operator{"_ZdaPvSt11align_val_tRKSt9nothrow_t"};
  noted_delete(block, by_cpp | by_array, [&] { next_operator(block, alignment, tag); });
}

// A malloc made slower by a known amount: passes every call on to another malloc, after a chain of dependent additions.
//
// How many, and to whom, stands in the file beside this library of the same name with `.delay` added: `ADDITIONS FILE`.
// Without it: none, and the C library. So two copies of this library are the same code and differ in the delay alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct malloc_functions {
  void* (*malloc)(std::size_t);
  void (*free)(void*);
  void* (*calloc)(std::size_t, std::size_t);
  void* (*realloc)(void*, std::size_t);
  int (*posix_memalign)(void**, std::size_t, std::size_t);
  std::size_t (*malloc_usable_size)(void*);
};

malloc_functions original;
long additions = 0;

[[noreturn]] void give_up(const char* message, const char* which) {
  std::fprintf(stderr, "delayed_malloc: %s %s\n", message, which);
  std::abort();
}

template <class Function>
void take(void* library, Function*& function, const char* name) {
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  if (function == nullptr) give_up("the other malloc has no", name);
}

/// What stands in the file beside this library; the whole of it fits.
void read_order(char* text, std::size_t size) {
  Dl_info self{};
  char path[4096];
  if (::dladdr(reinterpret_cast<void*>(&read_order), &self) == 0) return;
  std::snprintf(path, sizeof path, "%s.delay", self.dli_fname);
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  const ssize_t length = ::read(file, text, size - 1);
  ::close(file);
  text[length > 0 ? length : 0] = '\0';
  if (char* const end = std::strchr(text, '\n')) *end = '\0';
}

[[gnu::constructor]] void begin() {
  char order[4096] = "0 libc.so.6";
  read_order(order, sizeof order);
  char* file = nullptr;
  additions = std::strtol(order, &file, 10);
  if (file == order || *file != ' ' || additions < 0) give_up("wants ADDITIONS FILE, not:", order);
  void* const library = ::dlopen(file + 1, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) give_up("cannot load", file + 1);
  take(library, original.malloc, "malloc");
  take(library, original.free, "free");
  take(library, original.calloc, "calloc");
  take(library, original.realloc, "realloc");
  take(library, original.posix_memalign, "posix_memalign");
  take(library, original.malloc_usable_size, "malloc_usable_size");
}

void delay() {
  std::uint64_t sum = 0, addend = 1;
  asm volatile("" : "+r"(addend));
  for (long i = 0; i < additions; ++i) {
    sum += addend;
    asm volatile("" : "+r"(sum));
  }
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) { return delay(), original.malloc(bytes); }
void free(void* block) { delay(), original.free(block); }
void* calloc(std::size_t count, std::size_t bytes) { return delay(), original.calloc(count, bytes); }
void* realloc(void* block, std::size_t bytes) { return delay(), original.realloc(block, bytes); }
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  return delay(), original.posix_memalign(block, alignment, bytes);
}
std::size_t malloc_usable_size(void* block) { return original.malloc_usable_size(block); }

}  // extern "C"

// A malloc made slower by a known amount: passes every call on to another malloc, which gets its argument after as many
// multiplications by one, each of which waits for the one before. The other malloc needs the argument, so none of its
// work hides them; the caller's work before the call may.
//
// How many, and to whom, stands in the file beside this library of the same name with `.delay` added:
// `MULTIPLICATIONS FILE`.
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
long multiplications = 0;

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
  multiplications = std::strtol(order, &file, 10);
  if (file == order || *file != ' ' || multiplications < 0) give_up("wants MULTIPLICATIONS FILE, not:", order);
  void* const library = ::dlopen(file + 1, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) give_up("cannot load", file + 1);
  take(library, original.malloc, "malloc");
  take(library, original.free, "free");
  take(library, original.calloc, "calloc");
  take(library, original.realloc, "realloc");
  take(library, original.posix_memalign, "posix_memalign");
  take(library, original.malloc_usable_size, "malloc_usable_size");
}

/// The value, after the multiplications and one more: even without any, the loop is entered, so that each of them adds
/// the same instructions. (A loop that is passed over is other code: one multiplication made a malloc faster.)
std::size_t delayed(std::size_t value) {
  std::size_t factor = 1;
  asm volatile("" : "+r"(factor));
  long left = multiplications;
  do {
    value *= factor;
    asm volatile("" : "+r"(value));
  } while (left-- > 0);
  return value;
}

void* delayed(void* block) { return reinterpret_cast<void*>(delayed(reinterpret_cast<std::size_t>(block))); }

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) { return original.malloc(delayed(bytes)); }
void free(void* block) { original.free(delayed(block)); }
void* calloc(std::size_t count, std::size_t bytes) { return original.calloc(count, delayed(bytes)); }
void* realloc(void* block, std::size_t bytes) { return original.realloc(delayed(block), bytes); }
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  return original.posix_memalign(block, alignment, delayed(bytes));
}
std::size_t malloc_usable_size(void* block) { return original.malloc_usable_size(block); }

}  // extern "C"

// A malloc that takes notes: who asked for how much, what was freed in which order, what was written. It is glibc's
// malloc, with a note before each block; when it ends it writes WITNESS_OUT.PROCESS: lines of name=number.
// WITNESS_MALLOC_NS and WITNESS_FREE_NS make each call take that long.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

using number = std::atomic<std::uint64_t>;

struct note {
  std::uint64_t magic;
  std::uint64_t bytes;
  std::uint64_t serial;  // of its taking
  std::uint64_t taker;   // the thread's number
  void* start;           // of the memory that holds both
  std::uint64_t untouched;  // what its first and last byte were
};
static_assert(sizeof(note) % 16 == 0);

constexpr std::uint64_t live = 0x6c6976652d626c6b, dead = 0x646561642d626c6b;
constexpr unsigned char untouched = 0xa5;
constexpr std::size_t counted_sizes = 1 << 17;

struct {
  number mallocs, callocs, reallocs, aligned, frees, wrong_frees, first_written, last_written, frees_elsewhere;
  number least_alignment{1 << 30}, frees_up, frees_down, turns, live, live_at_last_taking, threads, bytes;
} seen;
number serial, of_size[counted_sizes];
std::atomic<long> malloc_ns, free_ns;

struct {
  std::uint64_t number, last_freed;
  int direction;
} thread_local here;

std::uint64_t this_thread() { return here.number != 0 ? here.number : here.number = ++seen.threads; }

long long now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

void take_time(long ns) {
  if (ns == 0) return;
  for (const long long until = now_ns() + ns; now_ns() < until;) {}
}

note& note_of(void* block) { return static_cast<note*>(block)[-1]; }

void* take(std::size_t bytes, std::size_t alignment, unsigned char filled) {
  take_time(malloc_ns);
  if (bytes > SIZE_MAX / 2) return nullptr;
  const std::size_t before = alignment > sizeof(note) ? alignment : sizeof(note);
  void* const start = alignment > 16 ? __libc_memalign(alignment, before + bytes) : __libc_malloc(before + bytes);
  if (start == nullptr) return nullptr;
  auto* const block = static_cast<unsigned char*>(start) + before;
  note_of(block) = {live, bytes, ++serial, this_thread(), start, filled};
  if (bytes > 0) block[0] = block[bytes - 1] = filled;
  seen.bytes += bytes;
  if (bytes < counted_sizes) ++of_size[bytes];
  const std::uint64_t now_live = ++seen.live;
  seen.live_at_last_taking = now_live;
  return block;
}

/// False when it is no live block of this malloc.
bool drop(void* block) {
  take_time(free_ns);
  note& its = note_of(block);
  if (its.magic != live) return ++seen.wrong_frees, false;
  its.magic = dead;
  const auto* const content = static_cast<unsigned char*>(block);
  if (its.bytes > 0) {
    seen.first_written += content[0] != its.untouched;
    seen.last_written += content[its.bytes - 1] != its.untouched;
  }
  seen.frees_elsewhere += its.taker != this_thread();
  seen.frees_up += its.serial == here.last_freed + 1;
  seen.frees_down += its.serial + 1 == here.last_freed;
  const int direction = its.serial > here.last_freed ? 1 : -1;
  seen.turns += direction != here.direction;
  here.direction = direction;
  here.last_freed = its.serial;
  --seen.live;
  __libc_free(its.start);
  return true;
}

[[gnu::constructor]] void begin() {
  const auto from = [](const char* name) { return std::getenv(name) != nullptr ? std::atol(std::getenv(name)) : 0; };
  malloc_ns = from("WITNESS_MALLOC_NS");
  free_ns = from("WITNESS_FREE_NS");
}

[[gnu::destructor]] void testify() {
  const char* const out = std::getenv("WITNESS_OUT");
  if (out == nullptr) return;
  char text[256];
  std::snprintf(text, sizeof text, "%s.%d", out, static_cast<int>(::getpid()));
  const int file = ::open(text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const auto say = [&](const char* name, std::uint64_t value) {
    const int length = std::snprintf(text, sizeof text, "%s=%llu\n", name, static_cast<unsigned long long>(value));
    if (::write(file, text, static_cast<std::size_t>(length)) != length) ::_exit(1);
  };
  const std::pair<const char*, const number*> all[] = {
      {"mallocs", &seen.mallocs}, {"callocs", &seen.callocs}, {"reallocs", &seen.reallocs}, {"aligned", &seen.aligned},
      {"frees", &seen.frees}, {"wrong_frees", &seen.wrong_frees}, {"first_written", &seen.first_written},
      {"last_written", &seen.last_written}, {"frees_elsewhere", &seen.frees_elsewhere}, {"bytes", &seen.bytes},
      {"least_alignment", &seen.least_alignment}, {"frees_up", &seen.frees_up}, {"frees_down", &seen.frees_down},
      {"turns", &seen.turns}, {"live", &seen.live}, {"live_at_last_taking", &seen.live_at_last_taking},
      {"threads", &seen.threads}};
  for (const auto& [name, value] : all) say(name, *value);
  for (std::size_t bytes = 0; bytes < counted_sizes; ++bytes)
    if (of_size[bytes] != 0) {
      char name[32];
      std::snprintf(name, sizeof name, "of_size.%zu", bytes);
      say(name, of_size[bytes]);
    }
  ::close(file);
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) {
  ++seen.mallocs;
  return take(bytes, 16, untouched);
}

void free(void* block) {
  if (block == nullptr) return;
  ++seen.frees;
  drop(block);
}

void* calloc(std::size_t count, std::size_t unit) {
  ++seen.callocs;
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, unit, &bytes)) return nullptr;
  void* const block = take(bytes, 16, 0);
  return block != nullptr ? std::memset(block, 0, bytes) : nullptr;
}

void* realloc(void* block, std::size_t bytes) {
  if (block == nullptr) return malloc(bytes);
  ++seen.reallocs;
  void* const larger = take(bytes, 16, untouched);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, block, bytes < note_of(block).bytes ? bytes : note_of(block).bytes);
  drop(block);
  return larger;
}

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  ++seen.aligned;
  if (alignment < seen.least_alignment) seen.least_alignment = alignment;
  void* const taken = take(bytes, alignment, untouched);
  if (taken == nullptr) return ENOMEM;
  *block = taken;
  return 0;
}

void* memalign(std::size_t alignment, std::size_t bytes) {
  void* block = nullptr;
  return posix_memalign(&block, alignment, bytes) == 0 ? block : nullptr;
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }

std::size_t malloc_usable_size(void* block) { return block != nullptr ? note_of(block).bytes : 0; }

}  // extern "C"

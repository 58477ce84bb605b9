// A malloc library that changes all it can of its process when it is loaded, except its memory. A copy of it with "witness"
// in its name changes nothing, and appends what it finds to the file HOSTILE_WITNESS: does one malloc's change reach another?
#include <dlfcn.h>
#include <malloc.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cfenv>
#include <clocale>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <locale>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace {

int last_processor() {
  cpu_set_t all;
  ::sched_getaffinity(0, sizeof all, &all);
  int last = 0;
  for (int i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &all)) last = i;
  return last;
}

void change() {
  ::setpriority(PRIO_PROCESS, 0, 7);
  const sched_param none{};
  ::sched_setscheduler(0, SCHED_BATCH, &none);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(last_processor(), &one);
  ::sched_setaffinity(0, sizeof one, &one);
  std::fesetround(FE_UPWARD);
#if defined(__SSE__)
  _mm_setcsr(_mm_getcsr() | 0x8040u);
#endif
  ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  rlimit stack{};
  ::getrlimit(RLIMIT_STACK, &stack);
  stack.rlim_cur = 1 << 20;
  ::setrlimit(RLIMIT_STACK, &stack);
  ::mallopt(M_PERTURB, 0x55);
  ::setenv("MALLOC_CONF", "junk:true", 1);
  std::setlocale(LC_ALL, "");
  try {
    std::locale::global(std::locale(""));
  } catch (const std::exception&) {  // the system lacks it
  }
  std::signal(SIGPIPE, SIG_IGN), std::signal(SIGUSR1, SIG_IGN);
  ::umask(0777);
}

void tell(const char* file) {
  std::FILE* const out = std::fopen(file, "a");
  if (out == nullptr) return;
  rlimit stack{};
  ::getrlimit(RLIMIT_STACK, &stack);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  cpu_set_t all;
  ::sched_getaffinity(0, sizeof all, &all);
  unsigned char* const block = static_cast<unsigned char*>(std::malloc(3000));
  asm volatile("" : : "r"(block) : "memory");  // for the compiler, somebody may have filled it
  unsigned filled = 0;
  for (int i = 100; i < 200; ++i) filled += block[i] == 0xaa;
  std::free(block);
  unsigned control = 0;
#if defined(__SSE__)
  control = _mm_getcsr() & 0xffc0u;
#endif
  const char* const setting = std::getenv("MALLOC_CONF");
  std::fprintf(out, "niceness=%d policy=%d rounding=%d control=%u huge_pages=%d stack=%lld filled=%d environment=%s locale=%s "
               "global=%s pipe=%d user=%d mask=%o\n",
               ::getpriority(PRIO_PROCESS, 0), ::sched_getscheduler(0), std::fegetround(), control,
               ::prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), static_cast<long long>(stack.rlim_cur), filled > 50,
               setting != nullptr ? setting : "", std::setlocale(LC_ALL, nullptr), std::locale().name().c_str(),
               std::signal(SIGPIPE, SIG_DFL) == SIG_IGN, std::signal(SIGUSR1, SIG_DFL) == SIG_IGN, mask);
  std::fclose(out);
}

[[gnu::constructor]] void at_load() {
  Dl_info own{};
  ::dladdr(reinterpret_cast<const void*>(&at_load), &own);
  if (std::strstr(own.dli_fname, "witness") == nullptr) change();
  else if (const char* const file = std::getenv("HOSTILE_WITNESS")) tell(file);
}

}  // namespace

extern "C" {

void* changed_malloc(std::size_t bytes) { return std::malloc(bytes); }
void changed_free(void* block) { std::free(block); }
void* changed_calloc(std::size_t count, std::size_t bytes) { return std::calloc(count, bytes); }
void* changed_realloc(void* block, std::size_t bytes) { return std::realloc(block, bytes); }
int changed_posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  return posix_memalign(block, alignment, bytes);
}

}  // extern "C"

// To be preloaded: the time of day goes back an hour at each look, as when someone sets the clock. Time itself goes on.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern "C" int clock_gettime(clockid_t which, timespec* now) {
  static long hours = 0;
  const long error = ::syscall(SYS_clock_gettime, which, now);
  if (which == CLOCK_REALTIME) now->tv_sec -= 3600 * ++hours;
  return static_cast<int>(error);
}

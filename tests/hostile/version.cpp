// A malloc whose version function crashes, hangs, ends the process, or says PATCH: what does a run tell of its version?
#include <unistd.h>

#include <cstdlib>

#include "../cpp/libraries/whole_malloc.cpp"

extern "C" const char* tc_version(int* major, int* minor, const char** patch) {
#if defined(CRASHES)
  std::abort();
#elif defined(ENDS)
  ::_exit(0);
#else
  *major = 7, *minor = 3, *patch = PATCH;
#endif
  return "7.3";
}

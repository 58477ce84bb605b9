/* A jemalloc built for another page size, as some ARM boards meet it: it says so, and gives no memory (MODE 0) or aborts
   (MODE 1). What does a library of the table do to a run that works in general and not on this machine? */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static int complain(void) {
  static int times;
  if (times++ < 3 && write(2, "<jemalloc>: Unsupported system page size\n", 41) < 0) abort();
  if (MODE == 1) abort();
  errno = ENOMEM;
  return ENOMEM;
}

void* malloc(size_t bytes) {
  (void)bytes;
  complain();
  return NULL;
}

void free(void* block) { (void)block; }

void* calloc(size_t count, size_t bytes) {
  (void)count;
  (void)bytes;
  complain();
  return NULL;
}

void* realloc(void* block, size_t bytes) {
  (void)block;
  (void)bytes;
  complain();
  return NULL;
}

int posix_memalign(void** block, size_t alignment, size_t bytes) {
  (void)alignment;
  (void)bytes;
  *block = NULL;
  return complain();
}

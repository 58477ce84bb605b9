/* What can a malloc library do to the program that loads it, beside giving memory? A library whose malloc is sound, and
   that does RECKLESS, a word from the environment, when it is loaded: after RECKLESS_SOUND loads without fault, which it
   counts in the file RECKLESS_LOADS. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void* __libc_malloc(size_t);
void __libc_free(void*);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

static const char* does = "";

static int is(const char* word) { return strcmp(does, word) == 0; }

static void say(int stream, const char* text) {
  if (write(stream, text, strlen(text)) < 0) errno = 0;
}

static void wait_for_ever(void) {
  for (;;) pause();
}

/* Whether this load is one of the first, which are to be without fault. */
static int sound_yet(void) {
  const char* const loads = getenv("RECKLESS_LOADS");
  const char* const sound = getenv("RECKLESS_SOUND");
  if (loads == NULL || sound == NULL) return 0;
  const int file = open(loads, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat now;
  say(file, ".");
  const int known = fstat(file, &now) == 0;
  close(file);
  return known && now.st_size <= atol(sound);
}

/* A process that lives on, in a session of its own: what was its parent has ended. */
static void leave_daemon(int keeps_streams, int stubborn) {
  if (fork() != 0) return;
  setsid();
  if (fork() != 0) _exit(0);
  prctl(PR_SET_NAME, "reckless_daemon");
  if (!keeps_streams)
    for (int file = 0; file < 100; ++file) close(file);
  for (int number = 1; stubborn && number < 32; ++number) signal(number, SIG_IGN);
  wait_for_ever();
}

static int deeper(int level) {
  volatile char held[4096];
  held[level % 4096] = (char)level;
  return level < 0 ? 0 : deeper(level + 1) + held[level % 4096];
}

static jmp_buf back;

__attribute__((constructor)) static void at_load(void) {
  const char* const chosen = getenv("RECKLESS");
  if (chosen == NULL || sound_yet()) return;
  does = chosen;
  sigset_t all;
  sigfillset(&all);
  if (is("banner")) say(1, "Reckless malloc, debug build\n{\"families\":[]}\n");
  if (is("long_banner"))
    for (int i = 0; i < 100000; ++i) say(1, "all=is well, says the reckless malloc at great length, again and again\n");
  if (is("long_warning"))
    for (int i = 0; i < 100000; ++i) say(2, "all=is well, says the reckless malloc at great length, again and again\n");
  if (is("reads_stdin")) {
    char text[100];
    while (read(0, text, sizeof text) > 0) {}
  }
  if (is("close_stdout")) close(1);
  if (is("close_streams")) close(0), close(1), close(2);
  if (is("close_all"))
    for (int file = 0; file < 1000; ++file) close(file);
  if (is("dup_over_all"))
    for (int file = 0; file < 1000; ++file)
      if (fcntl(file, F_GETFD) >= 0) dup2(open("/dev/null", O_RDWR), file);
  if (is("chdir")) errno = chdir("/");
  if (is("umask")) umask(0777);
  if (is("ignore_alarm")) signal(SIGALRM, SIG_IGN), wait_for_ever();
  if (is("block_signals")) sigprocmask(SIG_SETMASK, &all, NULL), wait_for_ever();
  if (is("ignore_signals")) {
    for (int number = 1; number < 65; ++number) signal(number, SIG_IGN);
    wait_for_ever();
  }
  if (is("block_and_go_on")) sigprocmask(SIG_SETMASK, &all, NULL);
  if (is("ignore_and_go_on"))
    for (int number = 1; number < 65; ++number) signal(number, SIG_IGN);
  if (is("stop")) raise(SIGSTOP);
  if (is("stop_group")) kill(0, SIGSTOP);
  if (is("end_group")) kill(0, SIGTERM);
  if (is("kill_group")) kill(0, SIGKILL);
  if (is("daemon")) leave_daemon(1, 0);
  if (is("closed_daemon")) leave_daemon(0, 0);
  if (is("stubborn_daemon")) leave_daemon(1, 1);
  if (is("daemon_and_hang")) leave_daemon(1, 1), wait_for_ever();
  if (is("many_daemons"))
    for (int i = 0; i < 50; ++i) leave_daemon(1, 1);
  if (is("child") && fork() == 0) prctl(PR_SET_NAME, "reckless_daemon"), wait_for_ever();
  if (is("late_writer") && fork() == 0) {
    prctl(PR_SET_NAME, "reckless_daemon");
    for (;;) usleep(10000), say(1, "still here\n");
  }
  if (is("exit_0")) exit(0);
  if (is("exit_1")) exit(1);
  if (is("_exit_0")) _exit(0);
  if (is("quick_exit")) quick_exit(0);
  if (is("abort")) say(2, "reckless: cannot work here\n"), abort();
  if (is("debug_and_abort")) say(2, "***WARNING*** Library was built as DEBUG\nreckless: no memory map\n"), abort();
  if (is("recursion")) errno = deeper(0);
  if (is("longjmp") && setjmp(back) == 0) longjmp(back, 1);
  if (is("traps")) feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
  if (is("inexact_traps")) feenableexcept(FE_ALL_EXCEPT);
  if (is("rounding")) fesetround(FE_UPWARD);
  struct rlimit none = {0, 0}, little = {1 << 20, 1 << 20}, three = {3, 3}, second = {1, 1};
  if (is("limit_memory")) setrlimit(RLIMIT_AS, &little);
  if (is("limit_files")) setrlimit(RLIMIT_NOFILE, &three);
  if (is("limit_size")) setrlimit(RLIMIT_FSIZE, &none);
  if (is("limit_processes")) setrlimit(RLIMIT_NPROC, &none);
  if (is("limit_time")) setrlimit(RLIMIT_CPU, &second);
  if (is("environment")) clearenv();
  if (is("unkillable_parent")) prctl(PR_SET_PDEATHSIG, 0), wait_for_ever();
  if (is("reap")) signal(SIGCHLD, SIG_IGN);
  if (is("stop_later") && fork() == 0) {
    prctl(PR_SET_NAME, "reckless_daemon");
    usleep(2000), kill(getppid(), SIGSTOP), wait_for_ever();
  }
  if (is("exit_handler_hang")) atexit(wait_for_ever);
}

static void* noted(void* block) {
  if (is("longjmp_malloc")) longjmp(back, 1);
  if (is("slow")) usleep(1000);
  if (is("chatty")) say(1, "malloc!\n"), say(2, "malloc!\n");
  if (is("no_memory")) return NULL;
  if (is("wild_pointer")) return (void*)(uintptr_t)64;
  if (is("read_only_memory")) return (void*)(uintptr_t)&at_load;
  return block;
}

void* malloc(size_t bytes) {
  if (is("recursive_malloc")) return malloc(bytes + 1);
  if (is("exit_in_malloc")) exit(0);
  if (is("stop_in_malloc")) raise(SIGSTOP);
  if (is("hang_in_malloc")) wait_for_ever();
  if (is("same")) {
    static char always[1 << 20];
    return always;
  }
  return noted(__libc_malloc(bytes));
}
void free(void* block) {
  if (is("hang_in_free")) wait_for_ever();
  if (is("abort_in_free")) abort();
  if (!is("same") && !is("wild_pointer") && !is("read_only_memory")) __libc_free(block);
}
void* calloc(size_t count, size_t bytes) { return __libc_calloc(count, bytes); }
void* realloc(void* block, size_t bytes) { return __libc_realloc(block, bytes); }
int posix_memalign(void** block, size_t alignment, size_t bytes) {
  *block = __libc_memalign(alignment, bytes);
  return *block == NULL ? ENOMEM : 0;
}

/* What can a malloc library do to the program that loads it, beside giving memory? A library whose malloc is sound, and
   that does RECKLESS, a word from the environment, when it is loaded: after RECKLESS_SOUND loads without fault, which it
   counts in the file RECKLESS_LOADS. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
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

static void leave_stubborn_daemon(void) { leave_daemon(1, 1); }

static int deeper(int level) {
  volatile char held[4096];
  held[level % 4096] = (char)level;
  return level < 0 ? 0 : deeper(level + 1) + held[level % 4096];
}

static jmp_buf back;

static void ignore(int number) { (void)number; }

static void handle(int number, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  sigaction(number, &action, NULL);
}

static void set_timer(int timer, long microseconds) {
  const struct itimerval often = {{0, microseconds}, {0, microseconds}};
  setitimer((__itimer_which_t)timer, &often, NULL);
}

static void* spin(void* unused) {
  for (volatile unsigned turns = 0;; ++turns) {}
  return unused;
}

static void* abort_here(void* unused) {
  abort();
  return unused;
}

static void in_thread(void* (*work)(void*)) {
  pthread_t thread;
  pthread_create(&thread, NULL, work, NULL);
}

static void limit(int resource, rlim_t most) {
  const struct rlimit both = {most, most};
  setrlimit((__rlimit_resource_t)resource, &both);
}

static void pollute_environment(void) {
  setenv("LD_PRELOAD", "/nowhere/libnothing.so", 1);
  setenv("LD_LIBRARY_PATH", "/nowhere", 1);
  setenv("GLIBC_TUNABLES", "glibc.malloc.check=3", 1);
  setenv("PATH", "/nowhere", 1);
}

static void take_all_files(void) {
  while (open("/dev/null", O_RDONLY) >= 0) {}
}

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
  if (is("limit_memory")) limit(RLIMIT_AS, 1 << 20);
  if (is("limit_data")) limit(RLIMIT_DATA, 1 << 20);
  if (is("limit_stack")) limit(RLIMIT_STACK, 16 << 10);
  if (is("limit_files")) limit(RLIMIT_NOFILE, 3);
  if (is("limit_size")) limit(RLIMIT_FSIZE, 0);
  if (is("limit_processes")) limit(RLIMIT_NPROC, 0);
  if (is("limit_time")) limit(RLIMIT_CPU, 1);
  if (is("limit_locked")) limit(RLIMIT_MEMLOCK, 0);
  if (is("take_all_files")) take_all_files();
  if (is("polluted_environment")) pollute_environment();
  if (is("no_environment")) environ = NULL;
  if (is("alarm")) set_timer(ITIMER_REAL, 100);
  if (is("interrupting_alarm")) handle(SIGALRM, ignore), set_timer(ITIMER_REAL, 500);
  if (is("profiling_timer")) handle(SIGPROF, ignore), set_timer(ITIMER_PROF, 500);
  if (is("swallowed_faults")) handle(SIGSEGV, ignore);
  if (is("swallowed_abort")) handle(SIGABRT, ignore);
  if (is("exit_on_fault")) handle(SIGSEGV, _exit);
  if (is("one_core")) {
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof first, &first);
  }
  if (is("niceness")) setpriority(PRIO_PROCESS, 0, 19);
  if (is("idle_policy")) {
    const struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
  }
  if (is("seccomp")) prctl(PR_SET_SECCOMP, 1);
  if (is("no_new_privileges")) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (is("not_dumpable")) prctl(PR_SET_DUMPABLE, 0);
  if (is("no_death_signal")) prctl(PR_SET_PDEATHSIG, 0);
  if (is("subreaper")) prctl(PR_SET_CHILD_SUBREAPER, 1), leave_daemon(1, 1);
  if (is("unshare_files")) errno = unshare(CLONE_FILES | CLONE_FS);
  if (is("unshare_processes")) errno = unshare(CLONE_NEWUSER | CLONE_NEWPID);
  if (is("chroot")) errno = chroot("/proc");
  if (is("other_user")) errno = setuid(65534);
  if (is("other_group")) errno = setpgid(0, getppid());
  if (is("session")) errno = setsid();
  if (is("no_randomness")) personality(ADDR_NO_RANDOMIZE);
  if (is("locked_memory")) mlockall(MCL_CURRENT | MCL_FUTURE);
  if (is("traced")) ptrace(PTRACE_TRACEME, 0, NULL, NULL);
  if (is("traced_abort")) ptrace(PTRACE_TRACEME, 0, NULL, NULL), abort();
  if (is("exec")) execl("/bin/true", "true", NULL);
  if (is("exec_and_hang")) execl("/bin/sleep", "sleep", "1000", NULL);
  if (is("nonblocking_streams"))
    for (int file = 0; file < 3; ++file) fcntl(file, F_SETFL, O_NONBLOCK);
  if (is("first_thread_only") && gettid() != getpid()) say(2, "reckless: loaded by another thread\n"), abort();
  if (is("spinning_thread")) in_thread(spin);
  if (is("aborting_thread")) in_thread(abort_here);
  if (is("only_a_thread_left")) in_thread(spin), pthread_exit(NULL);
  if (is("hanging_fork")) pthread_atfork(wait_for_ever, NULL, NULL);
  if (is("aborting_fork")) pthread_atfork(NULL, NULL, abort);
  if (is("exit_handler_abort")) atexit(abort);
  if (is("exit_handler_fork")) atexit(leave_stubborn_daemon);
  if (is("environment")) clearenv();
  if (is("unkillable_parent")) prctl(PR_SET_PDEATHSIG, 0), wait_for_ever();
  if (is("reap")) signal(SIGCHLD, SIG_IGN);
  if (is("stop_later") && fork() == 0) {
    prctl(PR_SET_NAME, "reckless_daemon");
    usleep(2000), kill(getppid(), SIGSTOP), wait_for_ever();
  }
  if (is("exit_handler_hang")) atexit(wait_for_ever);
}

__attribute__((destructor)) static void at_exit(void) {
  if (is("hang_at_unload")) wait_for_ever();
  if (is("abort_at_unload")) say(2, "reckless: unloaded too early\n"), abort();
}

/* Whether so many blocks were taken. */
static int after(unsigned blocks) {
  static unsigned taken;
  return __atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED) > blocks;
}

static void* noted(void* block) {
  if (is("hang_later") && after(1000)) wait_for_ever();
  if (is("abort_later") && after(1000)) say(2, "reckless: the 1001st block\n"), abort();
  if (is("no_memory_later") && after(1000)) return NULL;
  if (is("stop_later_on") && after(1000)) raise(SIGSTOP);
  if (is("hang_in_threads") && gettid() != getpid()) wait_for_ever();
  if (is("abort_in_threads") && gettid() != getpid()) abort();
  if (is("errno_lost")) errno = 0;
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

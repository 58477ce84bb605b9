// A program as nobody should write it: what it does beside its calls of malloc is its argument.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *self;

static void work(void) {
  static void *volatile blocks[1000];
  for (int round = 0; round < 100; round++) {
    for (int i = 0; i < 1000; i++) blocks[i] = malloc(16 + i);
    for (int i = 0; i < 1000; i++) free(blocks[i]);
  }
}
static void *in_thread(void *argument) {
  work();
  return argument;
}
static void limit(int resource, rlim_t value) {
  const struct rlimit both = {value, value};
  setrlimit(resource, &both);
  work();
}
static void run_again(char **environment) {
  char *const words[] = {(char *)self, "well", NULL};
  execve("/proc/self/exe", words, environment);
}
/// Does it to each file in the folder of the recordings.
static void to_each_recording(void (*harm)(const char *)) {
  const char *const folder = getenv("STACKHEAP_RECORDING");
  DIR *const opened = folder ? opendir(folder) : NULL;
  char name[8192];
  for (struct dirent *entry; opened && (entry = readdir(opened));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
    harm(name);
  }
  work();
}
static void in_recordings(void (*make)(const char *), const char *name) {
  const char *const folder = getenv("STACKHEAP_RECORDING");
  char file[8192];
  if (!folder) return;
  snprintf(file, sizeof file, "%s/%s", folder, name);
  make(file);
}
static void overwrite(const char *file) {
  const int opened = open(file, O_WRONLY);
  if (write(opened, "garbage garbage garbage garbage garbage", 40) < 0) return;
  close(opened);
}
static void cut(const char *file) { if (truncate(file, 10)) return; }
static void delete(const char *file) { unlink(file); }
static void fake(const char *file) { close(open(file, O_WRONLY | O_CREAT, 0600)); }
static void pipe_at(const char *file) { mkfifo(file, 0600); }
static void zeros_at(const char *file) { if (symlink("/dev/zero", file)) return; }
static void other_at(const char *file) { if (symlink("../precious", file)) return; }
static void parent_at(const char *file) { if (symlink("..", file)) return; }
static void flood(int descriptor) {
  static char text[1 << 16];
  memset(text, 'x', sizeof text);
  for (int i = 0; i < 4096; i++)
    if (write(descriptor, text, sizeof text) < 0) return;
}
static void orphan(int keeps_output) {
  if (fork() != 0) return;
  setsid();
  for (int number = 1; number < 65; number++) signal(number, SIG_IGN);
  while (1) {
    sleep(1);
    if (keeps_output) puts("I am still here"), fflush(stdout);
  }
}
static void many_children(void) {
  for (int i = 0; i < 1200; i++)
    if (fork() == 0) free(malloc(5)), _exit(0);
  while (wait(NULL) > 0) {}
}
static void many_threads(void) {
  pthread_t threads[300];
  int started = 0;
  while (started < 300 && !pthread_create(&threads[started], NULL, in_thread, NULL)) started++;
  for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
}
static void bare_clone(void) {
  const long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) free(malloc(9)), syscall(SYS_exit_group, 0);
  waitpid((pid_t)child, NULL, 0);
}
static void no_folder(void) {
  char folder[] = "/tmp/strange-XXXXXX";
  if (!mkdtemp(folder) || chdir(folder) || rmdir(folder)) abort();
}
static int overflow(volatile int depth) {
  volatile char room[4096];
  room[0] = (char)depth;
  return overflow(depth + 1) + room[0];
}
static void from_handler(int number) { free(malloc((size_t)number)); }
static void interrupted_by_malloc(void) {
  signal(SIGALRM, from_handler);
  ualarm(50, 50);
  for (int i = 0; i < 5; i++) work();
  ualarm(0, 0);
}
static void impossible_sizes(void) {
  void *volatile block = malloc((size_t)1 << 62);
  block = calloc((size_t)1 << 40, (size_t)1 << 40);
  block = realloc(NULL, 0);
  free(block);
  free(aligned_alloc((size_t)1 << 30, (size_t)1 << 30));
}
static void *exits(void *argument) {
  exit(0);
  return argument;
}
static void ends_in_thread(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, exits, NULL);
  pthread_exit(NULL);
}

int main(int count, char **words) {
  self = words[0];
  const char *const what = count > 1 ? words[1] : "well";
#define WHEN(name) if (!strcmp(what, name))
  work();
  WHEN("kills its parent") kill(getppid(), SIGKILL);
  WHEN("asks its parent to end") kill(getppid(), SIGTERM);
  WHEN("stops its parent") kill(getppid(), SIGSTOP);
  WHEN("interrupts its group") kill(0, SIGINT);
  WHEN("stops itself") raise(SIGSTOP);
  WHEN("closes all descriptors") for (int i = 0; i < 1024; i++) close(i);
  WHEN("floods its output") flood(1);
  WHEN("floods its errors") flood(2);
  WHEN("leaves a process") orphan(0);
  WHEN("leaves a process that prints") orphan(1);
  WHEN("deletes its folder") no_folder();
  WHEN("may write no file") signal(SIGXFSZ, SIG_IGN), limit(RLIMIT_FSIZE, 0);
  WHEN("may open no file") limit(RLIMIT_NOFILE, 3);
  WHEN("has 64 MiB") limit(RLIMIT_AS, (rlim_t)64 << 20);
  WHEN("has no CPU time") signal(SIGXCPU, SIG_IGN), limit(RLIMIT_CPU, 0);
  WHEN("has 300 threads") many_threads();
  WHEN("has 1200 children") many_children();
  WHEN("becomes itself") run_again(environ);
  WHEN("becomes itself without an environment") run_again((char *[]){NULL});
  WHEN("clears its environment") clearenv(), work();
  WHEN("aborts") abort();
  WHEN("crashes") raise(SIGSEGV);
  WHEN("overflows its stack") return overflow(0);
  WHEN("ends by quick_exit") quick_exit(7);
  WHEN("ends by _exit") _exit(0);
  WHEN("ends in a thread") ends_in_thread();
  WHEN("frees what is no block") free(*(void *volatile *)&self);
  WHEN("asks for impossible sizes") impossible_sizes();
  WHEN("prints control characters") fputs("\33]0;owned\7\33[2J\342\200\256abc\377\n", stdout), fputs("\33[31m\r\33c", stderr);
  WHEN("prints another number each time") printf("%d\n", getpid());
  WHEN("fails with control characters") return fputs("\33]0;owned\7\33[2J\342\200\256abc\377\n", stderr), 3;
  WHEN("overwrites its recording") to_each_recording(overwrite);
  WHEN("cuts its recording") to_each_recording(cut);
  WHEN("deletes its recording") to_each_recording(delete);
  WHEN("makes an empty recording") in_recordings(fake, "recording-1-0.shr");
  WHEN("makes a pipe among the recordings") in_recordings(pipe_at, "recording-1-0.shr");
  WHEN("links a recording to zeros") in_recordings(zeros_at, "recording-1-0.shr");
  WHEN("links the result to a file") in_recordings(other_at, "run.json.gz");
  WHEN("links the replay to a file") in_recordings(other_at, "replay");
  WHEN("makes a pipe of the result") in_recordings(pipe_at, "run.json.gz");
  WHEN("links the replay to a folder") in_recordings(parent_at, "replay");
  WHEN("may not be read") prctl(PR_SET_DUMPABLE, 0);
  WHEN("ignores its children") signal(SIGCHLD, SIG_IGN), many_children();
  WHEN("forks by vfork") { const pid_t child = vfork(); if (child == 0) _exit(0); waitpid(child, NULL, 0); }
  WHEN("forks by a bare clone") bare_clone();
  WHEN("is interrupted by malloc") interrupted_by_malloc();
  WHEN("locks its memory") mlockall(MCL_CURRENT | MCL_FUTURE);
  WHEN("lowers its priority") setpriority(PRIO_PROCESS, 0, 19);
  WHEN("returns 255") return 255;
  WHEN("never ends") while (1) pause();
  WHEN("never rests") while (1) work();
  return 0;
}

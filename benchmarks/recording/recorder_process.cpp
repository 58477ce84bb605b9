// How does a process begin, fork, become another program and end? These are the moments at which the recorder must act.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdlib>

#include "recorder_events.hpp"

extern "C" int __cxa_atexit(void (*)(void*), void*, void*) noexcept;

namespace stackheap::recorder {

void* find_next(const char* name) {
  const own_calls meanwhile;
  void* const found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) ::dlerror();  // the program did not ask for it
  return found;
}

namespace {

template <class Function>
void find(Function*& function, const char* name) {
  function = reinterpret_cast<Function*>(find_next(name));
}

bool prepared;  ///< whether the environment was there to be read

void prepare() {
  if (prepared || environ == nullptr) return;
  prepared = true;
  const kept_errno kept;
  if (prepare_file() && begin_lanes()) recording_now.store(true, std::memory_order_release);
}

// ---- fork

thread_local bool locked_for_fork __attribute__((tls_model("initial-exec")));

void before_fork() {
  locked_for_fork = !self.holds_lock;
  if (locked_for_fork) lock();
}

void after_fork_in_parent() {
  if (locked_for_fork) unlock();
}

/// A fork by a signal handler that came within malloc leaves a child that cannot be recorded: its lane is half written, or
/// it is about to write to the parent's file. Nor can the child of a process in a sandbox, which must not open a file.
void after_fork_in_child() {
  const kept_errno kept;
  if (is_recording()) {
    recording_now.store(false, std::memory_order_relaxed);
    if (is_sandboxed()) {
      forget_file_among(0, ~0U);
    } else {
      change_process();
      if (!self.busy && begin_lanes()) recording_now.store(true, std::memory_order_relaxed);
    }
  }
  unlock();
}

// ---- begin and end

void end_by_exit(void*) { end_recording(ending::exit); }
void end_by_quick_exit() { end_recording(ending::quick_exit); }

[[gnu::constructor(101)]] void load() {
  begin();
  prepare();
  if (!is_recording()) return;
  const kept_errno kept;
  const own_calls meanwhile;
  ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  // The first functions that are to be called at the end, so they are called last: after all destructors of the program and
  // of its libraries. The first belongs to no library, or it would be called with the destructors of this library.
  ::__cxa_atexit(end_by_exit, nullptr, nullptr);
  static_cast<void>(::at_quick_exit(end_by_quick_exit));
  lock();
  if (!open_file()) recording_now.store(false, std::memory_order_relaxed);
  unlock();
}

}  // namespace

void begin() {
  static bool begun = false;
  if (begun) return;
  begun = true;
  find(next.malloc, "malloc");
  find(next.calloc, "calloc");
  find(next.realloc, "realloc");
  find(next.posix_memalign, "posix_memalign");
  find(next.aligned_alloc, "aligned_alloc");
  find(next.memalign, "memalign");
  find(next.valloc, "valloc");
  find(next.pvalloc, "pvalloc");
  find(next.syscall, "syscall");
  find(next.execve, "execve");
  find(next.execvpe, "execvpe");
  find(next.fexecve, "fexecve");
  find(next.close, "close");
  find(next.closefrom, "closefrom");
  find(next.dup2, "dup2");
  find(next.dup3, "dup3");
  find(next.free, "free");  // the last: with it, `next` is known
  prepare();
}

namespace {

using main_function = int(int, char**, char**);
main_function* main_of_program;

int noted_main(int count, char** words, char** environment) {
  note_main();
  return main_of_program(count, words, environment);
}

/// Calls a function of exec. It comes back where that failed.
template <class Call>
int become_another(Call call) {
  begin();
  const perhaps_the_end now(ending::exec);
  return call();
}

/// Calls what may put the process into a sandbox, in which other system calls than write() may kill it.
template <class Call>
long enter_sandbox(Call call) {
  if (!is_recording() || is_sandboxed() || self.holds_lock || !is_recorded_process())
    return call();
  {
    const kept_errno kept;
    lock();
    prepare_for_sandbox();
    unlock();
  }
  sandboxed.store(true);
  const long result = call();
  if (result != 0) sandboxed.store(false);  // it was refused
  return result;
}

constexpr long set_seccomp = 22;  // prctl's PR_SET_SECCOMP
bool sets_seccomp(long number, long first) {
  return (number == SYS_prctl && first == set_seccomp) || (number == SYS_seccomp && (first == 0 || first == 1));
}

/// What the program does to descriptors by a system call of its own.
void look_for_close(long number, long first, long second) {
  if (number == SYS_close) forget_file_among(static_cast<unsigned>(first), static_cast<unsigned>(first));
#ifdef SYS_close_range
  if (number == SYS_close_range) forget_file_among(static_cast<unsigned>(first), static_cast<unsigned>(second));
#endif
#ifdef SYS_dup2
  if (number == SYS_dup2) forget_file_among(static_cast<unsigned>(second), static_cast<unsigned>(second));
#endif
  if (number == SYS_dup3) forget_file_among(static_cast<unsigned>(second), static_cast<unsigned>(second));
}

[[noreturn]] void exit_at_once(int status) {
  begin();
  end_recording(ending::quick_exit);
  system_call(SYS_exit_group, status);
  __builtin_trap();
}

/// How many words a call has that lists them, up to the null that ends them. `rest` stands behind the first.
std::size_t words_in(const char* first, va_list rest) {
  std::size_t count = 0;
  for (const char* word = first; word != nullptr; word = va_arg(rest, const char*)) ++count;
  return count;
}
void put_words(char** words, const char* first, va_list rest) {
  for (*words = const_cast<char*>(first); *words != nullptr;) *++words = va_arg(rest, char*);
}

}  // namespace
}  // namespace stackheap::recorder

using namespace stackheap::recorder;

// The words of execl and its like, as execv takes them.
#define STACKHEAP_WORDS(words, first, rest)                                                        \
  va_list rest;                                                                                    \
  va_start(rest, first);                                                                           \
  const std::size_t words##_count = words_in(first, rest);                                         \
  va_end(rest);                                                                                    \
  char** const words = static_cast<char**>(__builtin_alloca((words##_count + 1) * sizeof(char*))); \
  va_start(rest, first);                                                                           \
  put_words(words, first, rest)

extern "C" {

STACKHEAP_EXPORTED int __libc_start_main(main_function* main, int count, char** words, void (*init)(), void (*fini)(),
                                         void (*loader_fini)(), void* stack_end) {
  begin();
  main_of_program = main;
  decltype(&__libc_start_main) start = nullptr;
  find(start, "__libc_start_main");
  return start(is_recording() ? noted_main : main, count, words, init, fini, loader_fini, stack_end);
}

STACKHEAP_EXPORTED void _exit(int status) { exit_at_once(status); }
STACKHEAP_EXPORTED void _Exit(int status) { exit_at_once(status); }

STACKHEAP_EXPORTED int execve(const char* path, char* const words[], char* const environment[]) {
  return become_another([&] { return next.execve(path, words, environment); });
}
STACKHEAP_EXPORTED int execv(const char* path, char* const words[]) { return execve(path, words, environ); }
STACKHEAP_EXPORTED int execvpe(const char* name, char* const words[], char* const environment[]) {
  return become_another([&] { return next.execvpe(name, words, environment); });
}
STACKHEAP_EXPORTED int execvp(const char* name, char* const words[]) { return execvpe(name, words, environ); }
STACKHEAP_EXPORTED int fexecve(int file, char* const words[], char* const environment[]) {
  return become_another([&] { return next.fexecve(file, words, environment); });
}
STACKHEAP_EXPORTED int execveat(int folder, const char* path, char* const words[], char* const environment[], int flags) {
  return become_another([&] {
    return static_cast<int>(system_call(SYS_execveat, folder, path, words, environment, flags));
  });
}
STACKHEAP_EXPORTED int execl(const char* path, const char* first, ...) {
  STACKHEAP_WORDS(words, first, rest);
  va_end(rest);
  return execv(path, words);
}
STACKHEAP_EXPORTED int execlp(const char* name, const char* first, ...) {
  STACKHEAP_WORDS(words, first, rest);
  va_end(rest);
  return execvp(name, words);
}
STACKHEAP_EXPORTED int execle(const char* path, const char* first, ...) {
  STACKHEAP_WORDS(words, first, rest);
  char* const* const environment = va_arg(rest, char* const*);
  va_end(rest);
  return execve(path, words, environment);
}

/// The parent ends within daemon.
STACKHEAP_EXPORTED int daemon(int keeps_folder, int keeps_output) {
  begin();
  decltype(&daemon) start = nullptr;
  find(start, "daemon");
  const perhaps_the_end now(ending::quick_exit);
  return start(keeps_folder, keeps_output);
}

// `asm`: the C library declares them with any number of arguments.
STACKHEAP_EXPORTED long recorded_syscall(long, long, long, long, long, long, long) asm("syscall");
long recorded_syscall(long number, long first, long second, long third, long fourth, long fifth, long sixth) {
  if (next.syscall == nullptr) begin();
  if (is_sandboxed()) look_for_close(number, first, second);
  if (sets_seccomp(number, first)) [[unlikely]]
    return enter_sandbox([&] { return next.syscall(number, first, second, third, fourth, fifth, sixth); });
  return next.syscall(number, first, second, third, fourth, fifth, sixth);  // as a jump: it may be a vfork
}

STACKHEAP_EXPORTED int recorded_prctl(int, unsigned long, unsigned long, unsigned long, unsigned long) asm("prctl");
int recorded_prctl(int option, unsigned long first, unsigned long second, unsigned long third, unsigned long fourth) {
  return static_cast<int>(recorded_syscall(SYS_prctl, option, static_cast<long>(first), static_cast<long>(second),
                                           static_cast<long>(third), static_cast<long>(fourth), 0));
}

STACKHEAP_EXPORTED int close(int file) {
  if (next.close == nullptr) begin();
  forget_file_among(static_cast<unsigned>(file), static_cast<unsigned>(file));
  return next.close(file);
}
STACKHEAP_EXPORTED void closefrom(int low) {
  begin();
  forget_file_among(static_cast<unsigned>(low), ~0U);
  next.closefrom(low);
}
STACKHEAP_EXPORTED int close_range(unsigned first, unsigned last, int flags) {
  return static_cast<int>(recorded_syscall(SYS_close_range, first, last, flags, 0, 0, 0));
}
STACKHEAP_EXPORTED int dup2(int from, int to) {
  begin();
  forget_file_among(static_cast<unsigned>(to), static_cast<unsigned>(to));
  return next.dup2(from, to);
}
STACKHEAP_EXPORTED int dup3(int from, int to, int flags) {
  begin();
  forget_file_among(static_cast<unsigned>(to), static_cast<unsigned>(to));
  return next.dup3(from, to, flags);
}

}  // extern "C"

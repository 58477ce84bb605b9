// Does the recorder see every call, and does the program not see the recorder? A program with known calls: `recorded NAME`
// does what is described at the function of that name, and says on its output what it noticed. Without the recorder it does
// the same. For tests/python/program/test_recorder.py, which knows the number of calls.
//
// Nothing here takes memory but by the calls that are counted; so text goes to write(), and the calls are not builtins.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

const char* argument = "";

void say(const char* text) {
  if (::write(STDOUT_FILENO, text, std::strlen(text)) < 0) std::abort();
}

void say(std::size_t number) {
  char digits[32];
  char* at = digits + sizeof digits;
  *--at = '\0';
  *--at = '\n';
  do *--at = static_cast<char>('0' + number % 10);
  while ((number /= 10) != 0);
  say(at);
}

void require(bool holds, const char* what) {
  if (holds) return;
  say("not so: ");
  say(what);
  say("\n");
  ::_exit(99);
}

/// One malloc and one free each, of sizes that a packer cannot foresee.
void call(int times) {
  std::uint32_t random = 1;
  for (int i = 0; i < times; ++i) {
    random = random * 1664525 + 1013904223;
    void* const block = std::malloc(random >> 20);
    require(block != nullptr, "malloc returns a block");
    std::free(block);
  }
}

constexpr int several_chunks = 200'000;

void wait_for(pid_t child, int status = 0) {
  int ended = 0;
  require(::waitpid(child, &ended, 0) == child && ended == status, "the child ends well");
}

// ---- what is called

void nothing() {}

/// malloc 6; calloc 1; realloc 4; aligned 5; free 12, of which one is realloc(block, 0); and 6 that fail.
void forms() {
  const volatile std::size_t too_much = ~std::size_t{0} / 4;  // volatile: the compiler would warn
  void* volatile grown = std::malloc(10);                      // malloc 1
  for (const std::size_t size : {100, 5'000, 300'000}) {       // realloc 3
    std::memset(grown, 7, 10);
    grown = std::realloc(grown, size);
    require(std::memcmp(grown, "\7\7\7\7\7\7\7\7\7\7", 10) == 0, "realloc keeps the bytes");
  }
  errno = 0;
  require(std::realloc(grown, too_much) == nullptr && errno == ENOMEM, "realloc of too much fails");  // failed 1
  grown = ::reallocarray(grown, 10, 10);                       // realloc 4
  require(::reallocarray(grown, too_much, too_much) == nullptr && errno == ENOMEM, "an overflow fails");  // failed 2
  std::free(grown);                                            // free 1
  require(std::malloc(too_much) == nullptr, "malloc of too much fails");                              // failed 3
  require(std::calloc(too_much, 16) == nullptr, "calloc of too much fails");                          // failed 4
  char* const zero = static_cast<char*>(std::calloc(10, 100));
  for (int i = 0; i < 1000; ++i) require(zero[i] == 0, "calloc gives zeros");
  std::free(zero);                                             // free 2
  std::free(std::realloc(nullptr, 20));                        // malloc 2, free 3
  require(std::realloc(std::malloc(30), 0) == nullptr, "realloc to nothing frees");  // malloc 3, free 4
  std::free(nullptr);
  void* aligned = nullptr;
  require(::posix_memalign(&aligned, 3, 10) == EINVAL, "an alignment of three is refused");           // failed 5
  const auto check = [](void* block, std::size_t alignment) {
    require(block != nullptr && reinterpret_cast<std::uintptr_t>(block) % alignment == 0, "a block is aligned");
    std::free(block);                                          // free 5 to 9
  };
  require(::posix_memalign(&aligned, 256, 1000) == 0, "posix_memalign");
  check(aligned, 256);
  check(std::aligned_alloc(128, 256), 128);
  check(::memalign(4096, 10), 4096);
  check(::valloc(10), 4096);
  check(::pvalloc(10), 4096);
  for (const std::size_t size : {0, 1}) std::free(std::malloc(size));  // malloc 4 and 5, free 10 and 11
  void* const kept = std::malloc(40);                          // malloc 6
  require(std::realloc(kept, too_much) == nullptr, "realloc of too much fails");                      // failed 6
  std::free(kept);                                             // free 12
}

/// 12 blocks, from each operator new and to each operator delete.
void operators() {
  constexpr std::align_val_t wide{64};
  operator delete(operator new(1));
  operator delete[](operator new[](2));
  operator delete(operator new(3, std::nothrow), std::nothrow);
  operator delete[](operator new[](4, std::nothrow), std::nothrow);
  operator delete(operator new(5, wide), wide);
  operator delete[](operator new[](6, wide), wide);
  operator delete(operator new(7, wide, std::nothrow), wide, std::nothrow);
  operator delete[](operator new[](8, wide, std::nothrow), wide, std::nothrow);
  operator delete(operator new(9), std::size_t{9});
  operator delete[](operator new[](10), std::size_t{10});
  operator delete(operator new(11, wide), std::size_t{11}, wide);
  operator delete[](operator new[](12, wide), std::size_t{12}, wide);
}

/// operator new that fails: it throws, and the next operator new works.
void throwing() {
  bool thrown = false;
  try {
    operator delete(operator new(~std::size_t{0} / 4));
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  require(thrown, "bad_alloc comes through");
  operator delete(operator new(1));
}

/// Blocks are where and as large as without the recorder.
void usable() {
  std::size_t sum = 0;
  for (std::size_t size = 0; size < 5'000; size += 7) {
    void* const block = std::malloc(size);
    sum += ::malloc_usable_size(block);
    std::free(block);
  }
  say(sum);
}

void keeps_errno() {
  for (int file = 3; file < 2000; ++file) ::close(file);  // so that the recorder finds something wrong
  errno = 77;
  call(several_chunks);
  require(errno == 77, "errno stays");
}

// ---- processes

/// The parent takes 10 blocks and frees them. The child takes 5, and frees these and 3 of the parent's.
void fork_child() {
  void* blocks[10];
  for (void*& block : blocks) block = std::malloc(24);
  const pid_t child = ::fork();
  if (child == 0) {
    for (int i = 0; i < 3; ++i) std::free(blocks[i]);
    call(5);
    std::exit(0);
  }
  wait_for(child);
  for (void* const block : blocks) std::free(block);
}

void fork_in_thread() {
  pthread_t thread;
  ::pthread_create(&thread, nullptr, [](void*) -> void* { return fork_child(), nullptr; }, nullptr);
  ::pthread_join(thread, nullptr);
}

/// A child that shares the memory, closes files and becomes another program; and a child that only ends.
void vfork_child() {
  call(3);
  for (const bool runs : {true, false}) {
    const pid_t child = ::vfork();
    if (child == 0) {
      for (int file = 3; file < 1024; ++file) ::close(file);
      if (runs) ::execl("/bin/true", "true", nullptr);
      ::_exit(0);
    }
    wait_for(child);
  }
  call(4);
}

/// A child that the C library knows nothing of. What it calls is not recorded, and it writes to no file of the parent's.
void cloned() {
  call(3);
  const pid_t child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (child == 0) {
    call(several_chunks);
    std::exit(0);
  }
  wait_for(child);
  call(4);
}

/// As many processes as the argument says, each of which takes a block.
void forks() {
  for (int left = std::atoi(argument); left > 0; --left) {
    const pid_t child = ::fork();
    if (child == 0) {
      call(1);
      ::_exit(0);
    }
    wait_for(child);
  }
}

/// The parent ends within daemon; the child makes 7 calls.
void becomes_daemon() {
  call(several_chunks);
  require(::daemon(1, 1) == 0, "daemon");
  call(7);
}

void becomes_another() {
  call(5);
  ::execlp("true", "true", "word", nullptr);
}

void fails_to_become_another() {
  char* words[] = {const_cast<char*>("no"), nullptr};
  char* environment[] = {nullptr};
  call(several_chunks);
  ::execl("/does/not/exist", "no", "word", nullptr);
  ::execle("/does/not/exist", "no", nullptr, environment);
  ::execv("/does/not/exist", words);
  ::execve("/does/not/exist", words, environment);
  ::execvp("does-not-exist", words);
  ::execvpe("does-not-exist", words, environment);
  ::fexecve(-1, words, environment);
  require(errno == EINVAL || errno == EBADF, "errno is that of exec");
  call(7);
}

// ---- ends

void ends_at_once() {
  call(9);
  ::_exit(3);
}
void ends_quickly() {
  call(9);
  ::quick_exit(4);
}
void aborts() {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  call(several_chunks);
  std::abort();
}
void is_killed() {
  call(several_chunks);
  ::kill(::getpid(), SIGKILL);
}

void* calls_for_ever(void*) {
  for (;;) call(1000);
}

/// Other threads are in the middle of calls when main returns.
void ends_before_threads() {
  for (int i = 0; i < 4; ++i) {
    pthread_t thread;
    ::pthread_create(&thread, nullptr, calls_for_ever, nullptr);
  }
  call(several_chunks / 10);
}

/// Forks while other threads are in the middle of calls, and of writing to the file. Each child starts a thread, too.
void forks_beside_threads() {
  for (int i = 0; i < 4; ++i) {
    pthread_t thread;
    ::pthread_create(&thread, nullptr, calls_for_ever, nullptr);
  }
  for (int i = 0; i < 60; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      pthread_t thread;
      ::pthread_create(&thread, nullptr, [](void*) -> void* { return call(100), nullptr; }, nullptr);
      ::pthread_join(thread, nullptr);
      call(100);
      std::exit(0);
    }
    wait_for(child);
  }
}

// ---- threads

/// Each thread takes and frees a block, and leaves one to be freed by the thread that waits for it.
void threads() {
  for (int i = 0; i < 3'000; ++i) {
    pthread_t thread;
    void* left = nullptr;
    const auto work = [](void*) -> void* { return call(1), std::malloc(10); };
    require(::pthread_create(&thread, nullptr, work, nullptr) == 0, "a thread");
    ::pthread_join(thread, &left);
    std::free(left);
  }
}

/// Frees in a thread's last destructor, after those of every library.
void late_frees() {
  static pthread_key_t key;
  struct last {
    int rounds;
  };
  ::pthread_key_create(&key, [](void* value) {
    auto* const mine = static_cast<last*>(value);
    if (--mine->rounds > 0)
      ::pthread_setspecific(key, mine);
    else
      std::free(mine);
  });
  for (int i = 0; i < 50; ++i) {
    pthread_t thread;
    ::pthread_create(&thread, nullptr, [](void*) -> void* {
      auto* const mine = static_cast<last*>(std::malloc(sizeof(last)));
      mine->rounds = PTHREAD_DESTRUCTOR_ITERATIONS;
      ::pthread_setspecific(key, mine);
      return nullptr;
    }, nullptr);
    ::pthread_join(thread, nullptr);
  }
}

/// A thread with the least stack that a thread can have.
void little_stack() {
  pthread_attr_t least;
  ::pthread_attr_init(&least);
  require(::pthread_attr_setstacksize(&least, PTHREAD_STACK_MIN) == 0, "the least stack");
  pthread_t thread;
  const auto work = [](void*) -> void* { return call(several_chunks), nullptr; };
  require(::pthread_create(&thread, &least, work, nullptr) == 0, "a thread");
  ::pthread_join(thread, nullptr);
}

constexpr int handed_blocks = 20'000;
std::atomic<void*> handed{nullptr};

/// Every block is freed by another thread than its taker.
void hands_over() {
  pthread_t thread;
  ::pthread_create(&thread, nullptr, [](void*) -> void* {
    for (int i = 0; i < handed_blocks; ++i) {
      void* block = nullptr;
      while ((block = handed.exchange(nullptr)) == nullptr) ::sched_yield();
      std::free(block);
    }
    return nullptr;
  }, nullptr);
  for (int i = 0; i < handed_blocks; ++i) {
    void* expected = nullptr;
    void* const block = std::malloc(static_cast<std::size_t>(i % 200));
    while (!handed.compare_exchange_weak(expected, block)) {
      expected = nullptr;
      ::sched_yield();
    }
  }
  ::pthread_join(thread, nullptr);
}

/// Eight threads at once.
void crowd() {
  pthread_t crew[8];
  for (pthread_t& thread : crew)
    ::pthread_create(&thread, nullptr, [](void*) -> void* { return call(several_chunks / 4), nullptr; }, nullptr);
  for (const pthread_t thread : crew) ::pthread_join(thread, nullptr);
}

/// Takes and frees a block that malloc keeps ready: it then does nothing that a signal handler may not interrupt, and the
/// blocks of other sizes are no matter to it.
void call_ready(std::size_t size) { std::free(std::malloc(size)); }
constexpr std::size_t of_program = 24, of_handler = 200;

void set_timer(void (*handler)(int), long microseconds) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval often{{0, microseconds}, {0, microseconds}};
  ::setitimer(ITIMER_REAL, &often, nullptr);
}

std::atomic<int> signals{0};

/// A signal handler takes and frees a block, also within malloc. The file of the argument says how many calls there were.
void signalled() {
  call_ready(of_program);
  call_ready(of_handler);
  set_timer([](int) { call_ready(of_handler), ++signals; }, 100);
  std::size_t times = 2;
  for (; signals.load() < 500; ++times) call_ready(of_program);
  set_timer(SIG_IGN, 0);
  times += static_cast<std::size_t>(signals.load());
  const int file = ::open(argument, O_WRONLY | O_CREAT, 0644);
  ::dup2(file, STDOUT_FILENO);
  say(times);
}

std::atomic<bool> is_child{false};

/// A signal handler forks, also within malloc. The child goes on in the call that was interrupted.
void forks_in_handler() {
  call_ready(of_program);
  set_timer([](int) {
    const pid_t child = ::fork();
    if (child == 0)
      is_child = true;
    else
      wait_for(child), ++signals;
  }, 1'000);
  while (signals.load() < 100 && !is_child.load()) call_ready(of_program);
  set_timer(SIG_IGN, 0);
  if (!is_child.load()) return;
  for (int i = 0; i < 10; ++i) call_ready(of_program);
  std::exit(0);
}

// ---- files

/// The file may not become larger. What is written beyond that would end the process by SIGXFSZ.
void limits_files() {
  const rlimit small{300'000, 300'000};
  ::setrlimit(RLIMIT_FSIZE, &small);
  call(several_chunks);
}

/// The recording is longer already than files may be.
void limits_files_below() {
  call(several_chunks);
  const rlimit small{1'000, 1'000};
  ::setrlimit(RLIMIT_FSIZE, &small);
  call(several_chunks);
}

void closes_files() {
  call(several_chunks);
  for (int file = 3; file < 2000; ++file) ::close(file);
  call(several_chunks);
#ifdef SYS_close_range
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
#endif
  call(several_chunks);
}

/// Puts a file of its own (the argument) where any descriptor may have been. Nothing may be written to it.
void takes_descriptors() {
  const int own = ::open(argument, O_RDWR | O_CREAT, 0644);
  for (int file = own + 1; file < 1024; ++file) ::dup2(own, file);
  call(several_chunks);
}

// ---- sandboxes

/// From here on, only what malloc and output need.
void filter(std::uint32_t otherwise) {
  constexpr long allowed[] = {SYS_write, SYS_exit_group, SYS_brk,  SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise,
#ifdef SYS_dup2
                              SYS_dup2,
#endif
                              SYS_dup3};
  constexpr std::size_t count = sizeof allowed / sizeof *allowed;
  sock_filter program[count + 3];
  std::size_t at = 0;
  program[at++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (std::size_t i = 0; i < count; ++i) {
    const auto to_allow = static_cast<std::uint8_t>(count - i);
    program[at++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(allowed[i]), to_allow, 0);
  }
  program[at++] = BPF_STMT(BPF_RET | BPF_K, otherwise);
  program[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog rules{static_cast<unsigned short>(at), program};
  require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
  require(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, nullptr) != 0, "no filter is no sandbox");
  require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &rules) == 0, "a sandbox");
}

void is_refused() {
  filter(SECCOMP_RET_ERRNO | EPERM);
  call(several_chunks);
}
void would_be_killed() {
  call(several_chunks);
  filter(SECCOMP_RET_KILL_PROCESS);
  call(several_chunks);
}

void child_would_be_killed() {
  const pid_t child = ::fork();
  if (child == 0) {
    filter(SECCOMP_RET_KILL_PROCESS);
    call(several_chunks);
    std::exit(0);
  }
  wait_for(child);
}

/// As takes_descriptors, where the recorder cannot see whether a descriptor still is its file.
void takes_descriptors_in_sandbox() {
  const int own = ::open(argument, O_RDWR | O_CREAT, 0644);
  filter(SECCOMP_RET_KILL_PROCESS);
  for (int file = own + 1; file < 1024; ++file) ::dup2(own, file);
  call(several_chunks);
}

/// The strictest sandbox allows read, write and the end of a thread.
void is_strict() {
  std::free(std::malloc(100'000));  // so that the heap need not grow
  require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0, "the strict sandbox");
  call(several_chunks);
  say("done\n");
  ::syscall(SYS_exit, 0);
}

struct scenario {
  const char* name;
  void (*run)();
};
constexpr scenario scenarios[] = {
    {"nothing", nothing},
    {"forms", forms},
    {"operators", operators},
    {"throwing", throwing},
    {"usable", usable},
    {"keeps_errno", keeps_errno},
    {"fork", fork_child},
    {"fork_in_thread", fork_in_thread},
    {"vfork", vfork_child},
    {"cloned", cloned},
    {"forks", forks},
    {"daemon", becomes_daemon},
    {"becomes_another", becomes_another},
    {"fails_to_become_another", fails_to_become_another},
    {"ends_at_once", ends_at_once},
    {"ends_quickly", ends_quickly},
    {"aborts", aborts},
    {"is_killed", is_killed},
    {"ends_before_threads", ends_before_threads},
    {"forks_beside_threads", forks_beside_threads},
    {"threads", threads},
    {"late_frees", late_frees},
    {"little_stack", little_stack},
    {"hands_over", hands_over},
    {"crowd", crowd},
    {"signalled", signalled},
    {"forks_in_handler", forks_in_handler},
    {"limits_files", limits_files},
    {"limits_files_below", limits_files_below},
    {"closes_files", closes_files},
    {"takes_descriptors", takes_descriptors},
    {"is_refused", is_refused},
    {"would_be_killed", would_be_killed},
    {"child_would_be_killed", child_would_be_killed},
    {"takes_descriptors_in_sandbox", takes_descriptors_in_sandbox},
    {"is_strict", is_strict},
};

/// Takes 7 blocks before main, where the environment asks for it.
[[gnu::constructor]] void before_main() {
  if (std::getenv("RECORDED_EARLY") != nullptr) call(7);
}

}  // namespace

int main(int count, char** words) {
  if (count > 2) argument = words[2];
  for (const scenario& known : scenarios)
    if (count > 1 && std::strcmp(words[1], known.name) == 0) {
      known.run();
      say("done\n");
      return 5;
    }
  say("no such scenario\n");
  return 2;
}

// What do the recorder's parts know of each other? It is preloaded into a program, passes every call of malloc and its kin on
// to the malloc that the program would have called, and writes down that it was made: format.hpp says how.
//
// Nothing here takes memory from malloc, throws, or needs the C++ library at run time: the recorded program may have
// another one, or none. The C library's functions are called only where they neither take memory nor are points of
// cancellation; system calls go through `system_call`.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "format.hpp"

#define STACKHEAP_EXPORTED __attribute__((visibility("default")))

namespace stackheap::recorder {

using namespace recording;

inline constexpr std::size_t chunk_bytes = std::size_t{256} << 10;  ///< of a lane's buffer
static_assert(chunk_bytes <= most_chunk_bytes);

/// The functions that the program would have called without this library.
struct next_functions {
  void* (*malloc)(std::size_t);
  void* (*calloc)(std::size_t, std::size_t);
  void* (*realloc)(void*, std::size_t);
  void (*free)(void*);
  int (*posix_memalign)(void**, std::size_t, std::size_t);
  void* (*aligned_alloc)(std::size_t, std::size_t);
  void* (*memalign)(std::size_t, std::size_t);
  void* (*valloc)(std::size_t);
  void* (*pvalloc)(std::size_t);
  long (*syscall)(long, long, long, long, long, long, long);
  int (*execve)(const char*, char* const[], char* const[]);
  int (*execvpe)(const char*, char* const[], char* const[]);
  int (*fexecve)(int, char* const[], char* const[]);
  int (*close)(int);
  void (*closefrom)(int);
  int (*dup2)(int, int);
  int (*dup3)(int, int, int);
};
extern next_functions next;

/// A function of this name behind this library: null where there is none.
void* find_next(const char* name);

template <class... Arguments>
long system_call(long number, Arguments... given) {
  const long arguments[6] = {(long)given...};
  return next.syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

/// A buffer that one thread at a time writes to. Its thread alone adds events; whoever holds the lock reads what is filled.
struct alignas(64) lane {
  std::atomic<std::uint64_t> filled;  ///< events in the upper half, bytes in the lower: both change at once
  unsigned char* bytes;
  std::uint64_t last_ticket;
  std::uint64_t first_ticket;  ///< this and the next two: as in chunk_header
  std::uint64_t first_block;
  std::uint32_t thread;
  pthread_mutex_t owner;  ///< robust: the system says of it that its thread has died, and not before the thread's last call
};

/// What a thread has of its own. Its memory is zero when the thread starts.
struct thread_state {
  lane* writes_to;
  std::uint64_t taken;   ///< blocks
  std::uint32_t number;
  bool busy;             ///< within malloc, and what is called now was called by a signal handler or by malloc itself
  bool ours;             ///< what is called now was called by the recorder
  bool holds_lock;
  unsigned char by;      ///< by_cpp and by_array, of the operator new or delete that calls malloc or free next
};
extern __thread thread_state self __attribute__((tls_model("initial-exec")));

extern std::atomic<bool> recording_now;
extern std::atomic<bool> sandboxed;  ///< only write() is allowed
extern std::atomic<std::uint64_t> unseen;

inline bool is_recording() { return recording_now.load(std::memory_order_relaxed); }
inline bool is_sandboxed() { return sandboxed.load(std::memory_order_relaxed); }

/// Whether this call is one of the program's, to be noted. If not, it is passed on at once.
inline bool to_be_noted(const thread_state& me) {
  return is_recording() && !me.busy;
}

/// Resolves `next`, and begins to record where the environment says so. At the first call of malloc.
void begin();

/// While it lives, calls of this thread are the recorder's own.
class own_calls {
 public:
  own_calls() : busy_(self.busy), ours_(self.ours) { self.busy = self.ours = true; }
  ~own_calls() {
    self.busy = busy_;
    self.ours = ours_;
  }
  own_calls(const own_calls&) = delete;
  own_calls& operator=(const own_calls&) = delete;

 private:
  bool busy_, ours_;
};

/// While it lives, errno stays as it is: at its end it is what it was.
class kept_errno {
 public:
  kept_errno() : kept_(errno) {}
  ~kept_errno() { errno = kept_; }
  kept_errno(const kept_errno&) = delete;
  kept_errno& operator=(const kept_errno&) = delete;

 private:
  int kept_;
};

/// Among those who write the file or give out lanes. Not for signal handlers that come while their thread holds it.
void lock();
void unlock();

// ---- lanes; the lock is held

/// Begins to record, nothing so far: at the start, and in the child of a fork. False where there is no memory.
bool begin_lanes();
/// Writes what all lanes hold to the file. They still hold it afterwards. False where it could not be written.
bool write_lanes();
extern std::uint64_t written_events;
/// Whether any call was noted, written or not.
bool any_calls();
end_of_recording end_record(ending how);

/// The program's main is called. The lock is not held.
void note_main();
/// Memory cannot be mapped in a sandbox: maps what the table of blocks will need for a growing heap.
void map_parts_ahead();

// ---- the file; the lock is held

/// Learns from the environment where the recordings are to lie, and how many events to record at most. False: none.
bool prepare_file();
/// Creates the file, unless it has been. False where it cannot be.
bool open_file();
/// In the child of a fork: its file is another, which is created once there is something to write.
void change_process();
/// Writes the end and stops. Does nothing where recording has stopped before.
void end_locked(ending how);
/// Whether this process is the recorded process, not a child that shares its memory or was forked without a word.
bool is_recorded_process();
/// Appends to the file in one piece, or not at all: false.
bool append(const void* bytes, std::size_t size);
/// The last chance to open the file and to ask how large it may become.
void prepare_for_sandbox();
/// The program closes these files. In a sandbox the recorder cannot see later whether a descriptor still is its file.
void forget_file_among(unsigned first, unsigned last);

/// While it lives, the file says that the process has ended in this way. After that it has not: it goes on.
class perhaps_the_end {
 public:
  explicit perhaps_the_end(ending how);
  ~perhaps_the_end();
  perhaps_the_end(const perhaps_the_end&) = delete;
  perhaps_the_end& operator=(const perhaps_the_end&) = delete;

 private:
  long process_ = 0;  ///< that says so; 0: none
  std::uint64_t bytes_ = 0, events_ = 0;
};

/// As end_locked, where the lock is not held.
void end_recording(ending how);

}  // namespace stackheap::recorder

// A malloc library with one fault, HOSTILE_FAULT, under the prefix `hostile_`: what might a user's own do to a run?
// Beside its fault it hands on to the malloc of the process. A late fault waits until trials are over.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace {

enum class fault {
  none, null, misaligned, overlapping, corrupting, dirty_calloc, forgetful_realloc, aborting, crash_at_load, exit_at_load,
  hang_at_load, hang_at_exit, busy_thread, idle_thread, shared, shared_by_two, late_null, late_abort, late_hang
};
constexpr fault chosen = fault::HOSTILE_FAULT;
constexpr bool has(fault kind) { return chosen == kind; }

void deadlock() {
  std::mutex lock;
  lock.lock();
  for (;;) lock.lock(), ::pause();
}

/// Whether the fault is due: some have a time.
bool late() {
  static std::atomic<long> calls = 0;
  return ++calls > 20'000;
}

/// Gives the last block of another thread again while that thread holds it, however seldom threads take turns. A single
/// thread is served without fault; with the fault shared_by_two, so are more than two threads: as many as call it in the
/// load test.
class shared_blocks {
 public:
  /// Null when there is no such block.
  void* held_by_another(std::size_t bytes) {
    const std::lock_guard guard(lock_);
    threads_.insert(std::this_thread::get_id());
    if (has(fault::shared_by_two) && threads_.size() > 2) return nullptr;
    for (const auto& [taker, last] : last_of_)
      if (taker != std::this_thread::get_id() && last.start != nullptr && last.bytes >= bytes) {
        given_twice_.insert(last.start);
        return last.start;
      }
    return nullptr;
  }
  void note(void* block, std::size_t bytes) {
    const std::lock_guard guard(lock_);
    last_of_[std::this_thread::get_id()] = {block, bytes};
  }
  /// Whether to free the block: never what was given twice.
  bool drop(void* block) {
    const std::lock_guard guard(lock_);
    for (auto& [taker, last] : last_of_)
      if (last.start == block) last = {};
    return !given_twice_.contains(block);
  }

 private:
  struct taken {
    void* start = nullptr;
    std::size_t bytes = 0;
  };

  std::mutex lock_;
  std::map<std::thread::id, taken> last_of_;
  std::set<std::thread::id> threads_;
  std::set<void*> given_twice_;
};

shared_blocks& shared() {
  static shared_blocks all;
  return all;
}

[[gnu::constructor]] void at_load() {
  if (has(fault::crash_at_load)) std::abort();
  if (has(fault::exit_at_load)) ::_exit(0);
  if (has(fault::hang_at_load)) deadlock();
  if (has(fault::busy_thread)) std::thread([] { for (;;) asm volatile(""); }).detach();
  if (has(fault::idle_thread)) std::thread(deadlock).detach();
}

[[gnu::destructor]] void at_exit() {
  if (has(fault::hang_at_exit)) deadlock();
}

}  // namespace

extern "C" {

void* hostile_malloc(std::size_t bytes) {
  if (has(fault::null)) return nullptr;
  if (has(fault::aborting)) std::abort();
  if (has(fault::overlapping)) {
    alignas(64) static std::byte all[8 << 20];
    return all;
  }
  if (has(fault::late_null) || has(fault::late_abort) || has(fault::late_hang))
    if (late()) {
      if (has(fault::late_abort)) std::abort();
      if (has(fault::late_hang)) deadlock();
      return nullptr;
    }
  constexpr bool shares = has(fault::shared) || has(fault::shared_by_two);
  if (shares)
    if (void* const again = shared().held_by_another(bytes)) return again;
  auto* const block = static_cast<std::byte*>(std::malloc(bytes + 1));
  if (shares) shared().note(block, bytes);
  if (has(fault::misaligned)) return block + 1;
  if (has(fault::corrupting)) {
    static std::byte* last = nullptr;
    if (last != nullptr && bytes > 8) *last ^= std::byte{0xff};
    last = block;
  }
  return block;
}

void hostile_free(void* block) {
  if (has(fault::overlapping) || block == nullptr) return;
  if ((has(fault::shared) || has(fault::shared_by_two)) && !shared().drop(block)) return;
  if (!has(fault::corrupting)) std::free(static_cast<std::byte*>(block) - (has(fault::misaligned) ? 1 : 0));
}

void* hostile_calloc(std::size_t count, std::size_t bytes) {
  void* const block = std::calloc(count, bytes);
  if (has(fault::dirty_calloc)) std::memset(block, 0xab, count * bytes);
  return block;
}

void* hostile_realloc(void* block, std::size_t bytes) {
  return has(fault::forgetful_realloc) ? std::calloc(1, bytes) : std::realloc(block, bytes);
}

int hostile_posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  return posix_memalign(block, alignment, bytes);
}

}  // extern "C"

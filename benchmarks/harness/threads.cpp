#include "threads.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <system_error>

#include "layout.hpp"
#include "passes.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t page = 4096;
/// Stack that a thread needs beside the blocks it lends: its frames, its thread-local storage, the guard page.
constexpr std::size_t stack_overhead = std::size_t{1} << 20;

/// Bytes of stack left below this frame.
std::size_t stack_left() {
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return 0;
  void* lowest = nullptr;
  std::size_t bytes = 0;
  const int error = ::pthread_attr_getstack(&attributes, &lowest, &bytes);
  ::pthread_attr_destroy(&attributes);
  if (error != 0) return 0;
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  return here - reinterpret_cast<std::uintptr_t>(lowest);
}

thread_local counting counting_here;

/// How often the work of a round is repeated so that its start and end, some microseconds, can be neglected; from the last
/// of the rounds that warm up.
std::int64_t repeats_for(team& threads, const std::function<void(unsigned)>& work) {
  constexpr double wanted_seconds = 1e-3;
  double taken = 0;
  settle(1000, std::chrono::milliseconds(10), [&] { taken = seconds_of([&] { threads.round(work); }); });
  return static_cast<std::int64_t>(std::clamp(wanted_seconds / taken, 1.0, 1e4));
}

}  // namespace

team::team(unsigned threads) : size_(threads), start_(threads), done_(threads) {
  for (unsigned thread = 1; thread < size_; ++thread) {
    const std::size_t distance = drawn_stack_distance();
    others_.emplace_back([this, thread, distance] { on_moved_stack(distance, [&] { serve(thread); }); });
  }
}

team::~team() {
  work_ = nullptr;
  start_.arrive_and_wait();
}

void team::round(const std::function<void(unsigned)>& work) {
  work_ = &work;
  start_.arrive_and_wait();
  work(0);
  done_.arrive_and_wait();
  if (unpinned_) std::rethrow_exception(unpinned_);
}

void team::serve(unsigned thread) {
  try {
    current_pinning().pin(thread);
  } catch (...) {
    const std::lock_guard lock(pinning_);
    unpinned_ = std::current_exception();
  }
  for (;;) {
    start_.arrive_and_wait();
    if (work_ == nullptr) return;
    (*work_)(thread);
    done_.arrive_and_wait();
  }
}

std::optional<double> team::ns_line_trip() {
  const std::vector<unsigned>& processors = current_pinning().processors();
  if (size_ < 2 || processors.size() < 2 || processors[0] == processors[1]) return {};
  constexpr int stretches = 3, turns = 256;  // in a turn the line goes there and back
  alignas(128) std::atomic<int> line = 0;
  std::array<double, stretches> ns{};
  round([&](unsigned thread) {
    if (thread > 1) return;
    // A trip takes under a microsecond. Two threads that were left one processor pass it on: each would otherwise spin until
    // the system takes it from it, milliseconds a trip.
    constexpr int patience = 1 << 14;
    const auto wait_for = [&](int value) {
      for (int spins = 0; line.load(std::memory_order_acquire) != value;)
        if (++spins > patience) std::this_thread::yield();
    };
    int turn = 0;
    for (double& stretch : ns) {
      wait_for(2 * turn + static_cast<int>(thread));
      const double seconds = seconds_of([&] {
        for (const int end = turn + turns; turn < end; ++turn) {
          wait_for(2 * turn + static_cast<int>(thread));
          line.store(2 * turn + static_cast<int>(thread) + 1, std::memory_order_release);
        }
      });
      if (thread == 0) stretch = 1e9 * seconds / (2 * turns);
    }
  });
  std::sort(ns.begin(), ns.end());
  return ns[stretches / 2];
}

void team::start_counting() {
  round([](unsigned thread) {
    if (thread != 0) counting_here.start();
  });
}

counts team::stop_counting() {
  std::vector<counts> counted(size_);
  round([&](unsigned thread) {
    if (thread != 0) counted[thread] = counting_here.stop();
  });
  counts sum;
  for (const counts& part : counted) sum += part;
  return sum;
}

line_trips::line_trips(benchmark::State& state, team& threads)
    : state_(state), threads_(threads), before_(threads.ns_line_trip()) {}

line_trips::~line_trips() {
  if (before_) state_.counters["ns_line_trip"] = std::max(*before_, *threads_.ns_line_trip());
}

void measure_rounds(benchmark::State& state, team& threads, std::int64_t operations,
                    const std::function<void(unsigned)>& work) {
  if (threads.repeats == 0) threads.repeats = repeats_for(threads, work);
  const std::int64_t repeats = threads.repeats;
  const std::function<void(unsigned)> long_work = [&](unsigned thread) {
    for (std::int64_t i = 0; i < repeats; ++i) work(thread);
  };
  const line_trips trips(state, threads);
  measured measuring(state, threads.size());
  threads.start_counting();
  const double taken = seconds_of([&] {
    while (state.KeepRunningBatch(operations * repeats)) threads.round(long_work);
  });
  measuring.include(threads.stop_counting());
  // Not SetItemsProcessed: Google Benchmark would divide by the processor time of this one thread.
  state.counters["items_per_second"] = static_cast<double>(state.iterations()) * threads.size() / taken;
}

deep_thread::deep_thread(std::size_t held_bytes, std::size_t room_bytes) : held_bytes_(held_bytes) {
  pthread_attr_t attributes;
  if (const int error = ::pthread_attr_init(&attributes); error != 0)
    throw std::system_error(error, std::generic_category(), "attributes of a thread");
  const std::size_t stack = (held_bytes + room_bytes + stack_overhead + page - 1) / page * page;
  int error = ::pthread_attr_setstacksize(&attributes, stack);
  if (error == 0) error = ::pthread_create(&thread_, &attributes, enter, this);
  ::pthread_attr_destroy(&attributes);
  if (error != 0)
    throw std::system_error(error, std::generic_category(), "a stack of " + std::to_string(stack) + " bytes");
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return held_ != nullptr; });
}

deep_thread::~deep_thread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  ::pthread_join(thread_, nullptr);
}

void* deep_thread::enter(void* self) {
  auto& thread = *static_cast<deep_thread*>(self);
  auto* const block = static_cast<std::byte*>(__builtin_alloca(thread.held_bytes_ + page));
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  thread.serve(block + (page - address % page) % page);
  return nullptr;
}

void deep_thread::serve(std::byte* held) {
  std::unique_lock lock(mutex_);
  held_ = held;
  changed_.notify_all();
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || work_ != nullptr; });
    if (ending_) return;
    lock.unlock();
    try {
      (*work_)();
    } catch (...) {
      thrown_ = std::current_exception();
    }
    lock.lock();
    work_ = nullptr;
    changed_.notify_all();
  }
}

void deep_thread::run(const std::function<void()>& work) {
  std::unique_lock lock(mutex_);
  work_ = &work;
  changed_.notify_all();
  changed_.wait(lock, [this] { return work_ == nullptr; });
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

stack_room::stack_room(std::size_t bytes) {
  if (bytes + stack_overhead > stack_left()) deep_.emplace(0, bytes);
}

void stack_room::run(const std::function<void()>& work) {
  if (deep_)
    deep_->run(work);
  else
    work();
}

}  // namespace stackheap

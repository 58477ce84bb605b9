// What do the same operations cost by a program that shares nothing with the suite: neither its harness, nor Google
// Benchmark, nor its clock? For scripts/verify. Prints the benchmarks that it repeats, or the nanoseconds of one of them
// and of a cache line's trip between its threads.
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iterator>
#include <list>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace {

double trip = 0;  ///< nanoseconds of a cache line's way from one thread to another; 0 where there was one thread

double now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// The median of five timings of at least 20 ms, by operation.
template <class Round>
double time_of(std::size_t operations, Round round) {
  double ns[5];
  round();
  for (double& timing : ns) {
    std::size_t rounds = 0;
    const double start = now_ns();
    do round(), ++rounds;
    while (now_ns() - start < 20e6);
    timing = (now_ns() - start) / static_cast<double>(rounds * operations);
  }
  std::sort(std::begin(ns), std::end(ns));
  return ns[2];
}

template <class Value>
Value opaque(Value value) {
  asm volatile("" : "+r"(value) : : "memory");
  return value;
}
void used(const void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

/// Without a loop around each of the steps, whose own instructions would be timed too.
template <class Step>
[[gnu::always_inline]] inline void sixteen(Step step) {
  step(), step(), step(), step(), step(), step(), step(), step();
  step(), step(), step(), step(), step(), step(), step(), step();
}

constexpr std::size_t many = 4096;
constexpr std::size_t line = 64;

// Frames and slots of the stack

template <std::size_t Bytes>
[[gnu::noinline, gnu::aligned(64)]] void leaf() {
  char locals[Bytes + 1];
  asm volatile("" : "=m"(locals));
}
template <>
[[gnu::noinline, gnu::aligned(64)]] void leaf<0>() { asm volatile(""); }

template <std::size_t Bytes>
[[gnu::noinline, gnu::aligned(64)]] void calling() {
  char locals[Bytes];
  asm volatile("" : "=m"(locals));
  leaf<0>();
  asm volatile("" : : "m"(locals));
}
template <>
[[gnu::noinline, gnu::aligned(64)]] void calling<0>() {
  leaf<0>();
  asm volatile("");
}

template <void (*Function)()>
[[gnu::noinline, gnu::aligned(64)]] void call_often() {
  for (std::size_t i = 0; i < many; i += 16) sixteen([]() __attribute__((always_inline)) { Function(); });
}
template <void (*Function)()>
double call() { return time_of(many, call_often<Function>); }

/// The slot and the value are locals of this function: some processors recognise only slots relative to the stack pointer.
template <class Stored, class Loaded>
[[gnu::noinline]] std::uint64_t spill_often(std::uint64_t value, std::uint64_t addend) {
  std::uint64_t slot = 0;
  const auto step = [&]() __attribute__((always_inline)) {
    const auto stored = static_cast<Stored>(value);
    Loaded loaded;
    std::memcpy(&slot, &stored, sizeof stored);
    asm volatile("" : "+m"(slot));
    std::memcpy(&loaded, &slot, sizeof loaded);
    value = loaded + addend;
    asm volatile("" : "+r"(value));
  };
  for (std::size_t i = 0; i < many; i += 16) sixteen(step);
  return value;
}
template <class Stored, class Loaded>
double spill() {
  std::uint64_t value = 0;
  const std::uint64_t addend = opaque<std::uint64_t>(1);
  return time_of(many, [&] { value = spill_often<Stored, Loaded>(value, addend); });
}

[[gnu::noinline]] std::uint64_t add_often(std::uint64_t value, std::uint64_t addend) {
  const auto step = [&]() __attribute__((always_inline)) {
    value += addend;
    asm volatile("" : "+r"(value));
  };
  for (std::size_t i = 0; i < many; i += 16) sixteen(step);
  return value;
}
double add_only() {
  std::uint64_t value = 0;
  const std::uint64_t addend = opaque<std::uint64_t>(1);
  return time_of(many, [&] { value = add_often(value, addend); });
}

// 64 bytes, taken and given back. Where a call and its loop lie decides on a cycle: the functions begin a line.

[[gnu::noinline, gnu::aligned(64)]] void on_stack(std::size_t) {
  char block[64];
  block[0] = 1;
  used(block);
}
[[gnu::noinline, gnu::aligned(64)]] void by_alloca(std::size_t bytes) {
  char* const block = static_cast<char*>(__builtin_alloca(bytes));
  block[0] = 1;
  used(block);
}
[[gnu::noinline, gnu::aligned(64)]] void by_malloc(std::size_t bytes) {
  char* const block = static_cast<char*>(std::malloc(bytes));
  block[0] = 1;
  used(block);
  std::free(block);
}

[[gnu::noinline, gnu::aligned(64)]] void idly(std::size_t) {
  static char block[64];
  block[0] = 1;
  used(block);
}
char* next_in_arena = static_cast<char*>(std::malloc(4096));
[[gnu::noinline, gnu::aligned(64)]] void from_arena(std::size_t bytes) {
  char* const block = next_in_arena;
  next_in_arena += (bytes + 15) / 16 * 16;
  block[0] = 1;
  used(block);
  next_in_arena = block;
}

template <void (*Take)(std::size_t)>
double take_64() {
  std::vector<std::unique_ptr<char[]>> live;
  for (int i = 0; i < 8; ++i) live.push_back(std::make_unique<char[]>(64));
  const std::size_t bytes = opaque<std::size_t>(64);
  return time_of(many, [=] {
    for (std::size_t i = 0; i < many; i += 2) Take(bytes), Take(bytes);  // as the compiler unrolls the suite's loop
  });
}

// Blocks that two threads replace

constexpr std::size_t drawn = std::size_t{1} << 14;

/// 1,000 live blocks and what replaces them, drawn beforehand.
class live_blocks {
 public:
  explicit live_blocks(int seed) {
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    std::uniform_int_distribution<std::uint32_t> size(16, 1024), slot(0, 999);
    for (block& fresh : blocks_) take(fresh, size(random));
    for (replacement& next : script_) next = {slot(random), size(random)};
  }
  ~live_blocks() {
    for (const block& old : blocks_) std::free(old.start);
  }
  live_blocks(const live_blocks&) = delete;
  live_blocks& operator=(const live_blocks&) = delete;

  void replace() {
    for (const replacement& next : script_) {
      block& old = blocks_[next.slot];
      std::free(old.start);
      take(old, next.bytes);
    }
  }

 private:
  struct block {
    char* start;
    std::size_t bytes;
  };
  struct replacement {
    std::uint32_t slot, bytes;
  };
  static void take(block& fresh, std::uint32_t bytes) {
    fresh = {static_cast<char*>(std::malloc(bytes)), bytes};
    *fresh.start = 1;
    used(fresh.start);
  }

  std::vector<block> blocks_ = std::vector<block>(1000);
  std::vector<replacement> script_ = std::vector<replacement>(drawn);
};

/// Two threads, each on a processor of its own. Each makes its work, and does it `rounds` times, from one moment on, until
/// both are done: the median of five timings, by operation of one thread. Before, a cache line goes to and fro.
template <class Make>
double by_two(std::size_t operations, std::size_t rounds, Make make) {
  std::barrier both(2);
  std::atomic<int> ball{0};
  double from[5][2], until[5][2], ns[5];
  const auto run = [&](int thread) {
    cpu_set_t allowed, own;
    sched_getaffinity(0, sizeof allowed, &allowed);
    CPU_ZERO(&own);
    for (int cpu = 0, left = thread; cpu < CPU_SETSIZE && left >= 0; ++cpu)
      if (CPU_ISSET(cpu, &allowed) && left-- == 0) CPU_SET(cpu, &own);
    sched_setaffinity(0, sizeof own, &own);
    constexpr int trips = 20'000;
    for (int i = thread; i < trips; i += 2) {
      for (int readings = 0; ball.load(std::memory_order_acquire) != i;)
        if (++readings > 1000) std::this_thread::yield();  // both may be on one processor
      if (i == trips / 2) trip = now_ns();
      if (i == trips - 2) trip = (now_ns() - trip) / (0.5 * trips - 2);
      ball.store(i + 1, std::memory_order_release);
    }
    const auto work = make(thread);
    work();
    for (int timing = 0; timing < 5; ++timing) {
      both.arrive_and_wait();
      from[timing][thread] = now_ns();
      for (std::size_t i = 0; i < rounds; ++i) work();
      until[timing][thread] = now_ns();
    }
  };
  std::thread first(run, 0), second(run, 1);
  first.join(), second.join();
  for (int i = 0; i < 5; ++i)
    ns[i] = (std::max(until[i][0], until[i][1]) - std::min(from[i][0], from[i][1])) / static_cast<double>(rounds * operations);
  std::sort(std::begin(ns), std::end(ns));
  return ns[2];
}

// Blocks that one thread allocates and another frees

/// A ring of 256 blocks. Each end has its own count, and reads the other's only when it has no more to do.
struct ring {
  struct alignas(128) end {
    std::atomic<std::size_t> shown{0};
    std::size_t done = 0, seen = 0;
  };
  /// Reads until the other end has come on; after 100 readings another thread may need the processor.
  static void look(const end& other, end& own, std::size_t without) {
    for (int readings = 0; own.seen == without; own.seen = other.shown.load(std::memory_order_acquire))
      if (++readings > 100) std::this_thread::yield();
  }
  void put(void* block) {
    look(out, in, in.done - std::size(blocks));
    blocks[in.done % std::size(blocks)] = block;
    in.shown.store(++in.done, std::memory_order_release);
  }
  void* get() {
    look(in, out, out.done);
    void* const block = blocks[out.done % std::size(blocks)];
    out.shown.store(++out.done, std::memory_order_release);
    return block;
  }
  end in, out;
  alignas(128) void* blocks[256] = {};
};

double hand_on() {
  constexpr std::size_t blocks = 4096;
  ring between;
  return by_two(blocks, 50, [&](int thread) {
    return [&between, thread] {
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < blocks; ++i)
        if (thread == 0) {
          void* const block = std::malloc(64);
          *static_cast<std::uint64_t*>(block) = i;
          used(block);
          between.put(block);
        } else {
          void* const block = between.get();
          sum += *static_cast<std::uint64_t*>(block);
          std::free(block);
        }
      if (thread == 1 && sum != blocks * (blocks - 1) / 2) std::abort();
    };
  });
}

double replace_by_two() {
  return by_two(drawn, 50, [](int thread) {
    return [blocks = std::make_shared<live_blocks>(thread)] { blocks->replace(); };
  });
}

// The calls of made_up.shr: 256 blocks, of which one drawn at random is freed and taken anew, 4,096 times; then all are freed

struct recorded_call {
  enum { take, take_zeroed, grow, give_back, nothing } kind;
  std::uint32_t slot, bytes;
};

/// Through pointers: a call through the linkage table is a jump more.
[[gnu::noinline]] void make(const std::vector<recorded_call>& calls, char** blocks) {
  void* (*const take)(std::size_t) = opaque(&std::malloc);
  void (*const give_back)(void*) = opaque(&std::free);
  for (const recorded_call& next : calls) {
    char*& block = blocks[next.slot];
    switch (next.kind) {
      case recorded_call::take: block = static_cast<char*>(take(next.bytes)), block[0] = 1, used(block); break;
      case recorded_call::take_zeroed: block = static_cast<char*>(std::calloc(1, next.bytes)), block[0] = 1, used(block); break;
      case recorded_call::grow: block = static_cast<char*>(std::realloc(block, next.bytes)), block[0] = 1, used(block); break;
      case recorded_call::give_back: give_back(block); break;
      case recorded_call::nothing: used(block);
    }
  }
}

double replay() {
  constexpr std::uint32_t live = 256;
  std::uint64_t random = 1;
  const auto draw = [&](std::uint64_t bound) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>((random >> 33) % bound);
  };
  std::vector<recorded_call> calls;
  for (std::uint32_t slot = 0; slot < live; ++slot) calls.push_back({recorded_call::take, slot, 16 + draw(1009)});
  for (std::uint32_t i = 0; i < 4096; ++i) {
    const std::uint32_t slot = draw(live);
    calls.push_back({recorded_call::give_back, slot, 0});
    calls.push_back({recorded_call::take, slot, 16 + draw(1009)});
  }
  for (std::uint32_t slot = 0; slot < live; ++slot) calls.push_back({recorded_call::give_back, slot, 0});
  std::vector<char*> blocks(live);
  std::thread([] {}).join();  // from then on glibc's malloc costs more
  return time_of(calls.size(), [&] { make(calls, blocks.data()); });
}

// A single call

#if defined(__x86_64__)
std::uint64_t ticks() {
  std::uint32_t low, high;
  asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
  return std::uint64_t{high} << 32 | low;
}
/// The mean of the calls that take no longer than nine in ten do, and a step of the counter longer; nothing is subtracted.
template <bool Idle>
double one_malloc() {
  unsigned a, b, c, d;
  if (__get_cpuid(0x80000007, &a, &b, &c, &d) == 0 || (d & 1U << 8) == 0) return 0;  // the counter does not tick evenly
  const double start_ns = now_ns();
  const std::uint64_t start = ticks();
  while (now_ns() - start_ns < 5e6) {}
  const double ns = (now_ns() - start_ns) / static_cast<double>(ticks() - start);
  std::mt19937_64 random(3);
  std::vector<void*> blocks(1000);
  for (void*& block : blocks) block = std::memset(std::malloc(64), 1, 64);
  std::vector<std::uint32_t> slots(std::size_t{1} << 16);
  for (std::uint32_t& slot : slots) slot = static_cast<std::uint32_t>(random() % blocks.size());
  std::vector<std::uint64_t> taken(100'000);
  std::uint64_t step = 0;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    void*& block = blocks[slots[i % slots.size()]];
    if (!Idle) std::free(block);
    const std::uint64_t before = ticks();
    void* const fresh = Idle ? opaque(block) : std::malloc(64);
    taken[i] = ticks() - before;
    *static_cast<char*>(block = fresh) = 1;
    used(block);
    step = std::gcd(step, taken[i]);
  }
  std::sort(taken.begin(), taken.end());
  const auto end = std::upper_bound(taken.begin(), taken.end(), taken[taken.size() * 9 / 10] + step);
  return std::accumulate(taken.begin(), end, 0.0) / static_cast<double>(end - taken.begin()) * ns;
}
#endif

// Loads

/// Lines of a block from malloc, which begins like the suite's at a multiple of a line.
template <class Line>
class lines {
 public:
  explicit lines(std::size_t bytes) : memory_(static_cast<char*>(std::malloc(bytes + line))) {
    std::memset(memory_.get(), 0, bytes + line);
    const auto start = reinterpret_cast<std::uintptr_t>(memory_.get());
    first_ = reinterpret_cast<Line*>((start + line - 1) / line * line);
  }
  Line& operator[](std::size_t i) { return first_[i]; }

 private:
  struct release { void operator()(char* block) const { std::free(block); } };
  std::unique_ptr<char, release> memory_;
  Line* first_;
};

enum class walk { at_random, in_order, in_windows };

/// Each round goes on with another of eight random cycles through all lines, other cycles in each process: a prefetcher
/// that learns the few orders of the suite would make the suite's memory look nearer than this. One cycle suffices where
/// all rounds together do not come round it. In windows: all lines of 64 pages, before other pages.
template <std::size_t Bytes, walk Order = walk::at_random>
double chase() {
  constexpr std::size_t count = Bytes / line, cycles = Order == walk::at_random && Bytes <= 64 << 20 ? 8 : 1;
  constexpr std::size_t loads = std::max(std::min(count, std::size_t{1} << 19), many), window = 4096 / line * 64;
  struct alignas(line) crossing {
    void* next[cycles];  // to the same place in another line: an index would lengthen each load
  };
  lines<crossing> all(Bytes);
  std::mt19937_64 random(std::random_device{}());
  std::vector<std::uint32_t> order(count), windows(count / window);
  std::iota(order.begin(), order.end(), 0);
  std::iota(windows.begin(), windows.end(), 0);
  std::shuffle(windows.begin(), windows.end(), random);
  void* at[cycles];
  for (std::size_t cycle = 0; cycle < cycles; ++cycle) {
    if (Order == walk::at_random) std::shuffle(order.begin(), order.end(), random);
    if (Order == walk::in_windows)
      for (std::size_t i = 0; i < windows.size(); ++i) {
        const auto first = order.begin() + static_cast<std::ptrdiff_t>(i * window), last = first + window;
        std::iota(first, last, static_cast<std::uint32_t>(windows[i] * window));
        std::shuffle(first, last, random);
      }
    for (std::size_t i = 0; i < count; ++i) all[order[i]].next[cycle] = &all[order[(i + 1) % count]].next[cycle];
    at[cycle] = &all[0].next[cycle];
  }
  std::size_t round = 0;
  return time_of(loads, [&] {
    void* walker = at[round % cycles];
    for (std::size_t i = 0; i < loads; ++i) walker = *static_cast<void**>(walker);
    used(walker);
    at[round++ % cycles] = walker;
  });
}

struct alignas(line) node {
  node* next;
  std::uint64_t value;
};

/// Values at the end of `Depth` pointers, whose nodes are scattered over 64 MiB.
template <std::size_t Depth>
double reach() {
  constexpr std::size_t values = std::size_t{1} << 17;
  constexpr std::size_t count = std::size_t{1} << 20;
  std::mt19937_64 random(7);
  lines<node> all(count * line);
  std::vector<std::uint32_t> place(count);
  std::iota(place.begin(), place.end(), 0);
  std::shuffle(place.begin(), place.end(), random);
  std::vector<node*> ways(values);
  for (std::size_t i = 0; i < values; ++i) {
    ways[i] = &all[place[i]];
    for (std::size_t level = 0; level + 1 < Depth; ++level)
      all[place[level * values + i]].next = &all[place[(level + 1) * values + i]];
  }
  return time_of(values, [&] {
    for (node* at : ways) {
      for (std::size_t level = 1; level < Depth; ++level) at = at->next;
      asm volatile("" : : "r"(at->value));
    }
  });
}

template <std::size_t Bytes>
struct element {
  std::uint64_t key;
  char rest[Bytes - 8];
};
template <>
struct element<8> {
  std::uint64_t key;
};
template <class Container>
double visit(Container& elements) {
  std::uint64_t sum = 0;
  return time_of(elements.size(), [&] {
    for (const auto& visited : elements) sum += visited.key;
    used(&sum);
  });
}
template <std::size_t Count, std::size_t Bytes>
double visit_vector() {
  std::vector<element<Bytes>> elements(Count);
  return visit(elements);
}
template <std::size_t Count, std::size_t Bytes>
double visit_list() {
  std::list<element<Bytes>> elements(Count);
  return visit(elements);
}
/// The nodes were made in order, and are linked in a random order.
template <std::size_t Count, std::size_t Bytes>
double visit_shuffled_list() {
  std::list<element<Bytes>> elements(Count);
  std::vector<typename std::list<element<Bytes>>::iterator> nodes;
  for (auto made = elements.begin(); made != elements.end(); ++made) nodes.push_back(made);
  std::shuffle(nodes.begin(), nodes.end(), std::mt19937_64(std::random_device{}()));
  for (const auto made : nodes) elements.splice(elements.end(), elements, made);
  return visit(elements);
}

// The system

double first_write() {
  constexpr std::size_t bytes = std::size_t{64} << 20, page = 4096;
  std::vector<double> passes;
  for (int pass = 0; pass < 3; ++pass) {
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 0;
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    const double start = now_ns();
    for (std::size_t i = 0; i < bytes / page; ++i) static_cast<volatile char*>(memory)[i * page + i % 64 * line] = 1;
    passes.push_back((now_ns() - start) * page / bytes);
    munmap(memory, bytes);
  }
  std::sort(passes.begin(), passes.end());
  return passes[1];
}

double start_thread() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, std::size_t{1} << 16);
  const double ns = time_of(1, [&] {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, [](void*) -> void* { return nullptr; }, nullptr) == 0) pthread_join(thread, nullptr);
  });
  pthread_attr_destroy(&attributes);
  return ns;
}

// Passing

[[gnu::noinline]] void keep(std::vector<int> given, std::vector<int>& kept) {
  kept = std::move(given);
  used(&kept);
}
double copy_vector() {
  std::vector<int> here(1000, 42), there(here);
  return time_of(2, [&] {
    keep(here, there);
    keep(there, here);
  });
}

constexpr std::pair<const char*, double (*)()> repeated[] = {
    {"frame/none/leaf:yes", call<leaf<0>>},
    {"frame/none/leaf:no", call<calling<0>>},
    {"frame/bytes:4096/leaf:yes/protection:plain", call<leaf<4095>>},
    {"frame/bytes:4096/leaf:no/protection:plain", call<calling<4096>>},
    {"spill/reload:register", add_only},
    {"spill/reload:same", spill<std::uint64_t, std::uint64_t>},
    {"spill/reload:narrower", spill<std::uint64_t, std::uint32_t>},
    {"spill/reload:wider", spill<std::uint32_t, std::uint64_t>},
    {"scoped/none/bytes:64/touch:first", take_64<idly>},
    {"scoped/arena/bytes:64/touch:first", take_64<from_arena>},
    {"scoped/stack_array/bytes:64/touch:first", take_64<on_stack>},
    {"scoped/alloca/bytes:64/touch:first", take_64<by_alloca>},
    {"scoped/glibc/bytes:64/touch:first", take_64<by_malloc>},
    {"chase/bytes:16384/order:random/home:heap", chase<16384>},
    {"chase/bytes:131072/order:random/home:heap", chase<131072>},
    {"chase/bytes:524288/order:random/home:heap", chase<524288>},
    {"chase/bytes:4194304/order:random/home:heap", chase<4194304>},
    {"chase/bytes:67108864/order:random/home:heap", chase<67108864>},
    {"chase/bytes:67108864/order:random/home:heap/window:64p", chase<67108864, walk::in_windows>},
    {"chase/bytes:67108864/order:sequential/home:heap", chase<67108864, walk::in_order>},
    {"chase/bytes:268435456/order:random/home:heap", chase<268435456>},
    {"chase/bytes:268435456/order:random/home:heap/window:64p", chase<268435456, walk::in_windows>},
    {"indirection/depth:3/layout:scattered", reach<3>},
    {"traverse/vector/count:1000/payload:64", visit_vector<1000, 64>},
    {"traverse/list/count:1000/payload:64", visit_list<1000, 64>},
    {"traverse/vector/count:100000/payload:8", visit_vector<100000, 8>},
    {"traverse/list_shuffled/count:100000/payload:8", visit_shuffled_list<100000, 8>},
    {"first_touch/home:mmap/touch:first", first_write},
    {"thread_start/cached_stack/bytes:65536/touch:none/core:any", start_thread},
    {"pass/type:vector_1000/how:copy", copy_vector},
    {"private/glibc/threads:2", replace_by_two},
    {"replay/glibc/recording:made_up", replay},
    {"handoff/glibc/pairs:1", hand_on},
#if defined(__x86_64__)
    {"latency/none/bytes:64/op:malloc", one_malloc<true>},
    {"latency/glibc/bytes:64/op:malloc", one_malloc<false>},
#endif
};

}  // namespace

int main(int count, char** arguments) {
  for (const auto& [name, measure] : repeated)
    if (count < 2) std::printf("%s\n", name);
    else if (std::strcmp(arguments[1], name) == 0) return std::printf("%.6g", measure()) < 0 || std::printf(" %.6g\n", trip) < 0;
  return count < 2 ? 0 : 2;
}

// What do the same operations cost by a program that shares nothing with the suite: neither its harness, nor Google
// Benchmark, nor its clock? For scripts/verify. Prints the benchmarks that it repeats, or the nanoseconds of one of them.
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
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
#include <utility>
#include <vector>

namespace {

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

// 64 bytes, taken and given back

[[gnu::noinline]] void on_stack(std::size_t) {
  char block[64];
  block[0] = 1;
  used(block);
}
[[gnu::noinline]] void by_alloca(std::size_t bytes) {
  char* const block = static_cast<char*>(__builtin_alloca(bytes));
  block[0] = 1;
  used(block);
}
[[gnu::noinline]] void by_malloc(std::size_t bytes) {
  char* const block = static_cast<char*>(std::malloc(bytes));
  block[0] = 1;
  used(block);
  std::free(block);
}

template <void (*Take)(std::size_t)>
double take_64() {
  std::vector<std::unique_ptr<char[]>> live;
  for (int i = 0; i < 8; ++i) live.push_back(std::make_unique<char[]>(64));
  const std::size_t bytes = opaque<std::size_t>(64);
  return time_of(many, [=] {
    for (std::size_t i = 0; i < many; ++i) Take(bytes);
  });
}

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

/// Each round follows another of eight random cycles through all lines, other cycles in each process: a prefetcher that
/// learns the few orders of the suite would make the suite's memory look nearer than this.
template <std::size_t Bytes>
double chase() {
  constexpr std::size_t count = Bytes / line, cycles = 8, tours = std::max<std::size_t>(1, many / count);
  struct alignas(line) crossing {
    void* next[cycles];  // to the same place in another line: an index would lengthen each load
  };
  lines<crossing> all(Bytes);
  std::mt19937_64 random(std::random_device{}());
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t cycle = 0; cycle < cycles; ++cycle) {
    std::shuffle(order.begin(), order.end(), random);
    for (std::size_t i = 0; i < count; ++i) all[order[i]].next[cycle] = &all[order[(i + 1) % count]].next[cycle];
  }
  std::size_t round = 0;
  return time_of(tours * count, [&] {
    void* at = &all[0].next[round++ % cycles];
    for (std::size_t i = 0; i < tours * count; ++i) at = *static_cast<void**>(at);
    used(at);
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

struct element {
  std::uint64_t key;
  char rest[56];
};
template <class Container>
double visit(Container& elements) {
  std::uint64_t sum = 0;
  return time_of(elements.size(), [&] {
    for (const element& visited : elements) sum += visited.key;
    used(&sum);
  });
}
double visit_vector() {
  std::vector<element> elements(1000);
  return visit(elements);
}
double visit_list() {
  std::list<element> elements(1000);
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
    {"scoped/stack_array/bytes:64/touch:first", take_64<on_stack>},
    {"scoped/alloca/bytes:64/touch:first", take_64<by_alloca>},
    {"scoped/glibc/bytes:64/touch:first", take_64<by_malloc>},
    {"chase/bytes:16384/order:random/home:heap", chase<16384>},
    {"chase/bytes:67108864/order:random/home:heap", chase<67108864>},
    {"indirection/depth:3/layout:scattered", reach<3>},
    {"traverse/vector/count:1000/payload:64", visit_vector},
    {"traverse/list/count:1000/payload:64", visit_list},
    {"first_touch/home:mmap/touch:first", first_write},
    {"thread_start/cached_stack/bytes:65536/touch:none/core:any", start_thread},
    {"pass/type:vector_1000/how:copy", copy_vector},
};

}  // namespace

int main(int count, char** arguments) {
  for (const auto& [name, measure] : repeated)
    if (count < 2) std::printf("%s\n", name);
    else if (std::strcmp(arguments[1], name) == 0) return std::printf("%.6g\n", measure()) < 0;
  return count < 2 ? 0 : 2;
}

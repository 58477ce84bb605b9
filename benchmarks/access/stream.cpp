// Is data on the heap slower to read than the same data in other storage?
#include <numeric>

#include "by_turns.hpp"
#include "family.hpp"
#include "placed_array.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

struct fixture {
  fixture(storage kind, std::size_t bytes) : at(kind, bytes), count(bytes / sizeof(std::uint64_t)) {
    at.run([&] { std::iota(values(), values() + count, std::uint64_t{0}); });
    if (sum() != std::uint64_t{count} * (count - 1) / 2) throw verification_error("the sum is wrong");
    huge_share = at.huge_share();
  }

  std::uint64_t* values() const { return reinterpret_cast<std::uint64_t*>(at.data()); }
  std::uint64_t sum() const { return std::accumulate(values(), values() + count, std::uint64_t{0}); }

  placed_array at;
  std::size_t count;
  double huge_share = -1;
};

void sum_up(benchmark::State& state, fixture& in) {
  {
    const measured measuring(state);
    for (auto _ : state) {
      escape(in.values());
      keep(in.sum());
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(in.at.bytes()));
  if (in.huge_share >= 0) state.counters["huge_share"] = in.huge_share;
}

/// The same array on the stack and on the heap.
struct both {
  explicit both(std::size_t bytes) : on_stack(storage::stack, bytes), on_heap(storage::heap, bytes) {}
  fixture on_stack, on_heap;
};

void sum_up_by_turns(benchmark::State& state, both& in) {
  const auto passes = std::max<std::int64_t>(1, (std::int64_t{1} << 20) / static_cast<std::int64_t>(in.on_heap.at.bytes()));
  const auto sum_of = [=](const fixture& array) {
    for (std::int64_t pass = 0; pass < passes; ++pass) {
      escape(array.values());
      keep(array.sum());
    }
  };
  time_by_turns(state, passes, in.on_stack, in.on_heap, sum_of);
  if (in.on_heap.huge_share >= 0) state.counters["huge_share"] = in.on_heap.huge_share;
}

const family stream({
    .question = "Is an array on the heap slower to read than the same array elsewhere?",
    .operation = "the sum of a contiguous array of n bytes, eight bytes an element",
    .untimed = "filling the array; one checked sum",
    .heap = "does not matter: the memory is one block",
    .held_against = "home:static: the same sum over an array that nothing allocates",
    .controls = "home:static$",
    .unfairness = "Every array is aligned to 4 KiB and every page was written once. An array on huge pages is faster "
                  "for that reason alone: huge_share is the share that the kernel granted. homes:stack_and_heap reads "
                  "two arrays by turns, and stack_ns and heap_ns are the times of each; its huge_share is the heap's.",
    .core = {"^stream/bytes:1048576/home:(stack|heap)$"},
    .least_times = {{"stream/bytes:16384/", 60}},
    .past_second_cache = "bytes:([2-9][0-9]{6}|[0-9]{8,})/",
}, [](benchmark_registry& registry) {
  for (const std::size_t bytes : registry.pick<std::size_t>({16 << 10}, {16 << 10, 1 << 20, 64 << 20},
                                                        {4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20,
                                                         64 << 20, 256 << 20}))
    for (const storage kind : every_storage)
      registry.add(
          "", {{"bytes", bytes}, {"home", name_of(kind)}}, [=] { return std::make_shared<fixture>(kind, bytes); },
          [](benchmark::State& state, fixture& in) { in.at.run([&] { sum_up(state, in); }); });
  for (const std::size_t bytes : registry.pick<std::size_t>({16 << 10}, {16 << 10, 64 << 20}, {16 << 10, 64 << 20}))
    registry.add(
        "", {{"bytes", bytes}, {"homes", both_homes}}, [=] { return std::make_shared<both>(bytes); },
        [](benchmark::State& state, both& in) { in.on_stack.at.run([&] { sum_up_by_turns(state, in); }); });
});

}  // namespace
}  // namespace stackheap

// The same layout in another home: is data on the heap slower to use?
#include <numeric>

#include "family.hpp"
#include "homes.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

struct world {
  world(home where, std::size_t bytes) : at(where, bytes), count(bytes / sizeof(std::uint64_t)) {
    at.run([&] { std::iota(values(), values() + count, std::uint64_t{0}); });
    if (sum() != std::uint64_t{count} * (count - 1) / 2) throw wrong_work("the sum is wrong");
    huge_share = at.huge_share();
  }

  std::uint64_t* values() const { return reinterpret_cast<std::uint64_t*>(at.data()); }
  std::uint64_t sum() const { return std::accumulate(values(), values() + count, std::uint64_t{0}); }

  residence at;
  std::size_t count;
  double huge_share = -1;
};

void sum_up(benchmark::State& state, world& in) {
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

const family stream({
    .question = "Is an array on the heap slower to read than the same array elsewhere?",
    .operation = "the sum of a contiguous array of n bytes, eight bytes an element",
    .untimed = "filling the array, and one sum checked",
    .heap = "does not matter: the memory is one block",
    .unfairness = "All homes are aligned to 4 KiB and every page was written once. A home that got huge pages is faster for "
                  "that alone: huge_share says what each was granted.",
}, [](enrolment& into) {
  for (const std::size_t bytes : into.pick<std::size_t>({16 << 10}, {16 << 10, 1 << 20, 64 << 20},
                                                        {4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20,
                                                         64 << 20, 256 << 20}))
    for (const home where : every_home)
      into.add(
          "", {{"bytes", bytes}, {"home", name_of(where)}}, [=] { return std::make_shared<world>(where, bytes); },
          [](benchmark::State& state, world& in) { in.at.run([&] { sum_up(state, in); }); });
});

}  // namespace
}  // namespace stackheap

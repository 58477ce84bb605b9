// What does it cost to reach memory, when each address is known only once the one before has arrived?
#include <vector>

#include "chain.hpp"
#include "homes.hpp"
#include "measure.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t stride = 4096;  ///< loads between two looks at whether to go on

struct world {
  world(home where, std::size_t bytes, bool random) : at(where, bytes) {
    std::vector<std::uint32_t> next;
    if (random) {
      generator draw(seed);
      next = random_cycle(nodes(), draw);
    }
    auto* const line = reinterpret_cast<chain_node*>(at.data());
    for (std::size_t i = 0; i < nodes(); ++i) line[i].next = line + (random ? next[i] : (i + 1) % nodes());
    chain_node* walker = line;
    for (std::size_t step = 0; step < nodes(); ++step, walker = walker->next) walker->place = step;
    position = line;
    at.run([&] { verify_full_cycle(); });
    huge_share = at.huge_share();
  }

  /// The walk returns to its start after every node and not before. It also brings into the caches what fits there.
  void verify_full_cycle() const {
    std::size_t steps = 0;
    const chain_node* walker = position;
    do {
      walker = walker->next;
      ++steps;
    } while (walker != position && steps <= nodes());
    if (steps != nodes()) throw wrong_work("the chain is not one full cycle");
  }

  std::size_t nodes() const { return at.bytes() / sizeof(chain_node); }

  residence at;
  const chain_node* position;
  double huge_share = -1;
};

void follow(benchmark::State& state, world& in) {
  const chain_node* walker = in.position;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(stride))
      for (std::int64_t i = 0; i < stride; ++i) walker = walker->next;
    keep(walker);
  }
  verify_steps(in.position, walker, state.iterations(), in.nodes());
  in.position = opaque(walker);  // the next call goes on from here, so that large sets are walked through
  if (in.huge_share >= 0) state.counters["huge_share"] = in.huge_share;
}

void enroll_chase(enrolment& into, std::size_t bytes, bool random, home where) {
  into.add(
      "", {{"bytes", bytes}, {"order", random ? "random" : "sequential"}, {"home", name_of(where)}},
      [=] { return std::make_shared<world>(where, bytes, random); },
      [](benchmark::State& state, world& in) { in.at.run([&] { follow(state, in); }); });
}

const family chase({
    .question = "What does it cost to reach memory, by how much of it there is, in which order and where it lives?",
    .operation = "one load whose address is the result of the load before it; one node a 64-byte line",
    .untimed = "building the chain; walking it once whole, which proves that it is one cycle and warms the caches",
    .heap = "does not matter: the memory is one block",
    .unfairness = "A home that got huge pages is faster for that alone: huge_share says what each was granted. The random "
                  "order is one cycle through all lines, so that no prefetcher can know the next. Past the caches a short run "
                  "walks only part of the set, which was warmed as a whole before.",
}, [](enrolment& into) {
  const auto sizes = into.pick<std::size_t>(
      {16 << 10, 1 << 20},
      {4 << 10, 16 << 10, 32 << 10, 128 << 10, 512 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20},
      {4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20,
       16 << 20, 32 << 20, 64 << 20, 128 << 20, 256 << 20, 1 << 30});
  for (const std::size_t bytes : sizes)
    for (const bool random : {true, false})
      for (const home where : every_home) {
        if (where == home::statik && bytes > static_bytes) continue;
        const bool few = where != home::heap && bytes != (16 << 10) && bytes != (1 << 20) && bytes != (64 << 20);
        const bool long_way = !random && bytes > (64 << 20);
        // To link and walk a chain of a gigabyte takes ten seconds.
        if (bytes > (256 << 20) && where != home::heap && (where != home::mmap_thp || !random)) continue;
        if (into.chosen() == profile::quick && (few || long_way || (where != home::heap && !random))) continue;
        enroll_chase(into, bytes, random, where);
      }
});

}  // namespace
}  // namespace stackheap

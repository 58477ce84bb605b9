// What does it cost to reach memory when each address is known only after the load before has arrived?
#include "by_turns.hpp"
#include "chain.hpp"
#include "shared_cache.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::size_t window_pages = 64;
constexpr std::size_t window_lines = window_pages * 4096 / sizeof(chain_line);

/// Some processors remember the order of a walk that repeats. A set up to this size is walked in several orders by turns;
/// a larger set is walked so few times that its order is always new.
constexpr std::size_t often_walked_bytes = std::size_t{8} << 20;

/// Loads between two checks of the time in a set past the second-level cache: whole walks, or at least an eighth of the
/// largest set. A few milliseconds would be a moment of a cache that others use too.
constexpr std::int64_t loads_past_second_cache = std::int64_t{1} << 19;

enum class walk { random, sequential, windows };

void append(std::vector<std::uint32_t>& order, const std::vector<std::uint32_t>& lines, std::size_t first) {
  for (const std::uint32_t line : lines) order.push_back(static_cast<std::uint32_t>(first + line));
}

/// The lines in the order of the walk. Windows: in each, all lines at random; the windows at random as well.
std::vector<std::uint32_t> order_of_lines(walk order, std::size_t lines, std::size_t turns) {
  if (order == walk::sequential) return order_of(free_order::fifo, lines);
  generator random(seed);
  std::vector<std::uint32_t> all;
  all.reserve(turns * lines);
  if (order == walk::random) {
    for (std::size_t turn = 0; turn < turns; ++turn) append(all, shuffled(lines, random), turn * lines);
  } else {
    for (const std::size_t window : shuffled(lines / window_lines, random))
      append(all, shuffled(window_lines, random), window * window_lines);
  }
  return all;
}

struct fixture : chain_walk {
  fixture(storage kind, std::size_t bytes, walk order)
      : chain_walk(kind, bytes, bytes / sizeof(chain_line) * turns_of(order, bytes)) {
    const std::size_t count = bytes / sizeof(chain_line);
    const auto node = [=, this](std::size_t i) { return &lines()[i % count].turns[i / count]; };
    start_at(link_cycle(order_of_lines(order, count, nodes / count), node).front());
    if (bytes <= this_machine().cache_bytes(2).value_or(std::size_t{1} << 20)) return;
    stride = loads_past_second_cache;
    if (order == walk::sequential) array.run([&] { go_round(rounds_before_timing - 1); });  // at random it would take seconds
  }

  void go_round(std::size_t rounds) const {
    const chain_node* walker = position;
    for (std::size_t i = 0; i < rounds * nodes; ++i) walker = walker->next;
    keep(walker);
  }

  static std::size_t turns_of(walk order, std::size_t bytes) {
    return order == walk::random && bytes <= often_walked_bytes ? chain_line::most_turns : 1;
  }
};

/// The same chain on the stack and on the heap.
struct both {
  explicit both(std::size_t bytes)
      : on_stack(storage::stack, bytes, walk::random), on_heap(storage::heap, bytes, walk::random) {}
  fixture on_stack, on_heap;
};

void follow_by_turns(benchmark::State& state, both& in) {
  constexpr std::int64_t loads = 16384;  // of a turn: long enough that the sets of both sides may push each other out
  const auto go_on = [](fixture& chain) {
    const chain_node* walker = chain.position;
    for (std::int64_t i = 0; i < loads; ++i) walker = walker->next;
    keep(walker);
    chain.position = walker;
  };
  const chain_node* const starts[] = {in.on_stack.position, in.on_heap.position};
  time_by_turns(state, loads, in.on_stack, in.on_heap, go_on);
  verify_steps(starts[0], in.on_stack.position, state.iterations() / 2, in.on_stack.nodes);
  verify_steps(starts[1], in.on_heap.position, state.iterations() / 2, in.on_heap.nodes);
  if (in.on_heap.huge_share >= 0) state.counters["huge_share"] = in.on_heap.huge_share;
}

void add_chase(benchmark_registry& registry, std::size_t bytes, walk order, storage kind) {
  const parameter size{"bytes", bytes}, home{"home", name_of(kind)};
  const parameter direction{"order", order == walk::sequential ? "sequential" : "random"};
  const auto prepare = [=] { return std::make_shared<fixture>(kind, bytes, order); };
  const auto run = [](benchmark::State& state, fixture& in) { in.array.run([&] { follow(state, in); }); };
  if (order == walk::windows)
    registry.add("", {size, direction, home, {"window", std::to_string(window_pages) + "p"}}, prepare, run);
  else
    registry.add("", {size, direction, home}, prepare, run);
}

const family chase({
    .question = "What does it cost to reach memory, by the size of the set, the order of access and the storage?",
    .operation = "one load whose address is the result of the load before it; the nodes are in lines of 64 bytes, one "
                 "node a line. window:64p: the walk visits all lines of 64 pages, 4,096 loads, before it goes on to "
                 "other pages",
    .untimed = "building the chain; walking it once completely, which proves that it is one cycle and warms the caches; "
               "in order past the second-level cache, seven times more",
    .heap = "does not matter: the memory is one block",
    .held_against = "the set that fits the first cache (bytes:16384, at random): the loop and its load without a "
                    "miss",
    .controls = "^chase/bytes:16384/order:random/home:",
    .unfairness = "Storage on huge pages is faster for that reason alone: huge_share is the share of huge pages that "
                  "the kernel granted; in a virtual machine they may lie on small pages of the host, and then are hardly "
                  "faster. A walk at random through more pages than the TLB holds includes page walks: window:64p is the "
                  "memory almost without them. The random order is one cycle through all lines, so no prefetcher can "
                  "predict the next line; a set up to 8 MiB is walked in four random orders by turns, so that none can "
                  "learn it. A set past the second-level cache is walked for 524,288 loads at least; sets larger than "
                  "32 MiB are walked only in part by a short run, after the whole set was walked once. "
                  "homes:stack_and_heap follows two chains by turns, and stack_ns and heap_ns are the times of each; its "
                  "huge_share is the heap's.",
    .core = {"^chase/bytes:(16384|1048576)/order:random/home:(stack|heap)$"},
    .gate_controls = "^chase/bytes:[0-9]+/order:random/home:heap$",
    .least_times = {{"chase/", 2}},
    .past_second_cache = "bytes:([2-9][0-9]{6}|[0-9]{8,})/",
    // Sets about as large as a second-level cache: without warming, a turn measures how the set comes back into it. Of 1 MiB, on
    // such a cache of 1 MiB: 10.9 ns, pairs spread 6.7 %; with it 8.3 ns and 3.4 %, in 1.6 times the time.
    .warmed = "^chase/bytes:(524288|1048576|2097152)/order:random/",
}, [](benchmark_registry& registry) {
  const auto sizes = registry.pick<std::size_t>(
      {16 << 10, 1 << 20},
      {4 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20, 64 << 20,
       256 << 20},
      {4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20,
       16 << 20, 32 << 20, 64 << 20, 128 << 20, 256 << 20, 1 << 30});
  for (const std::size_t bytes : sizes) {
    for (const walk order : {walk::random, walk::sequential})
      for (const storage kind : every_storage) {
        if (kind == storage::static_data && bytes > static_bytes) continue;
        const bool few = kind != storage::heap && bytes != (16 << 10) && bytes != (1 << 20) && bytes != (64 << 20);
        const bool long_way = order == walk::sequential && bytes > (64 << 20);
        if (bytes > (256 << 20) && kind != storage::heap) continue;  // linking and walking a gigabyte takes seconds
        const bool plain = kind == storage::heap || order == walk::random;
        if (registry.chosen() == profile::quick && (few || long_way || !plain)) continue;
        add_chase(registry, bytes, order, kind);
      }
    if (bytes >= (64 << 20)) add_chase(registry, bytes, walk::windows, storage::heap);
  }
  for (const std::size_t bytes : registry.pick<std::size_t>({16 << 10}, {16 << 10, 64 << 20}, {16 << 10, 64 << 20}))
    registry.add(
        "", {{"bytes", bytes}, {"order", "random"}, {"homes", both_homes}}, [=] { return std::make_shared<both>(bytes); },
        [](benchmark::State& state, both& in) { in.on_stack.array.run([&] { follow_by_turns(state, in); }); });
});

}  // namespace
}  // namespace stackheap

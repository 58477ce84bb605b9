// What does it cost to reach memory when each address is known only after the load before has arrived?
#include "chain.hpp"

namespace stackheap {
namespace {

struct fixture : chain_walk {
  fixture(storage kind, std::size_t bytes, bool random) : chain_walk(kind, bytes, bytes / sizeof(chain_node)) {
    const auto order = order_of(random ? free_order::random : free_order::fifo, nodes);
    start_at(link_cycle(order, [this](std::size_t i) { return lines() + i; }).front());
  }
};

void add_chase(benchmark_registry& registry, std::size_t bytes, bool random, storage kind) {
  registry.add(
      "", {{"bytes", bytes}, {"order", random ? "random" : "sequential"}, {"home", name_of(kind)}},
      [=] { return std::make_shared<fixture>(kind, bytes, random); },
      [](benchmark::State& state, fixture& in) { in.array.run([&] { follow(state, in); }); });
}

const family chase({
    .question = "What does it cost to reach memory, by the size of the set, the order of access and the storage?",
    .operation = "one load whose address is the result of the load before it; the nodes are 64 bytes each, one cache "
                 "line",
    .untimed = "building the chain; walking it once completely, which proves that it is one cycle and warms the caches",
    .heap = "does not matter: the memory is one block",
    .unfairness = "Storage on huge pages is faster for that reason alone: huge_share is the share of huge pages that "
                  "the kernel granted. The random order is one cycle through all lines, so no prefetcher can predict "
                  "the next line. Sets larger than the caches are walked only in part by a short run; the whole set "
                  "was warmed before.",
    .core = {"^chase/bytes:(16384|1048576)/order:random/home:(stack|heap)$"},
    .control = "^chase/bytes:[0-9]+/order:random/home:heap$",
    .least_times = {{"chase/", 2}},
}, [](benchmark_registry& registry) {
  const auto sizes = registry.pick<std::size_t>(
      {16 << 10, 1 << 20},
      {4 << 10, 16 << 10, 32 << 10, 128 << 10, 512 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20},
      {4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20,
       16 << 20, 32 << 20, 64 << 20, 128 << 20, 256 << 20, 1 << 30});
  for (const std::size_t bytes : sizes)
    for (const bool random : {true, false})
      for (const storage kind : every_storage) {
        if (kind == storage::static_data && bytes > static_bytes) continue;
        const bool few = kind != storage::heap && bytes != (16 << 10) && bytes != (1 << 20) && bytes != (64 << 20);
        const bool long_way = !random && bytes > (64 << 20);
        // Linking and walking a chain of a gigabyte takes ten seconds.
        if (bytes > (256 << 20) && kind != storage::heap && (kind != storage::mmap_thp || !random)) continue;
        if (registry.chosen() == profile::quick && (few || long_way || (kind != storage::heap && !random))) continue;
        add_chase(registry, bytes, random, kind);
      }
});

}  // namespace
}  // namespace stackheap

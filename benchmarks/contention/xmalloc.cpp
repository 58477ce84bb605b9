// What does it cost when some threads allocate whole batches and others free them? The workload is that of C. Lever and
// D. Boreham ("malloc() performance in a multithreaded Linux environment", USENIX FREENIX 2000) in the form used by
// SuperMalloc and mimalloc-bench. The original passes batches of 4,096 blocks, up to 100 of them, through one list
// behind a mutex, allocates the batches themselves, and lets any consumer take any batch; here a batch is 256 blocks
// and passes through bounded queues without locks, one queue for each producer and consumer that meet (up to four
// consumers for a producer), so that all locks are those of the malloc. Sizes are drawn before, from the original's.
// The original writes up to 128 bytes of each block; here 8 are written and read back.
#include <algorithm>
#include <atomic>

#include "batch_link.hpp"
#include "heap.hpp"
#include "measure.hpp"
#include "team_heap.hpp"
#include "threads.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr std::array<std::uint32_t, 17> published_sizes{8,   12,  16,  24,  32,  48,   64,   96,  128,
                                                        192, 256, 384, 512, 768, 1024, 1536, 2048};
constexpr std::uint32_t one_size = 64;
constexpr std::size_t batches_a_round = 16;
constexpr std::size_t blocks_a_round = batches_a_round * std::tuple_size_v<decltype(batch::blocks)>;
constexpr std::uint64_t sum_of_round = blocks_a_round * (blocks_a_round - 1) / 2;  ///< of the numbers 0, 1, 2, ...

std::vector<std::uint32_t> sizes_of_round(bool mixed, generator& random) {
  std::vector<std::uint32_t> sizes(blocks_a_round, one_size);
  if (mixed)
    for (std::uint32_t& size : sizes) size = published_sizes[below(published_sizes.size(), random)];
  return sizes;
}

/// The number in a block: atomic, which costs nothing, because all threads write to the one block of the control.
std::atomic_ref<std::uint64_t> numbered(const batch::block& block) { return std::atomic_ref(*block.start); }

template <shares Strategy>
struct fixture {
  fixture(strategy_factory<Strategy> factory, unsigned producers_, bool mixed)
      : heap(factory, 2 * producers_), producers(producers_), routes(producers), links(routes.links()), received(producers),
        threads(2 * producers) {
    generator random(seed);
    for (unsigned i = 0; i < producers; ++i) sizes.push_back(sizes_of_round(mixed, random));
    for (auto& link : links) link = std::make_unique<batch_link>();
    threads.round([this](unsigned thread) { round(thread); });
    verify();
  }

  /// The first half of the threads allocates, the second frees.
  void round(unsigned thread) { thread < producers ? produce(thread) : consume(thread - producers); }

  void produce(unsigned producer) {
    Strategy& strategy = heap.of(producer);
    const std::uint32_t* size = sizes[producer].data();
    std::uint64_t number = 0;
    for (std::size_t step = 0; step < batches_a_round; ++step) {
      batch_link& link = *links[routes.sending(producer, step)];
      batch& filling = link.to_fill();
      for (batch::block& block : filling.blocks) {
        block = {::new (strategy.allocate(*size)) std::uint64_t, *size};
        numbered(block).store(number++, std::memory_order_relaxed);
        ++size;
      }
      link.send(filling);
    }
  }

  void consume(unsigned consumer) {
    Strategy& strategy = heap.of(producers + consumer);
    tally seen;
    for (std::size_t step = 0; step < batches_a_round; ++step) {
      batch_link& link = *links[routes.receiving(consumer, step)];
      batch& emptying = link.receive();
      for (const batch::block& block : emptying.blocks) {
        seen.sum += numbered(block).load(std::memory_order_relaxed);
        strategy.deallocate(block.start, block.bytes);
      }
      seen.blocks += emptying.blocks.size();
      link.give_back(emptying);
    }
    received[consumer] = seen;
  }

  /// In a round each consumer receives every number once, from one producer or another.
  void verify() const {
    for (const tally& counted : received)
      if (counted.blocks != blocks_a_round || (!std::is_same_v<Strategy, none> && counted.sum != sum_of_round))
        throw verification_error("a block was lost or changed on its way");
  }

  struct alignas(128) tally {
    std::uint64_t blocks = 0;
    std::uint64_t sum = 0;
  };

  team_heap<Strategy> heap;
  unsigned producers;
  batch_routes routes;
  std::vector<std::vector<std::uint32_t>> sizes;
  std::vector<std::unique_ptr<batch_link>> links;
  std::vector<tally> received;
  team threads;
};

const family xmalloc({
    .question = "What does it cost when some threads allocate whole batches and others free them?",
    .operation = "one thread allocates a block, writes its number and, when 256 are there, passes them on; another "
                 "thread reads them and frees them; half of the threads allocate and half free, timed until all are "
                 "done",
    .untimed = "starting and pinning the threads; drawing 4,096 sizes for every producer; one verified round",
    .heap = "empty apart from the blocks on their way",
    .unfairness = "A producer that is four batches ahead of a consumer waits, so the slower side sets the pace. The "
                  "control none passes the same block again and again: the cost of the queues, the team, and a cache "
                  "line that travels. With more threads than cores, producers and consumers take turns on a core.",
    .operations = {{"xmalloc/witness/bytes:64/threads:2",
                    one_block(64, {{"first_written", nearly_all}, {"frees_elsewhere", 1}}), 1},
                   {"xmalloc/witness/bytes:mixed/threads:2", one_block({400, 440}, {{"frees_elsewhere", 1}}), 1}},
}, [](benchmark_registry& registry) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : registry.chosen() == profile::smoke ? std::vector{2U} : thread_counts(cores)) {
    if (count % 2 != 0) continue;  // as many producers as consumers
    if (registry.chosen() == profile::quick && count > std::max(2U, cores)) continue;
    for (const bool mixed : {false, true})
      every_strategy({team_heap<none>::apart_bytes, 1}, [&]<shares Strategy>(strategy_factory<Strategy> factory) {
        if (std::is_same_v<Strategy, mmap_>) return;  // a page a block
        // Over 10 microseconds for an operation, as handoff shows: too long for a quick run; a full run measures it once.
        if (std::is_same_v<Strategy, pmr_sync_pool> && (mixed || count != 2 || registry.chosen() != profile::full)) return;
        registry.add(
            factory.name, {{"bytes", mixed ? "mixed" : "64"}, {"threads", count}},
            [=] { return std::make_shared<fixture<Strategy>>(factory, count / 2, mixed); },
            [](benchmark::State& state, fixture<Strategy>& in) {
              measure_rounds(state, in.threads, blocks_a_round, [&](unsigned thread) { in.round(thread); });
              in.verify();
              state.counters["items_per_second"].value /= 2;  // one operation is the work of two threads
            });
      });
  }
});

}  // namespace
}  // namespace stackheap

// What does it cost when whole batches are allocated by some threads and freed by others?
// The workload is that of C. Lever and D. Boreham ("malloc() performance in a multithreaded Linux environment", USENIX
// FREENIX 2000) in the form in which SuperMalloc and mimalloc-bench carry it. Theirs passes batches of 4,096 blocks, up
// to 100 of them, through one list behind a mutex, allocates the batches themselves, and lets any consumer take any
// batch; here a batch is 256 blocks and passes through bounded queues without locks, one for each producer and consumer
// that meet (up to four consumers a producer), so that the malloc's locks are the only ones. Sizes are drawn before,
// from theirs. Theirs writes up to 128 bytes of each block, here 8 are written and read back.
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
    for (std::uint32_t& each : sizes) each = published_sizes[below(published_sizes.size(), random)];
  return sizes;
}

/// A block's number: atomic, at no cost, since all threads write to the control's one block.
std::atomic_ref<std::uint64_t> numbered(const batch::block& one) { return std::atomic_ref(*one.start); }

template <shares Strategy>
struct world {
  world(contender<Strategy> by, unsigned producers_, bool mixed)
      : heap(by, 2 * producers_), producers(producers_), routes(producers), links(routes.links()), received(producers),
        threads(2 * producers) {
    generator random(seed);
    for (unsigned i = 0; i < producers; ++i) sizes.push_back(sizes_of_round(mixed, random));
    for (auto& each : links) each = std::make_unique<batch_link>();
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
      for (batch::block& each : filling.blocks) {
        each = {::new (strategy.allocate(*size)) std::uint64_t, *size};
        numbered(each).store(number++, std::memory_order_relaxed);
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
      for (const batch::block& each : emptying.blocks) {
        seen.sum += numbered(each).load(std::memory_order_relaxed);
        strategy.deallocate(each.start, each.bytes);
      }
      seen.blocks += emptying.blocks.size();
      link.give_back(emptying);
    }
    received[consumer] = seen;
  }

  /// In a round each consumer receives every number once, from one producer or another.
  void verify() const {
    for (const tally& each : received)
      if (each.blocks != blocks_a_round || (!std::is_same_v<Strategy, none> && each.sum != sum_of_round))
        throw wrong_work("a block was lost or changed on its way");
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
    .question = "What does it cost when whole batches are allocated by some threads and freed by others?",
    .operation = "one thread allocates a block, writes its number and, when 256 are there, passes them on; another "
                 "reads them and frees them; half of the threads do the one, half the other, timed until all are done",
    .untimed = "starting and pinning the threads, drawing 4,096 sizes for each producer, one checked round",
    .heap = "empty but for the blocks on their way",
    .unfairness = "A producer that is four batches ahead of a consumer waits, so the slower side sets the pace. The "
                  "control none passes the same block again and again: the price of queues and team, and of a line "
                  "that travels. From more threads than cores on, producers and consumers take turns on a core.",
}, [](enrolment& into) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : into.chosen() == profile::smoke ? std::vector{2U} : thread_counts(cores)) {
    if (count % 2 != 0) continue;  // as many producers as consumers
    if (into.chosen() == profile::quick && count > std::max(2U, cores)) continue;
    for (const bool mixed : {false, true})
      every_strategy({team_heap<none>::apart_bytes, 1}, [&]<shares Strategy>(contender<Strategy> by) {
        if (std::is_same_v<Strategy, mmap_>) return;  // a page a block
        // Over 10 microseconds an operation, as handoff shows: too long for a quick run, and once is enough for a full
        // one.
        if (std::is_same_v<Strategy, pmr_sync_pool> && (mixed || count != 2 || into.chosen() != profile::full)) return;
        into.add(
            by.name, {{"bytes", mixed ? "mixed" : "64"}, {"threads", count}},
            [=] { return std::make_shared<world<Strategy>>(by, count / 2, mixed); },
            [](benchmark::State& state, world<Strategy>& in) {
              measure_rounds(state, in.threads, blocks_a_round, [&](unsigned thread) { in.round(thread); });
              in.verify();
              state.counters["items_per_second"].value /= 2;  // one operation is the work of two threads
            });
      });
  }
});

}  // namespace
}  // namespace stackheap

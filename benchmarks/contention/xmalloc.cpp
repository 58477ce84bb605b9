// What does it cost when some threads allocate whole batches and others free them? The workload is that of C. Lever and
// D. Boreham ("malloc() performance in a multithreaded Linux environment", USENIX FREENIX 2000) in the form used by
// SuperMalloc and mimalloc-bench. The original passes batches of 4,096 blocks, up to 100 of them, through one list
// behind a mutex, from which a consumer takes the newest batch, allocates the batches themselves, and lets any consumer
// take any batch; here a batch is 256 blocks and passes through bounded queues without locks, in the order of sending, one
// queue for each producer and consumer that meet (up to four consumers for a producer), so that all locks are those of the
// malloc. How many blocks are on their way changes the order of the mallocs, because a malloc cannot give them again: 1,024
// for each queue, or the original's 409,600 divided among all queues (at least 1,024 for each) are an argument. The queues
// are full before the timing, as they become where producers are faster. Sizes are drawn before, from the original's.
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
constexpr std::size_t blocks_a_batch = std::tuple_size_v<decltype(batch::blocks)>;
constexpr std::size_t blocks_a_round = batches_a_round * blocks_a_batch;
constexpr std::size_t short_depth = 4 * blocks_a_batch, published_depth = 409'600;  ///< blocks on their way
/// With so many blocks on their way, some mallocs cost more with every round, for seconds: rounds before the timing make a
/// short measurement and a longer one agree.
constexpr std::chrono::milliseconds aged_for(100);
constexpr int most_aging_rounds = 10'000;
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
  fixture(strategy_factory<Strategy> factory, unsigned producers_, bool mixed, std::size_t depth)
      : heap(factory, 2 * producers_), producers(producers_), routes(producers), links(routes.links()), progress(2 * producers),
        threads(2 * producers) {
    generator random(seed);
    for (unsigned i = 0; i < producers; ++i) sizes.push_back(sizes_of_round(mixed, random));
    const std::size_t batches = std::max(short_depth, depth / links.size()) / blocks_a_batch;
    for (auto& link : links) link = std::make_unique<batch_link>(batches);
    steps_ahead = batches * routes.fan();
    threads.round([this](unsigned thread) {
      if (thread < producers) produce(thread, steps_ahead);
    });
    const auto pass_on = [this](unsigned thread) { round(thread); };
    settle(most_aging_rounds, depth == short_depth ? std::chrono::milliseconds(0) : aged_for, [&] { threads.round(pass_on); });
    verify();
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  ~fixture() {
    threads.round([this](unsigned thread) {
      if (thread >= producers) consume(thread - producers, steps_ahead);
    });
  }

  /// The first half of the threads allocates, the second frees.
  void round(unsigned thread) {
    thread < producers ? produce(thread, batches_a_round) : consume(thread - producers, batches_a_round);
  }

  void produce(unsigned producer, std::size_t steps) {
    Strategy& strategy = heap.of(producer);
    std::size_t& step = progress[producer].step;
    for (const std::size_t end = step + steps; step < end; ++step) {
      batch_link& link = *links[routes.sending(producer, step)];
      std::uint64_t number = step % batches_a_round * blocks_a_batch;
      const std::uint32_t* size = sizes[producer].data() + number;
      for (batch::block& block : link.to_fill().blocks) {
        block = {::new (strategy.allocate(*size)) std::uint64_t, *size};
        numbered(block).store(number++, std::memory_order_relaxed);
        ++size;
      }
      link.send();
    }
  }

  void consume(unsigned consumer, std::size_t steps) {
    Strategy& strategy = heap.of(producers + consumer);
    thread_progress& mine = progress[producers + consumer];
    std::uint64_t sum = 0;
    for (const std::size_t end = mine.step + steps; mine.step < end; ++mine.step) {
      batch_link& link = *links[routes.receiving(consumer, mine.step)];
      for (const batch::block& block : link.receive().blocks) {
        sum += numbered(block).load(std::memory_order_relaxed);
        strategy.deallocate(block.start, block.bytes);
      }
      link.give_back();
    }
    mine.received = sum;
  }

  /// In a round each consumer receives every number once, from one producer or another.
  void verify() const {
    if (std::is_same_v<Strategy, none>) return;  // the control's blocks are one and the same
    for (unsigned consumer = 0; consumer < producers; ++consumer)
      if (progress[producers + consumer].received != sum_of_round)
        throw verification_error("a block was lost or changed on its way");
  }

  /// How far a thread is: the batches it has sent or received, and the sum of the numbers in its last round.
  struct alignas(128) thread_progress {
    std::size_t step = 0;
    std::uint64_t received = 0;
  };

  team_heap<Strategy> heap;
  unsigned producers;
  batch_routes routes;
  std::size_t steps_ahead = 0;  ///< of a producer whose queues are full
  std::vector<std::vector<std::uint32_t>> sizes;
  std::vector<std::unique_ptr<batch_link>> links;
  std::vector<thread_progress> progress;
  team threads;
};

const family xmalloc({
    .question = "What does it cost when some threads allocate whole batches and others free them?",
    .operation = "one thread allocates a block, writes its number and, when 256 are there, passes them on; another "
                 "thread reads them and frees them; half of the threads allocate and half free, timed until all are "
                 "done",
    .untimed = "blocks that threads of another process mark, hold and check at once; starting and pinning the threads; "
               "drawing 4,096 sizes for every producer; filling the queues; one verified round, and more for 10 ms, or "
               "110 ms with 409,600 blocks",
    .heap = "the blocks on their way, as many as the name says",
    .held_against = "none: the same block goes through the queues: the cost of the queues, the team, and a cache "
                    "line that travels",
    .controls = "^xmalloc/none/",
    .unfairness = "A producer whose queue to a consumer is full waits, so the slower side sets the pace. With more "
                  "threads than cores, producers and consumers take turns on a core.",
    .operations = {{.benchmark = "xmalloc/witness/bytes:64/depth:1024/threads:2",
                    .notes = one_block(64, {{"first_written", nearly_all}, {"frees_elsewhere", 1}}), .calls = 1,
                    .in_process = {{"live_at_last_taking", 1024}, {"live", 0}}},
                   {"xmalloc/witness/bytes:mixed/depth:1024/threads:2", one_block({400, 440}, {{"frees_elsewhere", 1}}), 1}},
    .turn_ms = turn_of_threads_ms,
}, [](benchmark_registry& registry) {
  const unsigned cores = this_machine().cores();
  for (const unsigned count : registry.chosen() == profile::smoke ? std::vector{2U} : thread_counts(cores)) {
    if (count % 2 != 0) continue;  // as many producers as consumers
    if (registry.chosen() == profile::quick && count > std::max(2U, cores)) continue;
    for (const bool mixed : {false, true})
      for (const std::size_t depth : registry.pick({short_depth}, {short_depth, published_depth}, {short_depth, published_depth}))
        every_strategy({team_heap<none>::apart_bytes, 1}, [&]<shares Strategy>(strategy_factory<Strategy> factory) {
          if (std::is_same_v<Strategy, mmap_>) return;  // a page a block
          // Over 10 microseconds for an operation, as handoff shows: too long for a quick run; a full run measures it once.
          if (std::is_same_v<Strategy, pmr_sync_pool> &&
              (mixed || depth != short_depth || count != 2 || registry.chosen() != profile::full))
            return;
          // Many blocks take long to make: a quick run compares the malloc libraries, with the published size, only.
          const bool compared = std::is_same_v<Strategy, loaded_malloc> || std::is_same_v<Strategy, none>;
          if (depth == published_depth && registry.chosen() == profile::quick && (mixed || !compared)) return;
          registry.add(
              factory.name, {{"bytes", mixed ? "mixed" : "64"}, {"depth", depth}, {"threads", count}},
              [=] {
                generator random(seed);
                verify_apart(factory, count, sizes_of_round(mixed, random));
                return std::make_shared<fixture<Strategy>>(factory, count / 2, mixed, depth);
              },
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

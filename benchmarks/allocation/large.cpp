// What does a large block cost: where do mmap and page faults begin?
#include "heap.hpp"
#include "measure.hpp"
#include "scoped.hpp"

namespace stackheap {
namespace {

const family large({
    .question = "What does a large block cost: the block itself, or its pages?",
    .operation = "take n bytes, lend them to a borrower that writes the first byte or all bytes, give them back",
    .untimed = "making the strategy and the live blocks; one verified round; 256 rounds more, or as many "
               "as 100 ms allow; from 1 MiB on 65,536, or 10 ms",
    .heap = "resident: at least four live blocks of the same size; the first page of each was written",
    .held_against = "none: the same writes to one block that always exists",
    .controls = "^large/none/",
    .unfairness = "Memory that is kept between rounds (stack, arena, pool, thread_local, a malloc below its own "
                  "threshold) takes its page faults once, before the timing; memory that goes back to the system takes "
                  "them in every round. Stack blocks that do not fit on the main stack are taken on a thread whose "
                  "stack is large enough.",
    .operations = {{"large/witness/bytes:65536/touch:first", one_block(65536, {{"first_written", 1}, {"last_written", 0}}), 2, 0, 1,
                    {{"mallocs", {256, 1000}}}},
                   {"large/witness/bytes:65536/touch:all", one_block(65536, {{"first_written", 1}, {"last_written", 1}}), 2}},
    .past_second_cache = "bytes:[0-9]{7,}/touch:all",
}, [](benchmark_registry& registry) {
  for (const std::size_t mib_sixteenth : registry.pick<std::size_t>({1}, {16, 256, 1024},
                                                                {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096})) {
    const std::size_t bytes = mib_sixteenth << 16;
    add_scoped(registry, bytes, touch_first{});
    add_scoped(registry, bytes, touch_all{});
  }
});

}  // namespace
}  // namespace stackheap

// What does much memory at once cost: where do mmap and page faults begin?
#include "heap.hpp"
#include "measure.hpp"
#include "scoped.hpp"

namespace stackheap {
namespace {

const family large({
    .question = "What does a large block cost, and is it the block or its pages that one pays for?",
    .operation = "take n bytes, lend them to a borrower that touches the first or all of them, give them back",
    .untimed = "making the strategy, the live blocks beside it, one verified round",
    .heap = "resident: four live blocks of the same size, their first page touched",
    .unfairness = "Memory that is kept between rounds (stack, arena, pool, thread_local, a malloc below its own threshold) "
                  "takes its page faults once, before the timing; memory that goes back to the system takes them each round. "
                  "Stack blocks that do not fit the main stack are taken on a thread whose stack is large enough.",
}, [](enrolment& into) {
  for (const std::size_t mib_sixteenth : into.pick<std::size_t>({1}, {16, 256, 1024},
                                                                {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096})) {
    const std::size_t bytes = mib_sixteenth << 16;
    enroll_scoped(into, bytes, touch_first{});
    enroll_scoped(into, bytes, touch_all{});
  }
});

}  // namespace
}  // namespace stackheap

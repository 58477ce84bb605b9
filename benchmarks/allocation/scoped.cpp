// What does it cost to get memory for a moment: to take it, use it and give it back?
#include "scoped.hpp"

namespace stackheap {
namespace {

const family scoped({
    .question = "What does it cost to take memory, use it and give it back?",
    .operation = "take n bytes, lend them to a borrower that touches none of them, the first or all, give them back",
    .untimed = "making the strategy, the live blocks beside it, one verified round",
    .heap = "resident: four live blocks of the same size beside the one that comes and goes",
    .unfairness = "The next round gets the block the last one gave back, still in the cache: the best case of every "
                  "malloc. What a malloc costs among many blocks is what batch and churn measure. Under 32 B written "
                  "in full, a stack frame can cost several times as much as 64 B: with AVX-512, glibc's memset writes so "
                  "little by one masked store of 32 B, which reaches over the return address beside the block, and the "
                  "return waits for it (gone with GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW).",
}, [](enrolment& into) {
  for (const std::size_t bytes : into.pick<std::size_t>(
           {64}, {8, 64, 512, 4096, 65536, 1048576},
           {8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576})) {
    enroll_scoped(into, bytes, touch_none{});
    if (into.chosen() != profile::quick || bytes <= 4096) enroll_scoped(into, bytes, touch_first{});
    enroll_scoped(into, bytes, touch_all{});
  }
});

}  // namespace
}  // namespace stackheap

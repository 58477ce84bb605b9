// What does it cost to take memory, use it and give it back?
#include "scoped.hpp"

namespace stackheap {
namespace {

const family scoped({
    .question = "What does it cost to take memory, use it and give it back?",
    .operation = "take n bytes, lend them to a borrower that writes no byte, the first byte or all bytes, give them "
                 "back",
    .untimed = "making the strategy and the live blocks; one verified round; 256 rounds more, or as many "
               "as 100 ms allow; from 1 MiB on 65,536, or 10 ms",
    .heap = "resident: at least four live blocks of the same size beside the block that is taken and freed",
    .held_against = "none: the same call with one block that always exists",
    .controls = "^scoped/none/",
    .unfairness = "Every round gets the block that the round before gave back, still in the cache: the best case for "
                  "every malloc. batch and churn measure the cost among many blocks. Blocks under 32 B that are "
                  "written in full can cost several times as much on the stack as 64 B: with AVX-512, the memset of "
                  "glibc writes them by one masked store of 32 B, which reaches over the return address beside the "
                  "block, and the return waits for that store (not with "
                  "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW).",
    .core = {"^scoped/(none|stack_array|alloca|arena|glibc|malloc)/bytes:64/touch:first$",
             "^scoped/(glibc|malloc)/bytes:4096/touch:all$"},
    .operations = {{"scoped/witness/bytes:64/touch:none", one_block(64, {{"first_written", 0}, {"last_written", 0}}), 2},
                   {"scoped/witness/bytes:64/touch:first", one_block(64, {{"first_written", 1}, {"last_written", 0}}), 2},
                   {"scoped/witness/bytes:64/touch:all", one_block(64, {{"first_written", 1}, {"last_written", 1}}), 2, 0, 1,
                    {{"live_at_last_taking", live_beside_resident(1, 64)}}}},
    .least_times = {{"scoped/(none|stack_array|alloca|thread_local|arena|pool|small_buffer)/bytes:64/touch:none", 0.5},
                    {"scoped/mmap/bytes:64/touch:first", 200}},
}, [](benchmark_registry& registry) {
  for (const std::size_t bytes : registry.pick<std::size_t>(
           {64}, {8, 64, 512, 4096, 65536, 1048576},
           {8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576})) {
    add_scoped(registry, bytes, touch_none{});
    if (registry.chosen() != profile::quick || bytes <= 4096) add_scoped(registry, bytes, touch_first{});
    add_scoped(registry, bytes, touch_all{});
  }
});

}  // namespace
}  // namespace stackheap

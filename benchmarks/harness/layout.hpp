// Where do a process's blocks, frames and threads' stacks lie? Each process draws it. Address randomisation moves whole
// pages only: where a block lies in its page and its cache line was the same in every process of a run, and other in the
// next run (Mytkowicz et al., "Producing wrong data without doing anything obviously wrong", ASPLOS 2009; Curtsinger and
// Berger, "Stabilizer", ASPLOS 2013). One layout is luck; an interval over processes with a layout each is the truth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace stackheap {

/// Seeds what the functions below draw: the same for the same `number` and `benchmark`, so that the two sides of a pair
/// can have one layout.
void seed_layout(std::uint64_t number, std::string_view benchmark);

/// A whole number below `bound` for the layout of this process. May be called on any thread.
std::size_t drawn_below(std::size_t bound);

/// Takes every free block of the process's heap (what happened to be freed before, in reading options and naming
/// benchmarks), so that the next block comes from the heap's unused end, and moves that end by a drawn distance. Only
/// glibc's malloc tells where its end is; with another malloc some blocks of drawn sizes are taken.
void move_process_heap();

/// Runs `work` with the stack begun `distance` bytes further on. `distance` is below 64 KiB.
void on_moved_stack(std::size_t distance, const std::function<void()>& work);

/// A distance for on_moved_stack: a multiple of a stack frame's alignment, over two pages.
std::size_t drawn_stack_distance();

}  // namespace stackheap

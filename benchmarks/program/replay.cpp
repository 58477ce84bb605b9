// What do the calls of a real program cost, with each malloc and with a stack? The calls are recordings of programs; the
// replay makes them again and leaves out what the program did between them. One loop makes the calls of every strategy: what
// an operation does is decided by the recording, whose operations say too which blocks a stack serves.
//
// A stack-like block is freed by the thread that took it, as the newest of its live blocks, and was never grown: a program
// could have had it on a stack. The strategies NAME+stack take such blocks by moving a pointer, as alloca does, and give them
// back by moving it to where the block began; all other blocks are the malloc's.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decoded.hpp"
#include "every_strategy.hpp"
#include "measure.hpp"
#include "passes.hpp"
#include "queue.hpp"
#include "recordings.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

using recording::operation;
using recording::step;

/// Entries of the table through which blocks pass from lane to lane: null while there is no block.
using entry = std::atomic_ref<void*>;

void hand_over(void*& at, void* block) {
  for (waiting wait; entry(at).load(std::memory_order_acquire) != nullptr;) wait.once();
  entry(at).store(block, std::memory_order_release);
}
void* receive(void*& at) {
  void* block = nullptr;
  for (waiting wait; (block = entry(at).load(std::memory_order_acquire)) == nullptr;) wait.once();
  entry(at).store(nullptr, std::memory_order_release);
  return block;
}

/// The blocks of a lane.
struct alignas(128) lane {
  lane(const recording::lane_extent& its, const operation* all)
      : calls(all + its.begin, all + its.end), rest(all + its.end, all + its.rest_end), slots(its.slots),
        bytes(its.slots), stack(its.stack_bytes + cache_line, MAP_PRIVATE | MAP_NORESERVE), slot_count(its.slots) {}

  std::span<const operation> calls;
  std::span<const operation> rest;  ///< frees of what the program never freed
  side_table<void*> slots;
  side_table<std::byte> bytes;  ///< the control's blocks
  mapping stack;
  std::uint32_t slot_count;
};

/// The functions of a malloc, as the loop calls them.
struct calling {
  loaded_malloc functions;

  void* malloc(std::uint32_t, std::size_t bytes) { return functions.allocate(bytes); }
  void* calloc(std::uint32_t, std::size_t bytes) { return functions.calloc(1, bytes); }
  void* aligned(std::uint32_t, std::size_t alignment, std::size_t bytes) {
    void* block = nullptr;
    return functions.posix_memalign(&block, alignment, bytes) == 0 ? block : nullptr;
  }
  void* realloc(std::uint32_t, void* block, std::size_t bytes) { return functions.realloc(block, bytes); }
  void free(void* block) { functions.deallocate(block, 0); }
};

/// The control: every slot has a byte.
struct fixed_bytes {
  std::byte* of_slots;

  void* malloc(std::uint32_t slot, std::size_t) { return of_slots + slot; }
  void* calloc(std::uint32_t slot, std::size_t) { return of_slots + slot; }
  void* aligned(std::uint32_t slot, std::size_t, std::size_t) { return of_slots + slot; }
  void* realloc(std::uint32_t slot, void*, std::size_t) { return of_slots + slot; }
  void free(void* block) { keep(block); }
};

void* written(void* block) {
  *static_cast<std::byte*>(block) = std::byte{1};
  escape(block);
  return block;
}

/// The timed loop.
template <class Memory>
[[gnu::noinline]] void replay_lane(Memory memory, const lane& at, std::span<const operation> operations, void** entries) {
  void** const slots = at.slots.begin();
  std::byte* top = at_cache_line(at.stack.as<std::byte>());
  for (const operation *next = operations.data(), *end = next + operations.size(); next != end; ++next) {
    const std::uint32_t slot = next->slot, bytes = next->bytes;
    switch (next->kind) {
      case step::malloc: slots[slot] = written(memory.malloc(slot, bytes)); break;
      case step::calloc: slots[slot] = written(memory.calloc(slot, bytes)); break;
      case step::aligned: slots[slot] = written(memory.aligned(slot, (++next)->bytes, bytes)); break;
      case step::realloc: slots[slot] = written(memory.realloc(slot, slots[slot], bytes)); break;
      case step::free: memory.free(slots[slot]); break;
      case step::stack_calloc: std::memset(top, 0, bytes); [[fallthrough]];
      case step::stack_malloc: slots[slot] = written(top), top += rounded_up(bytes); break;
      case step::stack_free: top = static_cast<std::byte*>(slots[slot]); break;
      case step::hand_over: hand_over(entries[bytes], slots[slot]); break;
      case step::receive: slots[slot] = receive(entries[bytes]); break;
    }
  }
}

// The untimed replay with marks at both ends of every block, which must be there when the block is freed, grown or passed on.

struct marked_block {
  unsigned char* start;
  std::uint32_t bytes;
  unsigned char mark;

  void write() const { start[0] = start[bytes - 1] = mark; }
  bool holds() const { return start[0] == mark && start[bytes - 1] == mark; }
};

/// What all lanes of an untimed replay share.
struct verification {
  side_table<marked_block> passing;  ///< by entry
  std::atomic<bool> failed = false;  ///< a lane has ended: others must not wait for its blocks

  void wait_for(void*& at, bool taken) const {
    for (waiting wait; (entry(at).load(std::memory_order_acquire) != nullptr) != taken; wait.once())
      if (failed) throw verification_error("");
  }
};

[[noreturn]] void wrong(const std::string& what) { throw verification_error(what); }

class marked_lane {
 public:
  marked_lane(const calling& memory, const lane& at, void** entries, verification& shared, unsigned first_mark)
      : memory_(memory), at_(at), entries_(entries), shared_(shared), mark_(first_mark), blocks_(at.slot_count),
        top_(at_cache_line(at.stack.as<std::byte>())) {}

  void run() {
    for (const std::span<const operation> part : {at_.calls, at_.rest})
      for (const operation *next = part.data(), *end = next + part.size(); next != end; ++next) {
        marked_block& its = blocks_.begin()[next->slot];
        const step kind = next->kind;
        if ((kind == step::free || kind == step::stack_free || kind == step::hand_over || kind == step::realloc) && !its.holds())
          wrong("a block does not hold what was written to its ends");
        if (kind == step::aligned) take_aligned(its, next->bytes, next[1].bytes), ++next;
        else if (kind == step::hand_over || kind == step::receive) pass(its, next->bytes, kind);
        else once(kind, its, next->bytes);
      }
  }

 private:
  void once(step kind, marked_block& its, std::uint32_t bytes) {
    switch (kind) {
      case step::malloc: return take(its, memory_.malloc(0, bytes), bytes);
      case step::calloc: return take_zeroed(its, memory_.calloc(0, bytes), bytes);
      case step::realloc: return grow(its, bytes);
      case step::free: return memory_.free(its.start);
      case step::stack_malloc: take(its, top_, bytes), top_ += rounded_up(bytes); return;
      case step::stack_calloc: std::memset(top_, 0, bytes), take_zeroed(its, top_, bytes), top_ += rounded_up(bytes); return;
      case step::stack_free: top_ = reinterpret_cast<std::byte*>(its.start); return;
      default: return;  // run() has done it
    }
  }

  void take(marked_block& its, void* block, std::uint32_t bytes) {
    if (block == nullptr) wrong("the malloc has no memory for " + std::to_string(bytes) + " bytes");
    its = {static_cast<unsigned char*>(block), bytes, static_cast<unsigned char>(1 + mark_++ % 255)};
    its.write();
  }
  void take_zeroed(marked_block& its, void* block, std::uint32_t bytes) {
    const auto* const content = static_cast<const unsigned char*>(block);
    if (content != nullptr && (content[0] != 0 || content[bytes - 1] != 0)) wrong("calloc gave a block that is not zero");
    take(its, block, bytes);
  }
  void take_aligned(marked_block& its, std::uint32_t bytes, std::uint32_t alignment) {
    void* const block = memory_.aligned(0, alignment, bytes);
    if (reinterpret_cast<std::uintptr_t>(block) % alignment != 0) wrong("a block is not aligned as requested");
    take(its, block, bytes);
  }
  void grow(marked_block& its, std::uint32_t bytes) {
    const marked_block old = its;
    auto* const start = static_cast<unsigned char*>(memory_.realloc(0, old.start, bytes));
    if (start != nullptr && (start[0] != old.mark || (bytes >= old.bytes && start[old.bytes - 1] != old.mark)))
      wrong("realloc did not keep what was in the block");
    take(its, start, bytes);
  }
  void pass(marked_block& its, std::uint32_t number, step kind) {
    const bool receiving = kind == step::receive;
    shared_.wait_for(entries_[number], receiving);
    marked_block& between = shared_.passing.begin()[number];
    (receiving ? its : between) = receiving ? between : its;
    entry(entries_[number]).store(receiving ? nullptr : its.start, std::memory_order_release);
  }

  calling memory_;
  const lane& at_;
  void** entries_;
  verification& shared_;
  unsigned mark_;
  side_table<marked_block> blocks_;  ///< by slot
  std::byte* top_;
};

// The passes

/// A recording in the memory of this process, and the threads that replay it.
template <shares Strategy>
class fixture {
 public:
  static constexpr bool is_control = std::is_same_v<Strategy, none>;

  fixture(const named_recording& source, const strategy_factory<Strategy>& factory, bool on_stack)
      : decoded_(source.recorded, {.on_stack = on_stack, .with_shares = is_control}), entries_(whole().entries) {
    if constexpr (!is_control) functions_ = factory.make();
    for (std::uint32_t i = 0; i < whole().lanes; ++i)
      lanes_.push_back(std::make_unique<lane>(whole().of_lane[i], decoded_.operations()));
    if constexpr (!is_control)
      if (!in_a_copy([&] { verify(); }))
        throw verification_error("the malloc ended a process that made the calls of the recording");
    threads_ = std::make_unique<team>(whole().lanes);
    first_ns_ = 1e9 * pass() / static_cast<double>(whole().calls);
    settle(most_settling, std::chrono::milliseconds(5), [&] { pass_seconds_ = pass(); });
  }

  /// All calls of the recording, then, not in the returned seconds, the frees that it lacks.
  double pass() {
    const auto replay = [this](unsigned thread, std::span<const operation> lane::*part) {
      const lane& mine = *lanes_[thread];
      if constexpr (is_control) replay_lane(fixed_bytes{mine.bytes.begin()}, mine, mine.*part, entries_.begin());
      else replay_lane(calling{functions_}, mine, mine.*part, entries_.begin());
    };
    const double seconds = seconds_of([&] { threads_->round([&](unsigned thread) { replay(thread, &lane::calls); }); });
    threads_->round([&](unsigned thread) { replay(thread, &lane::rest); });
    return seconds;
  }

  const recording::extent& whole() const { return decoded_.whole(); }
  const decoded_header& header() const { return decoded_.header(); }
  team& threads() { return *threads_; }
  double first_ns() const { return first_ns_; }
  double pass_seconds() const { return pass_seconds_; }

 private:
  static constexpr int most_settling = 20;

  void verify() {
    verification shared{side_table<marked_block>(whole().entries)};
    std::vector<std::string> errors(lanes_.size());
    team threads(whole().lanes);
    threads.round([&](unsigned thread) {
      try {
        marked_lane(calling{functions_}, *lanes_[thread], entries_.begin(), shared, 7 * thread).run();
      } catch (const std::exception& error) {
        errors[thread] = error.what();
        shared.failed = true;
      }
    });
    for (const std::string& error : errors)
      if (!error.empty()) throw verification_error(error);
  }

  decoded_recording decoded_;
  loaded_malloc functions_{};
  side_table<void*> entries_;
  std::vector<std::unique_ptr<lane>> lanes_;
  std::unique_ptr<team> threads_;
  double first_ns_ = 0, pass_seconds_ = 0;
};

constexpr double least_passes = 3, most_passes = 1000;

/// How many passes fit into so many seconds.
std::size_t passes_in(double seconds, double pass) {
  return static_cast<std::size_t>(std::clamp(seconds / pass, least_passes, most_passes));
}

/// What the passes of a smoke run ask a malloc for: all blocks of the made-up recording, or all but so many on the stack.
witness_notes made_up_notes(double on_stack, double bytes_on_stack) {
  const double blocks = least_passes * (4352 - on_stack), bytes = least_passes * (2'227'352 - bytes_on_stack);
  return {{"mallocs", blocks}, {"frees", blocks}, {"bytes", bytes}, {"first_written", blocks}, {"wrong_frees", 0}};
}

template <class Strategy>
void time_replay(benchmark::State& state, fixture<Strategy>& in, std::size_t passes) {
  const recording::extent& whole = in.whole();
  const line_trips trips(state, in.threads());
  {
    measured measuring(state, static_cast<double>(passes * whole.calls));
    in.threads().start_counting();
    time_passes(state, passes, whole.calls, [&] { return in.pass(); });
    measuring.include(in.threads().stop_counting());
  }
  state.counters["first_pass_ns"] = in.first_ns();
  if (!fixture<Strategy>::is_control) return;
  const recorded_shares& shares = in.header().shares;
  const std::pair<const char*, double> told[] = {
      {"calls", static_cast<double>(whole.calls)}, {"allocations", static_cast<double>(whole.allocations)},
      {"left_out", static_cast<double>(whole.left_out)}, {"passed_blocks", static_cast<double>(whole.passed)},
      {"recorded_threads", in.header().threads}, {"stack_like_share", shares.stack_like},
      {"stack_like_bytes_share", shares.stack_like_bytes}, {"temporary_share", shares.temporary},
      {"region_like_share", shares.region_like}};
  for (const auto& [name, value] : told) state.counters[name] = value;
}

const family replay({
    .question = "What do the calls of a real program cost, with each malloc and with a stack for the blocks that allow it?",
    .operation = "one call of a recorded program (malloc, calloc, realloc, an aligned form, free) and a write to the first "
                 "byte of the block; the time is that of a pass, all calls of the recording, divided by their number; with "
                 "threads, until all of them have made their calls",
    .untimed = "decoding the recording, in a copy of the process; a replay that writes and checks both ends of every block, "
               "in a copy too; between passes, the frees of blocks that the program never freed; a first pass on the cold "
               "heap, which is the counter first_pass_ns, and passes for 5 ms",
    .heap = "as the recording leaves it: empty at the start of each pass, but the malloc has served the passes before",
    .held_against = "none: the same loop over the same operations, with a byte for every slot: reading an operation, "
                    "deciding what it does, the slot, the write, and the waits for blocks of other threads",
    .controls = "^replay/none/",
    .unfairness = "What the program did between its calls is missing, so the caches and the branch predictor are the "
                  "malloc's: a call costs less than in the program. The loop decides what an operation does by a jump, which "
                  "a program's own calls do not need; the control shows its cost. The blocks on the stack are further "
                  "targets of that jump: where hardly any block is stack-like, NAME+stack costs slightly more. Only first "
                  "bytes are written. Threads run as fast as they can: the order between threads is that of the program "
                  "only where a block passes from thread to thread, and there the thread that frees waits until the block "
                  "is there, the thread that takes until no more blocks are on their way than in the program, so the "
                  "slower side sets the pace. NAME+stack takes from a stack all blocks that a program could have had on a "
                  "stack with perfect foresight, and the malloc's heap is smaller for it; blocks aligned to more than 16 "
                  "bytes stay with the malloc. Blocks of 0 bytes are replayed as 1 byte, blocks of over 4 GiB as 4 GiB; "
                  "frees of blocks that were taken before the recording, and allocations that failed, are left out.",
    .core = {"^replay/(glibc|malloc)/recording:compiler$"},
    .spread = 0.1,
    .operations = {{"replay/witness/recording:made_up", made_up_notes(0, 0), 1},
                   {"replay/witness+stack/recording:made_up", made_up_notes(20, 8613), 0.99}},
    .least_times = {{"replay/none/", 0.5}},
}, [](benchmark_registry& registry) {
  const double seconds = registry.chosen() == profile::smoke ? 0 : registry.chosen() == profile::quick ? 0.008 : 0.1;
  for (const named_recording& source : named_recordings()) {
    if (registry.chosen() == profile::smoke && source.name != made_up && !source.requested) continue;
    every_strategy({1, 1}, [&]<shares Strategy>(strategy_factory<Strategy> factory) {
      if constexpr (std::is_same_v<Strategy, none> || std::is_same_v<Strategy, loaded_malloc>)
        for (const bool on_stack : {false, true}) {
          if (on_stack && std::is_same_v<Strategy, none>) continue;
          registry.add(
              factory.name + (on_stack ? "+stack" : ""), {{"recording", source.name}},
              [=, &source] { return std::make_shared<fixture<Strategy>>(source, factory, on_stack); },
              [=](benchmark::State& state, fixture<Strategy>& in) {
                time_replay(state, in, passes_in(seconds, in.pass_seconds()));
              },
              timing::once);
        }
    });
  }
});

}  // namespace
}  // namespace stackheap

#include "operations.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "profile.hpp"

namespace stackheap::recording {
namespace {

/// How much of a block a replay touches at most: its first byte, and what calloc writes. Larger blocks come from the system,
/// which has them zeroed.
constexpr std::uint64_t most_touched = std::uint64_t{64} << 10;
constexpr std::uint64_t stack_rounding = std::uint64_t{1} << most_stack_alignment_log2;
constexpr unsigned least_alignment_log2 = 3, most_alignment_log2 = 31;
constexpr std::uint16_t no_lane = 0xffff;
/// Memory of the decoding itself, for each allocation: two lanes, size, slot, and whether it is stack-like.
constexpr std::uint64_t notes_bytes = 2 * sizeof(std::uint16_t) + 2 * sizeof(std::uint32_t) + 1;

bool releases(event_kind kind) {
  return kind == event_kind::realloc_own || kind == event_kind::realloc_other || kind == event_kind::free_own ||
         kind == event_kind::free_other;
}
bool takes(event_kind kind) { return kind <= event_kind::realloc_unknown; }

std::uint32_t operation_bytes(std::uint64_t bytes) {
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(bytes, 1, most_operation_bytes));
}

/// posix_memalign takes no less than the alignment of a pointer.
std::uint32_t alignment_of(const event& found) {
  return std::uint32_t{1} << std::clamp<unsigned>(found.alignment_log2, least_alignment_log2, most_alignment_log2);
}

std::string mebibytes(std::uint64_t bytes) { return std::to_string((bytes >> 20) + 1) + " MiB"; }

/// What must be known before the operations can be written.
class first_reading {
 public:
  first_reading(const extract& recorded, const decoding& chosen) : chosen_(chosen) {
    reader events(recorded);
    for (event found{}; events.next(found);) take_in(found);
    if (whole.calls == 0) throw not_replayable("it has no calls of a malloc");
    for (std::uint32_t lane = 0; lane < whole.lanes; ++lane) {
      lane_extent& its = whole.of_lane[lane];
      its.begin = whole.operations;
      its.end = its.begin + counts_[lane].operations;
      its.rest_end = whole.operations = its.end + counts_[lane].live;
      its.slots = static_cast<std::uint32_t>(std::min<std::uint64_t>(counts_[lane].most_live + 1, most_slots));
      slots_ += its.slots;
    }
    const std::uint64_t tables = whole.operations * sizeof(operation) + (slots_ + whole.entries) * sizeof(void*);
    whole.replay_bytes = tables + most_touched_live_;
    within(whole.replay_bytes + notes_bytes * whole.allocations);
  }

  extent whole;
  std::vector<std::uint16_t> receivers;  ///< by block: the other lane that frees it; no_lane where its own lane does

 private:
  struct lane_count {
    std::uint64_t operations = 0, live = 0, most_live = 0;
  };

  void take_in(const event& found) {
    if (found.kind == event_kind::free_unknown || found.kind == event_kind::failed) ++whole.left_out;
    if (found.kind >= event_kind::free_unknown) return;
    const std::uint32_t lane = chosen_.one_lane ? 0 : found.lane;
    if (lane >= most_replayed_lanes)
      throw not_replayable("it has calls of more than " + std::to_string(most_replayed_lanes) +
                           " threads at once, and a replay has a thread for each");
    whole.lanes = std::max(whole.lanes, lane + 1);
    lane_count& count = counts_[lane];
    ++whole.calls;
    ++count.operations;
    if (found.kind == event_kind::aligned) ++count.operations;
    if (releases(found.kind)) release(found.kind >= event_kind::free_own ? found.block : found.old_block, lane);
    if (takes(found.kind)) take(found, lane);
  }

  void take(const event& found, std::uint32_t lane) {
    if (found.bytes > most_operation_bytes) ++whole.made_smaller;
    const std::uint32_t bytes = operation_bytes(found.bytes);
    lanes_.push_back(static_cast<std::uint16_t>(lane));
    bytes_.push_back(bytes);
    receivers.push_back(no_lane);
    if (++whole.allocations % (1U << 16) == 0) within(notes_bytes * whole.allocations);
    live_bytes_ += bytes;
    touched_live_ += std::min<std::uint64_t>(bytes, most_touched);
    whole.peak_live_bytes = std::max(whole.peak_live_bytes, live_bytes_);
    most_touched_live_ = std::max(most_touched_live_, touched_live_);
    lane_count& count = counts_[lane];
    count.most_live = std::max(count.most_live, ++count.live);
  }

  void release(std::uint32_t block, std::uint32_t lane) {
    const std::uint32_t taker = lanes_.at(block);
    live_bytes_ -= bytes_[block];
    touched_live_ -= std::min<std::uint64_t>(bytes_[block], most_touched);
    --counts_[taker].live;
    if (taker == lane) return;
    receivers[block] = static_cast<std::uint16_t>(lane);
    ++whole.passed;
    ++whole.entries;  // at most: as many as are on their way at once
    ++counts_[taker].operations;
    ++counts_[lane].operations;
  }

  void within(std::uint64_t bytes) const {
    if (bytes > chosen_.most_bytes)
      throw not_replayable("its replay needs " + mebibytes(bytes) + " or more, and may take " + mebibytes(chosen_.most_bytes) +
                           " of the free memory: record fewer events");
  }

  const decoding& chosen_;
  std::vector<std::uint16_t> lanes_;  ///< by block: of the thread that took it
  std::vector<std::uint32_t> bytes_;  ///< by block
  std::array<lane_count, most_replayed_lanes> counts_{};
  std::uint64_t live_bytes_ = 0, touched_live_ = 0, most_touched_live_ = 0, slots_ = 0;
};

/// A lane while its operations are written.
struct lane_writer {
  operation* next = nullptr;
  std::vector<std::uint32_t> free_slots;
  std::vector<bool> used;                   ///< by slot
  std::vector<std::uint32_t> stack;         ///< bytes of the blocks on the stack
  std::uint64_t stack_bytes = 0, most_stack_bytes = 0;

  void add(step kind, std::uint32_t slot, std::uint32_t bytes) {
    next->kind = kind;
    next->slot = slot & most_slots;
    next->bytes = bytes;
    ++next;
  }

  std::uint32_t take_slot() {
    if (free_slots.empty()) {
      if (used.size() >= most_slots)
        throw not_replayable("it has more than " + std::to_string(most_slots) + " live blocks at once");
      free_slots.push_back(static_cast<std::uint32_t>(used.size()));
      used.push_back(false);
    }
    const std::uint32_t slot = free_slots.back();
    free_slots.pop_back();
    used[slot] = true;
    return slot;
  }
  void give_back(std::uint32_t slot) {
    used[slot] = false;
    free_slots.push_back(slot);
  }

  void push(std::uint32_t slot, step kind, std::uint32_t bytes) {
    const std::uint64_t rounded = (bytes + stack_rounding - 1) / stack_rounding * stack_rounding;
    stack.push_back(bytes);
    most_stack_bytes = std::max(most_stack_bytes, stack_bytes += rounded);
    add(kind, slot, bytes);
  }
  void pop(std::uint32_t slot) {
    if (stack.empty()) throw std::logic_error("a stack-like block is freed twice");
    stack_bytes -= (stack.back() + stack_rounding - 1) / stack_rounding * stack_rounding;
    stack.pop_back();
    add(step::stack_free, slot, 0);
  }
};

class second_reading {
 public:
  second_reading(const extract& recorded, const decoding& chosen, first_reading& first, operation* room)
      : chosen_(chosen), first_(first), lanes_(first.whole.lanes) {
    if (chosen.on_stack) {
      reader events(recorded);
      stack_like_ = stack_like_blocks(events);
    }
    for (std::uint32_t lane = 0; lane < first.whole.lanes; ++lane)
      lanes_[lane].next = room + first.whole.of_lane[lane].begin;
    places_.reserve(first.whole.allocations);
    reader events(recorded);
    for (event found{}; events.next(found);)
      if (found.kind < event_kind::free_unknown) write(found, chosen_.one_lane ? 0 : found.lane);
    for (std::uint32_t lane = 0; lane < first.whole.lanes; ++lane) {
      lane_writer& its = lanes_[lane];
      lane_extent& where = first.whole.of_lane[lane];
      where.end = static_cast<std::uint64_t>(its.next - room);
      for (std::uint32_t slot = 0; slot < its.used.size(); ++slot)
        if (its.used[slot]) its.add(step::free, slot, 0);
      where.rest_end = static_cast<std::uint64_t>(its.next - room);
      where.slots = static_cast<std::uint32_t>(its.used.size());
      where.stack_bytes = its.most_stack_bytes;
    }
    first.whole.entries = static_cast<std::uint32_t>(way_of_.size());
  }

 private:
  void write(const event& found, std::uint32_t number) {
    lane_writer& lane = lanes_[number];
    const bool released = releases(found.kind);
    const std::uint32_t old = found.kind >= event_kind::free_own ? found.block : found.old_block;
    const std::uint32_t slot = !released                              ? lane.take_slot()
                               : first_.receivers[old] == no_lane ? places_[old]
                                                                  : received(old, lane);
    if (takes(found.kind)) {
      take(found, number, slot);
    } else {
      is_on_stack_.size() > old && is_on_stack_[old] ? lane.pop(slot) : lane.add(step::free, slot, 0);
      lane.give_back(slot);
    }
  }

  void take(const event& found, std::uint32_t number, std::uint32_t slot) {
    lane_writer& lane = lanes_[number];
    const std::uint32_t bytes = operation_bytes(found.bytes), block = static_cast<std::uint32_t>(places_.size());
    const bool zeroed = found.kind == event_kind::calloc;
    if (chosen_.on_stack)
      is_on_stack_.push_back(stack_like_[block] && !releases(found.kind) && found.alignment_log2 <= most_stack_alignment_log2);
    places_.push_back(slot);
    if (releases(found.kind)) {
      lane.add(step::realloc, slot, bytes);
    } else if (chosen_.on_stack && is_on_stack_[block]) {
      lane.push(slot, zeroed ? step::stack_calloc : step::stack_malloc, bytes);
    } else {
      lane.add(zeroed ? step::calloc : found.kind == event_kind::aligned ? step::aligned : step::malloc, slot, bytes);
      if (found.kind == event_kind::aligned) lane.add(step::aligned, 0, alignment_of(found));
    }
    if (const std::uint32_t receiver = first_.receivers[block]; receiver != no_lane) {
      lane.add(step::hand_over, slot, places_[block] = empty_entry(number, receiver));
      lane.give_back(slot);
    }
  }

  std::uint32_t received(std::uint32_t block, lane_writer& lane) {
    const std::uint32_t slot = lane.take_slot(), entry = places_[block];
    lane.add(step::receive, slot, entry);
    empty_[way_of_[entry]].push_back(entry);
    return slot;
  }

  std::uint32_t empty_entry(std::uint32_t taker, std::uint32_t receiver) {
    const std::uint32_t way = taker * most_replayed_lanes + receiver;
    std::deque<std::uint32_t>& empty = empty_[way];
    if (empty.empty()) {
      empty.push_back(static_cast<std::uint32_t>(way_of_.size()));
      way_of_.push_back(way);
    }
    const std::uint32_t entry = empty.front();
    empty.pop_front();
    return entry;
  }

  const decoding& chosen_;
  first_reading& first_;
  std::vector<lane_writer> lanes_;
  std::vector<std::uint32_t> places_;  ///< by block: its slot, or the entry through which it passes
  std::vector<bool> stack_like_, is_on_stack_;
  std::vector<std::uint32_t> way_of_;                      ///< by entry: its two lanes
  std::map<std::uint32_t, std::deque<std::uint32_t>> empty_;  ///< entries, by their lanes
};

}  // namespace

extent survey(const extract& recorded, const decoding& chosen) { return first_reading(recorded, chosen).whole; }

extent decode(const extract& recorded, const decoding& chosen, const std::function<operation*(std::uint64_t)>& room) {
  first_reading first(recorded, chosen);
  [[maybe_unused]] const second_reading decoded(recorded, chosen, first, room(first.whole.operations));
  return first.whole;
}

}  // namespace stackheap::recording

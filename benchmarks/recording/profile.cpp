#include "profile.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <optional>

#include "histogram.hpp"
#include "json.hpp"
#include "live_blocks.hpp"

namespace stackheap::recording {
namespace {

struct live_block {
  std::uint64_t bytes;
  std::uint32_t number;
  bool by_realloc;
  bool live = true;
};

/// How a block's life ended.
struct death {
  std::uint32_t block;
  std::uint64_t bytes;
  bool by_other, stack_like, temporary;
};

bool is_allocation(event_kind kind) { return kind <= event_kind::realloc_unknown; }
bool is_realloc(event_kind kind) { return kind >= event_kind::realloc_own && kind <= event_kind::realloc_unknown; }

/// Follows each block from its allocation to its end.
class lives {
 public:
  /// The block that the event ended, if it ended one.
  std::optional<death> see(const event& seen) {
    const bool allocates = is_allocation(seen.kind);
    const std::uint32_t ended = allocates ? seen.old_block : seen.block;
    thread_lives& own = of_lane(seen);
    std::optional<death> found;
    if (ended != no_block) found = end(seen, ended, own);
    if (allocates) {
      close_run(own);
      own.live.add({seen.bytes, seen.block, is_realloc(seen.kind)});
      own.last_taken = seen.block;
    }
    return found;
  }

  /// After the last event.
  void finish() {
    for (auto& [number, thread] : threads_) close_run(thread);
  }

  template <class Visit>
  void for_each_live(Visit visit) const {
    for (const auto& [number, thread] : threads_) thread.live.for_each(visit);
  }

  const blocks_and_bytes& region_like() const { return region_like_; }

 private:
  struct thread_lives {
    live_blocks<live_block> live;
    std::uint32_t last_taken = no_block;
    std::vector<live_block> run;  ///< what the thread has freed of its own blocks since its last allocation
    bool in_lane = false;
  };

  /// What the thread of an event has. When a lane has gone on to another thread, the one before is forgotten with its
  /// last block.
  thread_lives& of_lane(const event& seen) {
    if (seen.lane >= lanes_.size()) lanes_.resize(seen.lane + 1);
    auto& [number, thread] = lanes_[seen.lane];
    if (thread == nullptr || number != seen.thread) {
      const std::uint32_t before = std::exchange(number, seen.thread);
      if (thread != nullptr) {
        close_run(*thread);
        thread->in_lane = false;
        forget_if_gone(before, *thread);
      }
      thread = &threads_[seen.thread];
      thread->in_lane = true;
    }
    return *thread;
  }

  death end(const event& seen, std::uint32_t block, thread_lives& own) {
    const bool by_other = seen.taker != seen.thread;
    thread_lives& taker = by_other ? threads_[seen.taker] : own;
    const bool newest = taker.live.newest().number == block;
    const live_block gone = taker.live.take_out(block).value();
    if (by_other) forget_if_gone(seen.taker, taker);
    if (by_other || is_realloc(seen.kind)) return {block, gone.bytes, by_other, false, false};
    own.run.push_back(gone);
    return {block, gone.bytes, false, newest && !gone.by_realloc, block == own.last_taken};
  }

  void close_run(thread_lives& thread) {
    if (thread.run.size() > 1) {
      const auto lies_behind = [&](const live_block& gone) {
        return thread.live.empty() || gone.number > thread.live.newest().number;
      };
      if (std::count_if(thread.run.begin(), thread.run.end(), lies_behind) > 1)
        for (const live_block& gone : thread.run)
          if (lies_behind(gone)) ++region_like_.blocks, region_like_.bytes += gone.bytes;
    }
    thread.run.clear();
  }

  void forget_if_gone(std::uint32_t number, const thread_lives& thread) {
    if (!thread.in_lane && thread.live.empty()) threads_.erase(number);
  }

  std::map<std::uint32_t, thread_lives> threads_;  ///< that have a lane or live blocks
  std::vector<std::pair<std::uint32_t, thread_lives*>> lanes_;
  blocks_and_bytes region_like_;
};

/// Counts blocks by size and lifetime: powers of two from 8, powers of four from 1.
class heat_counts {
 public:
  void add(std::uint64_t bytes, std::optional<std::uint64_t> lifetime, bool stack_like) {
    const auto row = std::min(std::max<std::size_t>(static_cast<std::size_t>(std::bit_width(bytes)), 3) - 3, sizes - 1);
    const auto column = lifetime ? static_cast<std::size_t>((std::bit_width(*lifetime) + 1) / 2) : lifetimes;
    ++blocks_[row][column];
    if (stack_like) ++stack_like_[row][column];
    rows_ = std::max(rows_, row + 1);
    if (lifetime) columns_ = std::max(columns_, column + 1);
  }

  /// As far as there are blocks.
  heat_map map() const {
    heat_map drawn;
    for (std::size_t row = 0; row < rows_; ++row) drawn.size_edges.push_back(row == 0 ? 0 : std::uint64_t{4} << row);
    for (std::size_t column = 0; column < columns_; ++column)
      drawn.lifetime_edges.push_back(column == 0 ? 0 : std::uint64_t{1} << (2 * (column - 1)));
    drawn.blocks = part_of(blocks_);
    drawn.stack_like = part_of(stack_like_);
    return drawn;
  }

 private:
  static constexpr std::size_t sizes = 29;      ///< up to a row of 1 GiB and more
  static constexpr std::size_t lifetimes = 17;  ///< a lifetime has at most 32 bits
  using counts = std::array<std::array<std::uint64_t, lifetimes + 1>, sizes>;

  std::vector<std::vector<std::uint64_t>> part_of(const counts& all) const {
    std::vector<std::vector<std::uint64_t>> part;
    for (std::size_t row = 0; row < rows_; ++row) {
      part.emplace_back(all[row].begin(), all[row].begin() + static_cast<std::ptrdiff_t>(columns_));
      part.back().push_back(all[row][lifetimes]);
    }
    return part;
  }

  counts blocks_{}, stack_like_{};
  std::size_t rows_ = 1, columns_ = 1;
};

void count_call(call_counts& calls, const event& seen) {
  const bool cpp = (seen.flags & by_cpp) != 0;
  switch (seen.kind) {
    case event_kind::malloc: ++(cpp ? calls.by_new : calls.malloc); break;
    case event_kind::calloc: ++calls.calloc; break;
    case event_kind::aligned: ++(cpp ? calls.by_new : calls.aligned); break;
    case event_kind::realloc_own:
    case event_kind::realloc_other:
    case event_kind::realloc_unknown: ++calls.realloc; break;
    case event_kind::free_own:
    case event_kind::free_other: ++(cpp ? calls.by_delete : calls.free); break;
    case event_kind::free_unknown: ++calls.free_unknown; break;
    case event_kind::failed: ++calls.failed; break;
    case event_kind::thread_begins:
    case event_kind::thread_ends:
    case event_kind::main_begins: break;
  }
}

void add(blocks_and_bytes& sum, std::uint64_t bytes) {
  ++sum.blocks;
  sum.bytes += bytes;
}

quantiles quantiles_of(const histogram& values) {
  return {values.mean_at_one_in(2), values.mean_at_one_in(10), values.mean_at_one_in(100), values.max()};
}

}  // namespace

profile describe(reader& recording) {
  constexpr std::uint64_t most_points = 128;
  profile found;
  const auto sizes = std::make_unique<histogram>(), lifetimes = std::make_unique<histogram>();
  const std::uint64_t step = recording.about().events / (most_points - 1) + 1;
  bool before_main = recording.about().parent == 0;  // a process that was forked began within main
  std::uint64_t events = 0, live_bytes = 0, live_blocks = 0;
  heat_counts heat;
  lives all;
  for (event seen; recording.next(seen);) {
    count_call(found.calls, seen);
    if (seen.kind == event_kind::main_begins) before_main = false;
    if (const auto ended = all.see(seen)) {
      const std::uint64_t lifetime = found.allocations - ended->block - 1;
      lifetimes->record(lifetime);
      heat.add(ended->bytes, lifetime, ended->stack_like);
      live_bytes -= ended->bytes;
      --live_blocks;
      if (ended->by_other) add(found.freed_by_other, ended->bytes);
      if (ended->stack_like) add(found.stack_like, ended->bytes);
      if (ended->temporary) add(found.temporary, ended->bytes);
    }
    if (is_allocation(seen.kind)) {
      sizes->record(seen.bytes);
      ++found.allocations;
      found.bytes += seen.bytes;
      live_bytes += seen.bytes;
      found.allocations_before_main += before_main;
      found.peak_bytes = std::max(found.peak_bytes, live_bytes);
      found.peak_blocks = std::max(found.peak_blocks, ++live_blocks);
    }
    if (++events % step == 0) found.live.emplace_back(events, live_bytes);
  }
  if (events % step != 0) found.live.emplace_back(events, live_bytes);
  // Without the mark of main, the program ended before it, or the recording lacks the mark.
  if (before_main && (!recording.about().how || *recording.about().how > ending::exec))
    found.allocations_before_main = 0;
  all.finish();
  all.for_each_live([&](const live_block& kept) {
    add(found.never_freed, kept.bytes);
    heat.add(kept.bytes, {}, false);
  });
  found.about = recording.about();
  found.region_like = all.region_like();
  found.sizes = quantiles_of(*sizes);
  found.lifetimes = quantiles_of(*lifetimes);
  found.heat = heat.map();
  return found;
}

std::vector<bool> stack_like_blocks(reader& recording) {
  std::vector<bool> found;
  lives all;
  for (event seen; recording.next(seen);) {
    if (const auto ended = all.see(seen)) found[ended->block] = ended->stack_like;
    if (is_allocation(seen.kind)) found.push_back(false);
  }
  return found;
}

// ---- in JSON

static const char* name_of(const facts& about) {
  constexpr std::array names{"exit", "quick_exit", "exec", "most", "disk"};
  return about.how ? names[static_cast<std::size_t>(*about.how)] : "cut off";
}

static std::string json(const blocks_and_bytes& sum) {
  return json_object().member("blocks", sum.blocks).member("bytes", sum.bytes).text();
}

static std::string json(const call_counts& calls) {
  return json_object()
      .member("malloc", calls.malloc)
      .member("calloc", calls.calloc)
      .member("aligned", calls.aligned)
      .member("new", calls.by_new)
      .member("realloc", calls.realloc)
      .member("free", calls.free)
      .member("delete", calls.by_delete)
      .member("failed", calls.failed)
      .member("free_unknown", calls.free_unknown)
      .member("all", calls.all())
      .text();
}

static std::string json(const heat_map& heat) {
  return json_object()
      .member("size_edges", heat.size_edges)
      .member("lifetime_edges", heat.lifetime_edges)
      .member("blocks", heat.blocks)
      .member("stack_like", heat.stack_like)
      .text();
}

static json_object json_of(const quantiles& of_values) {
  return json_object().member("p50", of_values.p50).member("p90", of_values.p90).member("p99", of_values.p99);
}

std::string as_json(const profile& described) {
  const facts& about = described.about;
  std::vector<std::vector<std::uint64_t>> series;
  for (const auto& [events, bytes] : described.live) series.push_back({events, bytes});
  return json_object()
      .member("format", std::uint64_t{1})
      .member("command", about.command)
      .member("process", about.process)
      .member("parent", about.parent)
      .member("ended", name_of(about))
      .member("events", about.events)
      .member("unseen", about.unseen)
      .member("threads", about.threads)
      .member("lanes", about.lanes)
      .member("calls", described.calls)
      .member("allocations", described.allocations)
      .member("allocations_before_main", described.allocations_before_main)
      .member("bytes", described.bytes)
      .member("sizes", json_of(described.sizes).member("max", described.sizes.max))
      .member("lifetimes", json_of(described.lifetimes))
      .member("live", json_object()
                          .member("peak_bytes", described.peak_bytes)
                          .member("peak_blocks", described.peak_blocks)
                          .member("final_bytes", described.never_freed.bytes)
                          .member("final_blocks", described.never_freed.blocks)
                          .member("series", series))
      .member("never_freed", described.never_freed)
      .member("freed_by_other", described.freed_by_other)
      .member("stack_like", described.stack_like)
      .member("temporary", described.temporary)
      .member("region_like", described.region_like)
      .member("heat", described.heat)
      .text();
}

}  // namespace stackheap::recording

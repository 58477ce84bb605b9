// What does a block cost that has to grow: by realloc, by copying into one of twice the size, in a std::vector?
#include <algorithm>

#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// What is appended: 64 bytes, so that it is growing that costs, not the loop.
struct piece {
  explicit piece(std::uint64_t number) { std::fill_n(words, 8, number); }
  std::uint64_t words[8];
};

/// Ways to grow: each makes its first block of one piece and doubles it when it is full, as std::vector does.
template <owns Strategy>
struct by_copy {
  static constexpr const char* name = "copy";
  Strategy& strategy;

  piece* first(std::size_t) { return static_cast<piece*>(strategy.allocate(sizeof(piece))); }
  piece* doubled(piece* full, std::size_t capacity) {
    void* const fresh = strategy.allocate(2 * capacity * sizeof(piece));
    std::memcpy(fresh, full, capacity * sizeof(piece));
    drop(full, capacity);
    return static_cast<piece*>(fresh);
  }
  void drop(piece* block, std::size_t capacity) { strategy.deallocate(block, capacity * sizeof(piece)); }
};

struct by_realloc {
  static constexpr const char* name = "realloc";
  loaded_malloc& strategy;

  piece* first(std::size_t) { return static_cast<piece*>(strategy.malloc(sizeof(piece))); }
  piece* doubled(piece* full, std::size_t capacity) {
    return static_cast<piece*>(strategy.realloc(full, 2 * capacity * sizeof(piece)));
  }
  void drop(piece* block, std::size_t) { strategy.free(block); }
};

/// The control: the block has room for all from the start.
struct not_at_all {
  static constexpr const char* name = "reserved";
  none& strategy;

  piece* first(std::size_t pieces) { return static_cast<piece*>(strategy.allocate(pieces * sizeof(piece))); }
  piece* doubled(piece* full, std::size_t) { return full; }
  void drop(piece*, std::size_t) {}
};

template <class Way, class Use>
[[gnu::noinline]] void build(Way way, std::size_t pieces, Use use) {
  std::size_t capacity = 1;
  piece* block = way.first(pieces);
  for (std::size_t used = 0; used < pieces; ++used) {
    if (used == capacity) {
      block = way.doubled(block, capacity);
      capacity *= 2;
    }
    ::new (block + used) piece(used);
  }
  use(block);
  way.drop(block, capacity);
}

struct in_vector {
  static constexpr const char* name = "push_back";
};
template <class Use>
[[gnu::noinline]] void build(in_vector, std::size_t pieces, Use use) {
  std::vector<piece> block;
  for (std::size_t used = 0; used < pieces; ++used) block.push_back(piece(used));
  use(block.data());
}

template <class Way>
void verify_build(Way way, std::size_t pieces) {
  bool right = true;
  build(way, pieces, [&](piece* block) {
    for (std::size_t i = 0; i < pieces; ++i)
      right = right && std::all_of(block[i].words, block[i].words + 8, [&](std::uint64_t word) { return word == i; });
  });
  if (!right) throw wrong_work("what was appended is not there");
}

template <class Way>
void build_again(benchmark::State& state, Way way, std::size_t pieces) {
  pieces = opaque(pieces);
  const measured measuring(state);
  for (auto _ : state) build(way, pieces, [](piece* block) { escape(block); });
}

/// Every size the block has on its way.
std::vector<std::size_t> sizes_up_to(std::size_t bytes) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = sizeof(piece); size <= bytes; size *= 2) sizes.push_back(size);
  return sizes;
}

template <class Strategy>
struct world {
  world(contender<Strategy> by, std::size_t bytes)
      : strategy(by.make()), heap(strategy, heap_state::resident, sizes_up_to(bytes)) {}
  Strategy strategy;
  on_heap<Strategy> heap;
};

template <class Way, class Strategy>
void enroll_way(enrolment& into, contender<Strategy> by, std::size_t bytes) {
  const std::size_t pieces = bytes / sizeof(piece);
  into.add(
      by.name, {{"bytes", bytes}, {"way", Way::name}},
      [=] {
        auto made = std::make_shared<world<Strategy>>(by, bytes);
        verify_build(Way{made->strategy}, pieces);
        return made;
      },
      [=](benchmark::State& state, world<Strategy>& in) { build_again(state, Way{in.strategy}, pieces); });
}

void enroll_vector(enrolment& into, std::size_t bytes) {
  using process_heap = world<new_delete>;
  const std::size_t pieces = bytes / sizeof(piece);
  into.add(
      "vector", {{"bytes", bytes}, {"way", in_vector::name}},
      [=] {
        verify_build(in_vector{}, pieces);
        return std::make_shared<process_heap>(contender<new_delete>{"", [] { return new_delete({}); }}, bytes);
      },
      [=](benchmark::State& state, process_heap&) { build_again(state, in_vector{}, pieces); });
}

const family grow({
    .question = "What does it cost to append until a block has n bytes: by realloc, by copying, in a std::vector?",
    .operation = "a whole build: from 64 bytes to n, appending 64 at a time and doubling when full, then giving it "
                 "back",
    .untimed = "making the strategy, one verified build",
    .heap = "resident: four live blocks of each size that the block has on its way",
    .unfairness = "realloc may find room behind the block, or have the system move the pages of a large one without "
                  "copying; whether it can depends on what else is live. vector stands on the process's operator new: "
                  "compare it with new_delete. Blocks that a malloc gives back to the system bring page faults with "
                  "every build.",
}, [](enrolment& into) {
  for (const std::size_t bytes : into.pick<std::size_t>({1 << 10}, {1 << 10, 64 << 10, 4 << 20},
                                                        {1 << 10, 8 << 10, 64 << 10, 512 << 10, 4 << 20, 32 << 20})) {
    every_strategy(beside(heap_state::resident, {bytes, 2}), [&]<owns Strategy>(contender<Strategy> by) {
      if constexpr (std::is_same_v<Strategy, none>)
        enroll_way<not_at_all>(into, by, bytes);
      else if constexpr (!std::is_same_v<Strategy, pool>)  // its blocks all have the largest size already
        enroll_way<by_copy<Strategy>>(into, by, bytes);
      if constexpr (std::is_same_v<Strategy, loaded_malloc>) enroll_way<by_realloc>(into, by, bytes);
    });
    enroll_vector(into, bytes);
  }
});

}  // namespace
}  // namespace stackheap

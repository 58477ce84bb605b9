// What does it cost when a block grows: by realloc, by copying into a block of twice the size, in a std::vector?
#include <algorithm>

#include "heap.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// The appended element: 64 bytes, so that growing costs more than the loop.
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
  if (!right) throw verification_error("what was appended is not there");
}

template <class Way>
void build_again(benchmark::State& state, Way way, std::size_t pieces) {
  pieces = hide(pieces);
  const measured measuring(state);
  for (auto _ : state) build(way, pieces, [](piece* block) { escape(block); });
}

/// Every size that the block has while it grows.
std::vector<std::size_t> sizes_up_to(std::size_t bytes) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = sizeof(piece); size <= bytes; size *= 2) sizes.push_back(size);
  return sizes;
}

template <class Way, class Strategy>
void add_way(benchmark_registry& registry, strategy_factory<Strategy> factory, std::size_t bytes) {
  const std::size_t pieces = bytes / sizeof(piece);
  registry.add(
      factory.name, {{"bytes", bytes}, {"way", Way::name}},
      [=] {
        auto made = std::make_shared<resident_fixture<Strategy>>(factory, sizes_up_to(bytes));
        verify_build(Way{made->strategy}, pieces);
        return made;
      },
      [=](benchmark::State& state, resident_fixture<Strategy>& in) { build_again(state, Way{in.strategy}, pieces); });
}

void add_vector(benchmark_registry& registry, std::size_t bytes) {
  using process_heap = resident_fixture<new_delete>;
  const std::size_t pieces = bytes / sizeof(piece);
  registry.add(
      "vector", {{"bytes", bytes}, {"way", in_vector::name}},
      [=] {
        verify_build(in_vector{}, pieces);
        return std::make_shared<process_heap>(strategy_factory<new_delete>{"", [] { return new_delete({}); }},
                                              sizes_up_to(bytes));
      },
      [=](benchmark::State& state, process_heap&) { build_again(state, in_vector{}, pieces); });
}

const family grow({
    .question = "What does it cost to append until a block has n bytes: by realloc, by copying, in a std::vector?",
    .operation = "a complete build: from 64 bytes to n bytes, append 64 bytes at a time, double the block when it is "
                 "full, then free it",
    .untimed = "making the strategy, one verified build",
    .heap = "resident: at least four live blocks of every size that the block has while it grows",
    .held_against = "none: the same bytes, appended to a block that is large enough from the start",
    .controls = "^grow/none/",
    .unfairness = "realloc may extend the block in place, or let the kernel move the pages of a large block without "
                  "copying; whether it can depends on the other live blocks. vector uses the operator new of the "
                  "process: compare it with new_delete. Blocks that a malloc returns to the system cause page faults "
                  "in every build.",
    .core = {"^grow/(vector|glibc|malloc)/bytes:65536/way:(push_back|realloc)$"},
    .operations = {{"grow/witness/bytes:1024/way:copy",
                    {{"mallocs", 5}, {"frees", 5}, {"reallocs", 0}, {"bytes", 64 + 128 + 256 + 512 + 1024}, {"wrong_frees", 0}},
                    10},
                   {"grow/witness/bytes:1024/way:realloc",
                    {{"mallocs", 1}, {"frees", 1}, {"reallocs", 4}, {"bytes", 64 + 128 + 256 + 512 + 1024}, {"wrong_frees", 0}},
                    10},
                   {.benchmark = "grow/vector/bytes:1024/way:push_back", .notes = blocks_of(1024, 1, blocks_of(512, 1)),
                    .calls = 10, .preload = true}},
    .past_second_cache = "bytes:[0-9]{7,}/",
}, [](benchmark_registry& registry) {
  for (const std::size_t bytes : registry.pick<std::size_t>({1 << 10}, {1 << 10, 64 << 10, 4 << 20},
                                                        {1 << 10, 8 << 10, 64 << 10, 512 << 10, 4 << 20, 32 << 20})) {
    every_strategy(beside(heap_state::resident, {bytes, 2}), [&]<owns Strategy>(strategy_factory<Strategy> factory) {
      if constexpr (std::is_same_v<Strategy, none>)
        add_way<not_at_all>(registry, factory, bytes);
      else if constexpr (!std::is_same_v<Strategy, pool>)  // its blocks all have the largest size already
        add_way<by_copy<Strategy>>(registry, factory, bytes);
      if constexpr (std::is_same_v<Strategy, loaded_malloc>) add_way<by_realloc>(registry, factory, bytes);
    });
    add_vector(registry, bytes);
  }
});

}  // namespace
}  // namespace stackheap

// Does a line of larson's server notice a block that was lost or handed out twice?
#include "../../benchmarks/contention/larson.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace stackheap {
namespace {

using line = server_line<new_delete>;

TEST(larson, drawn_sizes_and_slots_are_as_published) {
  new_delete heap{{}};
  generator random(seed);
  const line drawn(heap, random);
  std::uint32_t least = line::max_bytes, most = 0;
  for (const replacement& next : drawn.script()) {
    ASSERT_LT(next.slot, line::live);
    least = std::min(least, next.bytes);
    most = std::max(most, next.bytes);
  }
  EXPECT_EQ(least, line::min_bytes);
  EXPECT_EQ(most, line::max_bytes);
}

TEST(larson, blocks_pass_from_thread_to_thread) {
  new_delete heap{{}};
  generator random(seed);
  line passed(heap, random);
  EXPECT_TRUE(passed.balanced());
  for (int life = 0; life < 3; ++life) std::thread([&] { passed.live_once(line::drawn); }).join();
  EXPECT_TRUE(passed.balanced());
  EXPECT_EQ(passed.lives(), 3U);
}

/// Counts the blocks it gives.
class counting_heap {
 public:
  static constexpr bool thread_safe = true;
  void* allocate(std::size_t bytes) { return ++taken, ::operator new(bytes); }
  void deallocate(void* block, std::size_t) { ::operator delete(block); }

  std::size_t taken = 0;
};

TEST(larson, a_life_has_as_many_replacements_as_its_name_says) {
  counting_heap heap;
  generator random(seed);
  server_line<counting_heap> lived(heap, random);
  for (const std::size_t life : {std::size_t{5}, line::drawn, std::size_t{500'000}}) {
    heap.taken = 0;
    lived.live_once(life);
    EXPECT_EQ(heap.taken, life);
    EXPECT_TRUE(lived.balanced());
  }
}

TEST(larson, one_block_for_all_is_noticed) {
  none heap({line::max_bytes, 1});
  generator random(seed);
  server_line<none> same(heap, random);
  EXPECT_FALSE(same.balanced());
}

/// Overwrites, once, what an earlier block holds: as a malloc would that hands out memory twice.
class treacherous {
 public:
  static constexpr bool thread_safe = true;
  void* allocate(std::size_t bytes) {
    if (++taken_ == line::live + 1000) *static_cast<std::uint64_t*>(last_) += 1;
    return last_ = ::operator new(bytes);
  }
  void deallocate(void* block, std::size_t) { ::operator delete(block); }

 private:
  std::size_t taken_ = 0;
  void* last_ = nullptr;
};

TEST(larson, one_changed_block_is_noticed_even_after_it_was_freed) {
  treacherous heap;
  generator random(seed);
  server_line<treacherous> changed(heap, random);
  EXPECT_TRUE(changed.balanced());
  changed.live_once(line::drawn);
  changed.live_once(line::drawn);
  EXPECT_FALSE(changed.balanced());
}

}  // namespace
}  // namespace stackheap

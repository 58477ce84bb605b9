// Does every strategy keep the promises of its concepts? One contract: whatever stands in allocators/ has to pass it.
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <bit>
#include <cstring>
#include <fstream>
#include <new>
#include <regex>
#include <set>
#include <thread>

#include "every_strategy.hpp"
#include "measure.hpp"
#include "threads.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

// What each can do is part of its meaning: the stack's memory is lent, the heap's owned, the arena's reset.
template <class Strategy>
constexpr bool only_lends = lends<Strategy> && !owns<Strategy> && !resets<Strategy>;
template <class Strategy>
constexpr bool only_owns = owns<Strategy> && !lends<Strategy> && !resets<Strategy>;
template <class Strategy>
constexpr bool lends_and_resets = lends<Strategy> && resets<Strategy> && !owns<Strategy>;
static_assert(only_lends<stack_array<8>> && only_lends<stack_array<mib>> && only_lends<alloca_>);
static_assert(only_lends<thread_local_> && only_lends<small_buffer>);
static_assert(lends_and_resets<arena> && lends_and_resets<pmr_monotonic>);
static_assert(only_owns<pool> && only_owns<pmr_pool> && only_owns<pmr_sync_pool>);
static_assert(only_owns<new_delete> && only_owns<mmap_> && only_owns<loaded_malloc>);
static_assert(lends<none> && owns<none> && !resets<none>);
static_assert(shares<new_delete> && shares<mmap_> && shares<loaded_malloc> && shares<pmr_sync_pool> && shares<none>);
static_assert(!shares<pool> && !shares<pmr_pool>);

/// Its blocks are one and the same, so nothing can be kept in two of them.
template <class Strategy>
constexpr bool is_control = std::is_same_v<Strategy, none>;

/// A second block while the first is lent is none of its own: there is one block (none), one scratch buffer a thread
/// (thread_local), or the inner lending gives everything back (pmr_monotonic).
template <class Strategy>
constexpr bool lends_one_at_a_time =
    is_control<Strategy> || std::is_same_v<Strategy, thread_local_> || std::is_same_v<Strategy, pmr_monotonic>;

/// Powers of two up to 1 MiB, and their neighbours.
std::vector<std::size_t> many_sizes() {
  std::set<std::size_t> sizes;
  for (std::size_t power = 1; power <= mib; power *= 2)
    for (const std::size_t bytes : {power - 1, power, power + 1})
      if (bytes >= 1 && bytes <= mib) sizes.insert(bytes);
  return {sizes.begin(), sizes.end()};
}

/// As C asks of malloc: enough for any object that fits.
bool is_aligned(const void* block, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(block) % std::min(std::bit_floor(bytes), block_alignment) == 0;
}

bool is_on_this_stack(const void* block) {
  pthread_attr_t attributes;
  ::pthread_getattr_np(::pthread_self(), &attributes);
  void* lowest = nullptr;
  std::size_t bytes = 0;
  ::pthread_attr_getstack(&attributes, &lowest, &bytes);
  ::pthread_attr_destroy(&attributes);
  return block >= lowest && block < static_cast<std::byte*>(lowest) + bytes;
}

/// A block, and the byte pattern by which it is known.
struct marked {
  std::byte* block;
  std::size_t bytes;
  std::uint64_t mark;

  std::byte at(std::size_t offset) const {
    return static_cast<std::byte>((mark * 31 + offset * 7 + (offset >> 8)) & 0xff);
  }
  void write() const {
    for (std::size_t i = 0; i < bytes; ++i) block[i] = at(i);
  }
  bool holds() const {
    for (std::size_t i = 0; i < bytes; ++i)
      if (block[i] != at(i)) return false;
    return true;
  }
};

void expect_apart(std::vector<marked> blocks) {
  std::sort(blocks.begin(), blocks.end(), [](const marked& a, const marked& b) { return a.block < b.block; });
  for (std::size_t i = 1; i < blocks.size(); ++i)
    ASSERT_LE(blocks[i - 1].block + blocks[i - 1].bytes, blocks[i].block);
  for (const marked& taken : blocks) ASSERT_TRUE(taken.holds()) << taken.bytes;
}

TEST(strategy_contract, names_are_unique_and_well_formed) {
  std::multiset<std::string> offered;
  every_strategy({8, 1}, [&]<class Strategy>(strategy_factory<Strategy> factory) {
    static_assert(lends<Strategy> || owns<Strategy>);
    offered.insert(factory.name);
    EXPECT_TRUE(std::regex_match(factory.name, std::regex("[a-z0-9_.-]+"))) << factory.name;
  });
  std::multiset<std::string> described;
  describe_strategies([&](const char* name, const char* description, const char* idea) {
    described.insert(name);
    EXPECT_STRNE(description, "");
    EXPECT_TRUE(std::regex_match(idea, std::regex("control|stack|arena|heap"))) << name;
  });
  for (const malloc_library& library : malloc_libraries())
    if (library.available()) described.insert(library.name);
  EXPECT_EQ(offered, described);
  EXPECT_EQ(offered.size(), std::set<std::string>(offered.begin(), offered.end()).size());
}

TEST(strategy_contract, lends_aligned_memory_of_every_size_that_holds_what_is_written) {
  for (const std::size_t bytes : many_sizes())
    every_strategy({bytes, 1}, [&]<class Strategy>(strategy_factory<Strategy> factory) {
      SCOPED_TRACE(factory.name + " " + std::to_string(bytes));
      Strategy strategy = factory.make();
      stack_room(bytes).run([&] {
        for (std::uint64_t round = 0; round < 3; ++round) {
          int calls = 0;
          lend(strategy, bytes, [&](std::byte* block, std::size_t given) {
            ++calls;
            ASSERT_EQ(given, bytes);
            ASSERT_NE(block, nullptr);
            EXPECT_TRUE(is_aligned(block, bytes));
            const marked lent{block, given, round};
            lent.write();
            EXPECT_TRUE(lent.holds());
          });
          EXPECT_EQ(calls, 1);
        }
      });
    });
}

TEST(strategy_contract, lends_two_blocks_at_once_that_do_not_overlap) {
  for (const std::size_t bytes : {1, 64, 128, 129, 4096})
    every_strategy({bytes, 2}, [&]<class Strategy>(strategy_factory<Strategy> factory) {
      if (lends_one_at_a_time<Strategy>) return;
      SCOPED_TRACE(factory.name + " " + std::to_string(bytes));
      Strategy strategy = factory.make();
      lend(strategy, bytes, [&](std::byte* outer, std::size_t) {
        const marked first{outer, bytes, 1};
        first.write();
        for (int i = 0; i < 2; ++i)
          lend(strategy, bytes, [&](std::byte* inner, std::size_t) {
            const marked second{inner, bytes, 2};
            second.write();
            expect_apart({first, second});
          });
        EXPECT_TRUE(first.holds());
      });
    });
}

TEST(strategy_contract, lends_from_the_stack_or_not_as_its_name_says) {
  const std::set<std::string> on_stack{"stack_array", "alloca", "small_buffer"};
  every_strategy({64, 1}, [&]<class Strategy>(strategy_factory<Strategy> factory) {
    Strategy strategy = factory.make();
    lend(strategy, 64, [&](std::byte* block, std::size_t) {
      EXPECT_EQ(is_on_this_stack(block), on_stack.contains(factory.name)) << factory.name;
    });
  });
  small_buffer larger{{129, 1}};
  larger.lend(128, [](std::byte* block, std::size_t) { EXPECT_TRUE(is_on_this_stack(block)); });
  larger.lend(129, [](std::byte* block, std::size_t) { EXPECT_FALSE(is_on_this_stack(block)); });
}

TEST(strategy_contract, lends_the_same_bytes_again_and_again) {
  // The demand is one block, so an arena that did not rewind would be used up at once.
  every_strategy({48, 1}, [&]<lends Strategy>(strategy_factory<Strategy> factory) {
    SCOPED_TRACE(factory.name);
    Strategy strategy = factory.make();
    std::set<std::byte*> seen;
    for (int i = 0; i < 1000; ++i) lend(strategy, 48, [&](std::byte* block, std::size_t) { seen.insert(block); });
    EXPECT_EQ(seen.size(), 1U);
    EXPECT_FALSE(seen.contains(nullptr));
  });
}

TEST(strategy_contract, owned_blocks_do_not_overlap_and_are_freed_in_any_order) {
  std::vector<std::size_t> sizes{1, 2, 3, 7, 8, 9, 15, 16, 17, 4096, 65536, mib - 1, mib};
  generator random(seed);
  while (sizes.size() < 160) sizes.push_back(draw_size(size_mix::power_law, random));
  every_strategy({mib, sizes.size()}, [&]<owns Strategy>(strategy_factory<Strategy> factory) {
    if (is_control<Strategy>) return;
    SCOPED_TRACE(factory.name);
    Strategy strategy = factory.make();
    std::vector<marked> live;
    std::uint64_t mark = 0;
    for (int round = 0; round < 3; ++round) {
      for (const std::uint32_t index : shuffled(sizes.size(), random))
        if (live.size() < sizes.size()) {
          const std::size_t bytes = sizes[index];
          live.push_back({static_cast<std::byte*>(strategy.allocate(bytes)), bytes, ++mark});
          ASSERT_NE(live.back().block, nullptr) << bytes;
          ASSERT_TRUE(is_aligned(live.back().block, bytes)) << bytes;
          live.back().write();
        }
      expect_apart(live);
      std::vector<marked> kept;
      for (const std::uint32_t index : shuffled(live.size(), random)) {
        if (kept.size() < (round < 2 ? live.size() / 2 : 0)) {
          kept.push_back(live[index]);
          continue;
        }
        EXPECT_TRUE(live[index].holds()) << live[index].bytes;
        strategy.deallocate(live[index].block, live[index].bytes);
      }
      expect_apart(kept);
      live = std::move(kept);
    }
  });
}

/// Bytes of address space that this process has mapped.
std::size_t mapped_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * 4096;
}

TEST(strategy_contract, what_was_given_back_is_used_again_or_unmapped) {
  // 8 GiB in all, of which one block at a time is live.
  every_strategy({mib, 1}, [&]<class Strategy>(strategy_factory<Strategy> factory) {
    SCOPED_TRACE(factory.name);
    Strategy strategy = factory.make();
    const std::size_t before = mapped_bytes();
    for (int i = 0; i < 8192; ++i)
      lend(strategy, mib, [&](std::byte* block, std::size_t) {
        ASSERT_NE(block, nullptr) << i;
        *block = std::byte{1};
        escape(block);
      });
    EXPECT_LT(mapped_bytes(), before + 4096 * mib);
  });
}

TEST(strategy_contract, small_blocks_that_were_given_back_are_given_again) {
  constexpr std::size_t bytes = 1000, times = 20'000;
  every_strategy({bytes, 1}, [&]<owns Strategy>(strategy_factory<Strategy> factory) {
    Strategy strategy = factory.make();
    std::set<void*> seen;
    for (std::size_t i = 0; i < times; ++i) {
      void* const block = strategy.allocate(bytes);
      seen.insert(block);
      strategy.deallocate(block, bytes);
    }
    EXPECT_LT(seen.size(), times / 4) << factory.name;
  });
}

TEST(strategy_contract, reset_gives_all_blocks_back) {
  constexpr std::size_t count = 200, bytes = 1000;
  every_strategy({bytes, count}, [&]<resets Strategy>(strategy_factory<Strategy> factory) {
    SCOPED_TRACE(factory.name);
    Strategy strategy = factory.make();
    std::set<std::byte*> first_time;
    for (int round = 0; round < 3; ++round) {
      std::vector<marked> taken;
      for (std::size_t i = 0; i < count; ++i) {
        taken.push_back({static_cast<std::byte*>(strategy.allocate(bytes)), bytes, i});
        ASSERT_NE(taken.back().block, nullptr);
        ASSERT_TRUE(is_aligned(taken.back().block, bytes));
        taken.back().write();
        if (round == 0) first_time.insert(taken.back().block);
        EXPECT_TRUE(first_time.contains(taken.back().block));
      }
      expect_apart(taken);
      strategy.reset();
    }
  });
}

TEST(strategy_contract, a_huge_request_gives_nothing_and_breaks_nothing) {
  every_strategy({64, 2}, [&]<class Strategy>(strategy_factory<Strategy> factory)
                   requires(owns<Strategy> || resets<Strategy>)
  {
    if (is_control<Strategy>) return;
    SCOPED_TRACE(factory.name);
    Strategy strategy = factory.make();
    for (const std::size_t bytes : {SIZE_MAX / 2, SIZE_MAX - 4096, SIZE_MAX - 15, SIZE_MAX}) {
      void* got = nullptr;
      try {
        got = strategy.allocate(hide(bytes));
      } catch (const std::bad_alloc&) {
      }
      EXPECT_EQ(got, nullptr) << bytes;
    }
    void* const small = strategy.allocate(64);
    ASSERT_NE(small, nullptr);
    std::memset(small, 1, 64);
    if constexpr (owns<Strategy>) strategy.deallocate(small, 64);
  });
}

TEST(strategy_contract, pool_ends_where_it_says) {
  pool blocks({100, 3});
  std::vector<void*> out;
  for (int i = 0; i < 3; ++i) ASSERT_NE(out.emplace_back(blocks.allocate(100)), nullptr);
  EXPECT_EQ(blocks.allocate(100), nullptr);
  EXPECT_EQ(blocks.allocate(1), nullptr);
  blocks.deallocate(out[1], 100);
  EXPECT_EQ(blocks.allocate(113), nullptr) << "more than a block";
  EXPECT_EQ(blocks.allocate(100), out[1]);
  EXPECT_EQ(blocks.allocate(100), nullptr);
}

TEST(strategy_contract, arena_ends_where_it_says_and_rewinds) {
  arena region({100, 3});
  std::vector<void*> out;
  for (int i = 0; i < 3; ++i) ASSERT_NE(out.emplace_back(region.allocate(100)), nullptr);
  EXPECT_EQ(region.allocate(100), nullptr);
  EXPECT_EQ(region.allocate(1), nullptr);
  region.lend(1, [](std::byte* block, std::size_t) { EXPECT_EQ(block, nullptr); });
  region.reset();
  EXPECT_EQ(region.allocate(100), out[0]);
  for (int i = 0; i < 3; ++i)
    region.lend(200, [&](std::byte* block, std::size_t) { EXPECT_EQ(block, out[1]); });
  EXPECT_EQ(region.allocate(100), out[1]) << "what was lent is there again";
  region.lend(101, [&](std::byte* block, std::size_t) {
    EXPECT_EQ(block, out[2]);
    EXPECT_EQ(region.allocate(1), nullptr);
  });
}

TEST(strategy_contract, shared_strategies_take_blocks_back_from_any_thread) {
  constexpr unsigned count = 4;
  constexpr std::size_t blocks = 2000, bytes_at_most = 128;
  every_strategy({bytes_at_most, count * blocks}, [&]<shares Strategy>(strategy_factory<Strategy> factory) {
    if (is_control<Strategy>) return;
    SCOPED_TRACE(factory.name);
    Strategy strategy = factory.make();
    team threads(count);
    std::vector<std::vector<marked>> blocks_of(count, std::vector<marked>(blocks));
    std::atomic<int> lost = 0;
    for (unsigned round = 0; round < 12; ++round) {
      threads.round([&](unsigned thread) {
        for (std::size_t i = 0; i < blocks; ++i) {
          const std::size_t bytes = 1 + i % bytes_at_most;
          blocks_of[thread][i] = {static_cast<std::byte*>(strategy.allocate(bytes)), bytes, thread * blocks + i};
          if (blocks_of[thread][i].block != nullptr) blocks_of[thread][i].write();
        }
      });
      threads.round([&](unsigned thread) {
        for (const marked& taken : blocks_of[(thread + round) % count]) {  // in the first round, its own
          lost += taken.block == nullptr || !taken.holds();
          if (taken.block != nullptr) strategy.deallocate(taken.block, taken.bytes);
        }
      });
    }
    EXPECT_EQ(lost, 0);
  });
}

TEST(strategy_contract, each_thread_has_memory_of_its_own) {
  constexpr unsigned count = 3;
  every_strategy({1024, 1}, [&]<class Strategy>(strategy_factory<Strategy> factory) {
    SCOPED_TRACE(factory.name);
    std::vector<marked> lent(count);
    std::barrier all_lent(count), all_seen(count);
    team threads(count);
    threads.round([&](unsigned thread) {
      Strategy strategy = factory.make();
      lend(strategy, 1024, [&](std::byte* block, std::size_t bytes) {
        lent[thread] = {block, bytes, thread};
        lent[thread].write();
        all_lent.arrive_and_wait();
        if (thread == 0) expect_apart(lent);
        all_seen.arrive_and_wait();
      });
    });
  });
}

}  // namespace
}  // namespace stackheap

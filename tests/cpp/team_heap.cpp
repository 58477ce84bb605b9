// Is memory that two threads are given at once noticed, and is memory of their own accepted?
#include "team_heap.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <vector>

#include "new_delete.hpp"
#include "none.hpp"

namespace stackheap {
namespace {

const std::vector<std::uint32_t> sizes{8, 64, 100, 1000};

/// Blocks of the heap, except that a thread gets the block that another thread took last, while that thread holds it.
class given_twice {
 public:
  static constexpr bool thread_safe = true;

  void* allocate(std::size_t bytes) {
    const std::lock_guard guard(lock_);
    if (last_ != nullptr && taker_ != std::this_thread::get_id() && bytes <= last_bytes_) return last_;
    taker_ = std::this_thread::get_id(), last_bytes_ = bytes;
    all_.push_back(std::make_unique<std::byte[]>(bytes));
    return last_ = all_.back().get();
  }
  void deallocate(void* block, std::size_t) {
    const std::lock_guard guard(lock_);
    if (block == last_) last_ = nullptr;
  }

 private:
  std::mutex lock_;
  void* last_ = nullptr;
  std::size_t last_bytes_ = 0;
  std::thread::id taker_;
  std::vector<std::unique_ptr<std::byte[]>> all_;
};

/// Has no memory.
class exhausted {
 public:
  static constexpr bool thread_safe = true;
  void* allocate(std::size_t) { return nullptr; }
  void deallocate(void*, std::size_t) { ADD_FAILURE() << "nothing was taken"; }
};

/// Is killed by the system, as a process that takes all memory.
class deadly {
 public:
  static constexpr bool thread_safe = true;
  void* allocate(std::size_t) { return std::raise(SIGKILL), nullptr; }
  void deallocate(void*, std::size_t) {}
};

/// How often this process's heap was asked.
std::atomic<int> asked = 0;

class counted {
 public:
  static constexpr bool thread_safe = true;
  void* allocate(std::size_t bytes) { return ++asked, ::operator new(bytes); }
  void deallocate(void* block, std::size_t) { ::operator delete(block); }
};

template <class Strategy>
strategy_factory<Strategy> factory_of() {
  return {"heap", [] { return Strategy(); }};
}

TEST(team_heap, memory_of_their_own_is_accepted_and_the_heap_of_this_process_stays_as_it_is) {
  for (const unsigned count : {1U, 2U, 5U}) EXPECT_NO_THROW(verify_apart(factory_of<counted>(), count, sizes));
  EXPECT_EQ(asked, 0);
}

TEST(team_heap, memory_given_to_two_threads_at_once_is_noticed) {
  EXPECT_NO_THROW(verify_apart(factory_of<given_twice>(), 1, sizes)) << "a single thread is served without fault";
  EXPECT_THROW(verify_apart(factory_of<given_twice>(), 2, sizes), verification_error);
}

TEST(team_heap, a_heap_without_memory_is_noticed) {
  EXPECT_THROW(verify_apart(factory_of<exhausted>(), 2, sizes), verification_error);
}

TEST(team_heap, a_heap_that_kills_its_process_is_noticed) {
  EXPECT_THROW(verify_apart(factory_of<deadly>(), 2, sizes), verification_error);
}

TEST(team_heap, what_is_thrown_in_the_copy_is_thrown_here) {
  const auto thrown_by = [](const std::function<void()>& work) {
    try {
      return std::string(in_a_copy(work) ? "ended well" : "ended before");
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(thrown_by([] {}), "ended well");
  EXPECT_EQ(thrown_by([] { ::_exit(7); }), "ended before");
  EXPECT_EQ(thrown_by([] { throw std::runtime_error("no such processor"); }), "no such processor");
  EXPECT_EQ(thrown_by([] { throw 1; }), "an unknown exception");
}

TEST(team_heap, the_one_block_of_the_control_is_accepted) {
  EXPECT_NO_THROW(verify_apart(strategy_factory<none>{"none", [] { return none({1000, 1}); }}, 2, sizes));
}

TEST(team_heap, a_mark_is_that_of_one_block) {
  std::vector<std::byte> block(20);
  mark(1, 7).write(block.data(), block.size());
  EXPECT_TRUE(mark(1, 7).is_in(block.data(), block.size()));
  EXPECT_FALSE(mark(7, 1).is_in(block.data(), block.size()));
  block[8] = std::byte{0};
  EXPECT_FALSE(mark(1, 7).is_in(block.data(), block.size()));
}

}  // namespace
}  // namespace stackheap

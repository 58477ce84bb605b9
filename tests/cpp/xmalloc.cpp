// Do batches arrive whole, does everybody meet whom he waits for, and is a producer that is ahead held up?
#include "../../benchmarks/contention/batch_link.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace stackheap {
namespace {

TEST(xmalloc, each_step_pairs_all_producers_with_all_consumers) {
  for (unsigned producers = 1; producers <= 9; ++producers) {
    const batch_routes routes(producers);
    for (std::size_t step = 0; step < 12; ++step) {
      std::set<std::size_t> sending, receiving;
      for (unsigned i = 0; i < producers; ++i) {
        sending.insert(routes.sending(i, step));
        receiving.insert(routes.receiving(i, step));
      }
      EXPECT_EQ(sending.size(), producers);
      EXPECT_EQ(sending, receiving) << producers << " producers, step " << step;
      EXPECT_LT(*sending.rbegin(), routes.links());
    }
  }
}

TEST(xmalloc, a_link_has_one_consumer_only) {
  const batch_routes routes(7);
  std::vector<int> consumer_of(routes.links(), -1);
  for (std::size_t step = 0; step < 12; ++step)
    for (unsigned consumer = 0; consumer < 7; ++consumer) {
      int& known = consumer_of[routes.receiving(consumer, step)];
      EXPECT_TRUE(known == -1 || known == static_cast<int>(consumer));
      known = static_cast<int>(consumer);
    }
}

TEST(xmalloc, a_producer_four_batches_ahead_waits) {
  batch_link link(4);
  std::atomic<int> sent = 0;
  std::jthread producer([&] {
    for (int i = 0; i < 5; ++i) {
      link.to_fill();
      link.send();
      ++sent;
    }
  });
  while (sent < 4) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(sent, 4);
  link.receive();
  link.give_back();
  producer.join();
  EXPECT_EQ(sent, 5);
}

TEST(xmalloc, every_number_arrives_once) {
  constexpr unsigned producers = 3;
  constexpr std::size_t steps = 50;
  const batch_routes routes(producers);
  std::vector<std::unique_ptr<batch_link>> links(routes.links());
  for (auto& link : links) link = std::make_unique<batch_link>(4);
  std::vector<std::vector<std::uint32_t>> seen(producers);
  {
    std::vector<std::jthread> threads;
    for (unsigned who = 0; who < producers; ++who) {
      threads.emplace_back([&, who] {
        std::uint32_t number = 0;
        for (std::size_t step = 0; step < steps; ++step) {
          batch_link& link = *links[routes.sending(who, step)];
          for (batch::block& block : link.to_fill().blocks) block = {nullptr, number++};
          link.send();
        }
      });
      threads.emplace_back([&, who] {
        for (std::size_t step = 0; step < steps; ++step) {
          batch_link& link = *links[routes.receiving(who, step)];
          for (const batch::block& block : link.receive().blocks) seen[who].push_back(block.bytes);
          link.give_back();
        }
      });
    }
  }
  for (const auto& numbers : seen) {
    ASSERT_EQ(numbers.size(), steps * std::tuple_size_v<decltype(batch::blocks)>);
    for (std::uint32_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], i);
  }
}

}  // namespace
}  // namespace stackheap

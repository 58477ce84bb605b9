// Is a chain one cycle through all of its nodes, and is one that is not found out?
#include <gtest/gtest.h>

#include <set>

#include "chain.hpp"

namespace stackheap {
namespace {

struct chain {
  explicit chain(std::size_t count, std::size_t walkers) : nodes(count) {
    starts = link_cycle(count, [this](std::size_t i) { return &nodes[i]; }, walkers);
  }
  std::vector<chain_node> nodes;
  std::vector<chain_node*> starts;
};

TEST(a_chain, is_one_cycle_through_all_nodes) {
  for (const std::size_t count : {1, 2, 3, 64, 1000}) {
    chain made(count, 1);
    std::set<const chain_node*> met;
    const chain_node* walker = made.starts.front();
    for (std::size_t step = 0; step < count; ++step, walker = walker->next) met.insert(walker);
    EXPECT_EQ(met.size(), count);
    EXPECT_EQ(walker, made.starts.front());
    EXPECT_NO_THROW(verify_one_cycle(made.starts, count));
  }
}

TEST(a_chain, gives_starts_at_equal_distance) {
  const chain made(64, 16);
  ASSERT_EQ(made.starts.size(), 16U);
  const chain_node* walker = made.starts.front();
  for (const chain_node* start : made.starts) {
    EXPECT_EQ(walker, start);
    for (int step = 0; step < 4; ++step) walker = walker->next;
  }
}

TEST(a_chain, walked_by_many_at_once_is_verified_as_well) {
  chain made(1024, 16);
  EXPECT_NO_THROW(verify_one_cycle(made.starts, 1024));
}

TEST(a_chain, of_two_cycles_is_found_out) {
  for (const std::size_t walkers : {1, 16}) {
    chain made(1024, walkers);
    std::swap(made.nodes[3].next, made.nodes[700].next);  // two nodes of one cycle: it falls apart into two
    EXPECT_THROW(verify_one_cycle(made.starts, 1024), verification_error);
  }
}

TEST(a_chain, of_half_the_nodes_walked_twice_is_found_out) {
  std::vector<chain_node> nodes(8);
  for (std::size_t i = 0; i < 8; ++i) nodes[i].next = &nodes[(i + 1) % 4];
  EXPECT_THROW(verify_one_cycle(std::vector{&nodes[0]}, 8), verification_error);
}

TEST(a_chain, that_skips_a_node_is_found_out) {
  chain made(1024, 16);
  made.nodes[3].next = made.nodes[3].next->next;
  EXPECT_THROW(verify_one_cycle(made.starts, 1024), verification_error);
}

TEST(a_chain, that_is_longer_than_said_is_found_out) {
  chain made(1024, 1);
  EXPECT_THROW(verify_one_cycle(made.starts, 1023), verification_error);
}

TEST(a_walk, must_end_where_its_steps_lead) {
  const chain made(64, 16);
  const chain_node* const start = made.starts[3];
  EXPECT_NO_THROW(verify_steps(start, start, 0, 64));
  EXPECT_NO_THROW(verify_steps(start, start, 128, 64));
  EXPECT_NO_THROW(verify_steps(start, start->next, 1, 64));
  EXPECT_NO_THROW(verify_steps(start, made.starts[2], 64 - 4, 64)) << "round the end";
  EXPECT_THROW(verify_steps(start, start->next, 2, 64), verification_error);
  EXPECT_THROW(verify_steps(start, start, 32, 64), verification_error);
}

}  // namespace
}  // namespace stackheap

// Are the facts about a thread's stack true, and are the page faults of an ended thread still counted?
#include <gtest/gtest.h>

#include <thread>

#include "../../benchmarks/contention/thread_stack.hpp"
#include "measured_process.hpp"

namespace stackheap {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

struct visit {
  std::size_t descent;
  stack_facts before, after;
};

void* look_around(void* given) {
  auto& at = *static_cast<visit*>(given);
  at.before = facts_of_this_stack();
  descend(at.descent);
  at.after = facts_of_this_stack();
  return nullptr;
}

visit on_a_stack_of(std::size_t bytes, std::size_t descent) {
  visit at{descent, {}, {}};
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  EXPECT_EQ(::pthread_attr_setstacksize(&attributes, bytes), 0);
  pthread_t thread;
  EXPECT_EQ(::pthread_create(&thread, &attributes, look_around, &at), 0);
  ::pthread_join(thread, nullptr);
  ::pthread_attr_destroy(&attributes);
  return at;
}

TEST(thread_start, what_is_reserved_is_not_resident_until_it_is_touched) {
  const visit at = on_a_stack_of(65 * mib, 3 * mib);
  EXPECT_LE(at.before.reserved, 65 * mib);
  EXPECT_GE(at.before.reserved, 65 * mib - 16 * stack_page);  // less the guard page
  EXPECT_LT(at.before.resident, mib / 2);
  EXPECT_GE(at.after.resident, at.before.resident + 3 * mib - 16 * stack_page);
  EXPECT_LE(at.after.resident, at.before.resident + 3 * mib + 16 * stack_page);
  EXPECT_GT(at.before.above, 0U);
  EXPECT_LT(at.before.above, mib);
}

TEST(measured_process, counts_page_faults_of_threads_that_ended) {
  const double before = measured_process::page_faults();
  std::thread([] { on_a_stack_of(65 * mib, 8 * mib); }).join();
  EXPECT_GE(measured_process::page_faults() - before, 0.9 * 8 * mib / stack_page);
}

}  // namespace
}  // namespace stackheap

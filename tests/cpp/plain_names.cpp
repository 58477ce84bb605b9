// Do benchmarks that are timed once have plain names, in results and for filters?
#include "plain_names.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>

#include "captured.hpp"
#include "family.hpp"

namespace stackheap {
namespace {

TEST(plain_names, a_filter_may_end_with_the_plain_name) {
  const std::string end = std::string("(") + timed_once_suffix + ")?$";
  EXPECT_EQ(matching_plain_names(""), "");
  EXPECT_EQ(matching_plain_names("^a/"), "^a/");
  EXPECT_EQ(matching_plain_names("^a$"), "^a" + end);
  EXPECT_EQ(matching_plain_names("-(a$|b$)"), "-(a" + end + "|b" + end + ")");
  EXPECT_EQ(matching_plain_names("a\\$b\\\\$"), "a\\$b\\\\" + end) << "an escaped $ is a character";
  EXPECT_EQ(matching_plain_names("[$][^$][]$][^]$]$"), "[$][^$][]$][^]$]" + end) << "in a set, $ is a character";
  EXPECT_EQ(matching_plain_names("["), "[") << "for Google Benchmark to refuse";
}

TEST(plain_names, are_selected_and_reported) {
  benchmark_registry registry("plain", profile::smoke, everything, false);
  for (const timing timed : {timing::once, timing::repeated})
    for (const int bytes : {8, 88})
      registry.add(timed == timing::once ? "once" : "repeated", {{"bytes", bytes}}, [] { return std::make_shared<int>(0); },
                   [](benchmark::State& state, int&) {
                     while (state.KeepRunning()) state.SetIterationTime(0.002);
                   }, timed);
  EXPECT_EQ(registry.names()[0], "plain/once/bytes:8");
  ASSERT_EQ(run_captured(matching_plain_names("^plain/.*bytes:8$")).size(), 2U);
  const auto suffixed = run_captured("^plain/once/bytes:8/");
  ASSERT_EQ(suffixed.size(), 1U);
  EXPECT_EQ(suffixed[0].benchmark_name(), std::string("plain/once/bytes:8") + timed_once_suffix);
}

}  // namespace
}  // namespace stackheap

// Are benchmarks named, prepared and refused as families are promised?
#include "family.hpp"

#include <gtest/gtest.h>

#include <set>

#include "captured.hpp"

namespace stackheap {
namespace {

TEST(family, profiles_are_known_by_name) {
  for (const profile candidate : {profile::smoke, profile::quick, profile::full})
    EXPECT_EQ(parse_profile(name_of(candidate)), candidate);
  for (const char* name : {"", "Quick", "quick ", "slow"})
    EXPECT_THROW(parse_profile(name), std::invalid_argument) << name;
}

TEST(family, names_are_family_strategy_and_parameters) {
  EXPECT_EQ(result_name("scoped", "alloca", {{"bytes", 64}, {"touch", "all"}}), "scoped/alloca/bytes:64/touch:all");
  EXPECT_EQ(result_name("chase", "", {{"bytes", std::size_t{1} << 30}}), "chase/bytes:1073741824");
}

TEST(family, each_profile_takes_its_own_arguments) {
  const auto picked = [](profile chosen) {
    return benchmark_registry("family", chosen, everything, false).pick({1}, {2}, {3, 4});
  };
  EXPECT_EQ(picked(profile::smoke), (std::vector{1}));
  EXPECT_EQ(picked(profile::quick), (std::vector{2}));
  EXPECT_EQ(picked(profile::full), (std::vector{3, 4}));
}

TEST(family, only_what_matches_is_registered) {
  const std::regex only("bytes:(8|64)$");
  benchmark_registry registry("only", profile::smoke, only, false);
  for (const int bytes : {8, 16, 64, 640})
    registry.add("", {{"bytes", bytes}}, [] { return std::make_shared<int>(0); }, [](benchmark::State& state, int&) {
      for (auto _ : state) benchmark::ClobberMemory();
    });
  EXPECT_EQ(registry.names(), (std::vector<std::string>{"only/bytes:8", "only/bytes:64"}));
}

TEST(family, what_is_measured_is_prepared_once_and_dropped_before_the_next) {
  static int made = 0, alive = 0, runs = 0;
  struct fixture {
    fixture() { ++made, ++alive; }
    fixture(const fixture&) = delete;
    ~fixture() { --alive; }
  };
  benchmark_registry registry("prepared", profile::smoke, everything, false);
  for (const char* which : {"first", "second"})
    registry.add("", {{"which", which}}, [] {
      EXPECT_EQ(alive, 0) << "the one before is still there";
      return std::make_shared<fixture>();
    }, [](benchmark::State& state, fixture&) {
      ++runs;
      for (auto _ : state) benchmark::ClobberMemory();
    });
  const auto rows = run_captured("^prepared/");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(made, 2);
  EXPECT_GT(runs, 2) << "several calls share what was prepared";
  EXPECT_EQ(rows[0].benchmark_name(), "prepared/which:first") << "no suffix of Google Benchmark's";
}

TEST(family, a_verification_error_is_never_a_number) {
  benchmark_registry registry("wrong", profile::smoke, everything, false);
  registry.add("", {{"in", "prepare"}}, []() -> std::shared_ptr<int> { throw verification_error("prepared wrongly"); },
           [](benchmark::State& state, int&) {
             for (auto _ : state) benchmark::ClobberMemory();
           });
  registry.add("", {{"in", "run"}}, [] { return std::make_shared<int>(0); },
           [](benchmark::State&, int&) { throw verification_error("run wrongly"); });
  registry.add("", {{"in", "neither"}}, [] { return std::make_shared<int>(0); }, [](benchmark::State& state, int&) {
    for (auto _ : state) benchmark::ClobberMemory();
  });
  const auto rows = run_captured("^wrong/");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_TRUE(rows[0].error_occurred);
  EXPECT_EQ(rows[0].error_message, "prepared wrongly");
  EXPECT_TRUE(rows[1].error_occurred);
  EXPECT_EQ(rows[1].error_message, "run wrongly");
  EXPECT_FALSE(rows[2].error_occurred) << "the run goes on";
}

TEST(family, a_kept_benchmark_is_the_only_one_and_may_be_an_error) {
  benchmark_registry registry("kept", profile::smoke, everything, false);
  for (const char* which : {"first", "second"})
    registry.add("", {{"which", which}}, [] { return std::make_shared<int>(0); }, [](benchmark::State& state, int&) {
      for (auto _ : state) benchmark::ClobberMemory();
    });
  keep_only("kept/which:second", {});
  auto rows = run_captured("all");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].benchmark_name(), "kept/which:second");
  EXPECT_FALSE(rows[0].error_occurred);
  keep_only("kept/which:second", {}, 77);
  rows = run_captured("all");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].iterations, 77);
  keep_only("kept/which:first", "it died");
  rows = run_captured("all");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].benchmark_name(), "kept/which:first");
  EXPECT_EQ(rows[0].error_message, "it died");
}

}  // namespace
}  // namespace stackheap

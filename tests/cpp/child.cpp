// Do children find what they are asked, with the malloc they are given, and come to an end whatever they do?
// A child is this program, executed once more: so main stands here.
#include "child.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "captured.hpp"

namespace stackheap {
namespace {

using numbers = std::vector<std::size_t>;

const child_task sums("sum", [](const numbers& arguments) {
  double sum = 0;
  for (const std::size_t argument : arguments) sum += static_cast<double>(argument);
  return findings{{"sum", sum}, {"third", 1.0 / 3}};
});
const child_task throws("throw", [](const numbers&) -> findings { throw verification_error("it went wrong"); });
const child_task dies("abort", [](const numbers&) -> findings { std::abort(); });
const child_task leaves("exit", [](const numbers&) -> findings { std::_Exit(0); });
const child_task sleeps("sleep", [](const numbers& arguments) {
  std::this_thread::sleep_for(std::chrono::milliseconds(arguments.at(0)));
  return findings{};
});
const child_task swells("swell", [](const numbers& arguments) {
  auto* const block = static_cast<volatile char*>(std::malloc(arguments.at(0)));
  for (std::size_t at = 0; at < arguments.at(0); at += 4096) block[at] = 1;
  std::this_thread::sleep_for(std::chrono::seconds(10));
  return findings{};
});
const child_task babbles("babble", [](const numbers&) {
  findings all;
  for (int i = 0; i < 100'000; ++i) all["of_no_use_" + std::to_string(i)] = i;
  return all;
});
const child_task prints("print", [](const numbers&) {
  std::cout << "printed=1\n" << std::flush;
  return findings{{"found", 1}};
});
const child_task looks_round("environment", [](const numbers&) {
  const char* const tunables = std::getenv("GLIBC_TUNABLES");
  const bool reserves = tunables != nullptr && std::strstr(tunables, "optional_static_tls") != nullptr;
  return findings{{"reserves_static_tls", reserves}};
});

class child : public testing::Test {
 protected:
  static void SetUpTestSuite() { find_malloc_libraries({}); }

  static std::string wrong_of(const child_order& order) { return run_children({order}).front().wrong; }
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
};

TEST_F(child, says_what_it_found_to_the_last_bit) {
  const findings results = run_child({.task = "sum", .arguments = {1, 2, 39}}).results;
  EXPECT_EQ(results, (findings{{"sum", 42}, {"third", 1.0 / 3}}));
}

TEST_F(child, has_the_malloc_it_was_given_and_no_other) {
  int others = 0;
  for (const malloc_library& given : malloc_libraries()) {
    if (!given.available()) continue;
    const deployment deployed = deploy(given);
    const child_report report = run_child({.task = "sum", .malloc = deployed});
    EXPECT_EQ(report.malloc_file, deployed.malloc_file) << given.name;
    for (const malloc_library& option : malloc_libraries()) {
      if (!option.available() || option.name == given.name || option.name == "glibc") continue;
      if (option.name.starts_with(given.name) || given.name.starts_with(option.name)) continue;  // a library and its proxy
      ++others;
      const auto loaded = std::count(report.loaded.begin(), report.loaded.end(), option.file);
      EXPECT_EQ(loaded, 0) << option.name << " in the child of " << given.name;
    }
  }
  if (others == 0) GTEST_SKIP() << "there is no malloc here but glibc's";
}

TEST_F(child, with_another_malloc_than_wanted_is_wrong) {
  deployment deployed = own_deployment();
  deployed.malloc_file = "/proc/self/exe";
  EXPECT_TRUE(has(wrong_of({.task = "sum", .malloc = deployed}), "its malloc was that of"));
  deployed = own_deployment();
  deployed.library_file = "/nowhere/libnone.so";
  EXPECT_TRUE(has(wrong_of({.task = "sum", .malloc = deployed}), "did not load /nowhere/libnone.so"));
}

TEST_F(child, a_library_without_malloc_or_proxy_is_not_deployed) {
  malloc_library library;
  library.name = "none";
  library.file = std::filesystem::canonical("/proc/self/exe");
  EXPECT_THROW(deploy(library), verification_error);
}

TEST_F(child, that_fails_says_why_and_spoils_no_other) {
  const std::vector<child_report> reports = run_children({{.task = "throw"},
                                                          {.task = "abort"},
                                                          {.task = "exit"},
                                                          {.task = "no_such_task"},
                                                          {.task = "sum", .arguments = {7}}});
  EXPECT_TRUE(has(reports[0].wrong, "it went wrong")) << reports[0].wrong;
  EXPECT_TRUE(has(reports[1].wrong, "died of Aborted")) << reports[1].wrong;
  EXPECT_TRUE(has(reports[2].wrong, "without a result")) << reports[2].wrong;
  EXPECT_TRUE(has(reports[3].wrong, "without a result")) << reports[3].wrong;
  EXPECT_EQ(reports[4].wrong, "");
  EXPECT_EQ(reports[4].results.at("sum"), 7);
  EXPECT_THROW(run_child({.task = "throw"}), verification_error);
}

TEST_F(child, that_takes_too_long_or_too_much_is_ended) {
  const child_report late = run_children({{.task = "sleep", .arguments = {60'000}, .most_seconds = 0.1}}).front();
  EXPECT_TRUE(has(late.wrong, "took longer")) << late.wrong;
  EXPECT_GE(late.seconds, 0.1);
  EXPECT_LT(late.seconds, 1);
  const child_order swelling{.task = "swell", .arguments = {64 << 20}, .most_resident_bytes = 32 << 20};
  EXPECT_TRUE(has(wrong_of(swelling), "more than the 32 MiB"));
  EXPECT_TRUE(has(wrong_of({.task = "babble"}), "wrote too much output"));
}

TEST_F(child, what_it_prints_is_no_result) {
  const child_report report = run_children({{.task = "print"}}).front();
  EXPECT_EQ(report.wrong, "");
  EXPECT_EQ(report.results, (findings{{"found", 1}}));
}

TEST_F(child, children_run_at_the_same_time) {
  const auto start = std::chrono::steady_clock::now();
  const child_order sleeping{.task = "sleep", .arguments = {400}};
  const std::vector<child_report> reports = run_children(std::vector(5, sleeping));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  for (const child_report& report : reports) EXPECT_GE(report.seconds, 0.4);
  EXPECT_LT(taken.count(), 1.6);  // one after the other: 2 s
}

TEST_F(child, gets_no_static_tls_that_it_does_not_need) {
  EXPECT_EQ(run_child({.task = "environment"}).results.at("reserves_static_tls"), 0);
  EXPECT_EQ(without_tunable("a=1:b=2:c=3", "b"), "a=1:c=3");
  EXPECT_EQ(without_tunable("b=2:a=1", "b"), "a=1");
  EXPECT_EQ(without_tunable("b=2", "b"), "");
  EXPECT_EQ(without_tunable("bb=2:ab=1", "b"), "bb=2:ab=1");
  EXPECT_EQ(without_tunable(":a=1::b=2:", "b"), "a=1");
}

TEST_F(child, only_the_child_option_alone_makes_one) {
  char name[] = "program", option[] = "--list", unknown[] = "--child=no_such_task", wrong[] = "--child=sum,1,two";
  char* none[] = {name, nullptr};
  char* listing[] = {name, option, nullptr};
  char* asking[] = {name, unknown, nullptr};
  char* miscounting[] = {name, wrong, nullptr};
  EXPECT_FALSE(run_as_child(1, none));
  EXPECT_FALSE(run_as_child(2, listing));
  EXPECT_THROW(run_as_child(2, asking), std::invalid_argument);
  EXPECT_THROW(run_as_child(2, miscounting), std::invalid_argument);
}

TEST_F(child, what_is_timed_once_is_done_once_and_has_the_time_it_says) {
  static int calls = 0;
  benchmark_registry registry("once", profile::smoke, everything, false);
  registry.add("", {{"seconds", 3}}, [] { return std::make_shared<char>(); }, [](benchmark::State& state, char&) {
    time_once(state, [] {
      ++calls;
      return 3.0;
    });
  }, timing::once);
  const auto rows = run_captured("^once/");
  EXPECT_EQ(calls, 1);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].iterations, 1);
  EXPECT_DOUBLE_EQ(rows[0].GetAdjustedRealTime(), 3e9);  // in ns
}

}  // namespace
}  // namespace stackheap

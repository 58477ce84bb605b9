// Does the program's list hold everything that a family declares?
#include "catalogue.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace stackheap {
namespace {

std::string line_of(const family& listed) {
  std::ostringstream out;
  list_json(out, {{&listed, {"sample/bytes:8"}}}, profile::smoke);
  std::istringstream lines(out.str());
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  return line;
}

TEST(catalogue, a_family_that_declares_nothing_is_judged_by_its_time) {
  static const family plain({.question = "Why?", .operation = "a \"quoted\"\n\\ text", .untimed = "", .heap = "", .held_against = ""},
                     [](benchmark_registry&) {}, "chapter/sample.cpp");
  EXPECT_EQ(line_of(plain),
            R"({"name":"sample","chapter":"chapter","question":"Why?","operation":"a \"quoted\"\u000a\\ text","untimed":"",)"
            R"("heap":"","held_against":"","controls":"","unfairness":"","parts":["^sample/"],)"
            R"("metrics":[{"counter":"","unit":"ns","more_is_worse":true,"least":0}],"core":[],"gate_controls":"",)"
            R"("spread":0.33333333333333331,"operations":[],"least_times":[],"past_second_cache":"",)"
            R"("turn_ms":5,"warmed":"","benchmarks":["sample/bytes:8"]}],)");
}

TEST(catalogue, everything_that_a_family_declares_is_listed) {
  static const family full({.question = "", .operation = "", .untimed = "", .heap = "", .held_against = "none: idle",
                     .controls = "^sample/none/",
                     .metrics = {{"frames", "calls", false, 0.5}},
                     .core = {"^sample/x$"},
                     .gate_controls = "^sample/c",
                     .spread = 0.5,
                     .operations = {{"sample/a", one_block(64, {{"turns", hardly_any}}), 2, 1, 3, {{"live", 0}}, true}},
                     .least_times = {{"sample/", 0.25}},
                     .turn_ms = turn_of_threads_ms,
                     .warmed = "^sample/w"},
                    [](benchmark_registry&) {}, "chapter/sample.cpp");
  const std::string line = line_of(full);
  const char* const operations =
      R"("operations":[{"benchmark":"sample/a","notes":{"turns":[0,0.10000000000000001],"mallocs":[1,1],"frees":[1,1],)"
      R"("bytes":[64,64],"wrong_frees":[0,0]},"calls":2,"untimed":1,"workers":3,"in_process":{"live":[0,0]},)"
      R"("preload":true}],"least_times":[{"benchmarks":"sample/","additions":0.25}])";
  for (const char* part : {
           R"("metrics":[{"counter":"frames","unit":"calls","more_is_worse":false,"least":0.5}],"core":["^sample/x$"])",
           R"("held_against":"none: idle","controls":"^sample/none/")",
           R"("gate_controls":"^sample/c","spread":0.5)",
           operations,
           R"("turn_ms":10,"warmed":"^sample/w")",
       })
    EXPECT_NE(line.find(part), std::string::npos) << part << "\nis not in\n" << line;
}

}  // namespace
}  // namespace stackheap

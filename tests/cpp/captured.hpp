// What would a result file hold? Runs registered benchmarks and keeps their rows.
#pragma once

#include <benchmark/benchmark.h>

#include <regex>
#include <string>
#include <vector>

namespace stackheap {

/// Selects every benchmark of a registry; it must outlive the registry.
inline const std::regex everything("");

/// Keeps rows instead of printing them.
class keeping_reporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override { rows.insert(rows.end(), runs.begin(), runs.end()); }
  std::vector<Run> rows;
};

/// Runs every registered benchmark whose name matches, each for a few milliseconds.
inline std::vector<benchmark::BenchmarkReporter::Run> run_captured(const std::string& filter) {
  std::string arguments[] = {"unit_tests", "--benchmark_min_time=0.002" STACKHEAP_MIN_TIME_SUFFIX};
  char* argv[] = {arguments[0].data(), arguments[1].data()};
  int argc = 2;
  benchmark::Initialize(&argc, argv);
  keeping_reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter, filter);
  return reporter.rows;
}

}  // namespace stackheap

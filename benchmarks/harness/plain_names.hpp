// Does a benchmark keep its plain name where Google Benchmark adds how it was timed?
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace stackheap {

/// Google Benchmark adds this to the names of benchmarks that are timed once (timing::once). It is in no result.
inline constexpr const char* timed_once_suffix = "/iterations:1/manual_time";

/// The filter, so that a `$` matches the end of a plain name too: Google Benchmark compares it with the longer name.
std::string matching_plain_names(const std::string& filter);

/// Reports what another reporter would, under plain names.
class plain_names : public benchmark::BenchmarkReporter {
 public:
  explicit plain_names(benchmark::BenchmarkReporter& reporter) : reporter_(reporter) {}
  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override { reporter_.Finalize(); }

 private:
  benchmark::BenchmarkReporter& reporter_;
};

}  // namespace stackheap

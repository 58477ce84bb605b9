// Which options does the program have, and what do they mean?
#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "family.hpp"
#include "loaded_malloc.hpp"
#include "recordings.hpp"
#include "turns.hpp"

namespace stackheap {

struct options {
  profile chosen = profile::quick;
  std::vector<malloc_request> allocators;
  std::optional<std::vector<std::string>> tested;  ///< the names of the malloc libraries of --tested
  std::vector<recording_request> recordings;
  std::uint64_t events = recording::all_events;  ///< of each requested recording, at most
  std::string only;
  std::string pin = "cores";
  std::optional<std::string> list;
  std::optional<std::string> described;  ///< the file of --describe-recording
  bool version = false;
  std::uint64_t layout = 0;      ///< drawn where --layout is not given
  unsigned limit_seconds = 60;   ///< a benchmark whose process takes longer is an error
  std::optional<turns> by_turns;
  std::optional<std::int64_t> iterations;  ///< of each repetition; chosen by Google Benchmark where --iterations is not given
  bool min_time_given = false;
  std::vector<std::string> rest;  ///< Google Benchmark's
};

/// Takes the suite's options out of the arguments. Throws std::invalid_argument, with one line, on a bad option.
options parse(int argc, char** argv);

/// The least time for each benchmark: in one process, of the several that make a run.
std::string min_time(profile chosen);

/// The value of a Google Benchmark flag among the arguments; empty when it is not given.
std::string flag(const options& chosen, const std::string& name);

/// The regular expression of --only. Throws std::invalid_argument, with one line.
std::regex compiled(const std::string& pattern);

/// Throws std::invalid_argument on a format other than console and json. For an unknown format, Google Benchmark prints
/// its help and does not fail; its CSV, which it has deprecated, aborts at the second benchmark whose counters differ
/// from the first (csv_reporter.cc of 1.7.1).
void check_format(const options& chosen, const std::string& name);

}  // namespace stackheap

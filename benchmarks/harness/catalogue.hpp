// What can the program measure? It is listed as text for people and as JSON for the scripts.
#pragma once

#include <ostream>
#include <regex>
#include <string>
#include <vector>

#include "family.hpp"

namespace stackheap {

/// A family that has benchmarks after --only, and their names.
struct registered {
  const family* source;
  std::vector<std::string> names;
};

/// Registers the benchmarks of every family whose names match `only` with Google Benchmark.
std::vector<registered> register_all(profile chosen, const std::regex& only);

void list_text(std::ostream& out, const std::vector<registered>& all);

/// The list for the scripts, one object:
/// `chapters`: each with `name` and `question`, in reading order.
/// `families`: each with the texts `name`, `chapter`, `question`, `operation`, `untimed`, `heap`, `unfairness`;
///     `parts`, regular expressions over names: the benchmarks of each are measured by one start of the program;
///     `benchmarks`, all names that match --only;
///     `metrics`, each {`counter` (empty: the time of one operation), `unit`, `more_is_worse`, `least`};
///     `core`, regular expressions: the family's share of the gate's core set; `control`, a regular expression or empty;
///     `spread`, the largest accepted spread between processes;
///     `operations`, each {`benchmark`, `notes`, `calls`, `untimed`, `workers`, `in_process`, `preload`}, where `notes`
/// and
///     `in_process` map names of the witness's notes to [low, high];
///     `least_times`, each {`benchmarks` (a regular expression), `additions`};
///     `turn_ms`, the length of a turn where two processes measure by turns, 0 where a process measures only once; `warmed`, a
///     regular expression or empty: the benchmarks of which each turn has two repetitions, the first untimed.
/// `strategies`: each with `name`, `what`, `idea`, `available`, `file`, `version`, `reason`, `package`, `process`.
/// `context`: the facts of every result, as texts.
void list_json(std::ostream& out, const std::vector<registered>& all, profile chosen);

}  // namespace stackheap

#include "catalogue.hpp"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <string_view>

#include "chapters.hpp"
#include "child.hpp"
#include "context.hpp"
#include "every_strategy.hpp"
#include "json.hpp"
#include "loaded_malloc.hpp"
#include "printable.hpp"
#include "tick_clock.hpp"

namespace stackheap {
namespace {

/// A strategy or a malloc library as it is listed.
struct strategy_row {
  malloc_library library;
  const char* idea;
};

}  // namespace

// Where json.hpp finds them: beside their types.
static std::string json(const metric& judged) {
  return json_object()
      .member("counter", judged.counter)
      .member("unit", judged.unit)
      .member("more_is_worse", judged.more_is_worse)
      .member("least", judged.least)
      .text();
}

static std::string json(const witness_notes& notes) {
  json_object all;
  for (const auto& [name, expected] : notes) all.member(name, std::vector{expected.low, expected.high});
  return all.text();
}

static std::string json(const operation_test& test) {
  return json_object()
      .member("benchmark", test.benchmark)
      .member("notes", test.notes)
      .member("calls", test.calls)
      .member("untimed", test.untimed)
      .member("workers", static_cast<double>(test.workers))
      .member("in_process", test.in_process)
      .member("preload", test.preload)
      .text();
}

static std::string json(const least_time& bound) {
  return json_object().member("benchmarks", bound.benchmarks).member("additions", bound.additions).text();
}

static bool takes_turns(const registered& listed) { return std::none_of(listed.names.begin(), listed.names.end(), timed_once); }

static std::string json(const registered& listed) {
  const family& source = *listed.source;
  const about& facts = source.facts;
  return json_object()
      .member("name", source.name)
      .member("chapter", source.chapter)
      .member("question", facts.question)
      .member("operation", facts.operation)
      .member("untimed", facts.untimed)
      .member("heap", facts.heap)
      .member("held_against", facts.held_against)
      .member("controls", facts.controls)
      .member("unfairness", facts.unfairness)
      .member("parts", std::vector{"^" + source.name + "/"})
      .member("metrics", facts.metrics)
      .member("core", facts.core)
      .member("gate_controls", facts.gate_controls)
      .member("spread", facts.spread)
      .member("operations", facts.operations)
      .member("least_times", facts.least_times)
      .member("past_second_cache", facts.past_second_cache)
      .member("turn_ms", takes_turns(listed) ? facts.turn_ms : 0.0)
      .member("warmed", facts.warmed)
      .member("benchmarks", listed.names)
      .text();
}

static std::string json(const strategy_row& row) {
  const malloc_library& library = row.library;
  return json_object()
      .member("name", library.name)
      .member("what", library.description)
      .member("idea", std::string_view(row.idea))
      .member("available", library.available())
      .member("file", library.file)
      .member("version", library.version)
      .member("reason", library.reason)
      .member("package", library.package)
      .member("process", library.process)
      .member("changes", library.changes)
      .member("lacks", fault_of_deployment(library))
      .text();
}

static std::string json(const chapter_row& chapter) {
  return json_object().member("name", chapter.name).member("question", chapter.question).text();
}

namespace {

std::vector<strategy_row> every_row() {
  std::vector<strategy_row> rows;
  describe_strategies([&](const char* name, const char* description, const char* idea) {
    malloc_library plain;
    plain.name = name;
    plain.description = description;
    rows.push_back({plain, idea});
  });
  for (const malloc_library& library : malloc_libraries()) rows.push_back({library, idea_of<loaded_malloc>()});
  return rows;
}

/// The clock of single calls. Measured at each start, so it does not belong to the facts, which all processes of a run share.
std::string timer() {
  json_object facts;
  with_finest_clock([&]<class Clock>(Clock) {
    facts.member("step_ns", static_cast<double>(step_of<Clock>()) * Clock::ns_per_tick());
    facts.member("reading_ns", reading_ns<Clock>());
  });
  return facts.text();
}

/// An array with one element a line.
template <class Values>
void write_lines(std::ostream& out, const Values& values) {
  const char* comma = "";
  out << '[';
  for (const auto& value : values) out << std::exchange(comma, ",") << '\n' << json(value);
  out << ']';
}

/// The chapter's row; the end for a chapter that has none.
const chapter_row* row_of(std::string_view chapter) {
  return std::find_if(chapters.begin(), chapters.end(), [&](const chapter_row& row) { return row.name == chapter; });
}

}  // namespace

std::vector<registered> register_all(profile chosen, const std::regex& only) {
  std::vector<registered> all;
  for (const family* member : families()) {
    benchmark_registry registry(member->name, chosen, only, member->facts.before_threads);
    member->add_benchmarks(registry);
    if (!registry.names().empty()) all.push_back({member, registry.names()});
  }
  return all;
}

static std::string lacks(const malloc_library& library) {
  const std::string fault = fault_of_deployment(library);
  return fault.empty() ? "" : "; not as the only malloc of a process: " + fault;
}

void list_text(std::ostream& out, const std::vector<registered>& all) {
  const auto name_column = [&](std::string_view name) -> std::ostream& {
    return out << "  " << std::left << std::setw(15) << name << ' ';
  };
  std::vector<registered> in_reading_order = all;
  std::stable_sort(in_reading_order.begin(), in_reading_order.end(), [](const registered& first, const registered& second) {
    return row_of(first.source->chapter) < row_of(second.source->chapter);
  });
  std::string chapter;
  for (const auto& [source, names] : in_reading_order) {
    if (source->chapter != chapter) {
      const auto* const row = row_of(chapter = source->chapter);
      out << '\n' << chapter << (row != chapters.end() ? ": " + std::string(row->question) : "") << '\n';
    }
    name_column(source->name) << std::right << std::setw(5) << names.size() << " benchmarks  " << source->facts.question << '\n';
  }
  out << "\nstrategies\n";
  describe_strategies([&](const char* name, const char* description, const char*) { name_column(name) << description << '\n'; });
  for (const malloc_library& library : malloc_libraries()) {
    name_column(printable(library.name)) << library.description << "; ";
    if (library.available())
      out << printable((library.version.empty() ? "version unknown" : library.version) + ' ' + library.file)
          << (library.process ? " (the process's own)" : "") << lacks(library) << (library.changes.empty() ? "" : "; changes ") << printable(library.changes) << '\n';
    else
      out << "not available: " << printable(why_not(library)) << '\n';
  }
}

void list_json(std::ostream& out, const std::vector<registered>& all, profile chosen) {
  out << "{\"families\":";
  write_lines(out, all);
  out << ",\n\"chapters\":";
  write_lines(out, chapters);
  out << ",\n\"strategies\":";
  write_lines(out, every_row());
  json_object context;
  for (const auto& [key, value] : facts(chosen)) context.member(key, value);
  out << ",\n\"context\":" << context.text() << ",\n\"timer\":" << timer() << "}\n";
}

}  // namespace stackheap

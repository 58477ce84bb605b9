// How does a family of benchmarks register itself? By one global object in its file; its name is the name of the file,
// its chapter the name of the folder, so that neither is written twice.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operation_test.hpp"

namespace stackheap {

/// How much is measured: `smoke` shows that everything runs, `quick` is enough for every chart and claim, `full` is for
/// publication.
enum class profile { smoke, quick, full };

/// Throws std::invalid_argument, with one line, on an unknown name.
profile parse_profile(std::string_view name);
std::string_view name_of(profile);

/// The work of a benchmark was wrong or cannot be done here: an error in the result, never a number.
struct verification_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One `key:value` of a result's name.
struct parameter {
  parameter(std::string_view key, std::string_view value) : text(std::string(key) + ':' + std::string(value)) {}
  template <std::integral Value>
  parameter(std::string_view key, Value value) : text(std::string(key) + ':' + std::to_string(value)) {}
  std::string text;
};

/// Joins a result's name: `family/strategy/key:value/...`; an empty strategy is left out.
std::string result_name(std::string_view family, std::string_view strategy, std::initializer_list<parameter> parameters);

/// How Google Benchmark times a benchmark: repeats its operation until the time suffices, or runs it once and takes the
/// time that it sets itself (State::SetIterationTime), because it takes long or is done by another process.
enum class timing { repeated, once };

/// Takes the benchmarks of a family, for one profile.
class benchmark_registry {
 public:
  benchmark_registry(std::string_view family, profile chosen, const std::regex& only, bool before_threads)
      : family_(family), chosen_(chosen), only_(only), before_threads_(before_threads) {}

  /// The arguments for the chosen profile.
  template <class Value>
  std::vector<Value> pick(std::initializer_list<Value> smoke, std::initializer_list<Value> quick,
                          std::initializer_list<Value> full) const {
    return chosen_ == profile::smoke ? smoke : chosen_ == profile::quick ? quick : full;
  }
  profile chosen() const { return chosen_; }

  /// Adds a benchmark. `prepare()` makes and verifies, untimed, what `run(state, *prepared)` measures; Google Benchmark
  /// calls `run` several times with growing iteration counts, and all those calls share what was prepared once.
  /// Both may throw: the benchmark is then an error with that message.
  template <class Prepare, class Run>
  void add(std::string_view strategy, std::initializer_list<parameter> parameters, Prepare prepare, Run run,
           timing timed = timing::repeated) {
    const std::string name = result_name(family_, strategy, parameters);
    add_named(name, timed, [name, prepare, run](benchmark::State& state) {
      using Fixture = std::remove_reference_t<decltype(*prepare())>;
      run(state, *static_cast<Fixture*>(prepared(name, [&] { return std::shared_ptr<void>(prepare()); })));
    });
  }

  const std::vector<std::string>& names() const { return names_; }

 private:
  void add_named(const std::string& name, timing timed, std::function<void(benchmark::State&)> body);
  static void* prepared(const std::string& name, const std::function<std::shared_ptr<void>()>& prepare);

  std::string family_;
  profile chosen_;
  std::regex only_;
  bool before_threads_;
  std::vector<std::string> names_;
};

/// A number by which the benchmarks of a family are judged: the time of one operation, or a counter.
struct metric {
  std::string_view counter = {};  ///< empty: the time of one operation
  std::string_view unit = "ns";
  bool more_is_worse = true;
  double least = 0;  ///< smaller values count as this: the ratio of two values near zero says nothing
};

/// about::turn_ms where several threads do the work: starting and stopping them then takes little of a turn.
inline constexpr double turn_of_threads_ms = 10;

/// Everything that is known about a family, declared once. The texts are for readers: --list prints the question, the
/// report shows all. The other fields are read by the scripts, from --list=json; they have defaults.
struct about {
  std::string_view question;
  std::string_view operation;   ///< what one timed operation does
  std::string_view untimed;     ///< what is done but not timed
  std::string_view heap;        ///< the state of the heap at the start
  /// What the figures are held against before they are told: the benchmarks of the family that are the control, or "no
  /// control: ", and why the family needs none.
  std::string_view held_against;
  std::string_view controls = {};    ///< those benchmarks, as a regular expression over names; empty for "no control"
  std::string_view unfairness = {};  ///< what makes comparisons unfair; empty when nothing is known
  /// Has benchmarks whose process has never had a second thread; those of other families have had one.
  bool before_threads = false;
  /// Its benchmarks mostly wait, so the program runs all of them at the same time.
  bool at_once = false;
  std::vector<metric> metrics = {{}};
  /// Benchmarks that the gate compares when no others are chosen: regular expressions over names. Together they are the
  /// core set, small enough that one turn of all of them takes seconds. A malloc given by --allocator is called
  /// `malloc` there.
  std::vector<std::string_view> core = {};
  /// Benchmarks with which the gate checks the machine itself: a regular expression over names whose parameter `bytes`
  /// ranges from the first cache to memory. Only one family has it.
  std::string_view gate_controls = {};
  /// The largest spread of results between processes that scripts/verify accepts: robust standard deviation over median.
  double spread = 1.0 / 3;
  std::vector<operation_test> operations = {};
  std::vector<least_time> least_times = {};
  /// Benchmarks whose data lie past the second-level cache of common processors, as a regular expression over names: the
  /// time of the cache that they share with others is taken beside each (shared_cache.hpp).
  std::string_view past_second_cache = {};
  /// The length of a turn, in milliseconds, where two processes measure by turns (turns.hpp).
  double turn_ms = 5;
  /// Benchmarks of which each turn has two repetitions, the first untimed: it brings back the data that the other process
  /// has pushed out of a cache. A regular expression over names; for the others, more turns in the same time find more.
  std::string_view warmed = {};
};

/// A family registers itself by being constructed, as a global in its own file.
class family {
 public:
  /// `file` is that of the caller. (Clang 14 has no std::source_location with GCC 12's library.)
  family(about facts, void (*add_benchmarks)(benchmark_registry&), const char* file = __builtin_FILE());

  std::string name;
  std::string chapter;
  about facts;
  void (*add_benchmarks)(benchmark_registry&);
};

/// All families, by chapter and name.
std::vector<const family*> families();

/// Starts and joins one thread, once, as real programs have had threads. (From then on glibc's malloc costs more than
/// twice as much.)
void have_had_threads();

/// Whether the benchmark of this name belongs to a family whose benchmarks run at the same time.
bool runs_at_once(const std::string& name);

/// Whether the benchmark of this name was added with timing::once.
bool timed_once(const std::string& name);

/// Removes every benchmark but this from those registered with Google Benchmark in this process. With an `error`, it
/// is not measured but reported with that message. With `iterations`, each repetition has so many, unless it is timed once.
void keep_only(const std::string& name, const std::optional<std::string>& error,
               const std::optional<std::int64_t>& iterations = {});

/// Destroys what the last benchmark had prepared, and so ends its threads.
void drop_prepared();

}  // namespace stackheap

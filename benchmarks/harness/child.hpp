// What can only be found in a process of its own? The program executes itself, with one malloc in the place of all
// others, and reads what its child found.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "family.hpp"
#include "free_memory.hpp"
#include "loaded_malloc.hpp"

namespace stackheap {

/// What a child found, by name: counters of a result.
using findings = std::map<std::string, double>;

/// Work for a child; makes itself known by being constructed, as a global in the file of its family. It may throw: the
/// result is then an error with that message.
class child_task {
 public:
  using function = findings (*)(const std::vector<std::size_t>& arguments);
  child_task(std::string_view name, function work);
};

/// How a malloc takes the place of a whole process's malloc.
struct deployment {
  std::string preload;       ///< what LD_PRELOAD says; empty when nothing needs to be preloaded
  std::string malloc_file;   ///< the file that must hold the child's malloc
  std::string library_file;  ///< must be loaded in the child: another one only where malloc_file is a proxy
};

/// A library whose functions have a prefix is deployed through the proxy library beside it (libNAME_proxy.so...).
/// Throws wrong_work, with the reason, when this library cannot be deployed.
deployment deploy(const malloc_library& library);

/// The process's own malloc, deployed as it is here.
deployment own_deployment();

struct child_order {
  std::string task;
  std::vector<std::size_t> arguments = {};
  deployment malloc = own_deployment();
  std::size_t most_resident_bytes = harmless_bytes(std::size_t{1} << 30);  ///< a child that holds more is ended
  double most_seconds = 20;                                                ///< one that lives longer, too
};

struct child_report {
  findings found;
  std::string malloc_file;           ///< whose malloc the child really had
  std::vector<std::string> loaded;   ///< every file it had loaded
  double seconds = 0;                ///< from its start to its end
  std::string wrong;                 ///< why nothing was found; empty when something was
};

/// Reads what a child wrote: lines of key=value. All it may hold is read; `wrong` is what the child said of itself.
child_report parse_report(std::string_view said);

/// Runs children at the same time, each pinned as a thread of a team would be; one that fails spoils no other.
/// Children die with their parent, and first when memory runs out.
std::vector<child_report> run_children(const std::vector<child_order>& orders);

/// Runs one child; throws wrong_work with its `wrong`.
child_report run_child(const child_order& order);

/// Puts what a child found into a result: findings as counters, the file of its malloc as the label.
void show(benchmark::State& state, const child_report& report);

/// Times `work` once, as all that a benchmark does. Google Benchmark would do it again ten times (the CPU time of its
/// own thread is what it waits for, and a parent that waits uses none), and an explicit number of iterations would
/// change the result's name. It stops when it has counted a billion iterations (kMaxIterations of 1.7.1; later versions
/// count further and do it again), so one call counts as that many: real_time is a billionth of the time it took, and
/// the figure in ns that time in seconds.
template <class Work>
void time_once(benchmark::State& state, Work work) {
  while (state.KeepRunningBatch(1'000'000'000)) work();
}

/// Runs a child, timed once, and shows what it found.
void measure_child(benchmark::State& state, const child_order& order);

/// GLIBC_TUNABLES' value ("name=value:name=value...") without the tunable `name`.
std::string without_tunable(std::string_view tunables, std::string_view name);

/// If the arguments are `--child=TASK[,NUMBER]...`: does that task, writes what it found to standard output and returns
/// the exit status. Must be asked before anything else is done, so that a child stays small.
std::optional<int> run_as_child(int argc, char** argv);

}  // namespace stackheap

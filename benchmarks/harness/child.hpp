// What can be measured only in a process of its own? The program executes itself with one malloc in place of all others
// and reads the results of its child.
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

/// Results of a child by name: the counters of a benchmark.
using findings = std::map<std::string, double>;

/// Work for a child; registers itself when it is constructed, as a global in the file of its family. It may throw: the
/// benchmark is then an error with that message.
class child_task {
 public:
  using function = findings (*)(const std::vector<std::size_t>& arguments);
  child_task(std::string_view name, function work);
};

/// How a malloc takes the place of a whole process's malloc.
struct deployment {
  std::string preload;       ///< the value of LD_PRELOAD; empty when nothing needs to be preloaded
  std::string malloc_file;   ///< the file that must hold the child's malloc
  std::string library_file;  ///< must be loaded in the child; differs from malloc_file only where that is a proxy
};

/// Why an available library cannot take the place of a whole process's malloc; empty where it can. Families that measure a
/// process of its own have no benchmark for such a library.
std::string fault_of_deployment(const malloc_library& library);

inline bool can_be_deployed(const malloc_library& library) { return library.available() && fault_of_deployment(library).empty(); }

/// A library whose functions have a prefix is deployed through the proxy library beside it (libNAME_proxy.so...).
/// Throws verification_error, with the reason, when this library cannot be deployed.
deployment deploy(const malloc_library& library);

/// The process's own malloc, deployed as it is here.
deployment own_deployment();

/// Under this number a child has the file of its order open.
inline constexpr int inherited_file = 3;

struct child_order {
  std::string task;
  std::vector<std::size_t> arguments = {};
  deployment malloc = own_deployment();
  int file = -1;  ///< an open file of this process for the child; -1: without
  std::size_t most_resident_bytes = harmless_bytes(std::size_t{1} << 30);  ///< a child that holds more is ended
  double most_seconds = 20;                                                ///< a child that lives longer is ended
};

struct child_report {
  findings results;
  std::string malloc_file;           ///< the file of the malloc that the child really had
  std::vector<std::string> loaded;   ///< every file it had loaded
  double seconds = 0;                ///< from its start to its end
  std::string wrong;                 ///< why there is no result; empty on success
};

/// Parses the output of a child: lines of key=value. Other lines are skipped; `wrong` is the child's own error message.
child_report parse_report(std::string_view text);

/// Runs children at the same time, each pinned like a thread of a team. The failure of one child does not affect the
/// others. Children die with their parent, and are the first to be killed when memory runs out.
std::vector<child_report> run_children(const std::vector<child_order>& orders);

/// Runs one child; throws verification_error with its `wrong`.
child_report run_child(const child_order& order);

/// Puts the results of a child into a benchmark: findings as counters, the file of its malloc as the label.
void show(benchmark::State& state, const child_report& report);

/// Does `work` as all that a benchmark does. It returns the seconds it took, which become the benchmark's time. The
/// benchmark is registered with timing::once: with timing::repeated, Google Benchmark would do the work again and
/// again, as it waits for CPU time of its own thread, and a parent that waits for a child uses almost none.
template <class Work>
void time_once(benchmark::State& state, Work work) {
  while (state.KeepRunning()) state.SetIterationTime(work());
}

/// Runs a child once and shows its results; the time is that of the child. For timing::once.
void measure_child(benchmark::State& state, const child_order& order);

/// GLIBC_TUNABLES' value ("name=value:name=value...") without the tunable `name`.
std::string without_tunable(std::string_view tunables, std::string_view name);

/// If the arguments are `--child=TASK[,NUMBER]...`: runs that task, writes its results to a pipe of its parent and returns the
/// exit status. Must be called before anything else is done, so that a child stays small.
std::optional<int> run_as_child(int argc, char** argv);

}  // namespace stackheap

#include "family.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <thread>
#include <tuple>

#include "libraries.hpp"
#include "near_misses.hpp"
#include "printable.hpp"
#include "shared_cache.hpp"
#include "turns.hpp"

namespace stackheap {
namespace {

std::vector<const family*>& registered() {
  static std::vector<const family*> all;
  return all;
}

bool threads_were_there = false;

/// A benchmark as it was registered.
struct known_benchmark {
  timing timed;
  std::function<void(benchmark::State&)> body;
};

std::map<std::string, known_benchmark>& known_benchmarks() {
  static std::map<std::string, known_benchmark> all;
  return all;
}

/// What a benchmark has prepared.
struct prepared_fixture {
  std::string benchmark;
  std::shared_ptr<void> fixture;
};

prepared_fixture& last_prepared() {
  static prepared_fixture last;
  return last;
}

void register_benchmark(const std::string& name, const known_benchmark& known, const std::optional<std::int64_t>& iterations = {}) {
  auto* const added = benchmark::RegisterBenchmark(name.c_str(), known.body);
  if (known.timed == timing::once) added->Iterations(1)->UseManualTime();  // its name then ends in timed_once_suffix
  else if (iterations) added->Iterations(*iterations);
}

/// Whether a quick run leaves out the benchmark, because it measures the library in some families only.
bool left_out_of_quick(const std::string& family, const std::string& name) {
  const std::string strategy = name.substr(0, name.find_first_of("+/", family.size() + 1));
  return std::any_of(libraries.begin(), libraries.end(), [&](const library_row& row) {
    return !row.quick.front().empty() && strategy == family + '/' + std::string(row.name) &&
           std::find(row.quick.begin(), row.quick.end(), family) == row.quick.end();
  });
}

}  // namespace

profile parse_profile(std::string_view name) {
  for (const profile kind : {profile::smoke, profile::quick, profile::full})
    if (name == name_of(kind)) return kind;
  throw std::invalid_argument("--profile: unknown profile '" + std::string(name) + "'" +
                              did_you_mean(name, {"smoke", "quick", "full"}) + " (choose smoke, quick, full)");
}

std::string_view name_of(profile kind) {
  return kind == profile::smoke ? "smoke" : kind == profile::quick ? "quick" : "full";
}

std::string result_name(std::string_view family, std::string_view strategy, std::initializer_list<parameter> parameters) {
  std::string name(family);
  if (!strategy.empty()) name.append("/").append(strategy);
  for (const parameter& part : parameters) name.append("/").append(part.text);
  return name;
}

family::family(about description, void (*function)(benchmark_registry&), const char* path)
    : facts(std::move(description)), add_benchmarks(function) {
  const std::filesystem::path file(path);
  name = file.stem();
  chapter = file.parent_path().filename();
  registered().push_back(this);
}

std::vector<const family*> families() {
  std::vector<const family*> all = registered();
  std::sort(all.begin(), all.end(), [](const family* a, const family* b) {
    return std::tie(a->chapter, a->name) < std::tie(b->chapter, b->name);
  });
  return all;
}

void have_had_threads() {
  if (threads_were_there) return;
  threads_were_there = true;
  std::thread([] {}).join();
}

bool runs_at_once(const std::string& name) {
  const std::string family_name = name.substr(0, name.find('/'));
  const std::vector<const family*>& all = registered();
  return std::any_of(all.begin(), all.end(), [&](const family* member) {
    return member->name == family_name && member->facts.at_once;
  });
}

bool timed_once(const std::string& name) {
  const auto known = known_benchmarks().find(name);
  return known != known_benchmarks().end() && known->second.timed == timing::once;
}

void keep_only(const std::string& name, const std::optional<std::string>& error, const std::optional<std::int64_t>& iterations) {
  known_benchmark kept = known_benchmarks().at(name);
  if (error) kept.body = [message = *error](benchmark::State& state) { state.SkipWithError(printable(message).c_str()); };
  benchmark::ClearRegisteredBenchmarks();
  register_benchmark(name, kept, iterations);
}

void benchmark_registry::add_named(const std::string& name, timing timed, std::function<void(benchmark::State&)> body) {
  if (!std::regex_search(name, only_)) return;
  if (chosen_ == profile::quick && left_out_of_quick(family_, name)) return;
  names_.push_back(name);
  const auto guarded = [name, body = std::move(body), before = before_threads_](benchmark::State& state) {
    begin_repetition();
    if (!before) have_had_threads();
    const std::optional<double> ns = shared_cache_beside(name);
    if (ns) state.counters["ns_shared_cache"] = *ns;
    try {
      body(state);
    } catch (const std::exception& error) {
      state.SkipWithError(printable(error.what()).c_str());
    }
  };
  register_benchmark(name, known_benchmarks()[name] = {timed, guarded});
}

void drop_prepared() { last_prepared() = {}; }

void* benchmark_registry::prepared(const std::string& name, const std::function<std::shared_ptr<void>()>& prepare) {
  prepared_fixture& last = last_prepared();
  if (last.benchmark != name || last.fixture == nullptr) {
    drop_prepared();  // before the new one is made, so that both are never in memory
    last = {name, prepare()};
  }
  return last.fixture.get();
}

}  // namespace stackheap

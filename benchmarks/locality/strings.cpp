// What does it cost that long strings keep their text on the heap, and short strings inside the string itself?
#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "family.hpp"
#include "measure.hpp"
#include "placement.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

constexpr std::size_t short_length = 15;  ///< every common library keeps so many characters inside the string itself
constexpr std::size_t long_length = 63;   ///< with the zero at its end, one line

enum class kind { inside, heap, heap_shuffled };
const char* name_of(kind placing) {
  return placing == kind::inside ? "inline" : placing == kind::heap ? "heap" : "heap_shuffled";
}

/// The part of a string that is read: its first eight characters, which hold its number.
std::uint64_t number_of(const std::string& text) {
  std::uint64_t number = 0;
  std::memcpy(&number, text.data(), sizeof number);
  return number;
}

bool keeps_inside(const std::string& text) {
  const std::less<const void*> before;
  return !before(text.data(), &text) && before(text.data(), &text + 1);
}

struct fixture {
  fixture(kind placing, std::size_t count) : strings(count), expected(std::uint64_t{count} * (count - 1) / 2) {
    for (std::uint64_t i = 0; i < count; ++i) {
      strings[i].assign(placing == kind::inside ? short_length : long_length, 'x');
      std::memcpy(strings[i].data(), &i, sizeof i);
    }
    if (placing == kind::heap_shuffled) {  // as sorting does: the strings exchange their texts, which stay in place
      generator random(seed);
      for (std::size_t i = count; i > 1; --i) std::swap(strings[i - 1], strings[below(i, random)]);
    }
    placement places;
    for (const std::string& text : strings) {
      if (keeps_inside(text) != (placing == kind::inside))
        throw verification_error("a string's text is not where it should be");
      places.visit(text.data());
    }
    neighbours = places.neighbours();
  }
  std::vector<std::string> strings;
  std::uint64_t expected;
  double neighbours = 0;
};

void read_all(benchmark::State& state, fixture& in) {
  std::uint64_t sum = 0, rounds = 0;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(static_cast<std::int64_t>(in.strings.size()))) {
      escape(&in.strings);
      for (const std::string& text : in.strings) sum += number_of(text);
      ++rounds;
    }
  }
  if (sum != rounds * in.expected) state.SkipWithError("the sum is wrong");
  state.counters["neighbours"] = in.neighbours;
}

const family strings({
    .question = "What does it cost to read strings that keep their text on the heap, compared with short strings that "
                "keep it inside?",
    .operation = "read the first eight characters of one of n strings of a vector, in order, and add them",
    .untimed = "making the strings; checking for every string that its text is where the name says; the sum of all "
               "reads is checked",
    .heap = "the process's own; the texts are made one after another",
    .held_against = "inline: the same reads of texts that lie inside the strings",
    .controls = "^strings/inline/",
    .unfairness = "Long strings read in the order in which they were made are the best case; heap_shuffled is the "
                  "state after sorting. Short strings have 15 characters, long strings 63; eight characters are read "
                  "of both.",
    .core = {"^strings/(inline|heap)/count:1000$"},
    .least_times = {{"strings/", 0.1}},
    .past_second_cache = "count:[0-9]{6,}$",
}, [](benchmark_registry& registry) {
  for (const std::size_t count : registry.pick<std::size_t>({1000}, {1000, 100000}, {100, 1000, 10000, 100000, 1000000}))
    for (const kind placing : {kind::inside, kind::heap, kind::heap_shuffled})
      registry.add(name_of(placing), {{"count", count}}, [=] { return std::make_shared<fixture>(placing, count); }, read_all);
});

}  // namespace
}  // namespace stackheap

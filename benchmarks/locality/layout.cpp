// How should records be laid out when one field of them is read, or all?
#include <array>
#include <memory>
#include <vector>

#include "family.hpp"
#include "measure.hpp"
#include "placement.hpp"

namespace stackheap {
namespace {

constexpr std::size_t fields = 8;
struct alignas(64) record {
  std::uint64_t field[fields];
};

/// Three ways to store records; at(i, field) is a field of the i-th record.
struct array_of_structs {
  explicit array_of_structs(std::size_t count) : records(count) {}
  std::uint64_t& at(std::size_t i, std::size_t field) { return records[i].field[field]; }
  std::vector<record> records;
};

struct struct_of_arrays {
  explicit struct_of_arrays(std::size_t count) {
    for (auto& column : values) column.resize(count);
  }
  std::uint64_t& at(std::size_t i, std::size_t field) { return values[field][i]; }
  std::array<std::vector<std::uint64_t>, fields> values;
};

struct array_of_pointers {
  explicit array_of_pointers(std::size_t count) : records(count) {
    for (auto& entry : records) entry = std::make_unique<record>();
  }
  std::uint64_t& at(std::size_t i, std::size_t field) { return records[i]->field[field]; }
  std::vector<std::unique_ptr<record>> records;
};

template <class Layout>
struct fixture {
  explicit fixture(std::size_t n) : records(n), count(n) {
    placement places;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t field = 0; field < fields; ++field) records.at(i, field) = i * fields + field;
      places.visit(&records.at(i, 0));
    }
    neighbours = places.neighbours();
  }
  /// The sum of the first `read` fields of every record.
  std::uint64_t expected(std::size_t read) const {
    return read * fields * (std::uint64_t{count} * (count - 1) / 2) + std::uint64_t{count} * (read * (read - 1) / 2);
  }
  Layout records;
  std::size_t count;
  double neighbours = 0;
};

template <std::size_t Read, class Layout>
void read_fields(benchmark::State& state, fixture<Layout>& in) {
  const std::size_t count = hide(in.count);
  std::uint64_t sum = 0, rounds = 0;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(static_cast<std::int64_t>(count * Read))) {
      escape(&in.records);
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t field = 0; field < Read; ++field) sum += in.records.at(i, field);
      ++rounds;
    }
  }
  if (sum != rounds * in.expected(Read)) state.SkipWithError("the sum is wrong");
  state.counters["neighbours"] = in.neighbours;
}

template <class Layout>
void add_layout(benchmark_registry& registry, const char* name, std::size_t count) {
  const auto prepare = [=] { return std::make_shared<fixture<Layout>>(count); };
  registry.add(name, {{"count", count}, {"fields", "one"}}, prepare, read_fields<1, Layout>);
  registry.add(name, {{"count", count}, {"fields", "all"}}, prepare, read_fields<fields, Layout>);
}

const family layouts({
    .question = "How should records be laid out: as an array of structs, a struct of arrays, an array of pointers?",
    .operation = "read one field and add it; one: the first of eight 8-byte fields of every record; all: every field "
                 "of a record before the next record",
    .untimed = "filling the records; the sum of all reads is checked",
    .heap = "the process's own; the records behind pointers are made one after another",
    .held_against = "struct_of_arrays with fields:one: the array of the field that is read, and nothing beside it",
    .controls = "^layout/struct_of_arrays/.*fields:one$",
    .unfairness = "The compiler can add contiguous fields by vector instructions, which is part of the benefit of "
                  "contiguous data. The records behind pointers lie in order, as neighbours shows: their best case; "
                  "traverse shows the other cases. With all fields the time is still the time of one field: an eighth "
                  "of a record.",
    .least_times = {{"layout/", share_of_a_cycle}},
    .past_second_cache = "count:[0-9]{6,}/",
}, [](benchmark_registry& registry) {
  for (const std::size_t count : registry.pick<std::size_t>({1000}, {1000, 100000}, {100, 1000, 10000, 100000, 1000000})) {
    add_layout<array_of_structs>(registry, "array_of_structs", count);
    add_layout<struct_of_arrays>(registry, "struct_of_arrays", count);
    add_layout<array_of_pointers>(registry, "array_of_pointers", count);
  }
});

}  // namespace
}  // namespace stackheap

// Does it matter in which order a matrix is walked, and whether its rows are one block or many?
#include <memory>
#include <vector>

#include "family.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// All elements in one block, row after row.
struct one_block {
  explicit one_block(std::size_t n) : elements(n * n), size(n) {}
  std::uint64_t& at(std::size_t row, std::size_t column) { return elements[row * size + column]; }
  std::vector<std::uint64_t> elements;
  std::size_t size;
};

/// A block for every row, and pointers to the rows.
struct block_a_row {
  explicit block_a_row(std::size_t n) : rows(n), size(n) {
    for (auto& row : rows) row = std::make_unique<std::uint64_t[]>(n);
  }
  std::uint64_t& at(std::size_t row, std::size_t column) { return rows[row][column]; }
  std::vector<std::unique_ptr<std::uint64_t[]>> rows;
  std::size_t size;
};

/// The ways to walk: the lines, walked one after another, are rows or columns.
struct by_row {
  static constexpr const char* name = "row";
  template <class Matrix>
  static std::uint64_t element(Matrix& elements, std::size_t line, std::size_t along) { return elements.at(line, along); }
};
struct by_column {
  static constexpr const char* name = "column";
  template <class Matrix>
  static std::uint64_t element(Matrix& elements, std::size_t line, std::size_t along) { return elements.at(along, line); }
};

/// Numbers the elements, so that the sum shows that each was visited.
template <class Matrix>
struct fixture {
  explicit fixture(std::size_t n) : matrix(n), expected(std::uint64_t{n} * n * (n * n - 1) / 2) {
    for (std::size_t row = 0; row < n; ++row)
      for (std::size_t column = 0; column < n; ++column) matrix.at(row, column) = row * n + column;
  }
  Matrix matrix;
  std::uint64_t expected;
};

template <class Walk, class Matrix>
void visit_all(benchmark::State& state, fixture<Matrix>& in) {
  const std::size_t n = hide(in.matrix.size);
  std::uint64_t sum = 0, rounds = 0;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(static_cast<std::int64_t>(n * n))) {
      escape(&in.matrix);
      for (std::size_t line = 0; line < n; ++line) {
        for (std::size_t along = 0; along < n; ++along) sum += Walk::element(in.matrix, line, along);
        keep(sum);  // otherwise the compiler may change columns back into rows
      }
      ++rounds;
    }
  }
  if (sum != rounds * in.expected) state.SkipWithError("the sum is wrong");
}

template <class Walk, class Matrix>
void add_walk(benchmark_registry& registry, const char* name, std::size_t n) {
  registry.add(
      name, {{"n", n}, {"by", Walk::name}}, [=] { return std::make_shared<fixture<Matrix>>(n); },
      visit_all<Walk, Matrix>);
}

const family matrix({
    .question = "Does it matter whether a matrix is walked by row or by column, in one block or with a block for every "
                "row?",
    .operation = "visit one element of an n by n matrix of 8-byte numbers and add it",
    .untimed = "filling the matrix; the sum of all walks is checked",
    .heap = "the process's own; the rows of a matrix are made one after another",
    .held_against = "one_block walked by:row: the elements in the order of their addresses",
    .controls = "^matrix/one_block/.*by:row$",
    .unfairness = "Along rows the compiler adds by vector instructions, which is part of the benefit of contiguous "
                  "data. With n a power of two, the elements of a column compete for few cache sets when the matrix is "
                  "one block: compare 1,024 with 1,000; the metadata of a malloc between the rows prevents that. Rows "
                  "that are made one after another are the best case of a block for every row.",
    .core = {"^matrix/(one_block|block_a_row)/n:100/by:column$"},
    .least_times = {{"matrix/.*by:row", share_of_a_cycle}, {"matrix/.*by:column", 0.1}},
    .past_second_cache = "n:[0-9]{4,}/",
}, [](benchmark_registry& registry) {
  for (const std::size_t n : registry.pick<std::size_t>({100}, {100, 1000, 1024}, {30, 100, 300, 1000, 1024, 3000})) {
    add_walk<by_row, one_block>(registry, "one_block", n);
    add_walk<by_column, one_block>(registry, "one_block", n);
    add_walk<by_row, block_a_row>(registry, "block_a_row", n);
    add_walk<by_column, block_a_row>(registry, "block_a_row", n);
  }
});

}  // namespace
}  // namespace stackheap

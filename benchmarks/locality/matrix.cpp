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

/// A block a row, and pointers to the rows.
struct block_a_row {
  explicit block_a_row(std::size_t n) : rows(n), size(n) {
    for (auto& row : rows) row = std::make_unique<std::uint64_t[]>(n);
  }
  std::uint64_t& at(std::size_t row, std::size_t column) { return rows[row][column]; }
  std::vector<std::unique_ptr<std::uint64_t[]>> rows;
  std::size_t size;
};

/// Walks: the line that is walked to its end before the next comes is a row or a column.
struct by_row {
  static constexpr const char* name = "row";
  template <class Matrix>
  static std::uint64_t element(Matrix& of, std::size_t line, std::size_t along) { return of.at(line, along); }
};
struct by_column {
  static constexpr const char* name = "column";
  template <class Matrix>
  static std::uint64_t element(Matrix& of, std::size_t line, std::size_t along) { return of.at(along, line); }
};

/// Numbers the elements, so that the sum tells whether each was visited.
template <class Matrix>
struct world {
  explicit world(std::size_t n) : matrix(n), expected(std::uint64_t{n} * n * (n * n - 1) / 2) {
    for (std::size_t row = 0; row < n; ++row)
      for (std::size_t column = 0; column < n; ++column) matrix.at(row, column) = row * n + column;
  }
  Matrix matrix;
  std::uint64_t expected;
};

template <class Walk, class Matrix>
void visit_all(benchmark::State& state, world<Matrix>& in) {
  const std::size_t n = opaque(in.matrix.size);
  std::uint64_t sum = 0, rounds = 0;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(static_cast<std::int64_t>(n * n))) {
      escape(&in.matrix);
      for (std::size_t line = 0; line < n; ++line) {
        for (std::size_t along = 0; along < n; ++along) sum += Walk::element(in.matrix, line, along);
        keep(sum);  // or the compiler may change columns back into rows
      }
      ++rounds;
    }
  }
  if (sum != rounds * in.expected) state.SkipWithError("the sum is wrong");
}

template <class Walk, class Matrix>
void enroll_walk(enrolment& into, const char* name, std::size_t n) {
  into.add(
      name, {{"n", n}, {"by", Walk::name}}, [=] { return std::make_shared<world<Matrix>>(n); },
      visit_all<Walk, Matrix>);
}

const family matrix({
    .question = "Does it matter whether a matrix is walked by row or by column, in one block or in a block a row?",
    .operation = "visit one element of an n by n matrix of 8-byte numbers and add it",
    .untimed = "filling the matrix; the sum of all walks is checked",
    .heap = "the process's own; the rows of a matrix are made one after another",
    .unfairness = "Along rows the compiler adds with vector instructions, which is part of what contiguity gives. "
                  "With n a power of two the elements of a column compete for few cache sets when the matrix is one "
                  "block: 1,024 beside 1,000 shows it; a malloc's books between the rows prevent that. Rows made one "
                  "after another are the best case of a block a row.",
}, [](enrolment& into) {
  for (const std::size_t n : into.pick<std::size_t>({100}, {100, 1000, 1024}, {30, 100, 300, 1000, 1024, 3000})) {
    enroll_walk<by_row, one_block>(into, "one_block", n);
    enroll_walk<by_column, one_block>(into, "one_block", n);
    enroll_walk<by_row, block_a_row>(into, "block_a_row", n);
    enroll_walk<by_column, block_a_row>(into, "block_a_row", n);
  }
});

}  // namespace
}  // namespace stackheap

// At which length does a string leave the stack, and what does the step cost?
#include <numeric>
#include <string>

#include "heap.hpp"
#include "inside.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t longest = 64;

struct world {
  explicit world(std::size_t length) : heap(process_heap, heap_state::resident, {length + 1}), text(length, 's') {
    const std::string built(text.data(), length);
    if (built != text) throw wrong_work("the string is not what it was built from");
    on_heap_counter = inside(built, built.data()) ? 0 : 1;
  }
  new_delete process_heap{{}};
  on_heap<new_delete> heap;
  std::string text;
  double on_heap_counter = 0;
};

void build_string(benchmark::State& state, world& in) {
  const char* const text = in.text.data();
  const std::size_t length = opaque(in.text.size());
  state.counters["on_heap"] = in.on_heap_counter;
  const measured measuring(state);
  for (auto _ : state) {
    const std::string built(text, length);
    escape(built.data());
  }
}

/// The control: the same characters into an array on the stack.
void build_array(benchmark::State& state, world& in) {
  const char* const text = in.text.data();
  const std::size_t length = opaque(in.text.size());
  const measured measuring(state);
  for (auto _ : state) {
    char built[longest + 1];
    std::memcpy(built, text, length);
    built[length] = '\0';
    escape(built);
  }
}

/// 1 to 33, where the step is in every library that is known, then the multiples of 8.
std::vector<std::size_t> all_lengths() {
  std::vector<std::size_t> lengths(33);
  std::iota(lengths.begin(), lengths.end(), std::size_t{1});
  for (std::size_t length = 40; length <= longest; length += 8) lengths.push_back(length);
  return lengths;
}

const family string_cliff({
    .question = "At which length does a string leave the stack, and what does the step cost?",
    .operation = "build a std::string of n characters, on the stack, from characters that are there, and drop it",
    .untimed = "one string built, compared, and looked at: on_heap says whether its characters lie outside of the "
               "string itself",
    .heap = "resident: the process's own malloc, four live blocks of the same size",
    .unfairness = "Where the step is depends on the C++ library: the address tells, nothing is assumed. The string "
                  "that comes next gets the block the last one gave back: the best case of the malloc. The control "
                  "none copies the same characters into an array.",
}, [](enrolment& into) {
  const std::vector<std::size_t> few =
      into.pick<std::size_t>({8, 32}, {1, 4, 8, 12, 14, 15, 16, 17, 20, 22, 23, 24, 32, 48, 64}, {});
  for (const std::size_t length : into.chosen() == profile::full ? all_lengths() : few) {
    const auto prepare = [=] { return std::make_shared<world>(length); };
    into.add("none", {{"length", length}}, prepare, build_array);
    into.add("string", {{"length", length}}, prepare, build_string);
  }
});

}  // namespace
}  // namespace stackheap

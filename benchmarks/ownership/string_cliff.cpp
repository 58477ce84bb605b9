// At which length does a string move to the heap, and what does that cost?
#include <numeric>
#include <string>

#include "heap.hpp"
#include "inside.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

constexpr std::size_t longest = 64;

struct fixture {
  explicit fixture(std::size_t length) : heap(process_heap, heap_state::resident, {length + 1}), text(length, 's') {
    const std::string built(text.data(), length);
    if (built != text) throw verification_error("the string is not what it was built from");
    on_heap_counter = inside(built, built.data()) ? 0 : 1;
  }
  new_delete process_heap{{}};
  on_heap<new_delete> heap;
  std::string text;
  double on_heap_counter = 0;
};

void build_string(benchmark::State& state, fixture& in) {
  const char* const text = in.text.data();
  const std::size_t length = hide(in.text.size());
  state.counters["on_heap"] = in.on_heap_counter;
  const measured measuring(state);
  for (auto _ : state) {
    const std::string built(text, length);
    escape(built.data());
  }
}

/// The control: the same characters into an array on the stack.
void build_array(benchmark::State& state, fixture& in) {
  const char* const text = in.text.data();
  const std::size_t length = hide(in.text.size());
  const measured measuring(state);
  for (auto _ : state) {
    char built[longest + 1];
    std::memcpy(built, text, length);
    built[length] = '\0';
    escape(built);
  }
}

/// 1 to 33, the range of the step in every known library, then the multiples of 8.
std::vector<std::size_t> all_lengths() {
  std::vector<std::size_t> lengths(33);
  std::iota(lengths.begin(), lengths.end(), std::size_t{1});
  for (std::size_t length = 40; length <= longest; length += 8) lengths.push_back(length);
  return lengths;
}

const family string_cliff({
    .question = "At which length does a string move to the heap, and what does that cost?",
    .operation = "build a std::string of n characters, on the stack, from existing characters, and drop it",
    .untimed = "one string built and compared; on_heap is 1 if its characters lie outside the string itself",
    .heap = "resident: the process's own malloc, at least four live blocks of the same size",
    .held_against = "none: the same characters, copied into an array",
    .controls = "^string_cliff/none/",
    .unfairness = "The length depends on the C++ library: the address shows it, nothing is assumed. The next string "
                  "gets the block that the string before gave back: the best case for the malloc.",
    .core = {"^string_cliff/string/length:(15|16)$"},
    .operations = {{.benchmark = "string_cliff/string/length:8", .notes = blocks_of(9, 0), .preload = true},
                   {.benchmark = "string_cliff/string/length:32", .notes = blocks_of(33, 1), .calls = 2, .preload = true}},
    .least_times = {{"string_cliff/", 0.5}},
}, [](benchmark_registry& registry) {
  const std::vector<std::size_t> few =
      registry.pick<std::size_t>({8, 32}, {1, 4, 8, 12, 14, 15, 16, 17, 20, 22, 23, 24, 32, 48, 64}, {});
  for (const std::size_t length : registry.chosen() == profile::full ? all_lengths() : few) {
    const auto prepare = [=] { return std::make_shared<fixture>(length); };
    registry.add("none", {{"length", length}}, prepare, build_array);
    registry.add("string", {{"length", length}}, prepare, build_string);
  }
});

}  // namespace
}  // namespace stackheap

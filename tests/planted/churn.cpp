// Live blocks replaced at random, by each malloc there is.
#include "replacing.hpp"
#include "slowdown.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t stretch_operations = 1000;

const family churn({
    .question = "Is a slowdown found in a malloc at work on a heap that is in use?",
    .operation = "free a random one of 1,000 live blocks, take one of 16 to 1,024 bytes, write its first byte",
    .untimed = "filling the heap, drawing the replacements",
    .heap = "the 1,000 live blocks themselves",
    .held_against = "no control: each side of a comparison is held against the other side",
    .unfairness = "",
}, [](benchmark_registry& registry) {
  for (const malloc_library& library : malloc_libraries())
    if (library.available())
      add_slowed(registry, library.name, {{"live", replacing::live}}, stretch_operations,
                 [&library] { return std::make_shared<replacing>(library.load(), seed); });
});

}  // namespace
}  // namespace stackheap

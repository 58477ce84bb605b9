// A block taken and given back at once, by each malloc there is.
#include "heap.hpp"
#include "slowdown.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t stretch_operations = 1000;
constexpr std::size_t bytes = 64;

struct fixture {
  explicit fixture(const loaded_malloc& functions) : malloc(functions), heap(malloc, heap_state::resident, {bytes}) {
    verify_lends(malloc, bytes);
  }

  void stretch(std::int64_t operations) {
    for (std::int64_t i = 0; i < operations; ++i) {
      void* const block = malloc.allocate(hide(bytes));
      escape(block);
      malloc.deallocate(block, bytes);
    }
  }

  loaded_malloc malloc;
  on_heap<loaded_malloc> heap;
};

const family pairs({
    .question = "Is a slowdown found in a malloc's fastest way?",
    .operation = "take one block of 64 bytes and give it back",
    .untimed = "loading the malloc, one verified pair",
    .heap = "resident: at least four live blocks of the same size",
    .held_against = "no control: each side of a comparison is held against the other side",
    .unfairness = "",
}, [](benchmark_registry& registry) {
  for (const malloc_library& library : malloc_libraries())
    if (library.available())
      add_slowed(registry, library.name, {{"bytes", bytes}}, stretch_operations,
                 [&library] { return std::make_shared<fixture>(library.load()); });
});

}  // namespace
}  // namespace stackheap

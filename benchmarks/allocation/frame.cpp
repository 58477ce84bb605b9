// What does a function's frame cost? The call of a function with locals against the same call without them.
#include "frame/frames.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "family.hpp"
#include "measure.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

using calls_by_size = std::span<const frame_calls>;

/// By protection: the names of the files.
std::map<std::string, calls_by_size> every_protection() {
  std::map<std::string, calls_by_size> all;
  for (const protected_frames* own = protected_frames::newest; own != nullptr; own = own->next)
    all.emplace(std::filesystem::path(own->file).stem(), calls_by_size(own->begin, own->end));
  return all;
}

void add(benchmark_registry& registry, std::string_view strategy, std::initializer_list<parameter> parameters,
         std::size_t bytes, void (*calls)(std::size_t rounds)) {
  constexpr std::size_t rounds = 16;  // between two checks of the time
  registry.add(
      strategy, parameters, [=] { return std::make_shared<stack_room>(2 * bytes); },  // a caller and what it calls
      [=](benchmark::State& state, stack_room& room) {
        room.run([&] {
          const measured measuring(state);
          while (state.KeepRunningBatch(rounds * calls_a_round)) calls(rounds);
        });
      });
}

const family frame({
    .question = "What does a function's frame cost, by its size and by the protection of the stack?",
    .operation = "call a function that is not inlined, whose locals are an array of n bytes that it does not write, and "
                 "return from it; the function is a leaf, or calls an empty function (leaf:no)",
    .untimed = "nothing",
    .heap = "does not matter: nothing is allocated",
    .held_against = "none: the same call without the array: a frame costs the difference",
    .controls = "^frame/none/",
    .unfairness = "A leaf on x86-64 may use 128 bytes below the stack pointer (the red zone) without moving it. The "
                  "functions are compiled without protection (plain), with -fstack-protector-strong "
                  "(stack_protector: a value beside the array is written at the call and checked before the return) "
                  "and with -fstack-clash-protection (stack_clash: every page of a large frame is touched); many "
                  "distributions turn both on. The touched words lie at one place of their pages, so many of them "
                  "share a set of the first cache. The pages are in memory already: stack_growth measures what new "
                  "pages cost.",
    .least_times = {{"frame/.*leaf:yes", 1},
                    {"frame/.*leaf:no", 2},
                    {"frame/bytes:65536/leaf:(yes|no)/protection:stack_clash", 8}},
}, [](benchmark_registry& registry) {
  const auto sizes = registry.pick<std::size_t>({0, 64, 65536}, {0, 16, 64, 4096, 65536},
                                                {0, 16, 64, 128, 256, 1024, 4096, 16384, 65536});
  for (const auto& [protection, by_size] : every_protection())
    for (const frame_calls& calls : by_size)
      for (const bool of_leaf : {true, false}) {
        if (std::find(sizes.begin(), sizes.end(), calls.bytes) == sizes.end()) continue;
        const parameter leaf("leaf", of_leaf ? "yes" : "no");
        const auto function = of_leaf ? calls.of_leaf : calls.of_caller;
        if (calls.bytes > 0)
          add(registry, "", {{"bytes", calls.bytes}, leaf, {"protection", protection}}, calls.bytes, function);
        else if (protection == "plain")
          add(registry, "none", {leaf}, 0, function);
      }
});

}  // namespace
}  // namespace stackheap

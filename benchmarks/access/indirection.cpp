// What does a pointer cost on the way to a value: the following, or where it leads?
#include <algorithm>
#include <vector>

#include "family.hpp"
#include "homes.hpp"
#include "measure.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

constexpr std::size_t values = std::size_t{1} << 17;
constexpr std::size_t scattered_bytes = std::size_t{64} << 20;
constexpr std::size_t stride = 4096;  ///< values between two looks at whether to go on

/// One a cache line; the last on the way holds the value.
struct alignas(64) node {
  const node* next;
  std::uint64_t value;
};

enum class layout { packed, scattered };
std::string_view name_of(layout how) { return how == layout::packed ? "packed" : "scattered"; }

/// `way` is the value itself at depth 0, else the address of the first node.
template <std::size_t Depth>
std::uint64_t reach(std::uintptr_t way) {
  if constexpr (Depth == 0) {
    return way;
  } else {
    auto* at = reinterpret_cast<const node*>(way);
    for (std::size_t i = 1; i < Depth; ++i) at = at->next;
    return at->value;
  }
}

template <std::size_t Depth>
struct world {
  static constexpr std::size_t packed_bytes = std::max<std::size_t>(Depth, 1) * values * sizeof(node);

  explicit world(layout how) : at(home::heap, how == layout::scattered ? scattered_bytes : packed_bytes), ways(values) {
    auto* const lines = reinterpret_cast<node*>(at.data());
    std::vector<std::uint32_t> place;
    if (how == layout::scattered) {
      generator random(seed);
      place = shuffled(scattered_bytes / sizeof(node), random);
    }
    // The nodes of one level lie in the order of the values when packed: each level is a row of its own.
    const auto line = [&](std::size_t level, std::size_t i) {
      const std::size_t number = level * values + i;
      return lines + (place.empty() ? number : place[number]);
    };
    for (std::size_t i = 0; i < values; ++i) {
      for (std::size_t level = 0; level < Depth; ++level)
        ::new (line(level, i)) node{level + 1 < Depth ? line(level + 1, i) : nullptr, level + 1 < Depth ? values : i};
      ways[i] = Depth == 0 ? i : reinterpret_cast<std::uintptr_t>(line(0, i));
    }
    for (std::size_t i = 0; i < values; ++i)
      if (reach<Depth>(ways[i]) != i) throw wrong_work("a way does not lead to its value");
    huge_share = at.huge_share();
  }

  residence at;
  std::vector<std::uintptr_t> ways;
  std::size_t next = 0;  ///< where the next stretch begins
  double huge_share = -1;
};

template <std::size_t Depth>
void reach_all(benchmark::State& state, world<Depth>& in) {
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(stride)) {
      const std::uintptr_t* const ways = in.ways.data() + in.next;
      for (std::size_t i = 0; i < stride; ++i) keep(reach<Depth>(ways[i]));
      in.next = (in.next + stride) % values;
    }
  }
  if (in.huge_share >= 0) state.counters["huge_share"] = in.huge_share;
}

template <std::size_t Depth>
void enroll_depth(enrolment& into, layout how) {
  into.add(
      "", {{"depth", Depth}, {"layout", name_of(how)}}, [=] { return std::make_shared<world<Depth>>(how); },
      reach_all<Depth>);
}

const family indirection({
    .question = "What does a pointer on the way to a value cost: following it, or where it leads?",
    .operation = "reach one of 131,072 values, in order, through 0, 1, 2 or 3 pointers; none waits for the one before",
    .untimed = "placing the nodes, one a 64-byte line; reaching every value once, verified",
    .heap = "does not matter: the nodes stand in one block, placed by the benchmark. packed: those of one "
            "level one after another, in order; scattered: on random lines of 64 MiB",
    .unfairness = "At depth 0 the values stand in the array itself, eight bytes each, which has but one layout. Ways "
                  "to different values do not depend on each other, so the processor follows several at once: chase "
                  "shows what a load costs that must be waited for. huge_share says what pages the block was granted.",
}, [](enrolment& into) {
  enroll_depth<0>(into, layout::packed);
  for (const layout how : {layout::packed, layout::scattered}) {
    enroll_depth<1>(into, how);
    if (into.chosen() == profile::smoke) continue;
    enroll_depth<2>(into, how);
    enroll_depth<3>(into, how);
  }
});

}  // namespace
}  // namespace stackheap

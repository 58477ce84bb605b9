// Copies, which live on bandwidth where a chase lives on latency.
#include "slowdown.hpp"

namespace stackheap {
namespace {

constexpr std::int64_t stretch_operations = 100;  // the fewest of which 1 % can be made once more

struct fixture {
  explicit fixture(std::size_t bytes) : from(bytes, std::byte{1}), to(bytes) {
    stretch(1);
    if (from != to) throw verification_error("the copy is not like its original");
  }

  void stretch(std::int64_t operations) {
    for (std::int64_t i = 0; i < operations; ++i) {
      std::memcpy(to.data(), from.data(), hide(from.size()));
      escape(to.data());
    }
  }

  std::vector<std::byte> from, to;
};

const family copy({
    .question = "Is a slowdown found where a program moves memory?",
    .operation = "one copy of a block onto another",
    .untimed = "making the blocks; one verified copy",
    .heap = "does not matter: the memory is two blocks",
    .held_against = "no control: each side of a comparison is held against the other side",
    .unfairness = "",
}, [](benchmark_registry& registry) {
  for (const std::size_t bytes : {std::size_t{16} << 10, std::size_t{1} << 20})
    add_slowed(registry, "", {{"bytes", bytes}}, stretch_operations,
               [=] { return std::make_shared<fixture>(bytes); });
});

}  // namespace
}  // namespace stackheap

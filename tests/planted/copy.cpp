// Copies, which live on bandwidth where a chase lives on latency.
#include "delay.hpp"

namespace stackheap {
namespace {

struct fixture {
  fixture(std::size_t bytes, std::int64_t copies) : copies_(copies), from(bytes, std::byte{1}), to(bytes) {
    stretch();
    if (from != to) throw verification_error("the copy is not like its original");
  }

  void stretch() {
    for (std::int64_t i = 0; i < copies_; ++i) {
      std::memcpy(to.data(), from.data(), hide(from.size()));
      escape(to.data());
    }
  }

 private:
  std::int64_t copies_;
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
  for (const auto& [bytes, copies] : {std::pair{std::size_t{16} << 10, 16}, std::pair{std::size_t{1} << 20, 1}})
    add_delayed(registry, "copy", "", {{"bytes", bytes}}, copies,
                   [bytes = bytes, copies = copies] { return std::make_shared<fixture>(bytes, copies); });
});

}  // namespace
}  // namespace stackheap

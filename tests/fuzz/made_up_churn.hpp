// Which calls are in made_up.shr, the recording of a program that nobody ran? A churn: 256 blocks, of which one drawn at random
// is freed and taken anew, 4,096 times; then all are freed. tests/independent makes the same calls.
#pragma once

#include <cstdint>
#include <vector>

#include "made_up_recording.hpp"

namespace stackheap::recording {

struct made_up_churn {
  static constexpr unsigned live = 256, replacements = 4096;
  static constexpr unsigned calls = 2 * (live + replacements);

  static std::string file() {
    std::uint64_t random = 1;
    const auto draw = [&](std::uint64_t bound) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      return (random >> 33) % bound;
    };
    made_up_recording made;
    made.command = std::string("made_up\0", 8);
    std::vector<made_up_block> blocks;
    for (unsigned i = 0; i < live; ++i) blocks.push_back(made.malloc(0, 16 + draw(1009)));
    for (unsigned i = 0; i < replacements; ++i) {
      made_up_block& slot = blocks[draw(live)];
      made.free(0, slot);
      slot = made.malloc(0, 16 + draw(1009));
    }
    for (const made_up_block& block : blocks) made.free(0, block);
    return made.ended();
  }
};

}  // namespace stackheap::recording

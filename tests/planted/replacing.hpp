// The steady state of a program: live blocks, of which a random one is replaced, again and again.
#pragma once

#include "heap.hpp"

namespace stackheap {

class replacing {
 public:
  static constexpr std::size_t live = 1000;                   ///< blocks
  static constexpr std::size_t drawn = std::size_t{1} << 14;  ///< replacements, round which the stretches go

  replacing(const loaded_malloc& functions, std::uint64_t chosen_seed) : malloc_(functions), blocks_(live) {
    generator random(chosen_seed);
    for (std::byte*& block : blocks_) block = take(malloc_, draw_size(size_mix::uniform, random));
    script_ = replacements(live, size_mix::uniform, drawn, random);
  }
  replacing(const replacing&) = delete;
  replacing& operator=(const replacing&) = delete;
  ~replacing() {
    for (std::byte* block : blocks_) malloc_.deallocate(block, 0);
  }

  void stretch(std::int64_t operations) {
    for (std::int64_t i = 0; i < operations; ++i, next_ = (next_ + 1) % drawn) {
      std::byte*& block = blocks_[script_[next_].slot];
      malloc_.deallocate(block, 0);
      block = static_cast<std::byte*>(malloc_.allocate(script_[next_].bytes));
      *block = std::byte{1};
      escape(block);
    }
  }

 private:
  loaded_malloc malloc_;
  std::vector<std::byte*> blocks_;
  std::vector<replacement> script_;
  std::size_t next_ = 0;
};

}  // namespace stackheap

// Which blocks of a thread are live? Those that live are found by their number, and the newest at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace stackheap::recording {

/// The live blocks of one thread, in the order in which it took them. What is kept of a block is a Block with a `number`,
/// which rises, and the flag `live`. At most half of the entries are dead, so memory is that of twice the live blocks.
template <class Block>
class live_blocks {
 public:
  using number = decltype(Block::number);

  bool empty() const { return blocks_.empty(); }
  /// The newest live block. There must be a live block.
  const Block& newest() const { return blocks_.back(); }

  void add(const Block& taken) { blocks_.push_back(taken); }

  /// Takes out the block of this number; none where it is not live.
  std::optional<Block> take_out(number wanted) {
    const auto at = find(wanted);
    if (at == blocks_.end() || !at->live) return {};
    const Block found = *at;
    at->live = false;
    ++dead_;
    while (!blocks_.empty() && !blocks_.back().live) blocks_.pop_back(), --dead_;
    if (dead_ > blocks_.size() / 2) {
      std::erase_if(blocks_, [](const Block& looked_at) { return !looked_at.live; });
      dead_ = 0;
      if (blocks_.size() < blocks_.capacity() / 4) blocks_.shrink_to_fit();
    }
    return found;
  }

  template <class Visit>
  void for_each(Visit visit) const {
    for (const Block& looked_at : blocks_)
      if (looked_at.live) visit(looked_at);
  }

 private:
  /// Most blocks that are freed are young: the search starts where the block lies if no entry after it has been
  /// removed.
  auto find(number wanted) {
    if (blocks_.empty() || blocks_.back().number < wanted) return blocks_.end();
    const auto behind = blocks_.back().number - wanted;
    const auto first =
        behind < blocks_.size() ? blocks_.end() - 1 - static_cast<std::ptrdiff_t>(behind) : blocks_.begin();
    if (first->number == wanted) return first;
    const auto at = std::lower_bound(first, blocks_.end(), wanted,
                                     [](const Block& looked_at, number than) { return looked_at.number < than; });
    return at->number == wanted ? at : blocks_.end();
  }

  std::vector<Block> blocks_;
  std::size_t dead_ = 0;
};

}  // namespace stackheap::recording

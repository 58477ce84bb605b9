// Which block begins at an address? A table over the whole address space, in which every eight bytes have an entry: the
// smallest alignment that a malloc gives. Parts of it are mapped as blocks come to lie there, and never given back.
//
// No lock: a block's entry is written after its malloc has returned it and cleared before it is freed, so that between the
// two no other thread has to do with it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace stackheap::recorder {

/// A block by the thread that took it and its number among that thread's blocks; 0: not known.
class block_name {
 public:
  static constexpr unsigned number_bits = 40;
  static constexpr std::uint64_t most_numbers = std::uint64_t{1} << number_bits;
  static constexpr std::uint32_t most_threads = (std::uint32_t{1} << (64 - number_bits)) - 1;

  constexpr block_name() = default;
  constexpr block_name(std::uint32_t thread, std::uint64_t number)
      : value_((thread + std::uint64_t{1}) << number_bits | number) {}
  explicit operator bool() const { return value_ != 0; }
  std::uint32_t thread() const { return static_cast<std::uint32_t>(value_ >> number_bits) - 1; }
  std::uint64_t number() const { return value_ & (most_numbers - 1); }

 private:
  std::uint64_t value_ = 0;
};
using block_entry = std::atomic<block_name>;
static_assert(sizeof(block_entry) == 8 && block_entry::is_always_lock_free);

inline constexpr unsigned address_bits = 48;
inline constexpr unsigned part_bits = 26;  ///< of the address: what a part of the table covers, and how large it is
inline constexpr std::size_t part_bytes = std::size_t{1} << part_bits;

extern block_entry* parts[std::size_t{1} << (address_bits - part_bits)];

/// Maps a part of the table, in a forked process an empty one. Null where there is no memory for it.
block_entry* map_part(block_entry*& part);

/// The entry of an address that is known; null where it has none.
inline block_entry* known_entry(const void* address) {
  const std::uint64_t at = reinterpret_cast<std::uintptr_t>(address);
  if (at >> address_bits != 0) [[unlikely]] return nullptr;
  block_entry* const part = std::atomic_ref(parts[at >> part_bits]).load(std::memory_order_acquire);
  return part == nullptr ? nullptr : part + (at & (part_bytes - 1)) / sizeof(block_entry);
}

/// The entry of a block that has just been taken; null where there is no memory for it.
inline block_entry* new_entry(const void* address) {
  if (block_entry* const entry = known_entry(address)) [[likely]] return entry;
  const std::uint64_t at = reinterpret_cast<std::uintptr_t>(address);
  if (at >> address_bits != 0) return nullptr;
  block_entry* const part = map_part(parts[at >> part_bits]);
  return part == nullptr ? nullptr : part + (at & (part_bytes - 1)) / sizeof(block_entry);
}

}  // namespace stackheap::recorder

// Does an object keep its data inside itself?
#pragma once

#include <cstdint>

namespace stackheap {

/// Whether `data` lies in the bytes of `object` itself, by address, for any library.
template <class Object>
bool inside(const Object& object, const void* data) {
  const auto low = reinterpret_cast<std::uintptr_t>(&object), at = reinterpret_cast<std::uintptr_t>(data);
  return at >= low && at < low + sizeof(Object);
}

}  // namespace stackheap

// Does an object keep its data within itself?
#pragma once

#include <cstdint>

namespace stackheap {

/// By the address, whatever the library: true when `data` lies in the bytes of `object` itself.
template <class Object>
bool inside(const Object& object, const void* data) {
  const auto low = reinterpret_cast<std::uintptr_t>(&object), at = reinterpret_cast<std::uintptr_t>(data);
  return at >= low && at < low + sizeof(Object);
}

}  // namespace stackheap

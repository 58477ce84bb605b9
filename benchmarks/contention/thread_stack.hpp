// Where is the calling thread's stack, how large is it, and how much of it is in memory?
#pragma once

#include <pthread.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "measure.hpp"

namespace stackheap {

inline constexpr std::size_t stack_page = 4096;

/// Facts about the stack of the calling thread, all in bytes.
struct stack_facts {
  std::size_t reserved = 0;  ///< addresses set aside
  std::size_t resident = 0;  ///< the part of them that is in memory
  std::size_t above = 0;     ///< used by the C library and the callers, above the caller's frame
  int error = 0;             ///< why the system does not tell them; 0: it does
};

[[gnu::noinline]] inline stack_facts facts_of_this_stack() {
  stack_facts facts;
  pthread_attr_t attributes;
  if ((facts.error = ::pthread_getattr_np(::pthread_self(), &attributes)) != 0) return facts;
  void* lowest = nullptr;
  facts.error = ::pthread_attr_getstack(&attributes, &lowest, &facts.reserved);
  ::pthread_attr_destroy(&attributes);
  if (facts.error != 0) return facts;
  const auto low = reinterpret_cast<std::uintptr_t>(lowest);
  facts.above = low + facts.reserved - reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  std::vector<unsigned char> pages((facts.reserved + stack_page - 1) / stack_page);
  if (::mincore(lowest, facts.reserved, pages.data()) != 0) facts.error = errno;
  for (const unsigned char page : pages) facts.resident += (page & 1) * stack_page;
  return facts;
}

/// Goes `bytes` down the stack and writes one byte of each page on the way.
[[gnu::noinline]] inline void descend(std::size_t bytes) {
  auto* const lowest = static_cast<volatile std::byte*>(__builtin_alloca(bytes));
  for (std::size_t depth = stack_page; depth <= bytes; depth += stack_page) lowest[bytes - depth] = std::byte{1};
  escape(&lowest);
}

}  // namespace stackheap

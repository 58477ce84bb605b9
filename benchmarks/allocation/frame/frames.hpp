// Which functions does `frame` call? The same in each file of this folder: the name of the file is the protection of the
// stack that it is compiled with (CMakeLists.txt has the flags).
#pragma once

#include <cstddef>

namespace stackheap {

/// Calls of two functions with `bytes` bytes of locals: a leaf, which calls nothing, and a caller, which calls an empty
/// function. With 0 bytes they are the controls. One round is `calls_a_round` calls.
struct frame_calls {
  std::size_t bytes;
  void (*of_leaf)(std::size_t rounds);
  void (*of_caller)(std::size_t rounds);
};
inline constexpr std::size_t calls_a_round = 16;

/// The calls of a file, in a list of all files. Neither a container nor a string: the linker could choose an inline
/// function of the library that was compiled here, with a protection, for the whole program.
struct protected_frames {
  template <std::size_t Count>
  explicit protected_frames(const frame_calls (&calls)[Count], const char* own_file = __builtin_FILE())
      : begin(calls), end(calls + Count), file(own_file), next(newest) {
    newest = this;
  }

  const frame_calls* begin;
  const frame_calls* end;
  const char* file;
  const protected_frames* next;
  static inline const protected_frames* newest = nullptr;
};

namespace {

/// No function writes its locals. They exist because of an assembly statement that has no instruction, but may write them.
template <std::size_t Bytes>
[[gnu::noinline, gnu::aligned(64)]] void leaf() {
  if constexpr (Bytes == 0) {
    asm volatile("");
  } else {
    std::byte locals[Bytes];
    asm volatile("" : "=m"(locals));
  }
}

template <std::size_t Bytes>
[[gnu::noinline, gnu::aligned(64)]] void caller() {
  if constexpr (Bytes == 0) {
    leaf<0>();
    asm volatile("");  // without it, the function would jump to the empty function instead of calling it
  } else {
    std::byte locals[Bytes];
    asm volatile("" : "=m"(locals));
    leaf<0>();
    asm volatile("" : : "m"(locals));
  }
}

/// The timed loop. Its calls are direct, and many: a loop with a single call, or calls through a pointer, take up to twice
/// as long where they lie badly in a cache line.
template <void (*Function)()>
[[gnu::noinline, gnu::aligned(64)]] void call(std::size_t rounds) {
  for (; rounds > 0; --rounds) {
    Function(), Function(), Function(), Function(), Function(), Function(), Function(), Function();
    Function(), Function(), Function(), Function(), Function(), Function(), Function(), Function();
  }
}

template <std::size_t... Bytes>
constexpr frame_calls calls_of[] = {{Bytes, call<leaf<Bytes>>, call<caller<Bytes>>}...};

constexpr auto& calls_of_every_size = calls_of<0, 16, 64, 128, 256, 1024, 4096, 16384, 65536>;

}  // namespace
}  // namespace stackheap

// What libFuzzer calls (scripts/sanitize fuzz): the first byte of its data chooses the reader, the rest is the text.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "readers.hpp"

/// With --words it prints what sound texts are made of, as a dictionary for libFuzzer, and ends.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc != 2 || std::string_view((*argv)[1]) != "--words") return 0;
  for (const stackheap::reader& target : stackheap::readers())
    for (const std::string& word : target.words) {
      std::putchar('"');
      for (const char letter : word) std::printf("\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(letter)));
      std::puts("\"");
    }
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  if (bytes == 0) return 0;
  const auto& all = stackheap::readers();
  stackheap::reads(all[data[0] % all.size()], std::string(reinterpret_cast<const char*>(data) + 1, bytes - 1));
  return 0;
}

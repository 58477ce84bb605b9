#include "held_memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>

#include "family.hpp"

namespace stackheap {
namespace {

/// The text of a small file, read into memory that already exists.
std::string_view text_of(const char* folder, const char* name) {
  static std::array<char, 4096> text;
  char path[256];
  std::snprintf(path, sizeof path, "%s/%s", folder, name);
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t bytes = ::read(file, text.data(), text.size());
  ::close(file);
  return bytes > 0 ? std::string_view(text.data(), static_cast<std::size_t>(bytes)) : std::string_view();
}

/// Takes the number that `text` begins with, after blanks; empty when there is none.
std::optional<std::size_t> take_number(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

std::optional<held_memory> parse_rollup(std::string_view text) {
  held_memory held;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    std::string_view rest = line.substr(colon + 1);
    const std::size_t bytes = take_number(rest).value_or(0) * 1024;
    if (key == "Rss") held.resident = bytes, held.exact = true;
    else if (key == "Private_Clean" || key == "Private_Dirty") held.unshared += bytes;
    else if (key == "LazyFree") held.lazy_free = bytes;
    else if (key == "AnonHugePages") held.huge = bytes;
  }
  if (!held.exact) return {};
  return held;
}

std::optional<held_memory> parse_statm(std::string_view text, std::size_t page_bytes) {
  const auto size = take_number(text), resident = take_number(text), shared = take_number(text);
  if (!size || !resident || !shared || *shared > *resident) return {};
  held_memory held;
  held.resident = *resident * page_bytes;
  held.unshared = (*resident - *shared) * page_bytes;
  return held;
}

held_memory held_now(const char* folder) {
  if (const auto held = parse_rollup(text_of(folder, "smaps_rollup"))) return *held;
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (const auto held = parse_statm(text_of(folder, "statm"), page_bytes)) return *held;
  throw verification_error("the memory of this process is unknown: neither smaps_rollup nor statm can be read");
}

}  // namespace stackheap

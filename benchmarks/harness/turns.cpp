#include "turns.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <stdexcept>

namespace stackheap {
namespace {

struct turn_taking {
  turns chosen;
  unsigned begun = 0;  ///< repetitions of this turn
};

std::optional<turn_taking>& taking() {
  static std::optional<turn_taking> only;
  return only;
}

/// Whether a byte went through.
template <class Call>
bool one_byte(Call call) {
  ssize_t bytes = 0;
  while ((bytes = call()) < 0 && errno == EINTR) {}
  return bytes == 1;
}

}  // namespace

turns parse_turns(const std::string& text) {
  turns parsed{-1, -1};
  const char* next = text.data();
  const char* const end = next + text.size();
  const auto number = [&](auto& value) {
    const auto [stop, error] = std::from_chars(next, end, value);
    next = stop;
    return error == std::errc() && value >= 0;
  };
  const auto comma = [&] { return next < end && *next++ == ','; };
  const bool files = number(parsed.in) && comma() && number(parsed.out);
  const bool whole = files && (next == end || (comma() && number(parsed.repetitions) && parsed.repetitions > 0 && next == end));
  if (!whole) throw std::invalid_argument("--turns=" + text + ": not IN,OUT or IN,OUT,REPETITIONS, with the numbers of two open files");
  for (const int file : {parsed.in, parsed.out})
    if (::fcntl(file, F_SETFD, FD_CLOEXEC) != 0)
      throw std::invalid_argument("--turns=" + text + ": file " + std::to_string(file) + " is not open");
  return parsed;
}

void take_turns(const turns& chosen) { taking() = {chosen, chosen.repetitions}; }

bool takes_turns() { return taking().has_value(); }

void begin_repetition() {
  if (!taking()) return;
  auto& [chosen, begun] = *taking();
  if (begun++ < chosen.repetitions) return;
  begun = 1;
  const turns& files = chosen;  // Clang before 16 has no structured binding in a lambda
  char byte = '.';
  const bool ours = one_byte([&] { return ::write(files.out, &byte, 1); }) && one_byte([&] { return ::read(files.in, &byte, 1); });
  if (!ours) ::_exit(3);
}

}  // namespace stackheap

// What in this program reads text that others wrote, and what must be true of each whatever the text is.
#pragma once

#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace stackheap {

/// A text was read as what it must not be.
struct broken_promise : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct reader {
  const char* name;
  std::vector<std::string> words;  ///< what sound texts are made of
  /// May refuse with std::invalid_argument of one line. Any other exception is a fault, as is a crash.
  void (*read)(const std::string& text);
};

const std::vector<reader>& readers();

inline std::ostream& operator<<(std::ostream& out, const reader& shown) { return out << shown.name; }

/// Has one read the text; false when it refused.
bool reads(const reader& chosen, const std::string& text);

}  // namespace stackheap

#include "plain_names.hpp"

#include <cstddef>

namespace stackheap {

std::string matching_plain_names(const std::string& filter) {
  std::string matching;
  bool escaped = false;
  std::size_t bracket = std::string::npos;  // where the set of characters ([...]) begins in which the walk is
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const char c = filter[i];
    if (bracket != std::string::npos) {
      const std::size_t first = bracket + (filter[bracket + 1] == '^' ? 2 : 1);
      if (c == ']' && i > first) bracket = std::string::npos;  // as the first character, it is a member of the set
    } else if (escaped) {
      escaped = false;
    } else if (c == '\\') {
      escaped = true;
    } else if (c == '[') {
      bracket = i;
    } else if (c == '$') {
      matching.append("(").append(timed_once_suffix).append(")?");
    }
    matching += c;
  }
  return matching;
}

}  // namespace stackheap

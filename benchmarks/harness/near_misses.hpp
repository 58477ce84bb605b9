// Which known name did a user probably mean by a word that is not known?
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stackheap {

/// "; did you mean NAME?" with the known name that differs from the word in the fewest letters, in at most every third;
/// empty where no name is so like it.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

/// The same for a regular expression that matches none of these benchmarks: for the first of its words that is not in the
/// name of any of them.
std::string did_you_mean_in(const std::string& expression, const std::vector<std::string>& benchmarks);

}  // namespace stackheap

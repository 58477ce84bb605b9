#include "near_misses.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <set>
#include <utility>

namespace stackheap {
namespace {

/// The fewest letters to change, insert, leave out or swap with the next, so that one text becomes the other.
std::size_t distance(std::string_view first, std::string_view second) {
  std::vector<std::size_t> before, last, row(second.size() + 1);  // of the beginnings of `first`, each a letter longer
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= first.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= second.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (first[i - 1] != second[j - 1])});
      if (i > 1 && j > 1 && first[i - 1] == second[j - 2] && first[i - 2] == second[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

bool is_of_a_name(char letter) { return letter == '_' || std::isalnum(static_cast<unsigned char>(letter)) != 0; }

/// The runs of letters, digits and underscores that begin with a letter.
std::vector<std::string> words_in(std::string_view text) {
  std::vector<std::string> words;
  for (auto at = text.begin(); at != text.end();) {
    const auto begin = std::find_if(at, text.end(), is_of_a_name);
    at = std::find_if_not(begin, text.end(), is_of_a_name);
    if (begin != at && std::isdigit(static_cast<unsigned char>(*begin)) == 0) words.emplace_back(begin, at);
  }
  return words;
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
  const std::string* nearest = nullptr;
  for (const std::string& name : known)
    if (const std::size_t found = distance(word, name); found < least) least = found, nearest = &name;
  return nearest != nullptr ? "; did you mean " + *nearest + "?" : "";
}

std::string did_you_mean_in(const std::string& expression, const std::vector<std::string>& benchmarks) {
  std::set<std::string> parts;
  for (const std::string& name : benchmarks)
    for (std::string& word : words_in(name)) parts.insert(std::move(word));
  const std::vector<std::string> known(parts.begin(), parts.end());
  std::string plain = expression;
  for (std::size_t at = 0; (at = plain.find('\\', at)) != std::string::npos; ++at) plain.replace(at, 2, " ");  // \b is not the letter b
  for (const std::string& word : words_in(plain)) {
    const auto has_word = [&](const std::string& part) { return part.find(word) != std::string::npos; };
    if (std::none_of(known.begin(), known.end(), has_word))
      if (std::string guess = did_you_mean(word, known); !guess.empty()) return guess;
  }
  return "";
}

}  // namespace stackheap

// Can any text make what reads it do anything but read or refuse? The same texts on every machine: words of what is read
// there, cut, doubled and mixed with any bytes. scripts/sanitize fuzz searches longer, and where the code leads it.
#include <gtest/gtest.h>

#include <random>

#include "readers.hpp"

namespace stackheap {
namespace {

/// Texts made of `words` and of any bytes, one after another from one seed.
class any_text {
 public:
  explicit any_text(std::vector<std::string> words) : words_(std::move(words)) {}

  std::string next() {
    std::string text;
    for (std::size_t piece = below(8); piece > 0; --piece) text += below(4) == 0 ? bytes() : words_[below(words_.size())];
    if (below(3) == 0) text.resize(below(text.size() + 1));
    return text;
  }

 private:
  std::size_t below(std::size_t most) { return static_cast<std::size_t>(random_() % most); }
  std::string bytes() {
    std::string any(below(6), ' ');
    for (char& letter : any) letter = static_cast<char>(below(256));
    return any;
  }

  std::vector<std::string> words_;
  std::mt19937_64 random_{20261121};
};

class fuzz : public testing::TestWithParam<reader> {};

TEST_P(fuzz, any_text_is_read_or_refused) {
  constexpr int texts = 2'000;
  any_text from(GetParam().words);
  int good = 0;
  for (int i = 0; i < texts; ++i) {
    const std::string text = from.next();
    EXPECT_NO_THROW(good += reads(GetParam(), text)) << testing::PrintToString(text);
  }
  EXPECT_GT(good, 0) << "none of the texts was sound";
  EXPECT_LT(good, texts) << "nothing was refused";
}

INSTANTIATE_TEST_SUITE_P(every, fuzz, testing::ValuesIn(readers()), [](const auto& entry) { return entry.param.name; });

}  // namespace
}  // namespace stackheap

// Can any text make what reads it do anything but read or refuse? The same texts on every machine: words of what is read
// there, cut, doubled and mixed with any bytes. Meant to be run with the sanitizers as well.
#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "child.hpp"
#include "family.hpp"
#include "held_memory.hpp"
#include "loaded_malloc.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

constexpr int texts = 20'000;

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
    for (char& each : any) each = static_cast<char>(below(256));
    return any;
  }

  std::vector<std::string> words_;
  std::mt19937_64 random_{20261121};
};

/// Reads texts; `read` may refuse one with std::invalid_argument of one line, and nothing else. Returns how many it read.
template <class Read>
int read_all(any_text from, Read read) {
  int good = 0;
  for (int i = 0; i < texts; ++i) {
    const std::string text = from.next();
    try {
      read(text);
      ++good;
    } catch (const std::invalid_argument& refused) {
      // Its own words are one line; what it quotes is its user's.
      const std::string said = refused.what();
      EXPECT_TRUE(text.find('\n') != std::string::npos || said.find('\n') == std::string::npos) << said;
    }
  }
  EXPECT_GT(good, 0) << "none of the texts was sound";
  EXPECT_LT(good, texts) << "nothing was refused";
  return good;
}

TEST(fuzz, malloc_requests) {
  read_all(any_text({"mine", "=", ",", "/lib/x.so", "prefix_", "..", "=,"}), [](const std::string& text) {
    const malloc_request parsed = parse_malloc_request(text);
    EXPECT_FALSE(parsed.name.empty() || parsed.file.empty());
    EXPECT_EQ(parsed.name.find_first_of("/= \n"), std::string::npos);
  });
}

TEST(fuzz, pinnings) {
  const topology machine = topology::synthetic("package:1 core:4 pu:2");
  read_all(any_text({"0", "1", "7", "-", ",", "8", "999999999999", "cores", "none", "0-7"}), [&](const std::string& text) {
    const pinning chosen = pinning::parse(text, machine);
    for (const unsigned unit : chosen.processors()) EXPECT_LT(unit, 8U);
  });
}

TEST(fuzz, profiles) {
  read_all(any_text({"smoke", "quick", "full", "s"}), [](const std::string& text) { EXPECT_EQ(name_of(parse_profile(text)), text); });
}

TEST(fuzz, what_the_kernel_says_of_memory) {
  read_all(any_text({"Rss:", "Private_Dirty:", " ", "1664", " kB\n", "\n", "99999999999999999999", "-1", ":", "AnonHugePages:"}),
           [](const std::string& text) {
             if (const auto held = parse_rollup(text); !held) throw std::invalid_argument("nothing");
           });
  read_all(any_text({"765 ", "405 ", "3 ", " ", "-1", "99999999999999999999", "\n"}), [](const std::string& text) {
    const auto held = parse_statm(text, 4096);
    if (!held) throw std::invalid_argument("nothing");
    EXPECT_LE(held->unshared, held->resident);
  });
}

TEST(fuzz, tunables) {
  any_text from({"glibc.rtld.optional_static_tls", "=", ":", "16384", "glibc.malloc.check", "::"});
  for (int i = 0; i < texts; ++i) {
    const std::string text = from.next(), kept = without_tunable(text, static_tls_tunable);
    EXPECT_LE(kept.size(), text.size());
    EXPECT_EQ(without_tunable(kept, static_tls_tunable), kept) << text;
    EXPECT_TRUE((':' + kept + ':').find(std::string(":") + static_tls_tunable + '=') == std::string::npos) << text;
  }
}

TEST(fuzz, orders_to_children) {
  read_all(any_text({"--child=", "sum", ",", "1", "99999999999999999999", "-1", " "}), [](const std::string& text) {
    std::string program = "program", order = text;
    char* words[] = {program.data(), order.data(), nullptr};
    // A sound one would end this process: there is no task of these names here but sum, which is given no sound numbers.
    if (order.starts_with("--child=sum")) throw std::invalid_argument("not here");
    EXPECT_FALSE(run_as_child(2, words).has_value());
  });
}

}  // namespace
}  // namespace stackheap

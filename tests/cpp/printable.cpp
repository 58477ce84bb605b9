// Does text that is not ours come out without characters that nobody sees, and as valid UTF-8?
#include "printable.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "context.hpp"
#include "profile.hpp"

namespace stackheap {
namespace {

TEST(printable, what_a_person_sees_stays) {
  for (const char* const text : {"", "MALLOC_CONF=junk:true", "größer", "核心", "𝛌", "e\u0301"}) EXPECT_EQ(printable(text), text);
}

TEST(printable, what_nobody_sees_is_a_space) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {"\0"sv, "\x1b"sv, "\n"sv, "\x7f"sv, "\u009b"sv, "\u00ad"sv, "\u061c"sv, "\u200b"sv, "\u202e"sv,
                                      "\u2028"sv, "\u2066"sv, "\ufeff"sv, "\uffff"sv, "\U000e0041"sv})
    EXPECT_EQ(printable("a" + std::string(text) + "b"), "a b");
}

TEST(printable, bytes_that_are_not_utf_8_are_one_sign_each) {
  EXPECT_EQ(printable("a\xff" "b\xe2\x80"), "a\uFFFD" "b\uFFFD\uFFFD");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD") << "half a pair";
}

TEST(printable, every_fact_is) {
  ::setenv("MALLOC_CONF", "x\x1b[2J\xff\n\u202e", 1);
  bool found = false;
  for (const auto& [key, value] : facts(profile::smoke)) {
    EXPECT_EQ(value, printable(value)) << key;
    found = found || value.find("MALLOC_CONF=x [2J\uFFFD  ") != std::string::npos;
  }
  ::unsetenv("MALLOC_CONF");
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace stackheap

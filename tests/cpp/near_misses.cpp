// Is the name found that a user probably meant, and no name that is unlike the word?
#include "near_misses.hpp"

#include <gtest/gtest.h>

namespace stackheap {
namespace {

const std::vector<std::string> known{"scoped", "churn", "tlb", "jemalloc"};

TEST(near_misses, a_letter_too_few_too_many_wrong_or_swapped_is_a_near_miss) {
  for (const char* word : {"scopd", "scopped", "scopid", "socped"}) EXPECT_EQ(did_you_mean(word, known), "; did you mean scoped?") << word;
  EXPECT_EQ(did_you_mean("tbl", known), "; did you mean tlb?");
}

TEST(near_misses, an_unlike_word_is_none) {
  for (const char* word : {"", "x", "stack", "scratches", "blt"}) EXPECT_EQ(did_you_mean(word, known), "") << word;
  EXPECT_EQ(did_you_mean("scoped", {}), "");
}

TEST(near_misses, of_an_expression_the_first_word_that_no_benchmark_has) {
  const std::vector<std::string> benchmarks{"scoped/jemalloc/bytes:64/touch:first", "churn/glibc/live:100"};
  EXPECT_EQ(did_you_mean_in("^scopd/", benchmarks), "; did you mean scoped?");
  EXPECT_EQ(did_you_mean_in("\\bscoped/jemaloc/", benchmarks), "; did you mean jemalloc?");
  EXPECT_EQ(did_you_mean_in("(scop|chrun)/", benchmarks), "; did you mean churn?");
  EXPECT_EQ(did_you_mean_in("^scoped/glibc/", benchmarks), "");  // both are known, and no benchmark has both
  EXPECT_EQ(did_you_mean_in("[/]64$\\", benchmarks), "");
}

}  // namespace
}  // namespace stackheap

// Does an experiment know how much memory it may take, on a machine and in a container?
#include "free_memory.hpp"

#include <gtest/gtest.h>

#include <string>

#include "made_up_system.hpp"

namespace stackheap {
namespace {

class free_bytes : public testing::Test, protected made_up_system {
 protected:
  void machine_has(std::size_t kib) {
    write("proc/meminfo", "MemTotal: 99 kB\nMemAvailable:   " + std::to_string(kib) + " kB\n");
  }
};

TEST_F(free_bytes, are_unknown_where_nothing_says) { EXPECT_FALSE(free_memory(root)); }

TEST_F(free_bytes, are_the_machines_where_no_group_limits) {
  machine_has(1000);
  write("proc/self/cgroup", "0::/user\n");
  write("sys/fs/cgroup/user/memory.max", "max\n");
  write("sys/fs/cgroup/user/memory.current", "5000\n");
  EXPECT_EQ(free_memory(root), 1000U * 1024);
}

TEST_F(free_bytes, are_what_the_tightest_group_leaves) {
  machine_has(1000);
  write("proc/self/cgroup", "0::/outer/inner\n");
  write("sys/fs/cgroup/outer/memory.max", "500000\n");
  write("sys/fs/cgroup/outer/memory.current", "460000\n");
  write("sys/fs/cgroup/outer/inner/memory.max", "300000\n");
  write("sys/fs/cgroup/outer/inner/memory.current", "100000\n");
  EXPECT_EQ(free_memory(root), 40000U);
  write("sys/fs/cgroup/outer/memory.stat", "anon 1\ninactive_file 60000\n");  // the kernel drops those when it must
  EXPECT_EQ(free_memory(root), 100000U);
}

TEST_F(free_bytes, know_the_first_version_of_groups) {
  machine_has(1000);
  write("proc/self/cgroup", "7:cpu,cpuacct:/c\n4:memory:/c\n0::/\n");
  write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "5000\n");
  EXPECT_EQ(free_memory(root), 1000U * 1024);
  write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "8000\n");
  EXPECT_EQ(free_memory(root), 3000U);
}

TEST_F(free_bytes, are_the_roots_where_a_container_does_not_see_its_path) {
  machine_has(1000);
  write("proc/self/cgroup", "0::/host/path/that/is/not/here\n");
  write("sys/fs/cgroup/memory.max", "2000\n");
  write("sys/fs/cgroup/memory.current", "3000\n");
  EXPECT_EQ(free_memory(root), 0U);
}

TEST_F(free_bytes, are_not_all_bytes) {
  EXPECT_FALSE(all_memory(root));
  write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 10 kB\nSwapTotal: 500 kB\n");
  EXPECT_EQ(all_memory(root), 1500U * 1024);
  write("proc/self/cgroup", "0::/outer/inner\n");
  write("sys/fs/cgroup/outer/memory.max", "400000\n");
  write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  EXPECT_EQ(all_memory(root), 400000U);
}

TEST(harmless, is_a_quarter_at_most) {
  EXPECT_EQ(harmless_bytes(4096), 4096U);
  const double free = static_cast<double>(free_memory().value_or(std::size_t{256} << 20));
  EXPECT_NEAR(static_cast<double>(harmless_bytes(SIZE_MAX)), free / 4, free / 8);
}

}  // namespace
}  // namespace stackheap

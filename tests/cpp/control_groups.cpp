// Are the control groups that limit this process found, and what they grant, on machines this one is not?
#include "control_groups.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "made_up_system.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

namespace fs = std::filesystem;

class groups : public testing::Test, protected made_up_system {
 protected:
  std::vector<std::string> groups_of(std::string_view controller) {
    std::vector<std::string> names;
    for (const fs::path& group : control_groups(controller, root))
      names.push_back(group.string().substr((root / "sys/fs/cgroup/").string().size()));
    return names;
  }
};

using texts = std::vector<std::string>;

TEST_F(groups, are_none_where_nothing_says) { EXPECT_EQ(groups_of("memory"), texts{}); }

TEST_F(groups, are_that_of_the_process_and_all_above_it) {
  write("proc/self/cgroup", "0::/outer/inner\n");
  EXPECT_EQ(groups_of("memory"), (texts{"outer/inner", "outer", ""}));
}

TEST_F(groups, of_the_first_version_are_those_of_the_controller) {
  write("proc/self/cgroup", "3:cpuset:/pinned\n7:cpu,cpuacct:/timed\nno group\n4:memory:/held\n");
  EXPECT_EQ(groups_of("cpu"), (texts{"cpu,cpuacct/timed", "cpu,cpuacct/"}));
  EXPECT_EQ(groups_of("memory"), (texts{"memory/held", "memory/"}));
}

TEST_F(groups, the_least_quota_of_time_binds) {
  EXPECT_FALSE(cgroup_cpu_quota(root));
  write("proc/self/cgroup", "0::/outer/inner\n");
  write("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  EXPECT_FALSE(cgroup_cpu_quota(root));
  write("sys/fs/cgroup/outer/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root), 1.5);
  write("sys/fs/cgroup/outer/inner/cpu.max", "300000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root), 1.5);
  write("sys/fs/cgroup/outer/inner/cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root), 0.5);
}

TEST_F(groups, a_quota_of_the_first_version_is_two_files) {
  write("proc/self/cgroup", "7:cpu,cpuacct:/timed\n");
  write("sys/fs/cgroup/cpu,cpuacct/timed/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/cpu,cpuacct/timed/cpu.cfs_quota_us", "-1\n");
  EXPECT_FALSE(cgroup_cpu_quota(root));
  write("sys/fs/cgroup/cpu,cpuacct/timed/cpu.cfs_quota_us", "250000\n");
  EXPECT_EQ(cgroup_cpu_quota(root), 2.5);
}

}  // namespace
}  // namespace stackheap

// Are processors counted, ordered and pinned rightly, on machines this one is not?
#include "topology.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <thread>

namespace stackheap {
namespace {

using numbers = std::vector<unsigned>;

TEST(topology, a_synthetic_machine_has_no_model) {
  EXPECT_EQ(topology::synthetic("package:1 core:1 pu:1").cpu_model(), "");
}

TEST(topology, one_core) {
  const topology machine = topology::synthetic("package:1 core:1 pu:1");
  EXPECT_EQ(machine.units(), (numbers{0}));
  EXPECT_EQ(machine.cores(), 1U);
  EXPECT_EQ(machine.description(), "1 package, 1 core, 1 processing unit");
}

TEST(topology, two_cores) {
  const topology machine = topology::synthetic("package:1 core:2 pu:1");
  EXPECT_EQ(machine.units(), (numbers{0, 1}));
  EXPECT_EQ(machine.cores(), 2U);
}

TEST(topology, one_unit_of_each_physical_core_comes_before_any_second) {
  // hwloc numbers the units core by core: 0 and 1 are the first core's.
  EXPECT_EQ(topology::synthetic("package:1 core:2 pu:2").units(), (numbers{0, 2, 1, 3}));
  EXPECT_EQ(topology::synthetic("package:1 core:3 pu:4").units(), (numbers{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
  // As Linux numbers them on most machines: the second units of all cores after the first ones.
  EXPECT_EQ(topology::synthetic("package:1 core:2 pu:2(indexes=0,2,1,3)").units(), (numbers{0, 1, 2, 3}));
}

TEST(topology, two_packages_of_64_cores_with_two_units_each) {
  const topology machine = topology::synthetic("package:2 core:64 pu:2");
  ASSERT_EQ(machine.units().size(), 256U);
  EXPECT_EQ(machine.cores(), 128U);
  EXPECT_EQ(machine.description(), "2 packages, 128 cores, 256 processing units");
  std::set<unsigned> cores, units;
  for (std::size_t i = 0; i < 256; ++i) {
    units.insert(machine.units()[i]);
    if (i < 128) cores.insert(machine.units()[i] / 2);
  }
  EXPECT_EQ(cores.size(), 128U) << "the first 128 are each of a core of its own";
  EXPECT_EQ(units.size(), 256U);
}

TEST(topology, a_containers_quota_limits_the_cores_and_not_the_units) {
  const auto with_quota = [](double quota) { return topology::synthetic("package:1 core:4 pu:2", quota); };
  EXPECT_EQ(with_quota(1.5).cores(), 1U);
  EXPECT_EQ(with_quota(1.5).units().size(), 8U);
  EXPECT_EQ(with_quota(0.25).cores(), 1U);
  EXPECT_EQ(with_quota(3.9).cores(), 3U);
  EXPECT_EQ(with_quota(64).cores(), 4U);
  EXPECT_NE(with_quota(1.5).description().find("1.5"), std::string::npos);
}

TEST(topology, caches_are_those_of_the_level_asked_for) {
  const topology whole = topology::synthetic(
      "package:1 l3:1(size=33554432) l2:2(size=1048576) l1d:1(size=49152) core:1 pu:2");
  EXPECT_EQ(whole.cache_bytes(1), 49152U);
  EXPECT_EQ(whole.cache_bytes(2), 1048576U);
  EXPECT_EQ(whole.cache_bytes(3), 33554432U);
  EXPECT_EQ(whole.cache_bytes(4), std::nullopt);
  EXPECT_EQ(topology::synthetic("package:1 core:2 pu:1").cache_bytes(1), std::nullopt);
}

TEST(topology, an_unknown_cache_is_unknown_and_not_the_next_one) {
  // Virtual machines and some processors show no second or no first level.
  const topology gap = topology::synthetic("package:1 l3:1(size=33554432) core:2 l1d:1(size=49152) pu:1");
  EXPECT_EQ(gap.cache_bytes(1), 49152U);
  EXPECT_EQ(gap.cache_bytes(2), std::nullopt);
  EXPECT_EQ(gap.cache_bytes(3), 33554432U);
}

TEST(topology, what_hwloc_cannot_build_is_refused) {
  EXPECT_THROW(topology::synthetic("no machine"), std::invalid_argument);
}

TEST(topology, this_machine_has_at_least_one_core_and_only_units_it_may_use) {
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  const topology machine = topology::of_this_machine();
  EXPECT_GE(machine.cores(), 1U);
  EXPECT_EQ(static_cast<int>(machine.units().size()), CPU_COUNT(&allowed));
  for (const unsigned unit : machine.units()) EXPECT_TRUE(CPU_ISSET(unit, &allowed)) << unit;
}

TEST(topology, thread_counts_go_to_twice_the_cores) {
  EXPECT_EQ(thread_counts(1), (numbers{1, 2}));
  EXPECT_EQ(thread_counts(2), (numbers{1, 2, 4}));
  EXPECT_EQ(thread_counts(3), (numbers{1, 2, 3, 4, 6}));
  EXPECT_EQ(thread_counts(6), (numbers{1, 2, 4, 6, 8, 12}));
  EXPECT_EQ(thread_counts(128), (numbers{1, 2, 4, 8, 16, 32, 64, 128, 256}));
  for (unsigned cores = 1; cores <= 300; ++cores) {
    const numbers counts = thread_counts(cores);
    EXPECT_TRUE(std::is_sorted(counts.begin(), counts.end()));
    EXPECT_EQ(counts.front(), 1U);
    EXPECT_EQ(counts[1], 2U);
    EXPECT_EQ(counts.back(), 2 * cores);
    EXPECT_TRUE(std::count(counts.begin(), counts.end(), cores));
    EXPECT_EQ(std::adjacent_find(counts.begin(), counts.end()), counts.end());
  }
}

TEST(topology, pinning_is_cores_none_or_a_list) {
  const topology machine = topology::synthetic("package:1 core:4 pu:2");
  EXPECT_EQ(pinning::parse("cores", machine).processors(), machine.units());
  EXPECT_TRUE(pinning::parse("none", machine).processors().empty());
  EXPECT_EQ(pinning::parse("none", machine).description(), "none");
  EXPECT_EQ(pinning::parse("3", machine).processors(), (numbers{3}));
  EXPECT_EQ(pinning::parse("0,2,4-7", machine).processors(), (numbers{0, 2, 4, 5, 6, 7}));
  EXPECT_EQ(pinning::parse("5,1", machine).description(), "5,1");
}

TEST(topology, a_bad_pinning_is_refused_with_one_line) {
  const topology machine = topology::synthetic("package:1 core:4 pu:2");
  for (const char* text : {"", ",", "0,", ",0", "0,,1", "x", "1x", "-1", "1-", "3-1", "1-2-3", " 1", "0x1", "1.5", "8",
                           "0-8", "99999999999", "0-4294967295", "core"}) {
    try {
      pinning::parse(text, machine);
      ADD_FAILURE() << "accepted: '" << text << '\'';
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(std::string(error.what()).rfind("--pin=", 0), 0U) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
}

TEST(topology, a_processor_that_the_system_does_not_have_is_refused) {
  const pinning nowhere = pinning::parse("1023", topology::synthetic("package:1 core:1024 pu:1"));
  std::string why;
  std::jthread([&] {
    try {
      nowhere.pin(0);
    } catch (const std::runtime_error& error) {
      why = error.what();
    }
  }).join();
  EXPECT_NE(why.find("cannot pin a thread to processor 1023: "), std::string::npos) << why;
}

TEST(topology, a_pinned_thread_runs_there_and_nowhere_else) {
  const topology machine = topology::of_this_machine();
  const pinning chosen = pinning::parse("cores", machine);
  const auto processors_of = [&](const pinning& where, unsigned index) {
    cpu_set_t set;
    std::jthread([&] {
      where.pin(index);
      ::sched_getaffinity(0, sizeof set, &set);
    }).join();
    numbers processors;
    for (unsigned unit = 0; unit < CPU_SETSIZE; ++unit)
      if (CPU_ISSET(unit, &set)) processors.push_back(unit);
    return processors;
  };
  const auto count = static_cast<unsigned>(machine.units().size());
  for (unsigned index = 0; index < count; ++index)
    EXPECT_EQ(processors_of(chosen, index), (numbers{machine.units()[index]}));
  EXPECT_EQ(processors_of(chosen, count), (numbers{machine.units().front()})) << "it begins again at the first";
  EXPECT_EQ(processors_of(pinning{}, 0).size(), count);
}

}  // namespace
}  // namespace stackheap

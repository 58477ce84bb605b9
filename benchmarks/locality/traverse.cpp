// Does it matter where neighbours are? Containers place the same elements together or apart.
#include <dlfcn.h>

#include <deque>
#include <list>
#include <memory>
#include <numeric>
#include <set>
#include <vector>

#include "family.hpp"
#include "measure.hpp"
#include "placement.hpp"
#include "workload.hpp"

namespace stackheap {
namespace {

template <std::size_t Payload>
struct element {
  std::uint64_t key = 0;
  std::byte rest[Payload - sizeof(std::uint64_t)]{};
  friend bool operator<(const element& a, const element& b) { return a.key < b.key; }
};
template <>
struct element<8> {
  std::uint64_t key = 0;
  friend bool operator<(const element& a, const element& b) { return a.key < b.key; }
};

template <class Element>
const Element& value_of(const Element& element) { return element; }
template <class Element>
const Element& value_of(const std::unique_ptr<Element>& element) { return *element; }

/// A plain array on the heap, whose length is known only at run time.
template <class Element>
struct plain_array {
  explicit plain_array(std::size_t n) : elements(new Element[n]()), count(n) {}
  Element* begin() const { return elements.get(); }
  Element* end() const { return elements.get() + count; }
  std::unique_ptr<Element[]> elements;
  std::size_t count;
};

enum class order { in_order, shuffled };

template <class Sequence>
Sequence numbered(std::size_t count) {
  Sequence made(count);
  std::uint64_t key = 0;
  for (auto& entry : made) entry.key = key++;
  return made;
}

template <class Element>
std::vector<std::unique_ptr<Element>> pointers(std::size_t count, order kind) {
  std::vector<std::unique_ptr<Element>> made(count);
  for (std::size_t i = 0; i < count; ++i) made[i].reset(new Element{.key = i});
  if (kind == order::shuffled) {
    generator random(seed);
    for (std::size_t i = count; i > 1; --i) std::swap(made[i - 1], made[below(i, random)]);
  }
  return made;
}

/// All nodes are made in order; shuffling only links them in a new order.
template <class Element>
std::list<Element> list_of(std::size_t count, order kind) {
  std::list<Element> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back(Element{.key = i});
  if (kind == order::in_order) return made;
  std::vector<typename std::list<Element>::iterator> nodes;
  for (auto node = made.begin(); node != made.end(); ++node) nodes.push_back(node);
  generator random(seed);
  for (const std::uint32_t index : shuffled(count, random)) made.splice(made.end(), made, nodes[index]);
  return made;
}

/// Elements are inserted in random order, as is usual for a set.
template <class Element>
std::set<Element> set_of(std::size_t count) {
  generator random(seed);
  std::set<Element> made;
  for (const std::uint32_t key : shuffled(count, random)) made.insert(Element{.key = key});
  return made;
}

/// glibc keeps small freed blocks separate for reuse, in the order of freeing: the blocks of an earlier container would
/// scatter the next. malloc_trim joins them. Other mallocs do not have it, and the placement is checked in any case.
void join_free_blocks() {
  if (const auto trim = reinterpret_cast<int (*)(std::size_t)>(::dlsym(RTLD_DEFAULT, "malloc_trim"))) trim(0);
}

template <class Container>
struct fixture {
  fixture(Container made, std::size_t element_bytes, bool must_be_near) : container(std::move(made)) {
    placement places;
    places.stretch(element_bytes);
    std::size_t count = 0;
    for (const auto& entry : container) {
      places.visit(&value_of(entry));
      expected += value_of(entry).key;
      ++count;
    }
    if (expected != std::uint64_t{count} * (count - 1) / 2) throw verification_error("the container lost an element");
    neighbours = places.neighbours();
    if (must_be_near && neighbours < 0.9)
      throw verification_error("this process's heap is scattered already: run this benchmark in a process of its own");
  }
  Container container;
  std::uint64_t expected = 0;
  double neighbours = 0;
};

template <class Container>
void visit_all(benchmark::State& state, fixture<Container>& in, std::size_t count) {
  std::uint64_t sum = 0, rounds = 0;
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(static_cast<std::int64_t>(count))) {
      escape(&in.container);
      for (const auto& entry : in.container) sum += value_of(entry).key;
      ++rounds;
    }
  }
  if (sum != rounds * in.expected) state.SkipWithError("the sum is wrong");
  state.counters["neighbours"] = in.neighbours;
}

template <class Make>
void add_container(benchmark_registry& registry, const char* name, std::size_t count, std::size_t payload,
                   bool must_be_near, Make make) {
  using Container = decltype(make());
  registry.add(
      name, {{"count", count}, {"payload", payload}},
      [=] {
        join_free_blocks();
        return std::make_shared<fixture<Container>>(make(), payload, must_be_near);
      },
      [=](benchmark::State& state, fixture<Container>& in) { visit_all(state, in, count); });
}

template <std::size_t Payload>
void add_payload(benchmark_registry& registry, std::size_t count) {
  using Element = element<Payload>;
  add_container(registry, "array", count, Payload, true, [=] { return numbered<plain_array<Element>>(count); });
  add_container(registry, "vector", count, Payload, true, [=] { return numbered<std::vector<Element>>(count); });
  add_container(registry, "deque", count, Payload, true, [=] { return numbered<std::deque<Element>>(count); });
  add_container(registry, "unique_ptr", count, Payload, true, [=] { return pointers<Element>(count, order::in_order); });
  add_container(registry, "unique_ptr_shuffled", count, Payload, false, [=] { return pointers<Element>(count, order::shuffled); });
  add_container(registry, "list", count, Payload, true, [=] { return list_of<Element>(count, order::in_order); });
  add_container(registry, "list_shuffled", count, Payload, false, [=] { return list_of<Element>(count, order::shuffled); });
  add_container(registry, "set", count, Payload, false, [=] { return set_of<Element>(count); });
}

const family traverse({
    .question = "What does it cost to visit elements, depending on the container that placed them?",
    .operation = "visit one element in the container's order and add its key, its first eight bytes",
    .untimed = "filling the container; one walk that verifies it and counts the steps to a neighbour",
    .heap = "the process's own malloc; every container is measured in a process of its own, so that its heap is not "
            "scattered",
    .held_against = "array: the same elements in a plain array",
    .controls = "^traverse/array/",
    .unfairness = "The compiler can add contiguous elements of 8 bytes by vector instructions, which is part of the "
                  "benefit of contiguous data. unique_ptr and list were filled in order on a fresh heap: their best "
                  "case; the shuffled forms are their worst case. A set is filled in random order.",
    .core = {"^traverse/(vector|list_shuffled|set)/count:1000/payload:8$"},
    .least_times = {{"traverse/(list|list_shuffled)/", 2},
                    {"traverse/set/", 2},
                    {"traverse/(array|vector|deque|unique_ptr|unique_ptr_shuffled)/", share_of_a_cycle}},
    .past_second_cache = "count:[0-9]{6,}/",
}, [](benchmark_registry& registry) {
  for (const std::size_t count : registry.pick<std::size_t>({1000}, {1000, 100000}, {1000, 10000, 100000, 1000000})) {
    add_payload<8>(registry, count);
    if (registry.chosen() != profile::smoke) add_payload<64>(registry, count);
    if (registry.chosen() == profile::full) add_payload<256>(registry, count);
  }
});

}  // namespace
}  // namespace stackheap

// Is deep recursion faster with a stack on the heap?
#include <vector>

#include "family.hpp"
#include "measure.hpp"
#include "threads.hpp"

namespace stackheap {
namespace {

struct node {
  const node* left = nullptr;
  const node* right = nullptr;
  std::uint64_t value = 0;
};

/// The data of a visit until the subtrees below are done: one word of each line is written, one word is read at the end.
template <std::size_t Bytes>
struct locals {
  static constexpr std::size_t words = Bytes / sizeof(std::uint64_t);
  static constexpr std::size_t words_a_line = 64 / sizeof(std::uint64_t);
  std::uint64_t word[words];

  void write(std::uint64_t value) {
    for (std::size_t i = 0; i < words; i += words_a_line) word[i] = value;
    escape(word);
  }
  std::uint64_t read() const { return word[words - words_a_line]; }
};

/// By calls: the locals are in the frame of the call.
template <std::size_t FrameBytes>
[[gnu::noinline]] std::uint64_t sum_by_calls(const node* at) {
  locals<FrameBytes> mine;
  mine.write(at->value);
  std::uint64_t sum = 0;
  if (at->left != nullptr) sum += sum_by_calls<FrameBytes>(at->left);
  if (at->right != nullptr) sum += sum_by_calls<FrameBytes>(at->right);
  return sum + mine.read();
}

/// The frame of the same visit where the stack is a vector.
template <std::size_t FrameBytes>
struct heap_frame {
  explicit heap_frame(const node* visited) : at(visited) {}
  const node* at;
  bool right_is_done = false;
  locals<FrameBytes> mine;
};

/// By a stack on the heap, which visits in the same order and keeps the same locals.
template <std::size_t FrameBytes>
[[gnu::noinline]] std::uint64_t sum_by_heap(const node* root, std::vector<heap_frame<FrameBytes>>& stack) {
  std::uint64_t sum = 0;
  for (const node* next = root;;) {
    for (; next != nullptr; next = next->left) stack.emplace_back(next).mine.write(next->value);
    while (stack.back().right_is_done) {
      sum += stack.back().mine.read();
      stack.pop_back();
      if (stack.empty()) return sum;
    }
    stack.back().right_is_done = true;
    next = stack.back().at->right;
  }
}

/// The control: the nodes in the order of the visit, one after another, with one frame for all.
template <std::size_t FrameBytes>
[[gnu::noinline]] std::uint64_t sum_by_loop(const std::vector<node>& nodes) {
  locals<FrameBytes> mine;
  std::uint64_t sum = 0;
  for (const node& visited : nodes) {
    mine.write(visited.value);
    sum += mine.read();
  }
  return sum;
}

enum class shape {
  chain,     ///< each node has one below it, to the left: as many levels as nodes
  balanced,  ///< each has two: 2^levels - 1 nodes
};
std::string_view name_of(shape kind) { return kind == shape::chain ? "chain" : "balanced"; }

/// A tree whose nodes stand in the order of the visit, with the values 1, 2, 3, ...
class tree {
 public:
  tree(shape kind, std::size_t levels) {
    nodes_.resize(kind == shape::chain ? levels : (std::size_t{1} << levels) - 1);
    std::size_t used = 0;
    if (kind == shape::balanced) grow(levels, used);
    for (; used < nodes_.size(); ++used) {  // nodes that are not in a balanced tree form a chain
      nodes_[used].value = used + 1;
      if (used > 0) nodes_[used - 1].left = &nodes_[used];
    }
  }
  tree(const tree&) = delete;
  tree& operator=(const tree&) = delete;

  const std::vector<node>& nodes() const { return nodes_; }
  const node* root() const { return &nodes_.front(); }
  std::uint64_t sum() const { return std::uint64_t{nodes_.size()} * (nodes_.size() + 1) / 2; }

 private:
  const node* grow(std::size_t levels, std::size_t& used) {
    if (levels == 0) return nullptr;
    node& root = nodes_[used++];
    root.value = used;
    root.left = grow(levels - 1, used);
    root.right = grow(levels - 1, used);
    return &root;
  }

  std::vector<node> nodes_;
};

/// The ways to visit the tree; each is one walk through all of it.
template <std::size_t FrameBytes>
struct by_loop {
  static constexpr const char* name = "loop";
  std::uint64_t operator()(const tree& whole) { return sum_by_loop<FrameBytes>(whole.nodes()); }
};
template <std::size_t FrameBytes>
struct by_calls {
  static constexpr const char* name = "calls";
  std::uint64_t operator()(const tree& whole) { return sum_by_calls<FrameBytes>(whole.root()); }
};
template <std::size_t FrameBytes>
struct by_kept_heap {
  static constexpr const char* name = "heap_kept";
  std::uint64_t operator()(const tree& whole) { return sum_by_heap(whole.root(), stack); }
  std::vector<heap_frame<FrameBytes>> stack;
};
template <std::size_t FrameBytes>
struct by_fresh_heap {
  static constexpr const char* name = "heap_fresh";
  std::uint64_t operator()(const tree& whole) {
    std::vector<heap_frame<FrameBytes>> stack;
    return sum_by_heap(whole.root(), stack);
  }
};

template <class Walk>
struct fixture {
  fixture(shape kind, std::size_t levels, std::size_t stack_bytes) : whole(kind, levels), room(stack_bytes) {}
  tree whole;
  Walk walk;
  stack_room room;
};

/// The first walk, untimed, is checked; it also brings the stack into memory, whose cost stack_growth measures.
template <class Walk>
void visit(benchmark::State& state, fixture<Walk>& in) {
  if (in.walk(in.whole) != in.whole.sum()) throw verification_error("the sum is wrong");
  const measured measuring(state);
  while (state.KeepRunningBatch(static_cast<std::int64_t>(in.whole.nodes().size()))) {
    escape(in.whole.root());
    keep(in.walk(in.whole));
  }
}

template <std::size_t FrameBytes>
void add_tree(benchmark_registry& registry, shape kind, std::size_t levels) {
  const auto add = [&]<class Walk>(std::in_place_type_t<Walk>) {
    registry.add(
        "", {{"shape", name_of(kind)}, {"depth", levels}, {"frame", FrameBytes}, {"by", Walk::name}},
        [=] { return std::make_shared<fixture<Walk>>(kind, levels, levels * 2 * sizeof(heap_frame<FrameBytes>)); },
        [](benchmark::State& state, fixture<Walk>& in) { in.room.run([&] { visit(state, in); }); });
  };
  add(std::in_place_type<by_loop<FrameBytes>>);
  add(std::in_place_type<by_calls<FrameBytes>>);
  add(std::in_place_type<by_kept_heap<FrameBytes>>);
  add(std::in_place_type<by_fresh_heap<FrameBytes>>);
}

const family recursion({
    .question = "Is deep recursion faster with a stack on the heap?",
    .operation = "visit one node of a tree: write its value into the locals of the visit (64 or 1,024 B, one word of "
                 "every line), visit the nodes below it, then read one of the locals again and add it",
    .untimed = "building the tree; one walk whose sum is checked, which brings the stack or the vector into memory",
    .heap = "does not matter: one block holds the nodes, in the order of the visit, another the stack on the heap",
    .held_against = "by:loop: the same nodes and writes without a stack",
    .controls = "by:loop$",
    .unfairness = "Both stacks keep the same locals. A stack on the heap needs to hold only the values that outlive "
                  "the visits below, and is smaller where those are fewer. heap_kept uses one vector for all walks; "
                  "heap_fresh makes a vector for every walk and lets it grow, as most programs do: whether its "
                  "large blocks are mapped anew each time depends, with glibc, on the blocks freed before (its mmap "
                  "threshold moves). Deep trees are walked on a thread whose stack is large enough.",
    .operations = {{.benchmark = "recursion/shape:chain/depth:100/frame:64/by:heap_kept", .notes = blocks_of(8UL * 80, 0),
                    .preload = true},
                   {.benchmark = "recursion/shape:chain/depth:100/frame:64/by:heap_fresh", .notes = blocks_of(8UL * 80, 0.01),
                    .preload = true}},
    .least_times = {{"recursion/.*by:loop", 0.3}, {"recursion/.*by:(calls|heap_kept|heap_fresh)", 1}},
}, [](benchmark_registry& registry) {
  const auto add = [&](shape kind, std::size_t levels) {
    add_tree<64>(registry, kind, levels);
    add_tree<1024>(registry, kind, levels);
  };
  for (const std::size_t levels : registry.pick<std::size_t>({100}, {100, 10'000}, {10, 100, 1000, 10'000, 100'000}))
    add(shape::chain, levels);
  for (const std::size_t levels : registry.pick<std::size_t>({8}, {14}, {6, 10, 14, 18}))
    add(shape::balanced, levels);
});

}  // namespace
}  // namespace stackheap

// What does it cost to pass a value on: to copy it, to move it, or only to lend it?
#include <string>
#include <vector>

#include "family.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// The callees. They are called through pointers that the compiler does not know: neither inlined nor specialised.
template <class Value>
void keep_for_good(Value given, Value& kept) {
  kept = std::move(given);
  escape(&kept);
}
template <class Value>
void look_at(const Value& lent) {
  escape(&lent);
}
void be_called() { asm volatile(""); }

/// A value and its second place. A copy is kept in the second place; a moved value goes there and back, so that no
/// value has to be made anew.
template <class Value>
struct fixture {
  explicit fixture(Value made) : original(std::move(made)), here(original), there(original) {}

  void verify(bool both) const {
    if (here != original || (both && there != original))
      throw verification_error("the value was lost or changed on its way");
  }

  Value original, here, there;
};

template <class Value>
void call_only(benchmark::State& state, fixture<Value>&) {
  void (*const callee)() = hide(&be_called);
  const measured measuring(state);
  while (state.KeepRunningBatch(2)) {
    callee();
    callee();
  }
}

template <class Value>
void borrow(benchmark::State& state, fixture<Value>& in) {
  void (*const callee)(const Value&) = hide(&look_at<Value>);
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(2)) {
      callee(in.here);
      callee(in.there);
    }
  }
  in.verify(true);
}

template <class Value>
void copy(benchmark::State& state, fixture<Value>& in) {
  void (*const callee)(Value, Value&) = hide(&keep_for_good<Value>);
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(2)) {
      callee(in.here, in.there);
      callee(in.there, in.here);
    }
  }
  in.verify(true);
}

template <class Value>
void move(benchmark::State& state, fixture<Value>& in) {
  void (*const callee)(Value, Value&) = hide(&keep_for_good<Value>);
  in.there = Value();
  {
    const measured measuring(state);
    while (state.KeepRunningBatch(2)) {
      callee(std::move(in.here), in.there);
      callee(std::move(in.there), in.here);
    }
  }
  in.verify(false);
}

template <class Value>
void add_type(benchmark_registry& registry, const char* type, const Value& value) {
  const auto add = [&](const char* way, void (*run)(benchmark::State&, fixture<Value>&)) {
    registry.add("", {{"type", type}, {"how", way}}, [=] { return std::make_shared<fixture<Value>>(value); }, run);
  };
  add("none", call_only<Value>);
  add("borrow", borrow<Value>);
  add("copy", copy<Value>);
  add("move", move<Value>);
}

const family pass({
    .question = "What does it cost to pass a value on: by copy, by move, or only lent?",
    .operation = "call a function that is not inlined with a value that it keeps: a copy of the value, or the value "
                 "itself, moved; or with a reference that it only looks at (borrow)",
    .untimed = "making the values; comparing them at the end with the originals",
    .heap = "the process's own malloc; a long string and a vector are live beside every copy",
    .held_against = "how:none: the call alone",
    .controls = "how:none$",
    .unfairness = "A kept value is moved twice, once into the parameter and once into its place, whether it came by "
                  "copy or by move; keeping a copy also drops the copy that was there before. A moved value returns "
                  "the same way the next time, so no value is made anew. A borrower keeps nothing and reads "
                  "nothing. Long string: 64 characters, more than any string keeps inside itself.",
    .core = {"^pass/type:long_string/how:(copy|move)$"},
    .operations = {{.benchmark = "pass/type:long_string/how:copy", .notes = blocks_of(65, 1), .calls = 2, .preload = true},
                   {.benchmark = "pass/type:long_string/how:move", .notes = blocks_of(65, 0), .preload = true},
                   {.benchmark = "pass/type:vector_1000/how:copy", .notes = blocks_of(4000, 1), .calls = 2, .preload = true},
                   {.benchmark = "pass/type:vector_1000/how:borrow", .notes = blocks_of(4000, 0), .preload = true}},
    .least_times = {{"pass/.*how:(none|borrow)", 0.5},
                    {"pass/type:(int|short_string)/how:(copy|move)", 1},
                    {"pass/type:(long_string|vector_1000)/how:move", 2}},
}, [](benchmark_registry& registry) {
  add_type(registry, "int", 42);
  add_type(registry, "short_string", std::string("memory"));
  add_type(registry, "long_string", std::string(64, 'm'));
  add_type(registry, "vector_1000", std::vector<int>(1000, 42));
});

}  // namespace
}  // namespace stackheap

// What does it cost to give a value away: to copy it, to move it, or only to lend it?
#include <string>
#include <vector>

#include "family.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

/// The callees. They are called through pointers that the compiler does not know: neither inlined nor specialised.
template <class Value>
void keep_for_good(Value given, Value& home) {
  home = std::move(given);
  escape(&home);
}
template <class Value>
void look_at(const Value& lent) {
  escape(&lent);
}
void be_called() { asm volatile(""); }

/// A value and where it goes. A copy is kept in the other place; a moved value goes there and comes back, so that it
/// never has to be made anew.
template <class Value>
struct world {
  explicit world(Value made) : original(std::move(made)), here(original), there(original) {}

  void verify(bool both) const {
    if (here != original || (both && there != original)) throw wrong_work("the value was lost or changed on its way");
  }

  Value original, here, there;
};

template <class Value>
void call_only(benchmark::State& state, world<Value>&) {
  void (*const callee)() = opaque(&be_called);
  const measured measuring(state);
  while (state.KeepRunningBatch(2)) {
    callee();
    callee();
  }
}

template <class Value>
void borrow(benchmark::State& state, world<Value>& in) {
  void (*const callee)(const Value&) = opaque(&look_at<Value>);
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
void copy(benchmark::State& state, world<Value>& in) {
  void (*const callee)(Value, Value&) = opaque(&keep_for_good<Value>);
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
void move(benchmark::State& state, world<Value>& in) {
  void (*const callee)(Value, Value&) = opaque(&keep_for_good<Value>);
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
void enroll_type(enrolment& into, const char* type, const Value& value) {
  const auto enroll = [&](const char* how, void (*run)(benchmark::State&, world<Value>&)) {
    into.add("", {{"type", type}, {"how", how}}, [=] { return std::make_shared<world<Value>>(value); }, run);
  };
  enroll("none", call_only<Value>);
  enroll("borrow", borrow<Value>);
  enroll("copy", copy<Value>);
  enroll("move", move<Value>);
}

const family pass({
    .question = "What does it cost to give a value away: by copy, by move, or only lent?",
    .operation = "call a function, which is not inlined, with a value that it keeps: a copy of it, or the value "
                 "itself, moved; or with a reference that it looks at (borrow)",
    .untimed = "making the values, comparing them in the end with what they were",
    .heap = "the process's own malloc; a long string and a vector are live beside each copy",
    .unfairness = "What is kept is moved twice, once into the parameter and once into its place, whether it came by "
                  "copy or by move; keeping a copy also drops the one that was there. A moved value goes back the same "
                  "way the next time, so nothing is made anew. A borrower keeps nothing and reads nothing. The "
                  "control none is the call alone. Long string: 64 characters, more than any string holds inside "
                  "itself.",
}, [](enrolment& into) {
  enroll_type(into, "int", 42);
  enroll_type(into, "short_string", std::string("memory"));
  enroll_type(into, "long_string", std::string(64, 'm'));
  enroll_type(into, "vector_1000", std::vector<int>(1000, 42));
});

}  // namespace
}  // namespace stackheap

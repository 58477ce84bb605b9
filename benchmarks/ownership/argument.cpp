// From which size on should a struct not be passed by value?
#include <memory>
#include <utility>

#include "family.hpp"
#include "measure.hpp"

namespace stackheap {
namespace {

template <std::size_t Bytes>
struct record {
  std::uint64_t words[Bytes / sizeof(std::uint64_t)];
};

/// The callees. They are called through pointers that the compiler does not know: neither inlined nor specialised. Each
/// reads the first word of what it is given.
template <class Record>
void take_value(Record given) {
  keep(given.words[0]);
}
template <class Record>
void take_reference(const Record& lent) {
  keep(lent.words[0]);
}
template <class Record>
std::unique_ptr<Record> take_unique_ptr(std::unique_ptr<Record> given) {
  keep(given->words[0]);
  return given;
}
void take_nothing() { asm volatile(""); }

template <class Record>
struct world {
  world() : owner(std::make_unique<Record>()) {
    std::uint64_t number = 1;
    for (std::uint64_t& each : plain.words) each = number++;
    *owner = plain;
  }
  Record plain;
  std::unique_ptr<Record> owner;
};

template <class Record>
void by_none(benchmark::State& state, world<Record>&) {
  void (*const callee)() = opaque(&take_nothing);
  const measured measuring(state);
  for (auto _ : state) callee();
}

template <class Record>
void by_value(benchmark::State& state, world<Record>& in) {
  void (*const callee)(Record) = opaque(&take_value<Record>);
  const measured measuring(state);
  for (auto _ : state) callee(in.plain);
}

template <class Record>
void by_reference(benchmark::State& state, world<Record>& in) {
  void (*const callee)(const Record&) = opaque(&take_reference<Record>);
  const measured measuring(state);
  for (auto _ : state) callee(in.plain);
}

template <class Record>
void by_unique_ptr(benchmark::State& state, world<Record>& in) {
  std::unique_ptr<Record> (*const callee)(std::unique_ptr<Record>) = opaque(&take_unique_ptr<Record>);
  {
    const measured measuring(state);
    for (auto _ : state) in.owner = callee(std::move(in.owner));
  }
  if (in.owner == nullptr || in.owner->words[0] != in.plain.words[0]) throw wrong_work("the struct did not come back");
}

template <std::size_t Bytes>
void enroll_size(enrolment& into) {
  using Record = record<Bytes>;
  const auto enroll = [&](const char* how, void (*run)(benchmark::State&, world<Record>&)) {
    into.add("", {{"bytes", Bytes}, {"how", how}}, [] { return std::make_shared<world<Record>>(); }, run);
  };
  enroll("none", by_none<Record>);
  enroll("value", by_value<Record>);
  enroll("reference", by_reference<Record>);
  enroll("unique_ptr", by_unique_ptr<Record>);
}

template <std::size_t... Bytes>
void enroll_sizes(enrolment& into, std::index_sequence<Bytes...>) {
  (enroll_size<Bytes>(into), ...);
}

const family argument({
    .question = "From which size on should a struct not be passed by value?",
    .operation = "call a function, which is not inlined, with a struct of n bytes: by value, by reference, or by a "
                 "unique_ptr that is given and comes back; it reads the first word",
    .untimed = "making the structs",
    .heap = "does not matter: nothing is allocated",
    .unfairness = "The unique_ptr is there already: making one is what smart_pointer measures. It is moved twice, "
                  "there and back. Up to 16 bytes go by register where the calling convention says so. The control "
                  "none is the call alone.",
}, [](enrolment& into) {
  switch (into.chosen()) {
    case profile::smoke: return enroll_sizes(into, std::index_sequence<8, 4096>());
    case profile::quick: return enroll_sizes(into, std::index_sequence<8, 16, 64, 256, 1024, 4096>());
    case profile::full:
      return enroll_sizes(into, std::index_sequence<8, 16, 24, 32, 64, 128, 256, 512, 1024, 2048, 4096>());
  }
});

}  // namespace
}  // namespace stackheap

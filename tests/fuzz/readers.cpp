#include "readers.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "child.hpp"
#include "family.hpp"
#include "free_memory.hpp"
#include "held_memory.hpp"
#include "loaded_malloc.hpp"
#include "made_up_recording.hpp"
#include "made_up_system.hpp"
#include "operations.hpp"
#include "profile.hpp"
#include "reader.hpp"
#include "topology.hpp"

namespace stackheap {
namespace {

void promise(bool kept, const char* text) {
  if (!kept) throw broken_promise(text);
}

void malloc_request_is_named(const std::string& text) {
  const malloc_request parsed = parse_malloc_request(text);
  promise(!parsed.name.empty() && !parsed.file.empty(), "a malloc has a name and a file");
  promise(parsed.name.find_first_of("/= \n") == std::string::npos, "a malloc's name fits into a benchmark's");
}

void pinning_is_on_this_machine(const std::string& text) {
  static const topology machine = topology::synthetic("package:1 core:4 pu:2");
  const pinning chosen = pinning::parse(text, machine);
  for (const unsigned unit : chosen.processors()) promise(unit < 8, "a processor is one of the machine's");
}

void profile_has_its_name(const std::string& text) { promise(name_of(parse_profile(text)) == text, "a profile is called so"); }

void rollup_is_read(const std::string& text) {
  if (!parse_rollup(text)) throw std::invalid_argument("nothing");
}

void statm_is_no_contradiction(const std::string& text) {
  const auto held = parse_statm(text, 4096);
  if (!held) throw std::invalid_argument("nothing");
  promise(held->unshared <= held->resident, "what is unshared is resident");
}

void tunable_is_taken_out(const std::string& text) {
  const std::string kept = without_tunable(text, static_tls_tunable);
  promise(kept.size() <= text.size(), "nothing is added");
  promise(without_tunable(kept, static_tls_tunable) == kept, "a second time changes nothing");
  promise((':' + kept + ':').find(std::string(":") + static_tls_tunable + '=') == std::string::npos, "the tunable is gone");
  if (kept.empty()) throw std::invalid_argument("nothing");
}

/// There are no tasks here, so whatever is asked must be refused or be no order at all.
void order_to_a_child_is_refused(const std::string& text) {
  std::string program = "program", order = text;
  char* words[] = {program.data(), order.data(), nullptr};
  if (!order.starts_with("--child=")) return promise(!run_as_child(2, words), "what is no order is done");
  order.insert(8, "none,");
  words[1] = order.data();
  run_as_child(2, words);
  throw broken_promise("a task that is not there was done");
}

void report_of_a_child_is_read(const std::string& text) {
  const child_report report = parse_report(text);
  promise(report.results.size() + report.loaded.size() <= text.size(), "nothing is found that was not said");
  promise(report.wrong.find('\n') == std::string::npos, "what went wrong is one line");
  if (report.results.empty()) throw std::invalid_argument("nothing");
}

/// Files of the text's parts, in turn; a part ends at a bar.
void write_parts(const made_up_system& here, const std::string& text) {
  constexpr std::array files{"proc/self/cgroup", "proc/meminfo", "sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current",
                             "sys/fs/cgroup/memory.stat", "sys/fs/cgroup/cpu.max", "sys/fs/cgroup/a/cpu.cfs_quota_us",
                             "sys/fs/cgroup/a/cpu.cfs_period_us"};
  std::size_t from = 0;
  for (const char* const file : files) {
    const std::size_t to = std::min(text.find('|', from), text.size());
    here.write(file, text.substr(from, to - from));
    from = std::min(to + 1, text.size());
  }
}

void limits_of_groups_are_limits(const std::string& text) {
  const made_up_system here;
  write_parts(here, text);
  const auto memory = free_memory(here.root);
  const auto quota = cgroup_cpu_quota(here.root);
  promise(!quota || *quota > 0, "a quota of time is more than none");
  if (quota) promise(topology::synthetic("core:4 pu:1", quota).cores() <= 4, "a quota gives no cores");
  if (!memory && !quota) throw std::invalid_argument("nothing");
}

/// Every operation of a replay is within its tables, and no block is taken where another is.
void replay_is_within_its_tables(const std::string& file, const recording::decoding& chosen) {
  using namespace recording;
  std::vector<operation> all;
  const extent whole = decode(std::as_bytes(std::span(file)), chosen, [&](std::uint64_t operations) {
    all.resize(operations);
    return all.data();
  });
  for (std::uint32_t lane = 0; lane < whole.lanes; ++lane) {
    const lane_extent& its = whole.of_lane[lane];
    promise(its.begin <= its.end && its.end <= its.rest_end && its.rest_end <= all.size(), "a lane's operations are there");
    std::vector<bool> taken(its.slots);
    for (std::uint64_t at = its.begin; at < its.rest_end; ++at) {
      const operation& next = all[at];
      const bool passes = next.kind == step::hand_over || next.kind == step::receive;
      const bool ends = next.kind == step::free || next.kind == step::stack_free || next.kind == step::hand_over;
      promise(next.slot < its.slots && (!passes || next.bytes < whole.entries), "a block has a place");
      promise(taken[next.slot] == (ends || next.kind == step::realloc), "a slot has one block");
      taken[next.slot] = !ends;
      if (next.kind == step::aligned) ++at;
    }
    promise(std::ranges::count(taken, true) == 0, "no block stays");
  }
}

/// What a recording's profile says must agree with itself, whatever the recording is.
void recording_is_read(const std::string& file) {
  using namespace recording;
  try {
    recording::reader first(std::as_bytes(std::span(file))), second(std::as_bytes(std::span(file)));
    const recording::profile found = describe(first);
    const auto stack_like = static_cast<std::uint64_t>(std::ranges::count(stack_like_blocks(second), true));
    std::uint64_t blocks = 0, shown_stack_like = 0;
    for (const auto& row : found.heat.blocks) blocks = std::accumulate(row.begin(), row.end(), blocks);
    for (const auto& row : found.heat.stack_like)
      shown_stack_like = std::accumulate(row.begin(), row.end(), shown_stack_like);
    promise(blocks == found.allocations, "every block is in the heat map");
    promise(stack_like == found.stack_like.blocks && stack_like == shown_stack_like,
            "a block is stack-like everywhere");
    promise(found.never_freed.blocks + found.freed_by_other.blocks + stack_like <= found.allocations,
            "a block ends once");
    promise(found.calls.all() <= found.about.events, "a call is an event");
    promise(found.stack_like.bytes <= found.bytes && found.region_like.bytes <= found.bytes, "a share is a part");
    promise(found.peak_bytes <= found.bytes && found.never_freed.bytes <= found.peak_bytes, "what lives was taken");
    promise(as_json(found).find('\n') == std::string::npos, "a profile is one line");
    constexpr std::uint64_t most_bytes = 64 << 20;
    for (const bool on_stack : {false, true})
      for (const bool one_lane : {false, true}) replay_is_within_its_tables(file, {on_stack, one_lane, most_bytes});
  } catch (const not_replayable& fault) {
    throw std::invalid_argument(fault.what());
  } catch (const damaged& fault) {
    throw std::invalid_argument(fault.what());
  }
}

/// Each letter is a call of the current thread; the byte behind it is its number.
std::string recording_of(const std::string& calls) {
  recording::made_up_recording made;
  std::vector<recording::made_up_block> blocks{{0, 0}};
  std::uint32_t thread = 0;
  for (std::size_t i = 0; i + 1 < calls.size(); i += 2) {
    const std::uint64_t number = static_cast<unsigned char>(calls[i + 1]);
    const recording::made_up_block block = blocks[number % blocks.size()];
    switch (calls[i]) {
      case 'm': blocks.push_back(made.malloc(thread, number)); break;
      case 'n': blocks.push_back(made.malloc(thread, number << (number / 4), recording::by_cpp)); break;
      case 'a': blocks.push_back(made.aligned(thread, number, number)); break;
      case 'r': blocks.push_back(made.grow(thread, block, number)); break;
      case 'f': made.free(thread, block); break;
      case 'l':
        made.free(thread, blocks.back());
        blocks.pop_back();
        if (blocks.empty()) blocks.push_back(block);
        break;
      case 't': thread = static_cast<std::uint32_t>(number % 4); break;
      case 'b': made.begin(static_cast<std::uint32_t>(number), thread); break;
      case 'k': made.flush(static_cast<std::uint32_t>(number % 4)); break;
      case 'o': made.lose(static_cast<std::uint32_t>(number % 4)); break;
      case 's': made.skip(number); break;
      case 'h': made.header.first_thread = static_cast<std::uint32_t>(number % 4); break;
      case 'e':
        made.event(thread, static_cast<recording::event_kind>(number % 16), {number, number}, number & 0xe0);
        break;
      default: made.mark(thread, recording::event_kind::free_unknown);
    }
  }
  return calls.size() % 2 == 0 ? made.ended() : made.cut_off();
}

void recorded_calls_are_read(const std::string& calls) { recording_is_read(recording_of(calls)); }

/// A sound recording, and its records: libFuzzer knows no word of more than 64 bytes.
std::vector<std::string> recording_words() {
  const std::string file = recording_of("m\x64m\x08l\x01k\x01t\x01m\x05f\x01");
  std::vector<std::string> words{file};
  std::size_t at = 0;
  const std::size_t command = recording::made_up_recording{}.command.size();
  for (const std::size_t bytes : {sizeof(recording::file_header), command, sizeof(recording::chunk_header)})
    words.push_back(file.substr(std::exchange(at, at + bytes), bytes));
  const std::size_t end = file.size() - sizeof(recording::end_of_recording);
  const std::size_t end_header = end - sizeof(recording::chunk_header);
  words.push_back(file.substr(at, end_header - at));
  words.push_back(file.substr(end_header, end - end_header));
  words.push_back(file.substr(end));
  return words;
}

}  // namespace

const std::vector<reader>& readers() {
  static const std::vector<reader> all{
      {"malloc_requests", {"mine", "=", ",", "/lib/x.so", "prefix_", "..", "=,"}, malloc_request_is_named},
      {"pinnings", {"0", "1", "7", "-", ",", "8", "999999999999", "cores", "none", "0-7"}, pinning_is_on_this_machine},
      {"profiles", {"smoke", "quick", "full", "s"}, profile_has_its_name},
      {"rollups",
       {"Rss:", "Private_Dirty:", " ", "1664", " kB\n", "\n", "99999999999999999999", "-1", ":", "AnonHugePages:"},
       rollup_is_read},
      {"statm", {"765 ", "405 ", "3 ", " ", "-1", "99999999999999999999", "\n"}, statm_is_no_contradiction},
      {"tunables",
       {"glibc.rtld.optional_static_tls", "=", ":", "16384", "glibc.malloc.check", "::"},
       tunable_is_taken_out},
      {"orders", {"--child=", "sum", ",", "1", "99999999999999999999", "-1", " "}, order_to_a_child_is_refused},
      {"reports",
       {"wrong=", "malloc=", "loaded=", "/lib/x.so", "\n", "bytes", "=", "1e308", "nan", "-1"},
       report_of_a_child_is_read},
      {"groups",
       {"0::/", "4:memory:/a", "7:cpu,cpuacct:/a", "\n", "|", "..", "/", "max", "MemAvailable: ", " kB", "100000 ",
        "inactive_file ", "-1"},
       limits_of_groups_are_limits},
      {"recordings", recording_words(), recording_is_read},
      {"recorded_calls",
       {"m\x08", "mm", "m!", "n\x40", "a\x06", "r\x01", "f\x01", "f\x02", "l ", "l!", "t\x01", "t\x02", "b\x05",
        "k\x01", "o\x01", "s\x03", "h\x01", "e\x07", "u!"},
       recorded_calls_are_read},
  };
  return all;
}

bool reads(const reader& chosen, const std::string& text) {
  try {
    chosen.read(text);
    return true;
  } catch (const std::invalid_argument& refused) {
    // Its own words are one line; what it quotes is its user's.
    const bool one_line = std::string_view(refused.what()).find('\n') == std::string::npos;
    promise(one_line || text.find('\n') != std::string::npos, "a refusal is one line");
    return false;
  }
}

}  // namespace stackheap

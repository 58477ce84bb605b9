// Which recordings of programs are replayed? Those in benchmarks/recording/recordings, which are part of this program, or
// those of --recording in their place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reader.hpp"

namespace stackheap {

/// A recording named on the command line as NAME=FILE.
struct recording_request {
  std::string name, file;
};

/// Throws std::invalid_argument, with one line, on anything but NAME=FILE with a NAME of [a-z0-9_.-].
recording_request parse_recording_request(std::string_view text);

/// A recording by its name in results; its bytes stay as long as the process does.
struct named_recording {
  std::string name;
  recording::extract recorded;
  bool requested = false;  ///< by --recording
};

/// Its calls are known: tests, and an independent program, make the same. No program was recorded for it.
inline constexpr std::string_view made_up = "made_up";

/// Reads the first `events` of each requested recording once, in a copy of this process. Throws std::invalid_argument, with one line, where a
/// recording cannot be read or replayed or where two have the same name. Call once, before the first named_recordings().
void find_recordings(const std::vector<recording_request>& requests, std::uint64_t events = recording::all_events);

/// The requested recordings; without requests, those that are part of this program, by name.
const std::vector<named_recording>& named_recordings();

}  // namespace stackheap

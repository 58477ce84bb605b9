// Which recordings are part of this program? CMake writes this list from the files of benchmarks/recording/recordings: a new
// recording is a new file, nothing else.
#pragma once

#include <vector>

#include "recordings.hpp"

namespace stackheap {

/// By name.
std::vector<named_recording> embedded_recordings();

}  // namespace stackheap

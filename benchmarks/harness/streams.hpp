// Is everything that the program writes really written?
#pragma once

#include <string>

namespace stackheap {

/// Google Benchmark exits with 1 and half a line when it cannot write; this check, made before, names the file and the
/// reason.
void check_writable(const std::string& file);

/// Google Benchmark does not check that its output was written: on a full disk it was not.
void check_written(const std::string& file);

/// Where a standard stream is closed, the next opened file takes its number: the result file would receive the text for
/// the screen. This opens a file that refuses every write in its place.
void occupy_closed_streams();

/// Throws when printed text could not be written.
void check_printed();

}  // namespace stackheap

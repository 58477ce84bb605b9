// Which text that is not ours may reach a terminal, or the JSON of Google Benchmark? Settings of the environment, names of
// files and what a malloc library says may hold any bytes, and Google Benchmark writes them as they are: its file is then no
// JSON. All of it passes through here where it goes out: in facts(), in list_text(), in the errors of rows and of the program.
#pragma once

#include <string>
#include <string_view>

namespace stackheap {

/// The text with a space in place of each character that a person cannot see: control characters, characters without width,
/// those that turn the direction of writing, separators of lines. Bytes that are not UTF-8 become U+FFFD.
/// suite.base.text.printable does the same.
std::string printable(std::string_view text);

}  // namespace stackheap

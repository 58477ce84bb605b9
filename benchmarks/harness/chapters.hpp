// Which question does each chapter answer? One row for each folder of families, in reading order; a new chapter is a new
// folder and a new row.
#pragma once

#include <array>
#include <string_view>

namespace stackheap {

struct chapter_row {
  std::string_view name;  ///< of the folder
  std::string_view question;
};

inline constexpr std::array chapters{
    chapter_row{"allocation", "What does it cost to get memory?"},
    chapter_row{"access", "What does it cost to use memory?"},
    chapter_row{"locality", "Does it matter where neighbours are?"},
    chapter_row{"contention", "What does sharing the heap cost?"},
    chapter_row{"ownership", "What does managing memory cost?"},
    chapter_row{"limits", "Where does it end?"},
    chapter_row{"footprint", "What does it cost in memory?"},
    chapter_row{"program", "What does memory cost in real programs?"},
};

}  // namespace stackheap

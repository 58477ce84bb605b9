// What must a result say about the machine and the program that measured it?
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "family.hpp"
#include "loaded_malloc.hpp"

namespace stackheap {

/// Keys and texts for the context of a result.
std::vector<std::pair<std::string, std::string>> facts(profile chosen);

/// The line that --version prints.
std::string version();

/// Why a malloc library is not available, and which package has it.
std::string why_not(const malloc_library& missing);

}  // namespace stackheap

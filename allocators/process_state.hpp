// What does a malloc library change in the process that loads it, beside its memory?
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace stackheap {

/// What shapes a figure and belongs to the process: names with their values, "niceness" with "0".
using process_state = std::vector<std::pair<std::string, std::string>>;

/// The state of this process, and of the thread that calls.
process_state state_of_process();

/// "niceness 0 to 10, processors 0,1 to 1"; empty where nothing differs. Both states have the same names.
std::string changes_between(const process_state& before, const process_state& after);

/// How the system schedules this process: "normal", with its niceness: "normal, niceness 10".
std::string scheduling();

/// The soft limit of RLIMIT_STACK and the like, or "unlimited"; empty where the system does not say.
std::string limit_of(int resource);

/// Lets this process read and write numbers as the program does, whatever locale a library has set.
void use_plain_locale();

}  // namespace stackheap

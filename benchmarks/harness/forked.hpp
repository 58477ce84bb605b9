// What leaves no trace in this process? The work of a copy of it.
#pragma once

#include <functional>

namespace stackheap {

/// Forks, does `work` in the copy and returns its result, 0 to 255, or -1 when a signal killed the copy. The heap of this
/// process stays as it is. The copy dies with this process. Throws verification_error when the system refuses the copy, and
/// std::runtime_error with the text of an exception that `work` throws.
int in_a_copy(const std::function<int()>& work);

}  // namespace stackheap

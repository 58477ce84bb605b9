// What leaves no trace in this process? The work of a copy of it.
#pragma once

#include <functional>

namespace stackheap {

/// Forks and does `work` in the copy: the heap of this process stays as it is. False when the copy ended before the work did.
/// The copy dies with this process. Throws verification_error when the system refuses the copy, or with the text of an
/// exception that `work` throws.
bool in_a_copy(const std::function<void()>& work);

}  // namespace stackheap

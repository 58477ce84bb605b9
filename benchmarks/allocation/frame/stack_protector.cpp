// What does a frame cost with the stack protector: a value above the array, checked before the return?
#include "frames.hpp"

namespace stackheap {

const protected_frames stack_protector(calls_of_every_size);

}  // namespace stackheap

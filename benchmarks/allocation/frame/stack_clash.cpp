// What does a frame cost with stack-clash protection: no page of a large frame is skipped?
#include "frames.hpp"

namespace stackheap {

const protected_frames stack_clash(calls_of_every_size);

}  // namespace stackheap

// What does a frame cost with no protection?
#include "frames.hpp"

namespace stackheap {

const protected_frames plain(calls_of_every_size);

}  // namespace stackheap

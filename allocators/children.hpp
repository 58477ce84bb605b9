// How are all processes ended that a process has started? It needs only the C library: a small program uses it too.
#pragma once

namespace stackheap {

/// Kills every child of this process, and waits for none. A signal's handler may call it: it takes no memory.
void kill_children();

}  // namespace stackheap

// What if a library takes memory before the recorder has begun? A library whose constructor does, to be preloaded beside it.
#include <cstdlib>

[[gnu::constructor]] static void before_main() {
  for (int i = 0; i < 11; ++i) std::free(std::malloc(50));
}

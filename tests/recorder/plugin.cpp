// What does a plug-in in C++ ask of operator new? A library for host.cpp to load.
#include <new>
#include <stdexcept>

extern "C" int ask(int count) {
  for (int i = 0; i < count; ++i) operator delete(operator new(100));
  try {
    operator delete(operator new(~std::size_t{0} / 4));
  } catch (const std::bad_alloc&) {
    return 6;
  }
  return 1;
}

// Can the recorder find operator new in a program without a C++ library, whose plug-in has one to itself? It is linked as a
// program in C, and loads plugin.cpp, whose file is the argument.
#include <dlfcn.h>

int main(int count, char** words) {
  for (int loads = 0; loads < 3; ++loads) {
    void* const plugin = count == 2 ? ::dlopen(words[1], RTLD_NOW | RTLD_LOCAL) : nullptr;
    if (plugin == nullptr) return 1;
    const int status = reinterpret_cast<int (*)(int)>(::dlsym(plugin, "ask"))(10);
    if (status != 6 || ::dlclose(plugin) != 0) return 2;
  }
  return 6;
}

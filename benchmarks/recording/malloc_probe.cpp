// Whose malloc does a program have? A preloaded library: it asks for `malloc` as the program does, looks in its process's
// own maps for the file that this malloc is in, and appends a line to STACKHEAP_PROBE: the process, the file of malloc, the
// file of the program and its name, with tabs between.
//
// It needs nothing but the C library, and calls nothing that allocates: the malloc that it asks about may be broken.
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <cerrno>  // program_invocation_short_name
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

/// The file that is mapped at an address, into `file`; "?" where /proc does not say.
void file_at(std::uintptr_t address, char* file, std::size_t size) {
  std::strcpy(file, "?");
  const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return;
  char text[8192];  // holds a line: two addresses, and a path of at most 4,096 letters
  std::size_t held = 0;
  for (;;) {
    const ssize_t more = read(maps, text + held, sizeof text - 1 - held);
    if (more <= 0) break;
    held += static_cast<std::size_t>(more);
    text[held] = '\0';
    char* line = text;
    while (char* const end = std::strchr(line, '\n')) {
      *end = '\0';
      unsigned long long low = 0, high = 0;
      const char* const path = std::strchr(line, '/');
      if (path != nullptr && std::sscanf(line, "%llx-%llx", &low, &high) == 2 && address >= low && address < high) {
        std::snprintf(file, size, "%s", path);
        close(maps);
        return;
      }
      line = end + 1;
    }
    held = static_cast<std::size_t>(text + held - line);
    std::memmove(text, line, held);
  }
  close(maps);
}

/// The malloc that the program calls. Where a program that is not position-independent takes the address of malloc, dlsym
/// finds the program's own jump to it, a symbol that is not defined there. Calls go to the first library that defines it.
void* called_malloc() {
  void* const found = dlsym(RTLD_DEFAULT, "malloc");
  Dl_info place{};
  ElfW(Sym)* symbol = nullptr;
  if (dladdr1(found, &place, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) == 0) return found;
  if (symbol == nullptr || symbol->st_shndx != SHN_UNDEF) return found;
  link_map* library = nullptr;
  void* const program = dlopen(nullptr, RTLD_LAZY);
  if (program == nullptr || dlinfo(program, RTLD_DI_LINKMAP, &library) != 0) return found;
  while ((library = library->l_next) != nullptr) {
    void* const handle = dlopen(library->l_name, RTLD_LAZY | RTLD_NOLOAD);
    void* const defined = handle == nullptr ? nullptr : dlsym(handle, "malloc");  // of the library or of those it needs
    link_map* holder = nullptr;
    if (defined != nullptr && dladdr1(defined, &place, reinterpret_cast<void**>(&holder), RTLD_DL_LINKMAP) != 0 && holder == library)
      return defined;
  }
  return found;
}

/// A name of a file or a program may hold what ends a field or a line of the report, and then forge another.
void keep_in_a_field(char* text) {
  for (; *text != '\0'; ++text)
    if (*text == '\t' || *text == '\n') *text = '?';
}

[[gnu::constructor]] void probe() {
  const char* const report = std::getenv("STACKHEAP_PROBE");
  if (report == nullptr) return;
  static char malloc_file[4200], program[4200], line[8700];
  file_at(reinterpret_cast<std::uintptr_t>(called_malloc()), malloc_file, sizeof malloc_file);
  const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  if (length < 0) std::strcpy(program, "?");
  static char name[101];
  std::snprintf(name, sizeof name, "%s", program_invocation_short_name);
  keep_in_a_field(malloc_file), keep_in_a_field(program), keep_in_a_field(name);
  const int size = std::snprintf(line, sizeof line, "%d\t%s\t%s\t%s\n", getpid(), malloc_file, program, name);
  const int file = open(report, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file < 0) return;
  const ssize_t written = write(file, line, static_cast<std::size_t>(size));  // a single write keeps lines apart
  static_cast<void>(written);
  close(file);
}

}  // namespace

#include "children.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>

namespace stackheap {
namespace {

/// The number at the start of a text; 0 where there is none.
pid_t number_at(const char* text) {
  pid_t number = 0;
  for (; *text >= '0' && *text <= '9'; ++text) number = 10 * number + (*text - '0');
  return number;
}

/// The parent of a process; 0 where it has ended.
pid_t parent_of(const char* process) {
  char file[64] = "/proc/", text[512];
  std::strncat(file, process, 16);
  std::strcat(file, "/stat");
  const int stat = ::open(file, O_RDONLY | O_CLOEXEC);
  if (stat < 0) return 0;
  const ssize_t size = ::read(stat, text, sizeof text - 1);
  ::close(stat);
  text[size > 0 ? size : 0] = '\0';
  const char* const name_end = std::strrchr(text, ')');  // the name may contain anything
  return name_end != nullptr && std::strlen(name_end) > 4 ? number_at(name_end + 4) : 0;  // ") S 1234 ..."
}

}  // namespace

void kill_children() {
  struct entry {  // of the kernel's getdents64
    std::uint64_t number;
    std::int64_t offset;
    unsigned short bytes;
    unsigned char type;
    char name[1];
  };
  const int processes = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (processes < 0) return;
  const pid_t self = ::getpid();
  alignas(entry) char buffer[4096];
  for (long size; (size = ::syscall(SYS_getdents64, processes, buffer, sizeof buffer)) > 0;)
    for (long at = 0; at < size; at += reinterpret_cast<entry*>(buffer + at)->bytes) {
      const char* const name = reinterpret_cast<entry*>(buffer + at)->name;
      if (const pid_t process = number_at(name); process > 0 && parent_of(name) == self) ::kill(process, SIGKILL);
    }
  ::close(processes);
}

}  // namespace stackheap

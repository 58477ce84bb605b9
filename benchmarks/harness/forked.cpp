#include "forked.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <string>

#include "family.hpp"

namespace stackheap {

bool in_a_copy(const std::function<void()>& work) {
  constexpr std::size_t longest = 4096;
  void* const shared = ::mmap(nullptr, longest, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw verification_error("the system refuses to map memory");
  char* const thrown = static_cast<char*>(shared);
  const pid_t parent = ::getpid();
  const pid_t copy = ::fork();
  if (copy == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(3);
    try {
      work();
      ::_exit(0);
    } catch (const std::exception& error) {
      std::strncpy(thrown, error.what(), longest - 1);
    } catch (...) {
      std::strcpy(thrown, "an unknown exception");
    }
    ::_exit(3);
  }
  int status = 0;
  while (copy > 0 && ::waitpid(copy, &status, 0) < 0 && errno == EINTR) {}
  const std::string error = thrown;
  ::munmap(shared, longest);
  if (copy < 0) throw verification_error("the system refuses to start a process");
  if (!error.empty()) throw verification_error(error);
  return status == 0;
}

}  // namespace stackheap

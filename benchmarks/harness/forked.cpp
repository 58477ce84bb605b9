#include "forked.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "family.hpp"

namespace stackheap {

int in_a_copy(const std::function<int()>& work) {
  const pid_t parent = ::getpid();
  const pid_t copy = ::fork();
  if (copy < 0) throw verification_error(std::string("the system refuses to start a process: ") + std::strerror(errno));
  if (copy == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(3);
    ::_exit(work());
  }
  int status = 0;
  while (::waitpid(copy, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace stackheap

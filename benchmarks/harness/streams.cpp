#include "streams.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace stackheap {

void check_writable(const std::string& file) {
  if (file.empty()) return;
  struct stat unused{};
  const bool existed = ::stat(file.c_str(), &unused) == 0;
  std::FILE* const opened = std::fopen(file.c_str(), "a");
  if (opened == nullptr) throw std::invalid_argument("--benchmark_out=" + file + ": cannot be written (" + std::strerror(errno) + ")");
  std::fclose(opened);
  if (!existed) std::remove(file.c_str());
}

void check_written(const std::string& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  std::ifstream written(file, std::ios::binary);
  if (char last = 0; !written.seekg(-1, std::ios::end) || !written.get(last) || last != '\n')
    throw std::runtime_error("--benchmark_out=" + file + ": could not be written to its end: is the disk full?");
}

void occupy_closed_streams() {
  int opened = 0;
  do opened = ::open("/dev/null", O_RDONLY);
  while (opened >= 0 && opened <= 2);
  if (opened > 2) ::close(opened);
}

void check_printed() {
  if (std::cout.flush() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  throw std::runtime_error("could not write everything to standard output: is it closed, or is the disk full?");
}

}  // namespace stackheap

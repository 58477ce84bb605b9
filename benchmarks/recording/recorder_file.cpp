// Where do the recorded events go? To a file of the process, which is opened before the program can forbid it.
//
// The program may close the file, or all files: before each write the recorder looks whether the descriptor still is its
// file, and opens it again if not. In a sandbox that could kill the process, so there it only writes.
//
// STACKHEAP_RECORDING names the folder, by an absolute path. The file is recording-PID-N.shr there, N the first number that
// is free. Each process adds a byte to `processes` in that folder: where these are more than most_processes, the others are
// not recorded.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "recorder_events.hpp"

namespace stackheap::recorder {
namespace {

constexpr long most_processes = 1000;
constexpr int most_numbers = 1000;          ///< of files of a process
constexpr std::size_t most_folder = 3000;   ///< characters
constexpr std::uint64_t no_limit = ~std::uint64_t{0};

char folder[most_folder];
char path[most_folder + 64];
char command[most_command_bytes];
std::size_t command_bytes;
long process, parent;

int file = -1;
bool created, refused;  ///< once it could not be created, it is not tried again
dev_t device;
ino_t inode;
std::uint64_t bytes_in_file;
std::uint64_t most_file_bytes = no_limit;

/// Adds text to a path that is large enough.
char* put(char* at, const char* text) {
  const std::size_t size = std::strlen(text);
  std::memcpy(at, text, size + 1);
  return at + size;
}

char* put(char* at, long number) {
  char digits[24];
  char* begin = digits + sizeof digits - 1;
  *begin = '\0';
  do *--begin = static_cast<char>('0' + number % 10);
  while ((number /= 10) != 0);
  return put(at, begin);
}

int open_path(const char* wanted, int flags) {
  return static_cast<int>(system_call(SYS_openat, AT_FDCWD, wanted, flags | O_CLOEXEC, 0644));
}
void close_file(int which) { system_call(SYS_close, which); }

/// The words of the command; in a program that has changed its name, that name.
void read_command() {
  const int from = open_path("/proc/self/cmdline", O_RDONLY);
  if (from < 0) return;
  while (command_bytes < sizeof command) {
    const long got = system_call(SYS_read, from, command + command_bytes, sizeof command - command_bytes);
    if (got <= 0) break;
    command_bytes += static_cast<std::size_t>(got);
  }
  close_file(from);
  if (command_bytes == sizeof command) {  // the last word is cut off
    while (command_bytes > 0 && command[command_bytes - 1] != '\0') --command_bytes;
  } else if (command_bytes > 0 && command[command_bytes - 1] != '\0') {
    command[command_bytes++] = '\0';
  }
}

/// Writing beyond the limit would send the program a signal.
void ask_for_limit() {
  struct rlimit limit {};
  const bool limited = ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  most_file_bytes = limited ? limit.rlim_cur : no_limit;
}

/// Whether this process is among those that are recorded. Counts it.
bool is_among_most() {
  put(put(path, folder), "/processes");
  const int counted = open_path(path, O_WRONLY | O_CREAT | O_APPEND);
  struct stat now {};
  const bool may_grow = counted >= 0 && ::fstat(counted, &now) == 0 && static_cast<std::uint64_t>(now.st_size) < most_file_bytes;
  const bool added = may_grow && system_call(SYS_write, counted, "\n", 1) == 1;
  const long number = added ? system_call(SYS_lseek, counted, 0, SEEK_CUR) : 0;
  if (counted >= 0) close_file(counted);
  return number > 0 && number <= most_processes;
}

/// Where the program will hardly look for a free descriptor.
int moved_up(int low) {
  struct rlimit files {};
  if (low < 0 || ::getrlimit(RLIMIT_NOFILE, &files) != 0) return low;
  const rlim_t most = files.rlim_cur < 1024 ? files.rlim_cur : 1024;
  const long high = most < 64 ? -1 : system_call(SYS_fcntl, low, F_DUPFD_CLOEXEC, static_cast<long>(most) - 24);
  if (high < 0) return low;
  close_file(low);
  return static_cast<int>(high);
}

bool is_our_file() {
  struct stat now {};
  return file >= 0 && ::fstat(file, &now) == 0 && now.st_dev == device && now.st_ino == inode;
}

bool write_all(const void* bytes, std::size_t size) {
  if (size > most_file_bytes || bytes_in_file > most_file_bytes - size) return false;
  long wrote = 0;
  do wrote = system_call(SYS_write, file, bytes, size);
  while (wrote < 0 && errno == EINTR);
  if (wrote == static_cast<long>(size)) {
    bytes_in_file += size;
    return true;
  }
  if (wrote > 0 && !is_sandboxed()) system_call(SYS_ftruncate, file, bytes_in_file);
  return false;
}

bool write_header() {
  alignas(8) static char beginning[sizeof(file_header) + most_command_bytes];
  file_header header{};
  std::memcpy(header.magic, file_magic, sizeof header.magic);
  header.version = format_version;
  header.command_bytes = static_cast<std::uint32_t>(command_bytes);
  header.process = static_cast<std::uint32_t>(process);
  header.parent = static_cast<std::uint32_t>(parent);
  header.first_thread = first_thread;
  std::memcpy(beginning, &header, sizeof header);
  std::memcpy(beginning + sizeof header, command, command_bytes);
  return write_all(beginning, sizeof header + command_bytes);
}

void leave_file() {
  if (is_our_file()) close_file(file);
  file = -1;
  created = false;
}

void remove_file() {
  system_call(SYS_unlinkat, AT_FDCWD, path, 0);
  leave_file();
}

bool append_end(ending how) {
  struct {
    chunk_header header;
    end_of_recording end;
  } last{};
  last.header.magic = chunk_magic;
  last.header.kind = chunk_kind::end;
  last.end = end_record(how);
  return append(&last, sizeof last);
}

}  // namespace

bool prepare_file() {
  const char* const wanted = std::getenv("STACKHEAP_RECORDING");
  if (wanted == nullptr || wanted[0] != '/' || std::strlen(wanted) >= most_folder) return false;
  put(folder, wanted);
  if (const char* const most = std::getenv("STACKHEAP_RECORDING_MOST")) {
    const unsigned long long number = std::strtoull(most, nullptr, 10);
    if (number > 0) most_events = number < most_recorded_events ? number : most_recorded_events;
  }
  process = system_call(SYS_getpid);
  read_command();
  return true;
}

bool open_file() {
  if (created || refused) return created;
  refused = true;
  ask_for_limit();
  if (!is_among_most()) return false;
  int opened = -1;
  for (long number = 0; opened < 0 && number < most_numbers; ++number) {
    put(put(put(put(put(put(path, folder), "/recording-"), process), "-"), number), ".shr");
    opened = open_path(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
    if (opened < 0 && errno != EEXIST) return false;
  }
  struct stat now {};
  file = moved_up(opened);
  if (file < 0 || ::fstat(file, &now) != 0) return false;
  device = now.st_dev;
  inode = now.st_ino;
  bytes_in_file = 0;
  created = true;
  refused = !write_header();
  if (refused) remove_file();
  return created;
}

void change_process() {
  leave_file();
  refused = false;
  parent = process;
  process = system_call(SYS_getpid);
}

bool is_recorded_process() {
  return is_sandboxed() || system_call(SYS_getpid) == process;
}

bool append(const void* bytes, std::size_t size) {
  if (!is_sandboxed()) {
    if (!is_recorded_process() || !open_file()) return false;
    ask_for_limit();
    if (!is_our_file()) {
      file = moved_up(open_path(path, O_WRONLY | O_APPEND));
      if (!is_our_file()) return false;
    }
  }
  return created && file >= 0 && write_all(bytes, size);
}

void prepare_for_sandbox() {
  if (append(nullptr, 0)) return map_parts_ahead();
  recording_now.store(false, std::memory_order_relaxed);
}

void forget_file_among(unsigned first, unsigned last) {
  const auto ours = static_cast<unsigned>(file);
  if (is_sandboxed() && file >= 0 && first <= ours && ours <= last) file = -1;
}

void end_locked(ending how) {
  if (!recording_now.exchange(false)) return;
  if (!any_calls()) {
    if (created && !is_sandboxed()) remove_file();
    return;
  }
  if (how != ending::disk && write_lanes() && append_end(how)) return;
  append_end(ending::disk);
}

void end_recording(ending how) {
  if (!is_recording() || self.holds_lock || !is_recorded_process()) return;
  const kept_errno kept;
  lock();
  end_locked(how);
  unlock();
}

perhaps_the_end::perhaps_the_end(ending how) {
  if (!is_recording() || is_sandboxed() || self.holds_lock ||
      !is_recorded_process())
    return;
  const kept_errno kept;
  lock();
  if (is_recording() && any_calls() && open_file()) {
    process_ = process;
    bytes_ = bytes_in_file;
    events_ = written_events;
    if (write_lanes()) append_end(how);
  } else {
    if (created && !any_calls()) remove_file();
    unlock();
  }
}

perhaps_the_end::~perhaps_the_end() {
  if (process_ == 0 || process_ != process) return;  // daemon() comes back in a child
  const kept_errno kept;
  if (is_our_file()) system_call(SYS_ftruncate, file, bytes_);
  bytes_in_file = bytes_;
  written_events = events_;
  unlock();
}

}  // namespace stackheap::recorder

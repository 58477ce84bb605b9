// A /proc and /sys of our own.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace stackheap {

/// A folder to take for the root of a machine; it goes with this.
class made_up_system {
 public:
  made_up_system() { std::filesystem::create_directories(root); }
  made_up_system(const made_up_system&) = delete;
  made_up_system& operator=(const made_up_system&) = delete;
  ~made_up_system() { std::filesystem::remove_all(root); }

  void write(const std::filesystem::path& file, const std::string& text) const {
    std::filesystem::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  }

  const std::filesystem::path root = std::filesystem::temp_directory_path() / ("made_up." + std::to_string(::getpid()));
};

}  // namespace stackheap

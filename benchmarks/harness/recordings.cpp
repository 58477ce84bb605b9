#include "recordings.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <stdexcept>

#include "embedded_recordings.hpp"
#include "forked.hpp"
#include "free_memory.hpp"
#include "loaded_malloc.hpp"
#include "operations.hpp"

namespace stackheap {
namespace {

std::vector<named_recording>& rows() {
  static std::vector<named_recording> all;
  return all;
}

/// In a copy: what the reading takes from this process's malloc would be in the heap that a benchmark measures.
void check(const recording::extract& recorded) {
  const bool whole = in_a_copy([&] {
    recording::survey(recorded, {.most_bytes = harmless_bytes(std::numeric_limits<std::size_t>::max())});
  });
  if (!whole) throw std::runtime_error("the process that read it ended");
}

}  // namespace

recording_request parse_recording_request(std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    return std::invalid_argument("--recording=" + std::string(text) + ": " + why + " (expected NAME=FILE)");
  };
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) throw refuse("it has no '='");
  recording_request request{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
  if (!is_plain_name(request.name))
    throw refuse("the name may have only a-z, 0-9, '_', '.' and '-'");
  if (request.file.empty()) throw refuse("it names no file");
  return request;
}

void find_recordings(const std::vector<recording_request>& requests, std::uint64_t events) {
  static std::vector<std::unique_ptr<recording::mapped_file>> files;  // mapped until the process ends
  std::vector<named_recording>& all = rows();
  all.clear();
  for (const recording_request& request : requests) {
    const auto refuse = [&](const std::string& why) {
      return std::invalid_argument("--recording=" + request.name + '=' + request.file + ": " + why);
    };
    if (std::any_of(all.begin(), all.end(), [&](const named_recording& other) { return other.name == request.name; }))
      throw refuse("the name is taken");
    try {
      files.push_back(std::make_unique<recording::mapped_file>(request.file));
      all.push_back({request.name, {files.back()->bytes(), events}, true});
      check(all.back().recorded);
    } catch (const std::exception& error) {
      throw refuse(error.what());
    }
  }
  if (requests.empty()) all = embedded_recordings();
}

const std::vector<named_recording>& named_recordings() { return rows(); }

}  // namespace stackheap

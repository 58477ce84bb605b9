// Is each loaded malloc itself, and is one that is not refused with the reason?
#include "loaded_malloc.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <regex>
#include <stdexcept>

#include "libraries.hpp"

namespace stackheap {
namespace {

namespace fs = std::filesystem;

/// Where CMake put the libraries of tests/cpp/libraries.
fs::path test_library(const std::string& name) { return fs::path(TEST_LIBRARIES) / ("lib" + name + "_malloc.so"); }

std::string home_of(const void* address) {
  Dl_info info{};
  return ::dladdr(address, &info) != 0 ? fs::canonical(info.dli_fname).string() : "nowhere";
}

std::vector<const void*> addresses(const loaded_malloc& functions) {
  return {reinterpret_cast<const void*>(functions.malloc), reinterpret_cast<const void*>(functions.free),
          reinterpret_cast<const void*>(functions.calloc), reinterpret_cast<const void*>(functions.realloc),
          reinterpret_cast<const void*>(functions.posix_memalign)};
}

const malloc_library& row(const std::string& name) {
  const auto& all = malloc_libraries();
  const auto place = std::find_if(all.begin(), all.end(), [&](const auto& library) { return library.name == name; });
  if (place == all.end()) throw std::out_of_range(name);
  return *place;
}

/// Skips the rest of a test that needs a malloc which is not here.
#define NEEDS(name) \
  if (!row(name).available()) GTEST_SKIP() << "not available: " << row(name).reason

/// Bytes that glibc has given out in all its arenas and mappings.
std::size_t live_in_glibc() {
  const struct mallinfo2 now = ::mallinfo2();
  return now.uordblks + now.hblkhd;
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

/// Unless a sanitizer has put its own in the place.
bool glibcs_malloc_is_the_processs() { return home_of(::dlsym(RTLD_DEFAULT, "malloc")) == row("glibc").file; }

TEST(loaded_malloc, glibc_is_there_and_the_processs_own) {
  EXPECT_TRUE(row("glibc").available()) << row("glibc").reason;
  EXPECT_EQ(row("glibc").process, glibcs_malloc_is_the_processs());
  const auto& all = malloc_libraries();
  EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const auto& library) { return library.process; }), 1);
}

TEST(loaded_malloc, every_row_is_available_or_says_why_not) {
  for (const library_row& known : libraries) {
    const malloc_library& loaded = row(std::string(known.name));
    EXPECT_EQ(loaded.description, known.description);
    EXPECT_EQ(loaded.package, known.package);
    EXPECT_EQ(loaded.available(), !loaded.file.empty()) << "found, but " << loaded.reason;
  }
}

TEST(loaded_malloc, every_function_stands_in_the_librarys_own_file) {
  std::vector<const void*> seen;
  for (const malloc_library& library : malloc_libraries()) {
    if (!library.available()) continue;
    EXPECT_TRUE(fs::exists(library.file)) << library.file;
    const loaded_malloc functions = library.load();
    for (const void* address : addresses(functions)) {
      ASSERT_NE(address, nullptr);
      EXPECT_EQ(home_of(address), library.file) << library.name;
      EXPECT_EQ(std::count(seen.begin(), seen.end(), address), 0) << library.name << " has a function of another library";
      seen.push_back(address);
    }
    if (const auto extra = reinterpret_cast<const void*>(functions.usable_size); extra != nullptr) {
      EXPECT_EQ(home_of(extra), library.file) << library.name;
    }
  }
}

TEST(loaded_malloc, its_blocks_are_not_glibcs_unless_it_is_glibc) {
  std::vector<void*> blocks(1000);
  for (const malloc_library& library : malloc_libraries()) {
    if (!library.available()) continue;
    const loaded_malloc functions = library.load();
    const std::size_t before = live_in_glibc();
    for (void*& block : blocks) block = functions.malloc(1000);
    const std::size_t during = live_in_glibc();
    for (void* block : blocks) functions.free(block);
    if (library.name == "glibc") {
      EXPECT_GE(during - before, 1'000'000U);
    } else {
      EXPECT_LT(during - before, 100'000U) << library.name;
    }
  }
}

TEST(loaded_malloc, every_function_does_what_c_says) {
  for (const malloc_library& library : malloc_libraries()) {
    if (!library.available()) continue;
    SCOPED_TRACE(library.name);
    const loaded_malloc from = library.load();
    // Filled and freed before, so that calloc has dirty memory to clean.
    void* const dirty = from.malloc(4096);
    std::memset(dirty, 0xff, 4096);
    from.free(dirty);
    auto* const zeros = static_cast<unsigned char*>(from.calloc(64, 64));
    EXPECT_EQ(std::count(zeros, zeros + 4096, 0), 4096);
    std::memset(zeros, 7, 4096);
    auto* const larger = static_cast<unsigned char*>(from.realloc(zeros, 1 << 20));
    EXPECT_EQ(std::count(larger, larger + 4096, 7), 4096);
    if (from.usable_size != nullptr) {
      EXPECT_GE(from.usable_size(larger), std::size_t{1} << 20);
    }
    from.free(larger);
    for (const std::size_t alignment : {64, 4096}) {
      void* aligned = nullptr;
      ASSERT_EQ(from.posix_memalign(&aligned, alignment, 100), 0);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned) % alignment, 0U);
      from.free(aligned);
    }
    from.free(nullptr);
  }
}

TEST(loaded_malloc, every_version_is_one) {
  const std::regex numbers("[0-9]+(\\.[0-9]+)*");
  for (const malloc_library& library : malloc_libraries()) {
    EXPECT_TRUE(!library.available() || std::regex_match(library.version, numbers)) << library.name << ' ' << library.version;
  }
}

TEST(loaded_malloc, mimallocs_version_begins_as_its_files) {
  NEEDS("mimalloc");
  const std::string name = fs::path(row("mimalloc").file).filename();
  std::smatch match;
  if (!std::regex_search(name, match, std::regex("\\.so\\.([0-9]+)"))) GTEST_SKIP() << name << " tells no version";
  EXPECT_TRUE(row("mimalloc").version.starts_with(match.str(1) + '.')) << name << ' ' << row("mimalloc").version;
}

TEST(loaded_malloc, a_library_without_malloc_is_refused_and_the_symbols_home_named) {
  const malloc_load loaded = load_malloc("libm.so.6", "");
  EXPECT_NE(loaded.reason, "");
  EXPECT_NE(loaded.reason.find("its malloc is that of " + row("glibc").file), std::string::npos) << loaded.reason;
  EXPECT_EQ(loaded.functions.usable_size, nullptr) << "that is glibc's as well";
}

TEST(loaded_malloc, tbbmalloc_asked_for_plain_malloc_is_refused_as_glibcs) {
  NEEDS("tbbmalloc");
  const malloc_load plain = load_malloc(row("tbbmalloc").file, "");
  EXPECT_NE(plain.reason, "");
  EXPECT_NE(plain.reason.find("its malloc is that of " + row("glibc").file), std::string::npos) << plain.reason;
  EXPECT_EQ(load_malloc(row("tbbmalloc").file, "scalable_").reason, "");
}

TEST(loaded_malloc, a_file_that_cannot_be_loaded_is_refused_with_the_reason) {
  const fs::path folder = fs::path(testing::TempDir()) / ("stackheap." + std::to_string(::getpid()));
  fs::create_directory(folder);
  { const std::ofstream empty(folder / "empty.so"); }
  std::ofstream(folder / "text.so") << std::string(10000, 'x');
  const std::pair<std::string, std::string> all[] = {{(folder / "missing.so").string(), "No such file"},
                                                     {(folder / "empty.so").string(), "file too short"},
                                                     {(folder / "text.so").string(), "invalid ELF header"},
                                                     {"libno-such-malloc.so.9", "No such file"},
                                                     {folder.string(), "annot read file data"}};
  for (const auto& [file, reason] : all) {
    const malloc_load loaded = load_malloc(file, "");
    EXPECT_NE(loaded.reason, "");
    EXPECT_NE(loaded.reason.find(reason), std::string::npos) << loaded.reason;
    EXPECT_EQ(loaded.reason.find('\n'), std::string::npos) << loaded.reason;
  }
  fs::remove_all(folder);
}

TEST(loaded_malloc, a_library_under_a_prefix_is_loaded_and_one_that_misses_a_function_is_not) {
  const malloc_load whole = load_malloc(test_library("whole"), "whole_");
  ASSERT_EQ(whole.reason, "");
  EXPECT_EQ(whole.file, fs::canonical(test_library("whole")));
  EXPECT_EQ(whole.functions.usable_size, nullptr) << "it has none, and glibc's is not its own";
  void* const block = whole.functions.malloc(1000);
  std::memset(block, 1, 1000);
  whole.functions.free(block);

  EXPECT_NE(load_malloc(test_library("whole"), "").reason.find("its malloc is that of"), std::string::npos);
  EXPECT_EQ(load_malloc(test_library("whole"), "hole_").reason, "it has no symbol hole_malloc");
  EXPECT_EQ(load_malloc(test_library("partial"), "partial_").reason, "it has no symbol partial_realloc");
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// tcmalloc's threads crashed, rarely, while another thread took or freed memory of the process's own malloc.
TEST(loaded_malloc, beside_another_malloc_the_processs_own_leaves_the_heaps_end_alone) {
  ASSERT_EQ("", load_malloc(test_library("whole"), "whole_").reason);
  const void* const end = ::sbrk(0);
  std::vector<std::unique_ptr<char[]>> blocks;
  for (int i = 0; i < 300; ++i) blocks.push_back(std::make_unique<char[]>(100'000));
  EXPECT_EQ(end, ::sbrk(0)) << "taking memory moved it";
  blocks.clear();
  EXPECT_EQ(end, ::sbrk(0)) << "giving memory back moved it";
}
#endif

TEST(loaded_malloc, a_copy_of_a_library_is_loaded_beside_it_as_its_own) {
  const fs::path copy = fs::path(testing::TempDir()) / ("copy." + std::to_string(::getpid()) + ".so");
  for (const char* name : {"mimalloc", "jemalloc", "tcmalloc"}) {
    const malloc_library& original = row(name);
    if (!original.available()) continue;
    fs::copy_file(original.file, copy, fs::copy_options::overwrite_existing);
    const malloc_load second = load_malloc(copy, "");
    fs::remove(copy);  // the mapping stays
    ASSERT_EQ(second.reason, "");
    const loaded_malloc first = original.load();
    EXPECT_EQ(second.file, copy);
    for (std::size_t i = 0; i < addresses(second.functions).size(); ++i)
      EXPECT_NE(addresses(second.functions)[i], addresses(first)[i]) << name;
    void* const block_of_first = first.malloc(100);
    void* const block_of_second = second.functions.malloc(100);
    EXPECT_NE(block_of_first, block_of_second);
    second.functions.free(block_of_second);
    first.free(block_of_first);
    return;
  }
  GTEST_SKIP() << "no library here to copy";
}

TEST(loaded_malloc, requests_are_name_file_and_prefix) {
  const std::tuple<const char*, const char*, const char*, const char*> good[] = {
      {"mine=/a/b.so", "mine", "/a/b.so", ""},
      {"mi-3.0_x=b.so,mi_", "mi-3.0_x", "b.so", "mi_"},
      {"a=b=c.so", "a", "b=c.so", ""},
      {"a=/a,b/c.so", "a", "/a,b/c.so", ""},
      {"a=/a,b/c.so,p_", "a", "/a,b/c.so", "p_"},
      {"a=/a,b.so", "a", "/a,b.so", ""},
      {"a=/a b/c.so,", "a", "/a b/c.so", ""},
      {"a=b,c.so,p_", "a", "b,c.so", "p_"},
      {"a=b.so,", "a", "b.so", ""},
  };
  for (const auto& [text, name, file, prefix] : good) {
    const malloc_request parsed = parse_malloc_request(text);
    EXPECT_EQ(parsed.name, name);
    EXPECT_EQ(parsed.file, file);
    EXPECT_EQ(parsed.prefix, prefix);
  }
  for (const char* text : {"", "=", "mine", "mine=", "mine=,p_", "=b.so", "Mine=b.so", "my malloc=b.so", "a/b=c.so",
                           "m\xc3\xa9=b.so"}) {
    const std::string message = message_of([&] { parse_malloc_request(text); });
    EXPECT_NE(message.find("expected NAME=FILE[,PREFIX]"), std::string::npos) << "accepted: " << text;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

TEST(loaded_malloc, a_file_that_exists_has_its_commas_and_its_whole_path) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("commas" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string file = (folder / "x,my_").string();
  EXPECT_EQ(parse_malloc_request("a=" + file).prefix, "my_");
  std::ofstream(file) << "any";
  EXPECT_EQ(parse_malloc_request("a=" + file).file, file);
  EXPECT_EQ(parse_malloc_request("a=" + file).prefix, "");
  EXPECT_EQ(parse_malloc_request("a=" + file + ",my_").file, file);
  EXPECT_EQ(parse_malloc_request("a=" + file + ",my_").prefix, "my_");
  const std::filesystem::path here = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  const std::string in_this_folder = parse_malloc_request("a=x,my_").file, below = parse_malloc_request("a=./y.so").file,
                    of_the_system = parse_malloc_request("a=liby.so").file;
  std::filesystem::current_path(here);
  EXPECT_TRUE(same_file(in_this_folder, file) && in_this_folder.front() == '/') << in_this_folder;
  EXPECT_EQ(std::filesystem::path(below).lexically_normal(), folder / "y.so");
  EXPECT_EQ(of_the_system, "liby.so");
  std::filesystem::remove_all(folder);
}

TEST(loaded_malloc, a_requested_library_gets_a_row_or_stops_the_run) {
  // The rows are the process's: restored below, as other tests read them.
  const std::string whole = test_library("whole").string();
  find_malloc_libraries({{"mine", whole, "whole_"}, {"mine.2", whole, "whole_"}});
  EXPECT_TRUE(row("mine").available()) << row("mine").reason;
  EXPECT_FALSE(row("mine").process);
  EXPECT_EQ(row("glibc").process, glibcs_malloc_is_the_processs());
  const auto refusal = [](const std::vector<malloc_request>& requests) {
    return message_of([&] { find_malloc_libraries(requests); });
  };
  EXPECT_NE(refusal({{"jemalloc", whole, "whole_"}}).find("taken"), std::string::npos);
  EXPECT_NE(refusal({{"a", whole, "whole_"}, {"a", whole, "whole_"}}).find("taken"), std::string::npos);
  const std::string message = refusal({{"mine", "libm.so.6", ""}});
  EXPECT_NE(message.find("libm.so.6"), std::string::npos) << message;
  find_malloc_libraries({});
  EXPECT_THROW(row("mine"), std::out_of_range);
}

}  // namespace
}  // namespace stackheap

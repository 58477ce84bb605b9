// To be preloaded: sets the user's locale, for C and for C++, as a library of a desktop program does. Numbers then have a
// comma, and thousands have dots.
#include <clocale>
#include <locale>

namespace {

[[gnu::constructor]] void at_load() {
  std::setlocale(LC_ALL, "");
  try {
    std::locale::global(std::locale(""));
  } catch (const std::exception&) {  // the system lacks it
  }
}

}  // namespace

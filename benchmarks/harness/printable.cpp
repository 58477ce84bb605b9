#include "printable.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "json.hpp"

namespace stackheap {
namespace {

struct character_range {
  std::uint32_t first;
  std::uint32_t last;
};

/// Unicode's control and format characters, spaces but the plain one, separators, default-ignorable and private characters.
constexpr character_range unseen[] = {
    {0x0, 0x1f},       {0x7f, 0xa0},      {0xad, 0xad},         {0x34f, 0x34f},       {0x600, 0x605},       {0x61c, 0x61c},
    {0x6dd, 0x6dd},    {0x70f, 0x70f},    {0x890, 0x891},       {0x8e2, 0x8e2},       {0x115f, 0x1160},     {0x1680, 0x1680},
    {0x17b4, 0x17b5},  {0x180b, 0x180f},  {0x2000, 0x200f},     {0x2028, 0x202f},     {0x205f, 0x206f},     {0x2800, 0x2800},
    {0x3000, 0x3000},  {0x3164, 0x3164},  {0xe000, 0xf8ff},     {0xfe00, 0xfe0f},     {0xfeff, 0xfeff},     {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},  {0xfffe, 0xffff},  {0x110bd, 0x110bd},   {0x110cd, 0x110cd},   {0x13430, 0x13440},   {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
};

bool is_seen(std::uint32_t character) {
  return std::none_of(std::begin(unseen), std::end(unseen),
                      [&](character_range range) { return range.first <= character && character <= range.last; });
}

/// The character that these bytes of valid UTF-8 are.
std::uint32_t decoded(std::string_view bytes) {
  std::uint32_t character = static_cast<unsigned char>(bytes[0]);
  if (bytes.size() > 1) character &= 0x7fU >> bytes.size();
  for (const char byte : bytes.substr(1)) character = character << 6U | (static_cast<unsigned char>(byte) & 0x3fU);
  return character;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string seen;
  while (!text.empty()) {
    const std::size_t length = length_of_character(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    if (length == 0) seen += "\uFFFD";
    else if (is_seen(decoded(character))) seen += character;
    else seen += ' ';
    text.remove_prefix(character.size());
  }
  return seen;
}

}  // namespace stackheap

// How are facts written as JSON? A type that is listed has a function `json` beside it; members and elements find it
// there.
#pragma once

#include <cstdint>
#include <cstdio>
#include <iomanip>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace stackheap {

/// Bytes of the character that begins `text`, as UTF-8; 0 where it begins with none.
inline std::size_t length_of_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80   ? 1
                             : byte(0) < 0xc2 ? 0
                             : byte(0) < 0xe0 ? 2
                             : byte(0) < 0xf0 ? 3
                             : byte(0) < 0xf5 ? 4
                                              : 0;
  if (length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool too_low = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xf0 && byte(1) < 0x90);
  const bool too_high = (byte(0) == 0xed && byte(1) > 0x9f) || (byte(0) == 0xf4 && byte(1) > 0x8f);
  return too_low || too_high ? 0 : length;
}

/// Bytes that are not UTF-8 become U+FFFD: JSON cannot hold them.
inline std::string json(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = length_of_character(text.substr(i));
    const char c = text[i];
    if (length == 1 && static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      quoted += code;
    } else if (length == 0) {
      quoted += "\\ufffd";
    } else {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += text.substr(i, length);
    }
    i += length == 0 ? 1 : length;
  }
  return quoted + '"';
}

inline std::string json(const std::string& text) { return json(std::string_view(text)); }
inline std::string json(const char* text) { return json(std::string_view(text)); }
inline std::string json(bool value) { return value ? "true" : "false"; }
inline std::string json(std::uint64_t value) { return std::to_string(value); }
inline std::string json(std::uint32_t value) { return std::to_string(value); }
inline std::string json(double value) {
  std::ostringstream text;
  text << std::setprecision(17) << value;
  return text.str();
}

template <class Value>
std::string json(const std::vector<Value>& values) {
  std::string joined;
  for (const auto& value : values) joined += (joined.empty() ? "" : ",") + json(value);
  return '[' + joined + ']';
}

/// One object, member by member.
class json_object {
 public:
  template <class Value>
  json_object& member(std::string_view key, const Value& value) {
    text_ += (text_.empty() ? "" : ",") + json(key) + ':' + json(value);
    return *this;
  }
  std::string text() const { return '{' + text_ + '}'; }

 private:
  friend std::string json(const json_object& object) { return object.text(); }

  std::string text_;
};

}  // namespace stackheap

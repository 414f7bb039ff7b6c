// String building without iostreams: cat(1, " of ", 2.5) == "1 of 2.5".
// A type takes part by an append_to(std::string&, const T&) found by ADL.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cotan {

inline void append_to(std::string& out, std::string_view s) { out += s; }
inline void append_to(std::string& out, const char* s) { out += s; }
inline void append_to(std::string& out, const std::string& s) { out += s; }
inline void append_to(std::string& out, char c) { out += c; }
template <std::same_as<bool> B>
void append_to(std::string& out, B b) {
  out += b ? "True" : "False";
}
template <std::integral I>
  requires(!std::same_as<I, bool> && !std::same_as<I, char>)
void append_to(std::string& out, I i) {
  out += std::to_string(i);
}
// Shortest text that reads back as the same double, always with a point.
void append_to(std::string& out, double d);
inline void append_to(std::string& out, float f) { append_to(out, double(f)); }

template <class Range>
void append_joined(std::string& out, const Range& range,
                   std::string_view separator) {
  bool first = true;
  for (const auto& item : range) {
    if (!first) out += separator;
    first = false;
    append_to(out, item);
  }
}
// "(2, 3)", "(2,)", "()": as Python prints a tuple.
template <class Range>
std::string tuple_string(const Range& range) {
  std::string out = "(";
  append_joined(out, range, ", ");
  if (range.size() == 1) out += ',';
  return out += ')';
}

template <class... Parts>
std::string cat(const Parts&... parts) {
  std::string out;
  (append_to(out, parts), ...);
  return out;
}

}  // namespace cotan

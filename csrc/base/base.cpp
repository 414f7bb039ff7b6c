#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/strings.h"

namespace cotan {

void append_to(std::string& out, double d) {
  if (std::isnan(d)) {
    out += "nan";
  } else if (std::isinf(d)) {
    out += d < 0 ? "-inf" : "inf";
  } else {
    char buf[32];
    auto [end, ec] = std::to_chars(buf, buf + sizeof buf, d);
    std::string_view text(buf, size_t(end - buf));
    out += text;
    if (text.find_first_of(".en") == std::string_view::npos) out += ".0";
  }
}

void Error::add_source(std::string_view where) {
  if (source_.empty()) source_ = where;
}

void throw_error(ErrorKind kind, std::string message) {
  throw Error(kind, std::move(message));
}

void check_failed(const char* file, int line, const char* what) {
  std::string_view path(file);
  if (auto at = path.rfind("csrc/"); at != path.npos) path.remove_prefix(at);
  throw Error(ErrorKind::internal,
              cat("internal invariant failed: ", what, " (", path, ":", line,
                  "); please report this"));
}

}  // namespace cotan

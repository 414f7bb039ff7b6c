// What must not reach a plugin: text that makes one abort. Text that we wrote
// is right by construction; this guards what a caller hands over.
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "backends/pjrt/lowering.h"
#include "base/error.h"

namespace cotan::pjrt {

namespace {

std::string symbol_at(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() &&
         (std::isalnum(static_cast<unsigned char>(text[end])) ||
          text[end] == '_' || text[end] == '.' || text[end] == '$' ||
          text[end] == '-'))
    ++end;
  return std::string(text.substr(at, end - at));
}

using Calls = std::map<std::string, std::set<std::string>>;

bool reaches(const Calls& calls, const std::string& from, const std::string& to,
             std::set<std::string>& seen) {
  auto it = calls.find(from);
  if (it == calls.end()) return false;
  for (const std::string& next : it->second) {
    if (next == to) return true;
    if (seen.insert(next).second && reaches(calls, next, to, seen)) return true;
  }
  return false;
}

}  // namespace

void check_module_text(std::string_view text) {
  Calls calls;
  std::string current;
  for (size_t at = 0; (at = text.find('@', at)) != text.npos; ++at) {
    std::string name = symbol_at(text, at + 1);
    size_t line = text.rfind('\n', at);
    line = line == text.npos ? 0 : line + 1;
    std::string_view before = text.substr(line, at - line);
    if (before.find("func.func") != before.npos) {
      current = name;
      calls[name];
    } else if (before.find("module") == before.npos && !current.empty()) {
      calls[current].insert(name);
    }
  }
  if (!calls.contains("main"))
    throw_value(
        "[stablehlo] the module has no function @main; what is compiled must "
        "be called so");
  for (const auto& [name, to] : calls) {
    std::set<std::string> seen;
    if (reaches(calls, name, name, seen))
      throw_value("[stablehlo] function @", name,
                  " calls itself; compilers of StableHLO inline every call");
  }
  for (size_t at = 0; (at = text.find("tensor<", at)) != text.npos; ++at) {
    size_t end = text.find('>', at);
    std::string_view type = text.substr(at, end - at + 1);
    if (type.find('?') != type.npos)
      throw_value("[stablehlo] dynamic dimensions are not supported, got ",
                  type, "; compile for fixed shapes");
  }
}

}  // namespace cotan::pjrt

#include "ir/primitive.h"

#include <vector>

namespace cotan {

namespace {
std::vector<const Primitive*>& primitives() {
  static std::vector<const Primitive*> list;
  return list;
}
}  // namespace

std::span<const Primitive* const> registry() { return primitives(); }

const Primitive* find_primitive(std::string_view name) {
  for (const Primitive* p : primitives())
    if (name == p->name) return p;
  return nullptr;
}

Register::Register(const Primitive& p) { primitives().push_back(&p); }

std::string_view enum_name(Monoid m) {
  constexpr std::string_view names[] = {"sum", "prod", "max",    "min",   "and",
                                        "or",  "xor",  "argmax", "argmin"};
  return names[int(m)];
}

Avals avals_of(std::span<const Value> values) {
  Avals out;
  for (const Value& v : values) out.push_back(v.aval());
  return out;
}

}  // namespace cotan

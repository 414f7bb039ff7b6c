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

namespace {

// The least and the greatest value of a dtype.
Literal extreme(DType t, bool greatest) {
  if (is_complex(t)) {
    double inf = greatest ? __builtin_inf() : -__builtin_inf();
    return Literal::from_complex(t, {inf, inf});
  }
  if (is_narrow_float(t) && narrow_format(t).special != SpecialValues::ieee) {
    NarrowFormat f = narrow_format(t);
    bool is_signed = f.special != SpecialValues::unsigned_power;
    auto bits = uint8_t(f.max_finite());
    if (!greatest)
      bits = is_signed ? uint8_t(bits | (f.magnitude_mask() + 1)) : 0;
    return Literal::from_bytes(t, &bits);
  }
  if (is_float(t))
    return Literal::from_double(t,
                                greatest ? __builtin_inf() : -__builtin_inf());
  if (t == DType::bool_) return Literal::from_int(t, greatest);
  if (is_unsigned_int(t)) return Literal::from_int(t, greatest ? -1 : 0);
  int64_t top = int64_t(~uint64_t{0} >> (65 - bit_width(t)));
  return Literal::from_int(t, greatest ? top : -top - 1);
}

}  // namespace

Literal monoid_identity(Monoid m, DType t) {
  switch (m) {
    case Monoid::prod:
      return Literal::from_double(t, 1);
    case Monoid::max:
      return extreme(t, false);
    case Monoid::min:
      return extreme(t, true);
    case Monoid::and_:
      return Literal::from_int(t, -1);
    default:
      return Literal::from_int(t, 0);
  }
}

Avals avals_of(std::span<const Value> values) {
  Avals out;
  for (const Value& v : values) out.push_back(v.aval());
  return out;
}

}  // namespace cotan

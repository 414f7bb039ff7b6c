#include "backends/pjrt/native_ops.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace cotan::pjrt {

namespace {

enum Kinds : uint8_t {
  kBool = 1,
  kSigned = 2,
  kUnsigned = 4,
  kFloat = 8,
  kComplex = 16,
  kInt = kSigned | kUnsigned,
  kReal = kInt | kFloat,
  kInexact = kFloat | kComplex,
  kNumber = kReal | kComplex,
};
// 16-bit floats: as they are, or through f32 with one rounding (functions).
enum class Half : uint8_t { as_is, widen };

struct NativeOp {
  const char* primitive;
  const char* op;
  uint8_t kinds;
  Half half = Half::as_is;
};

constexpr NativeOp kTable[] = {
    {"abs", "abs", kSigned | kInexact},
    {"acos", "chlo.acos", kInexact, Half::widen},
    {"acosh", "chlo.acosh", kInexact, Half::widen},
    {"add", "add", kNumber},
    {"add_any", "add", kNumber},
    {"and", "and", kBool | kInt},
    {"asin", "chlo.asin", kInexact, Half::widen},
    {"asinh", "chlo.asinh", kInexact, Half::widen},
    {"atan", "chlo.atan", kInexact, Half::widen},
    {"atan2", "atan2", kFloat, Half::widen},
    {"atanh", "chlo.atanh", kInexact, Half::widen},
    {"cbrt", "cbrt", kFloat, Half::widen},
    {"ceil", "ceil", kFloat},
    {"clamp", "clamp", kReal},
    {"clz", "count_leading_zeros", kInt},
    {"complex", "complex", kFloat},
    {"cos", "cosine", kInexact, Half::widen},
    {"cosh", "chlo.cosh", kInexact, Half::widen},
    {"digamma", "chlo.digamma", kFloat, Half::widen},
    {"div", "divide", kNumber, Half::widen},
    {"erf", "chlo.erf", kFloat, Half::widen},
    {"erf_inv", "chlo.erf_inv", kFloat, Half::widen},
    {"erfc", "chlo.erfc", kFloat, Half::widen},
    {"exp", "exponential", kInexact, Half::widen},
    {"expm1", "exponential_minus_one", kInexact, Half::widen},
    {"floor", "floor", kFloat},
    {"imag", "imag", kComplex},
    {"is_finite", "is_finite", kFloat},
    {"lgamma", "chlo.lgamma", kFloat, Half::widen},
    {"log", "log", kInexact, Half::widen},
    {"log1p", "log_plus_one", kInexact, Half::widen},
    {"logistic", "logistic", kInexact, Half::widen},
    {"max", "maximum", kBool | kReal},
    {"min", "minimum", kBool | kReal},
    {"mul", "multiply", kNumber},
    {"neg", "negate", kNumber},
    {"not", "not", kBool | kInt},
    {"or", "or", kBool | kInt},
    {"population_count", "popcnt", kInt},
    {"pow", "power", kInexact, Half::widen},
    {"real", "real", kComplex},
    {"rem", "remainder", kReal, Half::widen},
    {"rsqrt", "rsqrt", kInexact, Half::widen},
    {"shift_left", "shift_left", kInt},
    {"shift_right_arithmetic", "shift_right_arithmetic", kInt},
    {"shift_right_logical", "shift_right_logical", kInt},
    {"sign", "sign", kSigned | kInexact},
    {"sin", "sine", kInexact, Half::widen},
    {"sinh", "chlo.sinh", kInexact, Half::widen},
    {"sqrt", "sqrt", kInexact, Half::widen},
    {"sub", "subtract", kNumber},
    {"tan", "tan", kInexact, Half::widen},
    {"tanh", "tanh", kInexact, Half::widen},
    {"xor", "xor", kBool | kInt},
};

uint8_t kind_of(DType t) {
  return t == DType::bool_ || t == DType::float0 ? kBool
         : is_signed_int(t)                      ? kSigned
         : is_unsigned_int(t) || is_key(t)       ? kUnsigned
         : is_float(t)                           ? kFloat
                                                 : kComplex;
}

const NativeOp* find(std::string_view name) {
  const NativeOp* end = std::end(kTable);
  const NativeOp* at = std::lower_bound(
      std::begin(kTable), end, name,
      [](const NativeOp& n, std::string_view s) { return n.primitive < s; });
  return at != end && name == at->primitive ? at : nullptr;
}

// ---- operations that need more than a name

HloValue compare(const HloArgs& a, CompareOp op) {
  const Shape& s = a.out[0].shape;
  return a.b.compare(op, a.b.broadcast_to(a.in[0], s),
                     a.b.broadcast_to(a.in[1], s));
}

bool emit_special(const HloArgs& a, HloValues* out) {
  std::string_view name = a.self.name;
  constexpr std::string_view compares[] = {"eq", "ne", "lt", "le", "gt", "ge"};
  for (int i = 0; i < 6; ++i) {
    // StableHLO orders no complex numbers.
    if (name != compares[i]) continue;
    if (i > 1 && is_complex(a.types[0].dtype)) return false;
    *out = {compare(a, CompareOp(i))};
    return true;
  }
  if (name == "copy" || name == "stop_gradient") {
    *out = {a.in[0]};
    return true;
  }
  if (name == "convert_element_type") {
    DType from = a.types[0].dtype, to = a.out[0].dtype;
    if (is_complex(from) && to == DType::bool_) return false;
    *out = {a.b.convert(a.in[0], to)};
    return true;
  }
  if (name == "select_n" && a.types[0].dtype == DType::bool_ &&
      a.in.size() == 3) {
    const Shape& s = a.out[0].shape;
    *out = {a.b.select(a.in[0], a.b.broadcast_to(a.in[2], s),
                       a.b.broadcast_to(a.in[1], s))};
    return true;
  }
  if (name == "exp2") {
    DType t = is_half(a.types[0].dtype) ? DType::f32 : a.types[0].dtype;
    HloValue x = a.b.convert(a.in[0], t);
    if (is_complex(t)) {
      HloValue ln2 = a.b.constant(t, 0.6931471805599453, a.b.shape(x));
      x = a.b.elementwise("exponential",
                          {a.b.elementwise("multiply", {x, ln2})});
    } else {
      x = emit_native_math(a.b, MathFn::exp2, x, {});
    }
    *out = {a.b.convert(x, a.out[0].dtype)};
    return true;
  }
  if (name == "conj" && is_complex(a.types[0].dtype)) {
    Aval part{real_dtype(a.types[0].dtype), false, a.out[0].shape};
    HloValue im = a.b.op("imag", {a.in[0]}, part);
    *out = {a.b.op(
        "complex",
        {a.b.op("real", {a.in[0]}, part), a.b.elementwise("negate", {im})},
        a.out[0])};
    return true;
  }
  return false;
}

}  // namespace

bool emit_native(const HloArgs& a, HloValues* out) {
  if (emit_special(a, out)) return true;
  const NativeOp* n = find(a.self.name);
  if (!n || a.in.empty() || !(n->kinds & kind_of(a.types[0].dtype)))
    return false;
  bool half = is_half(a.types[0].dtype) && n->half == Half::widen;
  HloValues in;
  for (size_t i = 0; i < a.in.size(); ++i) {
    // pow takes an integer exponent; StableHLO mixes no types.
    HloValue x = a.b.convert(a.in[i], half ? DType::f32 : a.types[0].dtype);
    in.push_back(a.b.broadcast_to(x, a.out[0].shape));
  }
  Aval t = a.out[0];
  if (half && is_half(t.dtype)) t.dtype = DType::f32;
  bool plain = same_layout(a.b.type(in[0]), t) && !std::strchr(n->op, '.');
  HloValue y = plain ? a.b.elementwise(n->op, in) : a.b.op(n->op, in, t);
  *out = {a.b.convert(y, a.out[0].dtype)};
  return true;
}

HloValue emit_native_math(HloBuilder& b, MathFn fn, HloValue x, HloValue y) {
  constexpr auto names = std::to_array<const char*>(
      {"exponential",  nullptr,        "exponential_minus_one",
       "log",          "log_plus_one", "sine",
       "cosine",       "tan",          "chlo.asin",
       "chlo.acos",    "chlo.atan",    "chlo.sinh",
       "chlo.cosh",    "tanh",         "chlo.asinh",
       "chlo.acosh",   "chlo.atanh",   "logistic",
       "chlo.erf",     "chlo.erfc",    "chlo.erf_inv",
       "cbrt",         "rsqrt",        "chlo.lgamma",
       "chlo.digamma", "atan2",        "power"});
  static_assert(names.size() == size_t(MathFn::pow) + 1);
  if (fn == MathFn::exp2) {
    HloValue two = b.constant(b.dtype(x), 2, b.shape(x));
    return b.elementwise("power", {two, x});
  }
  HloValue in[] = {x, y};
  return b.op(names[size_t(fn)], std::span(in, y.id < 0 ? 1 : 2), b.type(x));
}

}  // namespace cotan::pjrt

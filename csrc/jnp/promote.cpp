#include "jnp/promote.h"

#include <algorithm>
#include <array>

#include "base/config.h"
#include "base/error.h"
#include "base/warning.h"
#include "ops/lax.h"

namespace cotan::jnp {

namespace {

// Lattice nodes: the dtypes, then the three weak kinds.
constexpr int kWeakInt = kNumDTypes, kWeakFloat = kNumDTypes + 1,
              kWeakComplex = kNumDTypes + 2, kNodes = kNumDTypes + 3;

struct Lattice {
  std::array<std::array<int8_t, kNodes>, kNodes> join{};

  Lattice() {
    std::array<std::array<bool, kNodes>, kNodes> above{};
    auto edge = [&](int from, int to) {
      above[size_t(from)][size_t(to)] = true;
    };
    auto n = [](DType t) { return int(t); };
    using enum DType;
    edge(n(bool_), kWeakInt);
    edge(kWeakInt, n(u8)), edge(kWeakInt, n(i8));
    edge(n(u8), n(i16)), edge(n(u8), n(u16));
    edge(n(u16), n(i32)), edge(n(u16), n(u32));
    edge(n(u32), n(i64)), edge(n(u32), n(u64));
    edge(n(i8), n(i16)), edge(n(i16), n(i32)), edge(n(i32), n(i64));
    edge(n(u64), kWeakFloat), edge(n(i64), kWeakFloat);
    edge(kWeakFloat, n(bf16)), edge(kWeakFloat, n(f16));
    edge(kWeakFloat, kWeakComplex);
    edge(n(bf16), n(f32)), edge(n(f16), n(f32)), edge(n(f32), n(f64));
    edge(n(f32), n(c64)), edge(n(f64), n(c128)), edge(n(c64), n(c128));
    edge(kWeakComplex, n(c64));
    for (int t = 0; t < kNumDTypes; ++t) {  // only what is weak becomes narrow
      if (is_narrow_int(DType(t))) edge(kWeakInt, t);
      if (is_narrow_float(DType(t))) edge(kWeakFloat, t);
    }
    for (size_t i = 0; i < kNodes; ++i) above[i][i] = true;
    for (size_t k = 0; k < kNodes; ++k)  // transitive closure
      for (size_t i = 0; i < kNodes; ++i)
        for (size_t j = 0; j < kNodes; ++j)
          above[i][j] |= above[i][k] && above[k][j];
    for (size_t i = 0; i < kNodes; ++i)
      for (size_t j = 0; j < kNodes; ++j) {
        int best = -1;
        for (size_t k = 0; k < kNodes; ++k) {
          if (!above[i][k] || !above[j][k]) continue;
          if (best < 0 || above[k][size_t(best)]) best = int(k);
        }
        join[i][j] = int8_t(best);
      }
  }
};

const Lattice& lattice() {
  static const Lattice l;
  return l;
}

int node_of(TypeAndWeak t) {
  if (!t.weak || t.dtype == DType::bool_) return int(t.dtype);
  return is_int(t.dtype)     ? kWeakInt
         : is_float(t.dtype) ? kWeakFloat
                             : kWeakComplex;
}

// Narrow dtypes do not promote: says so.
std::string narrow_reason(TypeAndWeak a, TypeAndWeak b) {
  auto any = [&](bool (*test)(DType)) {
    return (!a.weak && test(a.dtype)) || (!b.weak && test(b.dtype));
  };
  auto is_f8 = [](DType t) { return is_narrow_float(t) && bit_width(t) == 8; };
  const char* what = any(is_f8)             ? "8-bit floats"
                     : any(is_narrow_float) ? "4-bit floats"
                     : any(is_narrow_int)   ? "1-bit, 2-bit and 4-bit integers"
                                            : nullptr;
  if (!what) return "";
  return cat(" To avoid unintended promotion, ", what,
             " do not support implicit promotion. If you'd like your inputs to "
             "be promoted to another type, you can do so explicitly using e.g. "
             "x.astype('",
             any(is_narrow_float) ? "float32" : "int32", "')");
}

std::string described(TypeAndWeak t) {
  if (!t.weak || t.dtype == DType::bool_)
    return cat("'", dtype_name(t.dtype), "'");
  const char* name = is_int(t.dtype)     ? "int"
                     : is_float(t.dtype) ? "float"
                                         : "complex";
  return cat("\"<class '", name, "'>\"");
}

[[noreturn]] void no_path(TypeAndWeak a, TypeAndWeak b, const char* why) {
  if (a.dtype == DType::float0 || b.dtype == DType::float0)
    throw_type(
        "A float0 array was an operand: float0s do not support any operations "
        "by design, because they are not compatible with non-trivial vector "
        "spaces. No implicit dtype conversion is done; np.zeros_like(x, "
        "dtype=float) gives a regular array of zeros. If you didn't expect a "
        "float0 you may have taken a gradient with respect to an integer "
        "argument.");
  std::string reason = *why ? "" : narrow_reason(a, b);
  if (reason.empty())
    reason = " Try explicitly casting inputs to the desired output type.";
  throw_error(ErrorKind::type_promotion,
              cat("Input dtypes (", described(a), ", ", described(b),
                  ") have no available implicit dtype promotion path", why, ".",
                  reason));
}

}  // namespace

DType canonical(DType t) {
  if (config().x64) return t;
  switch (t) {
    case DType::i64:
      return DType::i32;
    case DType::u64:
      return DType::u32;
    case DType::f64:
      return DType::f32;
    case DType::c128:
      return DType::c64;
    default:
      return t;
  }
}

TypeAndWeak join(TypeAndWeak a, TypeAndWeak b) {
  if (a == b) return a;
  int i = node_of(a), j = node_of(b);
  int k = lattice().join[size_t(i)][size_t(j)];
  if (k < 0) no_path(a, b, "");
  if (config().promotion == Promotion::strict && k != i && k != j)
    no_path(a, b, " when cotan_numpy_dtype_promotion is 'strict'");
  if (config().promotion == Promotion::strict) {
    bool widened = (k != i && i < kNumDTypes) || (k != j && j < kNumDTypes);
    if (widened) no_path(a, b, " when cotan_numpy_dtype_promotion is 'strict'");
  }
  if (k < kNumDTypes) return {canonical(DType(k)), false};
  // A weak result: keep the wider of two weak dtypes of one kind.
  if (a.weak && node_of(a) == k && (!b.weak || node_of(b) != k)) return a;
  if (b.weak && node_of(b) == k && (!a.weak || node_of(a) != k)) return b;
  if (node_of(a) == k && node_of(b) == k)
    return itemsize(a.dtype) >= itemsize(b.dtype) ? a : b;
  DType t = k == kWeakInt     ? default_int()
            : k == kWeakFloat ? default_float()
                              : default_complex();
  return {t, true};
}

DType join_dtypes(TypeAndWeak a, TypeAndWeak b) {
  int i = node_of(a), j = node_of(b), k = lattice().join[size_t(i)][size_t(j)];
  if (k < 0) no_path(a, b, "");
  auto wide = [](TypeAndWeak t) {
    return !t.weak && canonical(t.dtype) != t.dtype;
  };
  if (k < kNumDTypes)
    return wide(a) || wide(b) ? DType(k) : canonical(DType(k));
  return k == kWeakInt     ? DType::i64
         : k == kWeakFloat ? DType::f64
                           : DType::c128;
}

TypeAndWeak result_type(std::span<const Value> values) {
  TypeAndWeak t = type_of(values[0]);
  for (const Value& v : values.subspan(1)) t = join(t, type_of(v));
  return t;
}

TypeAndWeak to_inexact(TypeAndWeak t) {
  if (is_inexact(t.dtype)) return t;
  // Narrower integers stay in single precision, with x64 too.
  bool wide = t.dtype == DType::i64 || t.dtype == DType::u64;
  return {canonical(wide ? DType::f64 : DType::f32), t.weak};
}

TypeAndWeak to_numeric(TypeAndWeak t) {
  if (t.dtype == DType::bool_) t.dtype = DType::i32;
  return t;
}

std::optional<Shape> common_shape(std::span<const Shape> shapes) {
  size_t rank = 0;
  for (const Shape& s : shapes) rank = std::max(rank, s.size());
  Shape out(rank, 1);
  for (const Shape& s : shapes) {
    size_t skip = rank - s.size();
    for (size_t d = 0; d < s.size(); ++d) {
      int64_t& n = out[skip + d];
      if (n == 1) {
        n = s[d];
      } else if (s[d] != 1 && s[d] != n) {
        return std::nullopt;
      }
    }
  }
  return out;
}

std::string shapes_string(std::span<const Shape> shapes) {
  std::string all;
  for (const Shape& s : shapes) {
    if (!all.empty()) all += ", ";
    all += shape_string(s);
  }
  return all;
}

Shape broadcast_shapes(std::span<const Shape> shapes) {
  std::optional<Shape> s = common_shape(shapes);
  if (!s)
    throw_value("Incompatible shapes for broadcasting: shapes=[",
                shapes_string(shapes), "]");
  return *std::move(s);
}

Shape broadcast_operands(std::string_view op, std::span<const Shape> shapes) {
  std::optional<Shape> s = common_shape(shapes);
  if (!s)
    throw_type(op, " got incompatible shapes for broadcasting: ",
               shapes_string(shapes), ".");
  return *std::move(s);
}

Value broadcast_to(const Value& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  int64_t skip = int64_t(shape.size()) - x.rank();
  bool fits = skip >= 0;
  for (int64_t d = 0; fits && d < x.rank(); ++d) {
    int64_t n = x.shape()[size_t(d)];
    fits = n == 1 || n == shape[size_t(d + skip)];
  }
  if (skip < 0)
    throw_value("Cannot broadcast to shape with fewer dimensions: arr_shape=",
                shape_string(x.shape()), " shape=", shape_string(shape));
  if (!fits)
    throw_value(
        "Incompatible shapes for broadcasting: ", shape_string(x.shape()),
        " and requested shape ", shape_string(shape));
  Axes dims;
  for (int64_t d = 0; d < x.rank(); ++d) dims.push_back(d + skip);
  return broadcast_in_dim(x, shape, std::move(dims));
}

namespace {

void check_rank_promotion(const char* op, std::span<const Value> x) {
  if (config().rank_promotion == RankPromotion::allow) return;
  int64_t rank = 0;
  bool differ = false;
  for (const Value& v : x) {
    if (v.rank() == 0) continue;
    differ |= rank != 0 && rank != v.rank();
    rank = v.rank();
  }
  if (!differ) return;
  std::string shapes;
  for (const Value& v : x) {
    if (!shapes.empty()) shapes += " ";
    shapes += shape_string(v.shape());
  }
  if (config().rank_promotion == RankPromotion::warn)
    return warn(cat("Following NumPy automatic rank promotion for ", op,
                    " on shapes ", shapes,
                    ". Set the cotan_numpy_rank_promotion config option to "
                    "'allow' to disable this warning."));
  throw_value("Operands could not be broadcast together for ", op,
              " on shapes ", shapes,
              " and with the config option "
              "cotan_numpy_rank_promotion='raise'. For more information, see "
              "the documentation of rank promotion.");
}

Values promote_to(const char* op, std::span<const Value> x, TypeAndWeak t) {
  check_rank_promotion(op, x);
  Values out;
  std::vector<Shape> shapes;
  bool same = true;
  const Shape* first = nullptr;
  for (const Value& v : x) {
    out.push_back(lax::convert(v, t.dtype, t.weak));
    if (v.rank() == 0) continue;
    if (!first) first = &v.shape();
    same &= v.shape() == *first;
  }
  if (same) return out;
  for (const Value& v : x) shapes.push_back(v.shape());
  Shape shape = broadcast_operands(op, shapes);
  for (Value& v : out)
    if (v.rank() != 0) v = broadcast_to(v, shape);
  return out;
}

// Keys do not mix with numbers.
void refuse_keys(const char* op, std::span<const Value> x) {
  auto is_key = [](const Value& v) { return ::cotan::is_key(v.dtype()); };
  if (std::none_of(x.begin(), x.end(), is_key) ||
      std::all_of(x.begin(), x.end(), is_key))
    return;
  std::vector<std::string_view> names;
  for (const Value& v : x) names.push_back(dtype_name(v.dtype()));
  std::string list;
  append_joined(list, names, ", ");
  throw_type(op, " does not accept dtypes ", list, ".");
}

}  // namespace

Values promote(const char* op, std::span<const Value> x) {
  refuse_keys(op, x);
  return promote_to(op, x, result_type(x));
}
Values promote_inexact(const char* op, std::span<const Value> x) {
  refuse_keys(op, x);
  return promote_to(op, x, to_inexact(result_type(x)));
}
Values promote_numeric(const char* op, std::span<const Value> x) {
  refuse_keys(op, x);
  return promote_to(op, x, to_numeric(result_type(x)));
}

}  // namespace cotan::jnp

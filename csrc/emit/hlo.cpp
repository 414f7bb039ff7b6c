#include "emit/hlo.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"

namespace cotan {

// ---- types and constants as text

namespace {

std::string_view element_type(DType t) {
  constexpr std::string_view names[kNumDTypes] = {"i1",
                                                  "i2",
                                                  "i4",
                                                  "i8",
                                                  "i16",
                                                  "i32",
                                                  "i64",
                                                  "ui2",
                                                  "ui4",
                                                  "ui8",
                                                  "ui16",
                                                  "ui32",
                                                  "ui64",
                                                  "f4E2M1FN",
                                                  "f8E3M4",
                                                  "f8E4M3",
                                                  "f8E4M3B11FNUZ",
                                                  "f8E4M3FN",
                                                  "f8E4M3FNUZ",
                                                  "f8E5M2",
                                                  "f8E5M2FNUZ",
                                                  "f8E8M0FNU",
                                                  "f16",
                                                  "bf16",
                                                  "f32",
                                                  "f64",
                                                  "complex<f32>",
                                                  "complex<f64>",
                                                  "ui64",
                                                  "i1",
                                                  "complex<f64>",
                                                  "ui32",
                                                  "ui64",
                                                  "complex<f64>",
                                                  "complex<f64>"};
  return names[int(t)];
}

void append_number(std::string& out, int64_t v) {
  char buffer[24];
  out.append(buffer, size_t(std::snprintf(buffer, sizeof buffer, "%lld",
                                          static_cast<long long>(v))));
}

// As MLIR writes it: seven digits where they are exact in this dtype, else the
// bits.
void append_float(std::string& out, const Literal& lit) {
  double v = lit.to_double();
  char buffer[48];
  if (std::isfinite(v)) {
    std::snprintf(buffer, sizeof buffer, "%.6e", v);
    double read = std::strtod(buffer, nullptr);
    Literal back = Literal::from_double(lit.dtype, read);
    if (std::memcmp(back.bytes, lit.bytes, size_t(itemsize(lit.dtype))) == 0) {
      out += buffer;
      return;
    }
  }
  int64_t size = itemsize(lit.dtype);
  uint64_t bits = 0;
  std::memcpy(&bits, lit.bytes, size_t(size));
  std::snprintf(buffer, sizeof buffer, "0x%0*llX", int(2 * size),
                static_cast<unsigned long long>(bits));
  out += buffer;
}

void append_element(std::string& out, const Literal& lit) {
  DType t = lit.dtype;
  if (t == DType::bool_ || t == DType::float0) {
    out += lit.bytes[0] ? "true" : "false";
  } else if (t == DType::u64 || (is_key(t) && itemsize(t) == 8)) {
    uint64_t v;
    std::memcpy(&v, lit.bytes, 8);
    out += std::to_string(v);
  } else if (is_int(t)) {
    append_number(out, lit.to_int());
  } else if (is_float(t)) {
    append_float(out, lit);
  } else {  // complex: one element's bytes are a splat
    out += "\"0x";
    char two[4];
    for (int64_t i = 0; i < itemsize(t); ++i) {
      std::snprintf(two, sizeof two, "%02X", lit.bytes[i]);
      out += two;
    }
    out += '"';
  }
}

}  // namespace

void append_hlo_type(std::string& out, const Aval& a) {
  out += "tensor<";
  for (int64_t d : a.shape) {
    COTAN_CHECK(d >= 0);  // a dynamic dimension would kill some plugins
    append_number(out, d);
    out += 'x';
  }
  out += element_type(a.dtype);
  out += '>';
}

std::string hlo_type(const Aval& a) {
  std::string out;
  append_hlo_type(out, a);
  return out;
}

std::string hlo_splat(const Literal& lit, const Shape& shape) {
  std::string out = "dense<";
  if (num_elements(shape) != 0) append_element(out, lit);
  out += "> : ";
  append_hlo_type(out, {lit.dtype, false, shape});
  return out;
}

// ---- values

HloValue HloBuilder::new_value(Aval a, int32_t number, int32_t index) {
  a.weak_type = false;
  values_.push_back({std::move(a), number, index});
  return {int32_t(values_.size()) - 1};
}
HloValue HloBuilder::new_argument(Aval a) {
  return new_value(std::move(a), next_argument_++, -2);
}

void HloBuilder::append_name(HloValue v) {
  COTAN_CHECK(v.id >= 0);
  const Info& i = values_[size_t(v.id)];
  out_ += i.index == -2 ? "%arg" : "%";
  append_number(out_, i.number);
  if (i.index >= 0) {
    out_ += '#';
    append_number(out_, i.index);
  }
}
void HloBuilder::append_operands(std::span<const HloValue> in) {
  for (size_t i = 0; i < in.size(); ++i) {
    if (i) out_ += ", ";
    append_name(in[i]);
  }
}
void HloBuilder::append_types(std::span<const HloValue> in) {
  for (size_t i = 0; i < in.size(); ++i) {
    if (i) out_ += ", ";
    append_hlo_type(out_, type(in[i]));
  }
}

HloValue HloBuilder::constant(const Literal& lit, const Shape& shape) {
  std::string text = hlo_splat(lit, shape);
  if (auto it = constants_.find(text); it != constants_.end())
    return it->second;
  HloValue v = new_value({lit.dtype, false, shape}, new_number());
  indent();
  append_name(v);
  out_ += " = stablehlo.constant ";
  out_ += text;
  out_ += '\n';
  if (!marks_.empty()) scoped_.push_back(text);
  constants_.emplace(std::move(text), v);
  return v;
}

HloValue HloBuilder::constants(DType t, std::span<const int64_t> v) {
  HloValue r = new_value({t, false, {int64_t(v.size())}}, new_number());
  indent();
  append_name(r);
  out_ += " = stablehlo.constant dense<";
  if (!v.empty()) {
    out_ += '[';
    append_joined(out_, v, ", ");
    out_ += ']';
  }
  out_ += "> : ";
  append_hlo_type(out_, type(r));
  out_ += '\n';
  return r;
}

// ---- operations

namespace {
void append_op_name(std::string& out, std::string_view name) {
  if (name.find('.') == name.npos) out += "stablehlo.";
  out += name;
}
}  // namespace

HloValues HloBuilder::ops(std::string_view name, std::span<const HloValue> in,
                          std::span<const Aval> out, std::string_view attrs) {
  HloRegionOp r = begin(name, in, attrs, out.size());
  return end(r, out);
}

HloValue HloBuilder::op(std::string_view name, std::span<const HloValue> in,
                        Aval out, std::string_view attrs) {
  return ops(name, in, std::span(&out, 1), attrs)[0];
}

HloValue HloBuilder::elementwise(std::string_view name,
                                 std::span<const HloValue> in) {
  HloValue v = new_value(type(in[0]), new_number());
  indent();
  append_name(v);
  out_ += " = ";
  append_op_name(out_, name);
  out_ += ' ';
  append_operands(in);
  out_ += " : ";
  append_hlo_type(out_, type(v));
  out_ += '\n';
  return v;
}

HloRegionOp HloBuilder::begin(std::string_view name,
                              std::span<const HloValue> in,
                              std::string_view attrs, size_t results) {
  HloRegionOp r{new_number(), HloValues(in.begin(), in.end())};
  indent();
  if (results > 0) {
    out_ += '%';
    append_number(out_, r.base);
    if (results > 1) {
      out_ += ':';
      append_number(out_, int64_t(results));
    }
    out_ += " = ";
  }
  out_ += '"';
  append_op_name(out_, name);
  out_ += "\"(";
  append_operands(in);
  out_ += ')';
  if (!attrs.empty()) {
    out_ += " <{";
    out_ += attrs;
    out_ += "}>";
  }
  return r;
}

HloValues HloBuilder::region(HloRegionOp& r, std::span<const Aval> args) {
  out_ += r.first ? " ({\n" : ", {\n";
  r.first = false;
  marks_.push_back(scoped_.size());
  HloValues values;
  if (!args.empty()) {
    indent();
    out_ += "^bb0(";
    for (size_t i = 0; i < args.size(); ++i) {
      if (i) out_ += ", ";
      values.push_back(new_argument(args[i]));
      append_name(values.back());
      out_ += ": ";
      append_hlo_type(out_, args[i]);
    }
    out_ += "):\n";
  }
  ++depth_;
  return values;
}

void HloBuilder::yield(std::span<const HloValue> results) {
  indent();
  out_ += "\"stablehlo.return\"(";
  append_operands(results);
  out_ += ") : (";
  append_types(results);
  out_ += ") -> ()\n";
  --depth_;
  for (size_t i = marks_.back(); i < scoped_.size(); ++i)
    constants_.erase(scoped_[i]);
  scoped_.resize(marks_.back());
  marks_.pop_back();
  indent();
  out_ += '}';
}

HloValues HloBuilder::end(const HloRegionOp& r, std::span<const Aval> out) {
  if (!r.first) out_ += ')';
  out_ += " : (";
  append_types(r.in);
  out_ += ") -> ";
  if (out.size() != 1) out_ += '(';
  HloValues values;
  for (size_t i = 0; i < out.size(); ++i) {
    if (i) out_ += ", ";
    append_hlo_type(out_, out[i]);
    values.push_back(
        new_value(out[i], r.base, out.size() > 1 ? int32_t(i) : -1));
  }
  if (out.size() != 1) out_ += ')';
  out_ += '\n';
  return values;
}

HloValues HloBuilder::composite(std::string_view name,
                                std::span<const HloValue> in,
                                std::span<const Aval> out,
                                std::string_view attrs) {
  HloRegionOp r{new_number(), HloValues(in.begin(), in.end())};
  indent();
  begin_results(r.base, out.size());
  out_ += cat("stablehlo.composite \"", name, "\" ");
  append_operands(in);
  if (!in.empty()) out_ += ' ';
  out_ += attrs;
  return end(r, out);
}

void HloBuilder::begin_results(int32_t base, size_t n) {
  if (n > 0) out_ += cat("%", base);
  if (n > 1) out_ += cat(":", n);
  if (n > 0) out_ += " = ";
}

// ---- helpers

HloValue HloBuilder::half_key(HloValue x, int i, Aval as) {
  HloValue part = op(i ? "imag" : "real", {x}, {DType::f64, false, shape(x)});
  return op("bitcast_convert", {part}, std::move(as));
}

HloValue HloBuilder::compare(CompareOp o, HloValue x, HloValue y) {
  if (is_key(dtype(x)) && itemsize(dtype(x)) == 16) {
    Aval bits{DType::u64, false, shape(x)};
    HloValue low = compare(o, half_key(x, 0, bits), half_key(y, 0, bits)),
             high = compare(o, half_key(x, 1, bits), half_key(y, 1, bits));
    return elementwise(o == CompareOp::eq ? "and" : "or", {low, high});
  }
  constexpr std::string_view names[] = {"EQ", "NE", "LT", "LE", "GT", "GE"};
  DType t = dtype(x);
  std::string_view kind = is_inexact(t)      ? "FLOAT"
                          : is_signed_int(t) ? "SIGNED"
                                             : "UNSIGNED";
  return op("compare", {x, y}, {DType::bool_, false, shape(x)},
            cat("compare_type = #stablehlo<comparison_type ", kind,
                ">, comparison_direction = #stablehlo<comparison_direction ",
                names[int(o)], ">"));
}

HloValue HloBuilder::broadcast(HloValue x, const Shape& to, const Axes& dims) {
  std::string attrs = "broadcast_dimensions = array<i64";
  for (size_t i = 0; i < dims.size(); ++i)
    attrs += cat(i ? ", " : ": ", dims[i]);
  return op("broadcast_in_dim", {x}, {dtype(x), false, to}, attrs + ">");
}
HloValue HloBuilder::broadcast_to(HloValue x, const Shape& to) {
  return shape(x) == to ? x : broadcast(x, to, {});
}
HloValue HloBuilder::reshape(HloValue x, const Shape& to) {
  return shape(x) == to ? x : op("reshape", {x}, {dtype(x), false, to});
}
HloValue HloBuilder::transpose(HloValue x, const Axes& permutation) {
  Aval out{dtype(x), false, {}};
  std::string attrs = "permutation = array<i64";
  for (size_t i = 0; i < permutation.size(); ++i) {
    attrs += cat(i ? ", " : ": ", permutation[i]);
    out.shape.push_back(shape(x)[size_t(permutation[i])]);
  }
  return op("transpose", {x}, std::move(out), attrs + ">");
}
HloValue HloBuilder::convert(HloValue x, DType to) {
  if (dtype(x) == to) return x;
  Shape s = shape(x);
  return op("convert", {x}, {to, false, std::move(s)});
}
HloValue HloBuilder::iota(DType t, const Shape& to, int64_t dimension) {
  return op("iota", {}, {t, false, to},
            cat("iota_dimension = ", dimension, " : i64"));
}

HloValue HloBuilder::combine(Monoid m, HloValue x, HloValue y) {
  switch (m) {
    case Monoid::sum:
      return elementwise("add", {x, y});
    case Monoid::prod:
      return elementwise("multiply", {x, y});
    case Monoid::and_:
      return elementwise("and", {x, y});
    case Monoid::or_:
      return elementwise("or", {x, y});
    case Monoid::xor_:
      return elementwise("xor", {x, y});
    default:
      break;
  }
  COTAN_CHECK(m == Monoid::max || m == Monoid::min);
  bool is_max = m == Monoid::max;
  if (!is_complex(dtype(x)))
    return elementwise(is_max ? "maximum" : "minimum", {x, y});
  // Lexicographic; a nan wins.
  DType part = real_dtype(dtype(x));
  Aval real{part, false, shape(x)};
  auto re = [&](HloValue v) { return op("real", {v}, real); };
  auto im = [&](HloValue v) { return op("imag", {v}, real); };
  CompareOp o = is_max ? CompareOp::gt : CompareOp::lt;
  HloValue a = re(x), c = re(y);
  HloValue tie = elementwise(
      "and", {compare(CompareOp::eq, a, c), compare(o, im(x), im(y))});
  HloValue take = elementwise("or", {compare(o, a, c), tie});
  take = elementwise("or", {take, compare(CompareOp::ne, x, x)});
  return select(take, x, y);
}

HloValue HloBuilder::reduce(HloValue x, HloValue init, const Axes& axes,
                            Monoid m) {
  std::string attrs = "dimensions = array<i64";
  for (size_t i = 0; i < axes.size(); ++i)
    attrs += cat(i ? ", " : ": ", axes[i]);
  HloValue in[] = {x, init};
  HloRegionOp r = begin("reduce", in, attrs + ">", 1);
  Aval scalar{dtype(x), false, {}}, args[] = {scalar, scalar};
  HloValues a = region(r, args);
  HloValue y = combine(m, a[0], a[1]);
  yield({&y, 1});
  Aval out = scalar;
  size_t next = 0;
  for (int64_t d = 0; d < type(x).rank(); ++d) {
    if (next < axes.size() && axes[next] == d)
      ++next;
    else
      out.shape.push_back(shape(x)[size_t(d)]);
  }
  return end(r, {&out, 1})[0];
}

}  // namespace cotan

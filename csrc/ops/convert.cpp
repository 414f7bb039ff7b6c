// Changes of dtype: by value and by bits.
#include <cstring>

#include "emit/host_evaluator.h"
#include "ops/hlo_rules.h"
#include "ops/rules.h"

namespace cotan {

using namespace ops;

extern const Primitive convert_element_type_p, bitcast_convert_type_p;

namespace {

void refuse_key(const char* op, const Aval& from, DType to) {
  if (is_key(from.dtype) || is_key(to))
    throw_type(op, ": cannot convert between ", dtype_name(from.dtype), " and ",
               dtype_name(to), "; use random.key_data.");
}

Avals convert_type(const TypeArgs& a) {
  const auto& p = a.params.as<ConvertParams>();
  if (a.in[0].dtype != p.to) refuse_key("convert_element_type", a.in[0], p.to);
  return {Aval{p.to, p.weak_type, a.in[0].shape}};
}

Dual convert_jvp(const JvpArgs& a) {
  Value y = bind1(a.self, a.x, a.params);
  Value t = is_inexact(y.dtype()) ? bind1(a.self, {a.t[0]}, a.params) : nullptr;
  return {{y}, {t}};
}
Values convert_transpose(const TransposeArgs& a) {
  return one(lax::convert(a.ct[0], a.avals[0].dtype, a.avals[0].weak_type));
}

// Same width: elementwise. Else the last axis is split or joined.
Avals bitcast_type(const TypeArgs& a) {
  DType to = a.params.as<BitcastParams>().to;
  Aval out{to, false, a.in[0].shape};
  // Narrow values are packed: two of 4 bits make a byte.
  int64_t from_size = bit_width(a.in[0].dtype), to_size = bit_width(to);
  bool odd = is_complex(a.in[0].dtype) != is_complex(to) ||
             (a.in[0].dtype == DType::bool_) != (to == DType::bool_);
  if (odd && a.in[0].dtype != to)
    throw_type("lax.bitcast_convert_type does not support conversion from ",
               dtype_name(a.in[0].dtype), " to ", dtype_name(to), ".");
  if (from_size > to_size) {
    out.shape.push_back(from_size / to_size);
  } else if (from_size < to_size) {
    int64_t k = to_size / from_size;
    if (out.rank() == 0 || out.shape.back() != k)
      throw_value("lax.bitcast_convert_type from ", dtype_name(a.in[0].dtype),
                  " to ", dtype_name(to), " needs a last axis of ", k,
                  ", got shape ", shape_string(out.shape));
    out.shape.pop_back();
  }
  return {out};
}

// Values of less than a byte, the first one in the lowest bits.
Values bitcast_packed(const Params& params, std::span<const Value> in) {
  DType from = in[0].dtype(), to = params.as<BitcastParams>().to;
  int from_bits = bit_width(from), to_bits = bit_width(to);
  int bits = std::min(from_bits, to_bits);
  int64_t k = std::max(from_bits, to_bits) / bits;
  DType part = bits == 2 ? DType::u2 : bits == 4 ? DType::u4 : DType::u8;
  DType word = unsigned_of_size(std::max(from_bits, to_bits) / 8);
  auto shifts = [&](const Shape& shape) {
    Value i = lax::iota(word, shape, int64_t(shape.size()) - 1);
    return lax::mul(i, lax::constant_like(i, bits));
  };
  if (from_bits > to_bits) {
    Shape shape = in[0].shape();
    Axes dims;
    for (int64_t d = 0; d < in[0].rank(); ++d) dims.push_back(d);
    shape.push_back(k);
    Value x = broadcast_in_dim(lax::bitcast_convert(in[0], word), shape, dims);
    x = lax::shift_right_logical(x, shifts(shape));
    return {lax::bitcast_convert(lax::convert(x, part), to)};
  }
  Value x = lax::convert(lax::bitcast_convert(in[0], part), word);
  x = lax::shift_left(x, shifts(x.shape()));
  x = lax::reduce(x, Monoid::or_, {x.rank() - 1});
  return {lax::bitcast_convert(x, to)};
}

Batched bitcast_batch(const BatchArgs& a) {
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  return batched_at(bind1(a.self, {x}, a.params), 0);
}

}  // namespace

constinit const Primitive convert_element_type_p = {
    .name = "convert_element_type",
    .flags = kLinear | kSeesHalf,
    .params = params_of<ConvertParams>,
    .type = convert_type,
    .eval = scalar_eval,
    .jvp = convert_jvp,
    .transpose = convert_transpose,
    .batch = elementwise_batch,
    .scalar = [](ScalarEmitter& e, Scalars x, const Params& p) -> ScalarOuts {
      return e.convert(x[0], p.as<ConvertParams>().to);
    },
    .fold = [](const Params& p, std::span<const Value> x) -> Value {
      return x[0].dtype() == p.as<ConvertParams>().to ? x[0] : nullptr;
    },
};
COTAN_REGISTER(convert_element_type_p);
Value lax::convert(const Value& x, DType to, bool weak) {
  if (x.dtype() == to && x.weak_type() == weak) return x;
  if (x->kind == ValueKind::scalar && !is_key(x.dtype()) && !is_key(to)) {
    // A constant is converted at once, also while tracing.
    HostEvaluator& e = HostEvaluator::instance();
    Literal lit{to, weak, {}};
    e.store(e.convert(e.load(x.dtype(), x->host_data()), to), lit.bytes);
    return scalar_value(lit);
  }
  return bind1(convert_element_type_p, {x}, ConvertParams{to, weak});
}

constinit const Primitive bitcast_convert_type_p = {
    .name = "bitcast_convert_type",
    .flags = kNotDifferentiable,
    .params = params_of<BitcastParams>,
    .type = bitcast_type,
    .eval =
        [](const EvalArgs& a) {
          int64_t n = num_elements(a.out[0].shape);
          std::memcpy(a.out[0].data, a.in[0].data,
                      size_t(n * itemsize(a.out[0].dtype)));
        },
    .batch = bitcast_batch,
    .view = [](const ViewArgs&) -> View {
      return {.dims = {}, .reshape = true, .guarded = false};
    },
    .hlo = hlo::bitcast,
    .expand = bitcast_packed,
};
COTAN_REGISTER(bitcast_convert_type_p);
Value lax::bitcast_convert(const Value& x, DType to) {
  if (x.dtype() == to) return x;
  return bind1(bitcast_convert_type_p, {x}, BitcastParams{to});
}

}  // namespace cotan

// dot_general: batched contraction of any axes. Result axes are the batch
// axes, the free axes of lhs, then those of rhs.
#include <algorithm>
#include <cctype>
#include <numeric>

#include "base/config.h"
#include "ops/hlo_rules.h"
#include "ops/rules.h"

namespace cotan {

using namespace ops;

extern const Primitive dot_general_p;

namespace {

bool contains(std::span<const int64_t> v, int64_t x) {
  return std::find(v.begin(), v.end(), x) != v.end();
}

Axes free_axes(int64_t rank, const Axes& contract, const Axes& batch) {
  Axes r;
  for (int64_t d = 0; d < rank; ++d)
    if (!contains(contract, d) && !contains(batch, d)) r.push_back(d);
  return r;
}

Dims sizes(const Shape& shape, const Axes& axes) {
  Dims r;
  for (int64_t d : axes) r.push_back(shape[size_t(d)]);
  return r;
}

Avals dot_type(const TypeArgs& a) {
  const auto& p = a.params.as<DotParams>();
  const Aval &x = a.in[0], &y = a.in[1];
  for (const Axes* axes : {&p.lhs_contract, &p.lhs_batch})
    check_axes("dot_general", *axes, x.rank(), x);
  for (const Axes* axes : {&p.rhs_contract, &p.rhs_batch})
    check_axes("dot_general", *axes, y.rank(), y);
  if (sizes(x.shape, p.lhs_contract) != sizes(y.shape, p.rhs_contract))
    throw_type(
        "dot_general requires contracting dimensions to have the same "
        "shape, got ",
        shape_string(sizes(x.shape, p.lhs_contract)), " and ",
        shape_string(sizes(y.shape, p.rhs_contract)), ".");
  if (sizes(x.shape, p.lhs_batch) != sizes(y.shape, p.rhs_batch))
    throw_type(
        "dot_general requires lhs batch dimensions and rhs batch "
        "dimensions to have the same shape, got ",
        shape_string(sizes(x.shape, p.lhs_batch)), " and ",
        shape_string(sizes(y.shape, p.rhs_batch)), ".");
  if (x.dtype != y.dtype)
    throw_type(
        "lax.dot_general requires arguments to have the same dtypes, "
        "got ",
        dtype_name(x.dtype), ", ", dtype_name(y.dtype), ".");
  if (!ordered(x.dtype))
    throw_type("dot_general does not accept dtype ", dtype_name(x.dtype), ".");
  Aval out{p.preferred.value_or(x.dtype), x.weak_type && y.weak_type, {}};
  out.shape = sizes(x.shape, p.lhs_batch);
  for (int64_t d : free_axes(x.rank(), p.lhs_contract, p.lhs_batch))
    out.shape.push_back(x.shape[size_t(d)]);
  for (int64_t d : free_axes(y.rank(), p.rhs_contract, p.rhs_batch))
    out.shape.push_back(y.shape[size_t(d)]);
  return {out};
}

Dual dot_jvp(const JvpArgs& a) {
  Value out = bind1(a.self, a.x, a.params);
  Value t0 = a.t[0] ? bind1(a.self, {a.t[0], a.x[1]}, a.params) : nullptr;
  Value t1 = a.t[1] ? bind1(a.self, {a.x[0], a.t[1]}, a.params) : nullptr;
  return {{out}, {sum_tangents(t0, t1, out)}};
}

// Cotangent of one side: contract ct with the other side over its free axes.
// `mine`/`other` describe the operand asked for and the one that is known.
Value dot_transpose_side(const Value& ct, const Value& known,
                         const Aval& operand, const Axes& my_contract,
                         const Axes& my_batch, const Axes& other_contract,
                         const Axes& other_batch, bool operand_is_lhs,
                         const DotParams& p) {
  Axes my_free = free_axes(operand.rank(), my_contract, my_batch);
  Axes other_free = free_axes(known.rank(), other_contract, other_batch);
  int64_t nb = int64_t(my_batch.size());
  int64_t first_other = operand_is_lhs ? nb + int64_t(my_free.size()) : nb;
  DotParams q;
  q.precision = p.precision;
  q.preferred = operand.dtype;
  for (int64_t i = 0; i < nb; ++i) q.lhs_batch.push_back(i);
  q.rhs_batch = other_batch;
  for (size_t i = 0; i < other_free.size(); ++i)
    q.lhs_contract.push_back(first_other + int64_t(i));
  q.rhs_contract = other_free;
  // ct may have another dtype (preferred): meet the known operand's.
  Value g = lax::dot_general(lax::convert(ct, known.dtype(), ct.weak_type()),
                             known, q);
  // Result axes: batch, my free axes, then the other's contracted axes in
  // ascending order of the other; put each where it came from.
  Axes from(my_batch);
  from.append(my_free.begin(), my_free.end());
  Axes order(other_contract.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
    return other_contract[size_t(i)] < other_contract[size_t(j)];
  });
  for (int64_t i : order) from.push_back(my_contract[size_t(i)]);
  Axes perm(from.size());
  for (size_t i = 0; i < from.size(); ++i) perm[size_t(from[i])] = int64_t(i);
  return lax::transpose(g, perm);
}

Values dot_transpose(const TransposeArgs& a) {
  const auto& p = a.params.as<DotParams>();
  if (a.x[0])
    return {nullptr, dot_transpose_side(a.ct[0], a.x[0], a.avals[1],
                                        p.rhs_contract, p.rhs_batch,
                                        p.lhs_contract, p.lhs_batch, false, p)};
  require_known(a, 1);
  return {dot_transpose_side(a.ct[0], a.x[1], a.avals[0], p.lhs_contract,
                             p.lhs_batch, p.rhs_contract, p.rhs_batch, true, p),
          nullptr};
}

Axes around(const Axes& axes, int64_t dim) {
  Axes r;
  for (int64_t a : axes) r.push_back(a < dim ? a : a + 1);
  return r;
}

Batched dot_batch(const BatchArgs& a) {
  DotParams p = a.params.as<DotParams>();
  int64_t l = a.dims[0], r = a.dims[1];
  if (l != kNotBatched && r != kNotBatched) {
    p.lhs_contract = around(p.lhs_contract, l);
    p.lhs_batch = around(p.lhs_batch, l);
    p.rhs_contract = around(p.rhs_contract, r);
    p.rhs_batch = around(p.rhs_batch, r);
    p.lhs_batch.insert(p.lhs_batch.begin(), l);
    p.rhs_batch.insert(p.rhs_batch.begin(), r);
    return batched_at(bind1(a.self, a.x, p), 0);
  }
  int64_t nb = int64_t(p.lhs_batch.size());
  if (l != kNotBatched) {
    p.lhs_contract = around(p.lhs_contract, l);
    p.lhs_batch = around(p.lhs_batch, l);
    Axes free = free_axes(a.x[0].rank(), p.lhs_contract, p.lhs_batch);
    int64_t at = std::find(free.begin(), free.end(), l) - free.begin();
    return batched_at(bind1(a.self, a.x, p), nb + at);
  }
  int64_t lhs_free =
      a.x[0].rank() - int64_t(p.lhs_contract.size() + p.lhs_batch.size());
  p.rhs_contract = around(p.rhs_contract, r);
  p.rhs_batch = around(p.rhs_batch, r);
  Axes free = free_axes(a.x[1].rank(), p.rhs_contract, p.rhs_batch);
  int64_t at = std::find(free.begin(), free.end(), r) - free.begin();
  return batched_at(bind1(a.self, a.x, p), nb + lhs_free + at);
}

// Plain loops in the accumulation type (f32 for halves, the result's type
// for the rest).
template <class T>
void dot_loops(const EvalArgs& a, const DotParams& p) {
  auto load = [](const HostView& v, int64_t i) {
    if constexpr (std::is_same_v<T, std::complex<double>>) {
      std::complex<double> r;
      visit_dtype(v.dtype, [&]<class S>() {
        const S& s = v.as<S>()[i];
        if constexpr (std::is_same_v<S, f16_t> || std::is_same_v<S, bf16_t>)
          r = double(to_float(s));
        else
          r = std::complex<double>(s);
      });
      return r;
    } else {
      T r{};
      visit_dtype(v.dtype, [&]<class S>() {
        const S& s = v.as<S>()[i];
        if constexpr (std::is_same_v<S, f16_t> || std::is_same_v<S, bf16_t>)
          r = T(to_float(s));
        else if constexpr (std::is_arithmetic_v<S>)
          r = T(s);
      });
      return r;
    }
  };
  Shape xs(a.in[0].shape), ys(a.in[1].shape);
  Dims xst = row_major_strides(xs), yst = row_major_strides(ys);
  Axes xf = free_axes(int64_t(xs.size()), p.lhs_contract, p.lhs_batch);
  Axes yf = free_axes(int64_t(ys.size()), p.rhs_contract, p.rhs_batch);
  // offset of the k-th multi-index over `axes`
  auto offset = [](int64_t k, const Axes& axes, const Shape& s,
                   const Dims& st) {
    int64_t off = 0;
    for (size_t i = axes.size(); i-- > 0;) {
      int64_t n = s[size_t(axes[i])];
      off += k % n * st[size_t(axes[i])];
      k /= n;
    }
    return off;
  };
  auto count = [](const Axes& axes, const Shape& s) {
    int64_t n = 1;
    for (int64_t d : axes) n *= s[size_t(d)];
    return n;
  };
  int64_t nb = count(p.lhs_batch, xs), m = count(xf, xs), n = count(yf, ys),
          k = count(p.lhs_contract, xs), o = 0;
  for (int64_t b = 0; b < nb; ++b)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j, ++o) {
        int64_t x0 = offset(b, p.lhs_batch, xs, xst) + offset(i, xf, xs, xst);
        int64_t y0 = offset(b, p.rhs_batch, ys, yst) + offset(j, yf, ys, yst);
        T acc{};
        for (int64_t l = 0; l < k; ++l)
          acc += load(a.in[0], x0 + offset(l, p.lhs_contract, xs, xst)) *
                 load(a.in[1], y0 + offset(l, p.rhs_contract, ys, yst));
        visit_dtype(a.out[0].dtype, [&]<class S>() {
          S& s = a.out[0].as<S>()[o];
          if constexpr (std::is_same_v<T, std::complex<double>>) {
            if constexpr (is_complex(dtype_of<S>::value)) s = S(acc);
          } else if constexpr (std::is_same_v<S, f16_t>) {
            s = to_f16(float(acc));
          } else if constexpr (std::is_same_v<S, bf16_t>) {
            s = to_bf16(float(acc));
          } else if constexpr (std::is_same_v<S, bool>) {
            s = acc != T(0);
          } else if constexpr (std::is_arithmetic_v<S>) {
            s = S(acc);
          }
        });
      }
}

void dot_eval(const EvalArgs& a) {
  const auto& p = a.params.as<DotParams>();
  DType t = a.out[0].dtype;
  if (is_complex(t)) return dot_loops<std::complex<double>>(a, p);
  if (is_float(t)) return dot_loops<double>(a, p);
  dot_loops<uint64_t>(a, p);  // wraps like every integer type
}

// ---- products that no matrix kernel takes

Axes concat(std::initializer_list<const Axes*> parts) {
  Axes all;
  for (const Axes* axes : parts)
    for (int64_t d : *axes) all.push_back(d);
  return all;
}

// Four products of real arrays.
Value complex_dot(const Value& x, const Value& y, const DotParams& params,
                  DType out) {
  DotParams p = params;
  if (p.preferred) p.preferred = real_dtype(*p.preferred);
  auto dot = [&](const Value& a, const Value& b) {
    return lax::dot_general(a, b, p);
  };
  Value xr = lax::real(x), xi = lax::imag(x);
  Value yr = lax::real(y), yi = lax::imag(y);
  Value re = lax::sub(dot(xr, yr), dot(xi, yi));
  if (!is_complex(out)) return lax::convert(re, out);
  return lax::convert(lax::complex(re, lax::add(dot(xr, yi), dot(xi, yr))),
                      out);
}

// Sums of products, in one kernel that stores no product.
Value sum_of_products(const Value& x, const Value& y, const DotParams& p) {
  Axes x_free = free_axes(x.rank(), p.lhs_contract, p.lhs_batch);
  Axes y_free = free_axes(y.rank(), p.rhs_contract, p.rhs_batch);
  Axes x_order = concat({&p.lhs_batch, &x_free, &p.lhs_contract});
  Axes y_order = concat({&p.rhs_batch, &y_free, &p.rhs_contract});
  int64_t batch = int64_t(p.lhs_batch.size());
  int64_t rows = int64_t(x_free.size()), cols = int64_t(y_free.size());
  int64_t depth = int64_t(p.lhs_contract.size());
  Shape shape = sizes(x.shape(), p.lhs_batch);
  for (int64_t n : sizes(x.shape(), x_free)) shape.push_back(n);
  for (int64_t n : sizes(y.shape(), y_free)) shape.push_back(n);
  for (int64_t n : sizes(x.shape(), p.lhs_contract)) shape.push_back(n);
  Axes x_dims, y_dims, contract;
  for (int64_t d = 0; d < batch + rows + cols + depth; ++d) {
    bool of_x = d >= batch && d < batch + rows;
    bool of_y = d >= batch + rows && d < batch + rows + cols;
    if (!of_y) x_dims.push_back(d);
    if (!of_x) y_dims.push_back(d);
    if (d >= batch + rows + cols) contract.push_back(d);
  }
  Value a = broadcast_in_dim(lax::transpose(x, x_order), shape, x_dims);
  Value b = broadcast_in_dim(lax::transpose(y, y_order), shape, y_dims);
  return lax::reduce_sum(lax::mul(a, b), contract);
}

Values dot_expand(const Params& params, std::span<const Value> x) {
  const auto& p = params.as<DotParams>();
  DType in = x[0].dtype(), out = p.preferred.value_or(in);
  if (is_complex(in)) return {complex_dot(x[0], x[1], p, out)};
  // Integers wrap, so they may as well be converted first.
  DType sum = out;
  if (out == DType::bool_) sum = DType::i32;
  if (is_half(out)) sum = DType::f32;
  if (is_float(in) && is_float(out) && itemsize(in) > itemsize(sum)) sum = in;
  Value a = lax::convert(x[0], sum), b = lax::convert(x[1], sum);
  return {lax::convert(sum_of_products(a, b, p), out)};
}

// "(Precision.HIGH, Precision.HIGH)": of both operands, as JAX prints it.
std::string precision_pair(std::string name) {
  for (char& c : name) c = char(std::toupper(c));
  return cat("(Precision.", name, ", Precision.", name, ")");
}

std::vector<std::string> dot_print(const Params& params) {
  const auto& p = params.as<DotParams>();
  auto list = [](const Axes& axes) {
    std::string out = "[";
    append_joined(out, axes, ", ");
    return out += ']';
  };
  std::vector<std::string> items{cat(
      "dimension_numbers=((", list(p.lhs_contract), ", ", list(p.rhs_contract),
      "), (", list(p.lhs_batch), ", ", list(p.rhs_batch), "))")};
  if (!p.precision.empty())
    items.push_back(cat("precision=", precision_pair(p.precision)));
  if (p.preferred)
    items.push_back(cat("preferred_element_type=", dtype_name(*p.preferred)));
  return items;
}

}  // namespace

constinit const Primitive dot_general_p = {
    .name = "dot_general",
    .params = params_of<DotParams>,
    .type = dot_type,
    .eval = dot_eval,
    .jvp = dot_jvp,
    .transpose = dot_transpose,
    .batch = dot_batch,
    .dot = [](const LowerArgs& a) -> Contraction {
      const auto& p = a.params.as<DotParams>();
      return {p.lhs_contract, p.rhs_contract, p.lhs_batch, p.rhs_batch};
    },
    .hlo = hlo::dot,
    .expand = dot_expand,
    .print = dot_print,
    .cost = 100,
};
COTAN_REGISTER(dot_general_p);

std::string lax::default_precision() {
  constexpr const char* names[] = {"", "default", "high", "highest", ""};
  return names[int(config().matmul_precision)];
}

Value lax::dot_general(const Value& x, const Value& y, DotParams params) {
  if (params.precision.empty()) params.precision = default_precision();
  return bind1(dot_general_p, {x, y}, std::move(params));
}

}  // namespace cotan

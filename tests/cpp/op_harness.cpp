#include "op_harness.h"

#include <cmath>
#include <cstring>
#include <random>

#include "passes_harness.h"
#include "runtime/kernels/kernels.h"

namespace cotan::testing {

namespace {

class HostArray final : public ValueObj {
 public:
  explicit HostArray(const Aval& a)
      : ValueObj(ValueKind::array, a), bytes(size_t(a.nbytes()) + 16) {}
  std::vector<std::byte> bytes;
  const void* host_data() const override { return bytes.data(); }
};

// What another order of summation may change.
double rounding(DType t) {
  switch (real_dtype(t)) {
    case DType::f32:
      return 1e-5;
    case DType::f16:
      return 2e-3;
    case DType::bf16:
      return 1e-2;
    default:
      return 1e-12;
  }
}

// Runs the kernel that the primitive lowers to beside the reference. In place
// where that is allowed: every output over the operand of the same number.
void check_kernel(const Primitive& p, Args x, const Params& params,
                  const Values& want, bool in_place) {
  Avals in = avals_of(x), out = avals_of(want);
  KernelSpec spec = p.kernel({params, in, out});
  KernelFn kernel = find_kernel(spec.name);
  if (!kernel) fail(__FILE__, __LINE__, cat("no kernel ", spec.name));
  Values operands, results;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const Value& v : x) {
    void* data;
    operands.push_back(host_array(v.aval(), &data));
    std::memcpy(data, v->host_data(), size_t(v.aval().nbytes()));
    from.push_back(data);
  }
  for (size_t i = 0; i < out.size(); ++i) {
    void* data = const_cast<void*>(from[i % from.size()]);
    if (in_place)
      results.push_back(operands[i]);
    else
      results.push_back(host_array(out[i], &data));
    to.push_back(data);
  }
  KernelCall call{from.data(), to.data(), spec.attrs.data(), nullptr,
                  &default_runtime()};
  CHECK_EQ(kernel(&call), int(kOk));
  for (size_t i = 0; i < out.size(); ++i)
    check_close(results[i], want[i], rounding(out[i].dtype),
                cat("kernel of ", p.name, in_place ? " in place" : ""));
}

Values eval_both_ways(const Primitive& p, Args x, const Params& params) {
  Values want = reference_eval(p, x, params);
  if (p.kernel) {
    check_kernel(p, x, params, want, false);
    if (p.flags & kInPlace) check_kernel(p, x, params, want, true);
  }
  return want;
}

[[maybe_unused]] const bool hooks_installed = [] {
  set_new_array_hook([](const Aval& a) -> NewArray {
    auto array = make_ref<HostArray>(a);
    void* data = array->bytes.data();
    return {Value(std::move(array)), data};
  });
  set_eval_hook(eval_both_ways);
  return true;
}();

void store(DType t, void* at, int64_t i, double re, double im = 0) {
  Literal lit = is_complex(t) ? Literal::from_complex(t, {re, im})
                              : Literal::from_double(t, re);
  std::memcpy(static_cast<char*>(at) + i * itemsize(t), lit.bytes,
              size_t(itemsize(t)));
}

template <class F>
void each_number(const Value& v, F f) {
  auto* data = static_cast<const char*>(v->host_data());
  int64_t size = itemsize(v.dtype());
  for (int64_t i = 0; i < v.size(); ++i)
    f(i, Literal::from_bytes(v.dtype(), data + i * size).to_complex());
}

Value map_numbers(const Value& v, auto f) {
  void* data;
  Value out = host_array(v.aval(), &data);
  each_number(v, [&](int64_t i, std::complex<double> c) {
    std::complex<double> r = f(i, c);
    store(v.dtype(), data, i, r.real(), r.imag());
  });
  return out;
}

// x + h * t
Value shifted(const Value& x, const Value& t, double h) {
  if (!t) return x;
  auto by = numbers(t);
  bool complex = is_complex(x.dtype());
  return map_numbers(x, [&](int64_t i, std::complex<double> c) {
    if (complex)
      return c + h * std::complex(by[size_t(2 * i)], by[size_t(2 * i + 1)]);
    return c + h * by[size_t(i)];
  });
}

Values random_like(const Values& x, uint64_t seed) {
  Values out;
  for (const Value& v : x)
    out.push_back(is_inexact(v.dtype())
                      ? random_array(v.dtype(), v.shape(), -1, 1, seed++)
                      : nullptr);
  return out;
}

Values or_zeros(Values v, const Values& like) {
  for (size_t i = 0; i < v.size(); ++i)
    if (!v[i] && is_inexact(like[i].dtype())) v[i] = host_array(like[i].aval());
  return v;
}

// Bilinear, as transposition has it: nothing is conjugated. Where real and
// complex numbers meet only the real part is meant.
std::complex<double> inner(const Values& a, const Values& b) {
  std::complex<double> sum = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    if (!a[k] || !b[k]) continue;
    std::vector<std::complex<double>> other;
    each_number(b[k], [&](int64_t, auto c) { other.push_back(c); });
    each_number(a[k], [&](int64_t i, auto c) { sum += c * other[size_t(i)]; });
  }
  return sum;
}

bool all_complex(const Values& v) {
  return std::all_of(v.begin(), v.end(),
                     [](const Value& x) { return is_complex(x.dtype()); });
}

std::vector<bool> inexact_of(const Values& x) {
  std::vector<bool> out;
  for (const Value& v : x) out.push_back(is_inexact(v.dtype()));
  return out;
}

// Example k of a batch made from x: the same elements elsewhere.
Value variant(const Value& x, int64_t k) {
  auto values = numbers(x);
  if (is_inexact(x.dtype()))
    return map_numbers(x, [&](int64_t, std::complex<double> c) {
      return c * (1 + 0.25 * double(k));
    });
  if (x.rank() == 0 && is_int(x.dtype()))
    return scalar_index(int64_t(values[0]) + k, x.dtype());
  return map_numbers(x, [&](int64_t i, std::complex<double>) {
    return std::complex<double>(values[size_t((i + k) % x.size())]);
  });
}

// Element offsets of a slice of an array along one axis.
template <class F>
void each_in_batch(const Shape& example, int64_t dim, int64_t size, F f) {
  std::span<const int64_t> shape = example;
  int64_t outer = num_elements(shape.first(size_t(dim)));
  int64_t inner = num_elements(shape.subspan(size_t(dim)));
  for (int64_t k = 0; k < size; ++k)
    for (int64_t i = 0; i < outer * inner; ++i)
      f(k, i, (i / inner * size + k) * inner + i % inner);
}

Value stack(const Values& examples, int64_t dim) {
  Aval a = examples[0].aval();
  Shape example = a.shape;
  a.shape.insert(a.shape.begin() + dim, int64_t(examples.size()));
  void* data;
  Value out = host_array(a, &data);
  int64_t item = itemsize(a.dtype);
  each_in_batch(
      example, dim, int64_t(examples.size()),
      [&](int64_t k, int64_t from, int64_t to) {
        auto* src = static_cast<const char*>(examples[size_t(k)]->host_data());
        std::memcpy(static_cast<char*>(data) + to * item, src + from * item,
                    size_t(item));
      });
  return out;
}

}  // namespace

Value host_array(const Aval& aval, void** data) {
  NewArray a = new_array(aval);
  if (data) *data = a.data;
  return std::move(a.value);
}

Value array_of(DType t, Shape shape, const std::vector<double>& values) {
  void* data;
  Value v = host_array({t, false, std::move(shape)}, &data);
  bool complex = is_complex(t);
  CHECK(int64_t(values.size()) == v.size() * (complex ? 2 : 1));
  for (int64_t i = 0; i < v.size(); ++i) {
    auto k = size_t(i);
    if (complex)
      store(t, data, i, values[2 * k], values[2 * k + 1]);
    else
      store(t, data, i, values[k]);
  }
  return v;
}

Value random_array(DType t, Shape shape, double lo, double hi, uint64_t seed) {
  std::mt19937_64 engine(seed);
  auto next = [&] {
    double u = double(engine() >> 11) * 0x1p-53;
    double v = lo + (hi - lo) * u;
    return is_inexact(t) ? v : std::floor(v);
  };
  void* data;
  Value v = host_array({t, false, std::move(shape)}, &data);
  for (int64_t i = 0; i < v.size(); ++i) {
    double re = next();
    store(t, data, i, re, is_complex(t) ? next() : 0);
  }
  return v;
}

Value random_order(DType t, Shape shape, uint64_t seed) {
  std::vector<double> values(size_t(num_elements(shape)));
  double step = is_inexact(t) ? 0.25 : 1;
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = step * (double(i) - double(values.size() / 2) + 0.5);
  std::mt19937_64 engine(seed);
  for (size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[engine() % i]);
  return array_of(t, std::move(shape), values);
}

Value scalar_index(int64_t i, DType t) { return array_of(t, {}, {double(i)}); }

std::vector<double> numbers(const Value& v) {
  std::vector<double> out;
  each_number(v, [&](int64_t, std::complex<double> c) {
    out.push_back(c.real());
    if (is_complex(v.dtype())) out.push_back(c.imag());
  });
  return out;
}

void check_close(const Value& got, const Value& want, double tolerance,
                 const std::string& what) {
  bool same_type = got.dtype() == want.dtype() && got.shape() == want.shape();
  if (!same_type)
    fail(__FILE__, __LINE__,
         cat(what, ": got ", got.aval(), ", want ", want.aval()));
  auto a = numbers(got), b = numbers(want);
  for (size_t i = 0; i < a.size(); ++i) {
    bool close =
        a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])) ||
        std::abs(a[i] - b[i]) <= tolerance * std::max(1.0, std::abs(b[i]));
    if (!close)
      fail(__FILE__, __LINE__,
           cat(what, ": element ", i, " of ", got.aval(), ": got ", a[i],
               ", want ", b[i]));
  }
}

void check_numbers(const Value& got, DType t, const Shape& shape,
                   const std::vector<double>& want) {
  check_close(got, array_of(t, shape, want), 1e-6, "values");
}

void check_traced(const Function& f, const Values& x) {
  Values eager = f(x);
  TracedGraph g = trace_to_jaxpr(f, avals_of(x));
  check_jaxpr(*g.jaxpr);
  Values in = g.consts;
  for (const Value& v : x) in.push_back(v);
  Values traced = eval_jaxpr(*g.jaxpr, in);
  Avals types = g.jaxpr->out_avals();
  CHECK_EQ(eager.size(), traced.size());
  for (size_t i = 0; i < eager.size(); ++i) {
    check_close(traced[i], eager[i], 0, "traced and eager");
    CHECK(same_layout(types[i], eager[i].aval()));
  }
  check_planned(g.jaxpr, in);
}

void check_jvp(const Function& f, const Values& x, const OpOptions& o) {
  Values t = random_like(x, 11), plus, minus;
  for (size_t i = 0; i < x.size(); ++i) {
    plus.push_back(shifted(x[i], t[i], o.step));
    minus.push_back(shifted(x[i], t[i], -o.step));
  }
  Dual d = jvp(f, x, t);
  Values y = f(x), high = f(plus), low = f(minus);
  Values tangents = or_zeros(d.tangents, y);
  for (size_t i = 0; i < y.size(); ++i) {
    check_close(d.primals[i], y[i], 1e-12, "primal of jvp");
    if (!is_inexact(y[i].dtype())) continue;
    auto below = numbers(low[i]);
    bool complex = is_complex(y[i].dtype());
    Value slope = map_numbers(high[i], [&](int64_t k, std::complex<double> c) {
      std::complex<double> b =
          complex ? std::complex(below[size_t(2 * k)], below[size_t(2 * k + 1)])
                  : std::complex(below[size_t(k)]);
      return (c - b) / (2 * o.step);
    });
    check_close(tangents[i], slope, o.tolerance, cat("tangent ", i));
  }
}

void check_vjp(const Function& f, const Values& x, const OpOptions& o) {
  Values t = random_like(x, 21), y = f(x), ct = random_like(y, 31);
  std::vector<bool> inexact = inexact_of(x);
  // Each operand alone, then all: null tangents take other paths.
  for (size_t only = 0; only <= x.size(); ++only) {
    std::vector<bool> nonzero = inexact;
    Values some = t;
    bool any = false;
    for (size_t i = 0; i < x.size(); ++i) {
      if (only < x.size() && i != only) {
        nonzero[i] = false;
        some[i] = nullptr;
      }
      any |= nonzero[i];
    }
    if (!any) continue;
    Dual d = jvp(f, x, some);
    Vjp v = vjp(f, x, nonzero);
    Values back = v.pullback(ct);
    for (size_t i = 0; i < x.size(); ++i)
      if (back[i]) {
        CHECK(same_layout(back[i].aval(), x[i].aval()));
      }
    auto a = inner(ct, d.tangents), b = inner(back, some);
    if (!all_complex(x) || !all_complex(y)) a = a.real(), b = b.real();
    if (std::abs(a - b) > o.tolerance * std::max(1.0, std::abs(a)))
      fail(__FILE__, __LINE__,
           cat("<ct, jvp t> = ", a.real(), " + ", a.imag(),
               "i and <vjp ct, t> = ", b.real(), " + ", b.imag(), "i, operand ",
               only));
  }
}

void check_vmap(const Function& f, const Values& x) {
  constexpr int64_t size = 3;
  for (unsigned chosen = 1; chosen < 1u << x.size(); ++chosen) {
    Values in;
    SmallVector<int64_t, 4> dims;
    std::vector<Values> examples(size);
    for (size_t i = 0; i < x.size(); ++i) {
      bool batched = chosen >> i & 1;
      Values variants;
      for (int64_t k = 0; k < size; ++k) {
        variants.push_back(batched ? variant(x[i], k) : x[i]);
        examples[size_t(k)].push_back(variants.back());
      }
      // Alternate between the first, the last and an inner axis.
      int64_t dim = (int64_t(i) + chosen) % 2 ? x[i].rank() : x[i].rank() / 2;
      if (chosen % 3 == 0) dim = 0;
      dims.push_back(batched ? dim : kNotBatched);
      in.push_back(batched ? stack(variants, dim) : x[i]);
    }
    std::vector<Values> want;
    for (const Values& e : examples) want.push_back(f(e));
    Batched b = vmap(f, in, dims, size);
    CHECK_EQ(b.values.size(), want[0].size());
    for (size_t i = 0; i < b.values.size(); ++i) {
      Values column;
      for (const Values& w : want) column.push_back(w[i]);
      std::string what = cat("vmap, operands ", chosen, ", output ", i);
      if (b.dims[i] == kNotBatched)
        check_close(b.values[i], column[0], 1e-12, what);
      else
        check_close(b.values[i], stack(column, b.dims[i]), 1e-12, what);
    }
  }
}

void check_op(const Function& f, const Values& x, const OpOptions& o) {
  check_traced(f, x);
  if (o.batched) check_vmap(f, x);
  if (!o.differentiable) return;
  check_jvp(f, x, o);
  check_vjp(f, x, o);
  // The derivative as a function of primals and tangents.
  size_t n = x.size();
  std::vector<bool> inexact = inexact_of(x);
  Values both = x;
  for (const Value& t : random_like(x, 41))
    if (t) both.push_back(t);
  Function derivative = [&](Args a) {
    Values t;
    size_t k = n;
    for (bool nz : inexact) t.push_back(nz ? a[k++] : nullptr);
    Dual d = jvp(f, a.first(n), t);
    Values out;
    for (size_t i = 0; i < d.tangents.size(); ++i)
      if (d.tangents[i]) out.push_back(d.tangents[i]);
    return out;
  };
  check_traced(derivative, both);
  if (o.batched) check_vmap(derivative, both);
  if (!o.second_order) return;
  check_jvp(derivative, both, o);
  check_vjp(derivative, both, o);
}

}  // namespace cotan::testing

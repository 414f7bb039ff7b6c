#include "api/cotan.h"

#include <algorithm>
#include <cstring>

#include "api/program.h"
#include "base/config.h"
#include "jnp/ufuncs.h"
#include "ops/lax.h"

namespace cotan {

// ---- Array

Array::Array(double x)
    : value_(scalar_value(jnp::default_float(), x, /*weak=*/true)) {}
Array::Array(int64_t x)
    : value_(scalar_value(
          Literal::from_int(jnp::default_int(), x, /*weak=*/true))) {}
Array::Array(int x) : Array(int64_t(x)) {}

const void* Array::host(DType want) const {
  Value v = concrete_value(value());
  if (!v) throw_leaked(*value_.get(), "data");
  if (v.dtype() != want)
    throw_type("[data] the array has dtype ", dtype_name(v.dtype()), ", not ",
               dtype_name(want));
  return v->host_data();
}

double Array::item() const {
  if (size() != 1)
    throw_value("[item] needs an array of one element, got ", value_.aval());
  Value v = concrete_value(value_);
  if (!v) throw_leaked(*value_.get(), "item");
  return Literal::from_bytes(v.dtype(), v->host_data()).to_double();
}

namespace {
void print(std::string& out, const Value& v, size_t axis, int64_t& at) {
  const char* data = static_cast<const char*>(v->host_data());
  if (axis == v.shape().size()) {
    append_to(
        out, Literal::from_bytes(v.dtype(), data + at++ * itemsize(v.dtype())));
    return;
  }
  out += '[';
  for (int64_t i = 0; i < v.shape()[axis]; ++i) {
    if (i) out += ", ";
    print(out, v, axis + 1, at);
  }
  out += ']';
}
}  // namespace

std::string Array::to_string() const {
  if (!value_) return "<no array>";
  Value v = concrete_value(value_);
  if (!v) return cat("<traced ", value_.aval(), ">");
  std::string out;
  int64_t at = 0;
  print(out, v, 0, at);
  return out;
}

Array Array::astype(DType t) const {
  return lax::convert(value(), jnp::canonical(t));
}

Array Array::reshape(Shape shape) const {
  int64_t known = 1, *unknown = nullptr;
  bool fits = true;
  for (int64_t& d : shape) {
    if (d == -1 && !unknown)
      unknown = &d;
    else
      fits &= d >= 0 && !__builtin_mul_overflow(known, d, &known);
  }
  if (!fits || (unknown && (known == 0 || size() % known != 0)))
    throw_type("[reshape] cannot reshape an array of shape ",
               shape_string(this->shape()), " (", size(),
               " elements) into shape ", shape_string(shape));
  if (unknown) *unknown = size() / known;
  return lax::reshape(value(), shape);
}

Array Array::T() const {
  Axes perm;
  for (int64_t i = ndim(); i-- > 0;) perm.push_back(i);
  return lax::transpose(value(), perm);
}

Array Array::operator[](int64_t i) const {
  if (ndim() == 0) throw_index("[index] a scalar has no elements");
  int64_t n = shape()[0];
  if (i < -n || i >= n)
    throw_index("[index] ", i, " is out of range for shape ",
                shape_string(shape()));
  if (i < 0) i += n;
  Dims start(size_t(ndim()), 0), limit = shape();
  start[0] = i;
  limit[0] = i + 1;
  return lax::squeeze(lax::slice(value_, start, limit), {0});
}

// ---- making arrays

Array array_from(const void* data, DType t, const Shape& shape) {
  void* to;
  Value v = allocate_array({t, false, shape}, &to);
  if (v.size() > 0) std::memcpy(to, data, size_t(v.aval().nbytes()));
  return v;
}
Array full(const Shape& shape, double fill, DType t) {
  return lax::full(shape, Literal::from_double(t, fill));
}
Array zeros(const Shape& shape, DType t) { return full(shape, 0, t); }
Array ones(const Shape& shape, DType t) { return full(shape, 1, t); }
Array arange(int64_t n, DType t) { return lax::iota(t, {n}, 0); }

// ---- operations

#define COTAN_OP(op, f)                               \
  Array operator op(const Array& x, const Array& y) { \
    return jnp::f(x.value(), y.value());              \
  }
COTAN_OP(+, add)
COTAN_OP(-, subtract)
COTAN_OP(*, multiply)
COTAN_OP(/, true_divide)
COTAN_OP(<, less)
COTAN_OP(<=, less_equal)
COTAN_OP(>, greater)
COTAN_OP(>=, greater_equal)
#undef COTAN_OP
Array operator-(const Array& x) { return jnp::negative(x.value()); }

#define COTAN_UNARY(name, f) \
  Array name(const Array& x) { return jnp::f(x.value()); }
COTAN_UNARY(exp, exp)
COTAN_UNARY(log, log)
COTAN_UNARY(log1p, log1p)
COTAN_UNARY(sin, sin)
COTAN_UNARY(cos, cos)
COTAN_UNARY(tanh, tanh)
COTAN_UNARY(sqrt, sqrt)
COTAN_UNARY(square, square)
COTAN_UNARY(abs, absolute)
#undef COTAN_UNARY
Array sigmoid(const Array& x) { return lax::logistic(x.value()); }
// The derivative at 0 is 0, unlike that of maximum(x, 0).
Array relu(const Array& x) {
  Value zero = lax::constant_like(x.value(), 0);
  return lax::select(lax::gt(x.value(), zero), x.value(), zero);
}
Array stop_gradient(const Array& x) { return lax::stop_gradient(x.value()); }

#define COTAN_BINARY(name)                     \
  Array name(const Array& x, const Array& y) { \
    return jnp::name(x.value(), y.value());    \
  }
COTAN_BINARY(equal)
COTAN_BINARY(power)
COTAN_BINARY(maximum)
COTAN_BINARY(minimum)
COTAN_BINARY(matmul)
#undef COTAN_BINARY
Array where(const Array& c, const Array& x, const Array& y) {
  return jnp::where(c.value(), x.value(), y.value());
}

// ---- reductions

namespace {

Axes normal_axes(const char* op, Axes axes, const Value& x) {
  if (axes.empty())
    for (int64_t i = 0; i < x.rank(); ++i) axes.push_back(i);
  for (int64_t& a : axes) {
    if (a < -x.rank() || a >= x.rank())
      throw_value("[", op, "] axis ", a, " is out of range for operand ",
                  x.aval());
    if (a < 0) a += x.rank();
  }
  return axes;
}

Array reduced(const char* op, const Array& x, Monoid m, Axes axes,
              bool keepdims) {
  axes = normal_axes(op, std::move(axes), x.value());
  Value y = lax::reduce(x.value(), m, axes);
  return keepdims ? lax::expand_dims(y, axes) : y;
}

}  // namespace

Array sum(const Array& x, Axes axes, bool keepdims) {
  return reduced("sum", x, Monoid::sum, std::move(axes), keepdims);
}
Array mean(const Array& x, Axes axes, bool keepdims) {
  Axes all = normal_axes("mean", axes, x.value());
  double n = 1;
  for (int64_t a : all) n *= double(x.shape()[size_t(a)]);
  return sum(x, std::move(axes), keepdims) / Array(n);
}
Array max(const Array& x, Axes axes, bool keepdims) {
  return reduced("max", x, Monoid::max, std::move(axes), keepdims);
}
Array min(const Array& x, Axes axes, bool keepdims) {
  return reduced("min", x, Monoid::min, std::move(axes), keepdims);
}
Array argmax(const Array& x, int64_t axis) {
  return lax::argreduce(x.value(), Monoid::argmax,
                        normal_axes("argmax", {axis}, x.value())[0],
                        jnp::default_int());
}
Array concatenate(const std::vector<Array>& xs, int64_t axis) {
  if (xs.empty()) throw_value("[concatenate] needs at least one array");
  Values v;
  for (const Array& x : xs) v.push_back(x.value());
  v = jnp::promote("concatenate", v);
  return lax::concatenate(v, axis < 0 ? axis + v[0].rank() : axis);
}
Array transpose(const Array& x, Axes perm) {
  return lax::transpose(x.value(), std::move(perm));
}

// ---- transformations

namespace detail {

void check_gradient_input(const Value& x) {
  if (!is_inexact(x.dtype()))
    throw_type(
        "grad requires real- or complex-valued inputs (input dtype "
        "that is a sub-dtype of np.inexact), but got ",
        dtype_name(x.dtype()), ".");
}

void check_gradient_output(std::span<const Value> out) {
  if (out.size() != 1 || out[0].rank() != 0)
    throw_type("Gradient only defined for scalar-output functions. Output ",
               out.size() == 1
                   ? cat("had shape: ", shape_string(out[0].shape()), ".")
                   : cat("had ", out.size(), " arrays."));
  if (!is_float(out[0].dtype()))
    throw_type("grad requires real-valued outputs, but got ",
               dtype_name(out[0].dtype()), ".");
}

void check_tangents(const char* op, const char* what, const char* of,
                    std::span<Value> t, std::span<const Value> x) {
  if (t.size() != x.size())
    throw_type("[", op, "] needs ", x.size(), " ", what, "s, got ", t.size());
  for (size_t i = 0; i < t.size(); ++i) {
    if (!is_inexact(x[i].dtype())) {
      t[i] = Value();  // integers have none
      continue;
    }
    if (t[i].dtype() != x[i].dtype())
      throw_type("[", op, "] ", what, " ", i, " must have the dtype of its ",
                 of, " ", x[i].aval(), ", got ", t[i].aval());
    if (t[i].shape() != x[i].shape())
      throw_value("[", op, "] ", what, " ", i, " must have the shape of its ",
                  of, " ", x[i].aval(), ", got ", t[i].aval());
  }
}

Value instantiated(const Value& ct, const Value& like) {
  return ct ? ct : zeros_like(like);
}

struct JitState::Impl {
  struct Key {
    Avals avals;
    uint64_t config;
    bool operator==(const Key&) const = default;
  };
  std::mutex mutex;
  std::vector<std::pair<Key, Traced>> entries;

  const Traced* find(const Key& key) const {
    for (const auto& [k, traced] : entries)
      if (k == key) return &traced;
    return nullptr;
  }
};

JitState::JitState() : impl_(std::make_unique<Impl>()) {}
JitState::~JitState() = default;
size_t JitState::size() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->entries.size();
}

std::optional<Traced> JitState::find(std::span<const Value> args) const {
  std::lock_guard lock(impl_->mutex);
  const uint64_t key = config_key();
  for (const auto& [k, traced] : impl_->entries) {
    bool same = k.config == key && k.avals.size() == args.size();
    for (size_t i = 0; same && i < args.size(); ++i)
      same = k.avals[i] == args[i].aval();
    if (same) return traced;
  }
  return std::nullopt;
}

// Without the lock: the function may call itself. Threads that trace the same
// at once keep the first result.
Ref<JitProgram> JitState::trace(std::span<const Value> args, FunctionRef f,
                                const char* name) const {
  ++compile_counters().traces;
  return make_ref<JitProgram>(trace_to_jaxpr(f, avals_of(args)),
                              std::vector<bool>{}, name);
}

Traced JitState::keep(std::span<const Value> args, Traced traced) {
  Impl::Key key{avals_of(args), config_key()};
  std::lock_guard lock(impl_->mutex);
  if (const Traced* known = impl_->find(key)) return *known;
  impl_->entries.push_back({std::move(key), traced});
  return traced;
}

Values JitState::call(JitProgram& p, std::span<const Value> args) {
  return p.apply(args);
}

}  // namespace detail

struct Compiled::Impl {
  Ref<JitProgram> program;
  const Executable* executable;
  std::vector<Ref<Buffer>> consts;
  bool forwards = false;  // an output is an input unchanged
};

Compiled make_compiled(Ref<JitProgram> p) { return Compiled(std::move(p)); }

Compiled::Compiled(Ref<JitProgram> p) : impl_(std::make_unique<Impl>()) {
  impl_->executable = &p->executable();
  for (const Value& v : p->graph().consts)
    impl_->consts.push_back(buffer_of(v));
  for (const OutputSpec& o : impl_->executable->outputs())
    impl_->forwards |= o.forwards >= 0;
  impl_->program = std::move(p);
}
Compiled::~Compiled() = default;
Compiled::Compiled(Compiled&&) noexcept = default;

size_t Compiled::num_inputs() const {
  return impl_->executable->inputs().size() - impl_->consts.size();
}
size_t Compiled::num_outputs() const {
  return impl_->executable->outputs().size();
}
const Aval& Compiled::input(size_t i) const {
  return impl_->executable->inputs()[impl_->consts.size() + i].aval;
}
const Aval& Compiled::output(size_t i) const {
  return impl_->executable->outputs()[i].aval;
}
std::string Compiled::jaxpr() const {
  return to_string(impl_->program->jaxpr());
}

void Compiled::run(const void* const* in, void* const* out) const {
  const Executable& e = *impl_->executable;
  const size_t nc = impl_->consts.size(), n = e.inputs().size();
  const size_t results = impl_->forwards ? e.outputs().size() : 0;
  // One block: the arena, then pointers where the caller's do not do.
  const size_t arena = (e.arena_bytes() + 63) / 64 * 64;
  const size_t pointers = (nc ? n : 0) + results;
  Scratch block = arena + pointers == 0
                      ? Scratch()
                      : Scratch(arena + pointers * sizeof(void*));
  auto* list = reinterpret_cast<const void**>(block.as<char>() + arena);
  if (nc) {
    const void** args = list + results;
    for (size_t i = 0; i < nc; ++i) args[i] = impl_->consts[i]->data();
    std::copy(in, in + (n - nc), args + nc);
    in = args;
  }
  if (results) {
    auto** to = const_cast<void**>(list);
    std::copy(out, out + results, to);
    for (size_t j = 0; j < results; ++j) {
      const OutputSpec& o = e.outputs()[j];
      if (o.forwards < 0) continue;
      // The caller's memory: copied here.
      to[j] = nullptr;
      if (o.aval.nbytes() > 0)
        std::memcpy(out[j], in[o.forwards], size_t(o.aval.nbytes()));
    }
    out = to;
  }
  check_status(e.run(in, out, block.data(), &default_runtime()));
}

}  // namespace cotan

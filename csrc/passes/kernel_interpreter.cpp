// Evaluates every node over the whole iteration space, as an array, with the
// primitives' own reference rules; then stores. Slow on purpose: no schedule,
// no recomputation, nothing shared with a backend but the definition.
#include "passes/kernel_interpreter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

namespace cotan {

namespace {

using Bytes = std::vector<std::byte>;

// Element types as they are computed with.
template <class T>
struct Wide {
  using type = T;
};
template <>
struct Wide<f16_t> {
  using type = float;
};
template <>
struct Wide<bf16_t> {
  using type = float;
};
template <>
struct Wide<bool> {
  using type = uint8_t;  // with the bitwise monoids, see reduce()
};
template <class T>
typename Wide<T>::type widen(T x) {
  if constexpr (std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>)
    return to_float(x);
  else
    return x;
}
template <class T, class W>
T narrow(W x) {
  if constexpr (std::is_same_v<T, f16_t>)
    return to_f16(float(x));
  else if constexpr (std::is_same_v<T, bf16_t>)
    return to_bf16(float(x));
  else
    return T(x);
}
template <class T>
constexpr bool is_complex_type = false;
template <class T>
constexpr bool is_complex_type<std::complex<T>> = true;

template <class W>
W identity(Monoid m) {
  using Limits = std::numeric_limits<W>;
  if constexpr (is_complex_type<W>) {
    return m == Monoid::prod ? W(1) : W(0);
  } else {
    switch (m) {
      case Monoid::prod:
        return W(1);
      case Monoid::max:
        return Limits::has_infinity ? W(-Limits::infinity()) : Limits::lowest();
      case Monoid::min:
        return Limits::has_infinity ? Limits::infinity() : Limits::max();
      case Monoid::and_:
        if constexpr (std::is_integral_v<W>) return W(~W(0));
        return W(0);
      default:
        return W(0);
    }
  }
}

template <class W>
W combine(Monoid m, W a, W b) {
  if constexpr (is_complex_type<W>) {
    return m == Monoid::prod ? a * b : a + b;
  } else if constexpr (std::is_integral_v<W>) {
    using U = std::make_unsigned_t<W>;
    // Through 64 bits: small unsigned types would promote to int.
    uint64_t x = uint64_t(U(a)), y = uint64_t(U(b));
    switch (m) {
      case Monoid::sum:
        return W(U(x + y));
      case Monoid::prod:
        return W(U(x * y));
      case Monoid::max:
        return std::max(a, b);
      case Monoid::min:
        return std::min(a, b);
      case Monoid::and_:
        return W(U(x & y));
      case Monoid::or_:
        return W(U(x | y));
      default:
        return W(U(x ^ y));
    }
  } else {
    switch (m) {
      case Monoid::sum:
        return a + b;
      case Monoid::prod:
        return a * b;
      case Monoid::max:
        return std::isnan(a) || a > b ? a : b;
      case Monoid::min:
        return std::isnan(a) || a < b ? a : b;
      default:
        COTAN_CHECK(!"a bitwise reduction of floats");
        return a;
    }
  }
}

// One piece of a row in the order of W lanes and four accumulators.
template <class W, class Get>
W reduce_lanes(Monoid m, int64_t n, int lanes, Get get) {
  std::vector<W> acc(size_t(4 * lanes), identity<W>(m));
  int64_t block = 4 * lanes, whole = n / block * block;
  for (int64_t i = 0; i < whole; ++i) {
    W& a = acc[size_t(i % block)];
    a = combine(m, a, get(i));
  }
  for (int64_t i = whole; i < n; ++i) {  // tail vectors go to accumulator 0
    W& a = acc[size_t((i - whole) % lanes)];
    a = combine(m, a, get(i));
  }
  for (int h = 2 * lanes; h > 0; h /= 2)
    for (int i = 0; i < h; ++i)
      acc[size_t(i)] = combine(m, acc[size_t(i)], acc[size_t(i + h)]);
  return acc[0];
}

template <class W, class Get>
W reduce_row(Monoid m, int64_t n, Get get) {
  int lanes = sizeof(W) >= 8 ? 8 : 16;
  if (n <= kRowPiece) return reduce_lanes<W>(m, n, lanes, get);
  std::vector<W> partial;
  for (int64_t p = 0; p < n; p += kRowPiece)
    partial.push_back(reduce_lanes<W>(m, std::min(kRowPiece, n - p), lanes,
                                      [&](int64_t i) { return get(p + i); }));
  return reduce_lanes<W>(m, int64_t(partial.size()), lanes,
                         [&](int64_t i) { return W(partial[size_t(i)]); });
}

template <class W, class Get>
int64_t arg_extremum(Monoid m, int64_t n, Get get) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i) {
    W v = get(i), b = get(best);
    if constexpr (std::is_floating_point_v<W>) {
      if (std::isnan(b)) break;
      if (std::isnan(v)) {
        best = i;
        break;
      }
    }
    if constexpr (!is_complex_type<W>)
      if (m == Monoid::argmax ? v > b : v < b) best = i;
  }
  return best;
}

class Interpreter {
 public:
  Interpreter(const Kernel& k, void* const* operands, const void* product)
      : k_(k), operands_(operands), product_(product) {
    for (int64_t e : k.axes) size_ *= e;
    step_.assign(k.axes.size(), 1);
    for (int a = k.lane() - 1; a >= 0; --a)
      step_[size_t(a)] = step_[size_t(a + 1)] * k.axes[size_t(a + 1)];
  }

  void run() {
    values_.resize(k_.nodes.size());
    for (size_t i = 0; i < k_.nodes.size(); ++i) evaluate(i);
    for (const Store& s : k_.stores) store(s);
  }

 private:
  int64_t coordinate(int64_t point, size_t axis) const {
    return point / step_[axis] % k_.axes[axis];
  }
  // Length of the (ragged) axis at a point.
  int64_t extent(int64_t point, int axis) const {
    int64_t e = k_.axes[size_t(axis)];
    if (axis != k_.ragged.axis) return e;
    int64_t outer = coordinate(point, size_t(k_.ragged.outer));
    return std::clamp<int64_t>(k_.ragged.total - outer * e, 0, e);
  }
  bool inside(int64_t point) const {
    int a = k_.ragged.axis;
    return a < 0 || coordinate(point, size_t(a)) < extent(point, a);
  }
  int64_t at(const Affine& f, int64_t point) const {
    int64_t v = f.offset;
    for (size_t a = 0; a < f.stride.size(); ++a)
      v += f.stride[a] * coordinate(point, a);
    return v;
  }
  template <class List>
  bool holds(const List& guards, int64_t point) const {
    for (const Guard& g : guards) {
      int64_t v = at(g.expr, point);
      if (v < g.lo || v >= g.hi) return false;
    }
    return true;
  }
  int64_t integer(int32_t node, int64_t point) const {
    const void* p = element(node, point);
    return visit_dtype(k_.nodes[size_t(node)].dtype, [&]<class T>() -> int64_t {
      if constexpr (std::is_integral_v<T>)
        return int64_t(*static_cast<const T*>(p));
      else
        return 0;
    });
  }
  int64_t index(const Map& m, int64_t point) const {
    int64_t v = at(m.at, point);
    for (const Indirect& x : m.indirect)
      v += x.stride * std::clamp<int64_t>(integer(x.node, point), 0, x.limit);
    return v;
  }
  std::byte* element(int32_t node, int64_t point) {
    auto item = size_t(itemsize(k_.nodes[size_t(node)].dtype));
    return values_[size_t(node)].data() + size_t(point) * item;
  }
  const std::byte* element(int32_t node, int64_t point) const {
    return const_cast<Interpreter*>(this)->element(node, point);
  }
  std::byte* memory(int32_t operand, int64_t i) const {
    auto item = itemsize(k_.operands[size_t(operand)].dtype);
    return static_cast<std::byte*>(operands_[operand]) + i * item;
  }

  void evaluate(size_t i) {
    const Node& n = k_.nodes[i];
    const auto item = size_t(itemsize(n.dtype));
    values_[i].assign(size_t(size_) * item, std::byte{0});
    auto put = [&](int64_t point, const void* from) {
      std::memcpy(element(int32_t(i), point), from, item);
    };
    switch (n.kind) {
      case NodeKind::load:
        for (int64_t p = 0; p < size_; ++p)
          if (inside(p) && holds(n.map.guards, p))
            put(p, memory(n.operand, index(n.map, p)));
        break;
      case NodeKind::literal:
        for (int64_t p = 0; p < size_; ++p) put(p, n.literal.bytes);
        break;
      case NodeKind::guard:
        for (int64_t p = 0; p < size_; ++p)
          put(p, element(n.in[holds(n.guards, p) ? 0 : 1], p));
        break;
      case NodeKind::bitcast:
        values_[i] = values_[size_t(n.in[0])];
        break;
      case NodeKind::product:
        std::memcpy(values_[i].data(), product_, values_[i].size());
        break;
      case NodeKind::compute:
        compute(n, i);
        break;
      case NodeKind::generate:
        generate(n, i);
        break;
      case NodeKind::reduce:
        visit_dtype(k_.nodes[size_t(n.in[0])].dtype,
                    [&]<class T>() { reduce<T>(n, i); });
        break;
    }
  }

  void call(const Node& n, size_t i, std::span<const HostView> in,
            std::span<const int64_t> shape, Bytes* result) {
    Avals types;
    for (const HostView& v : in)
      types.push_back({v.dtype, false, Dims(v.shape)});
    Avals outs = n.prim->type({*n.prim, types, n.params});
    std::vector<Bytes> buffers(outs.size());
    SmallVector<HostView, 2> out;
    for (size_t o = 0; o < outs.size(); ++o) {
      buffers[o].resize(size_t(num_elements(shape) * itemsize(outs[o].dtype)));
      out.push_back({outs[o].dtype, shape, buffers[o].data()});
    }
    COTAN_CHECK(n.prim->eval && n.out < outs.size() &&
                outs[n.out].dtype == k_.nodes[i].dtype);
    n.prim->eval({*n.prim, n.params, in, out});
    *result = std::move(buffers[n.out]);
  }
  void compute(const Node& n, size_t i) {
    const int64_t shape[] = {size_};
    SmallVector<HostView, 4> in;
    for (int32_t j : n.in)
      in.push_back(
          {k_.nodes[size_t(j)].dtype, shape, values_[size_t(j)].data()});
    call(n, i, in, shape, &values_[i]);
  }
  void generate(const Node& n, size_t i) {
    Bytes whole;
    call(n, i, {}, n.aval.shape, &whole);
    Dims strides = row_major_strides(n.aval.shape);
    const auto item = size_t(itemsize(n.dtype));
    for (int64_t p = 0; p < size_; ++p) {
      if (!inside(p)) continue;
      int64_t offset = 0;
      bool valid = true;
      for (size_t d = 0; d < strides.size(); ++d) {
        int64_t x = at(n.index[d], p);
        valid &= x >= 0 && x < n.aval.shape[d];
        offset += x * strides[d];
      }
      if (valid)  // outside: under a guard, any value will do
        std::memcpy(element(int32_t(i), p),
                    whole.data() + size_t(offset) * item, item);
    }
  }

  template <class T>
  void reduce(const Node& n, size_t i) {
    using W = typename Wide<T>::type;
    const auto axis = size_t(n.axis);
    Monoid monoid = n.monoid;
    if (std::is_same_v<T, bool>) {
      if (monoid == Monoid::sum || monoid == Monoid::max) monoid = Monoid::or_;
      if (monoid == Monoid::prod || monoid == Monoid::min)
        monoid = Monoid::and_;
    }
    const bool row = k_.schedule != Schedule::panel && n.axis == k_.lane();
    for (int64_t p = 0; p < size_; ++p) {
      if (coordinate(p, axis) != 0) continue;
      int64_t count = extent(p, n.axis);
      auto get = [&](int64_t x) {
        return widen(
            *reinterpret_cast<const T*>(element(n.in[0], p + x * step_[axis])));
      };
      Bytes result(16);
      if (monoid == Monoid::argmax || monoid == Monoid::argmin) {
        int64_t best = arg_extremum<W>(monoid, count, get);
        Literal lit = Literal::from_int(n.dtype, best);
        std::memcpy(result.data(), lit.bytes, 16);
      } else {
        W acc = identity<W>(monoid);
        if (row)
          acc = reduce_row<W>(monoid, count, get);
        else
          for (int64_t x = 0; x < count; ++x)
            acc = combine(monoid, acc, get(x));
        write_result(n, acc, result.data());
      }
      // The value belongs to all points of the row.
      for (int64_t x = 0; x < k_.axes[axis]; ++x)
        std::memcpy(element(int32_t(i), p + x * step_[axis]), result.data(),
                    size_t(itemsize(n.dtype)));
    }
  }
  template <class W>
  void write_result(const Node& n, W acc, std::byte* to) {
    visit_dtype(n.dtype, [&]<class R>() {
      using RW = typename Wide<R>::type;
      if constexpr (std::is_same_v<RW, W>) {
        R r = narrow<R>(acc);
        std::memcpy(to, &r, sizeof r);
      } else {
        COTAN_CHECK(!"the result of a reduction has another dtype");
      }
    });
  }

  void store(const Store& s) {
    const Node& n = k_.nodes[size_t(s.node)];
    for (int64_t p = 0; p < size_; ++p) {
      if (!inside(p) || !holds(s.map.guards, p)) continue;
      bool first = true;
      for (size_t a = 0; a < k_.axes.size(); ++a)
        if (!(s.dep >> a & 1) && coordinate(p, a) != 0) first = false;
      if (first)
        std::memcpy(memory(s.operand, index(s.map, p)), element(s.node, p),
                    size_t(itemsize(n.dtype)));
    }
  }

  const Kernel& k_;
  void* const* operands_;
  const void* product_;
  int64_t size_ = 1;
  std::vector<int64_t> step_;
  std::vector<Bytes> values_;
};

// ---- programs

struct Memory {
  const Program& p;
  const void* const* in;
  void* const* out;
  std::byte* arena;

  void* at(BufferId id) const {
    const PlanBuffer& b = p.buffers[size_t(id)];
    auto i = size_t(b.index);
    switch (b.kind) {
      case PlanBuffer::input:
        return const_cast<void*>(in[i]);
      case PlanBuffer::output:
        return out[i];
      case PlanBuffer::arena:
        return arena + b.offset;
      case PlanBuffer::constant:
        return const_cast<unsigned char*>(p.constants[i].bytes);
    }
    return nullptr;
  }
  SmallVector<void*, 8> all(std::span<const BufferId> ids) const {
    SmallVector<void*, 8> v;
    for (BufferId id : ids) v.push_back(at(id));
    return v;
  }

  void run(const FusedStep& s) const {
    auto operands = all(s.operands);
    interpret_kernel(*s.kernel, operands.data());
  }
  void run(const GemmStep& s) const;
  void run(const EvalStep& s) const { evaluate(s); }
  void run(const RuntimeStep& s) const { evaluate(s); }
  // In place is possible: the operands are copied first.
  template <class S>
  void evaluate(const S& s) const {
    SmallVector<HostView, 4> in_views, out_views;
    std::vector<Bytes> copies;
    for (size_t i = 0; i < s.in.size(); ++i) {
      auto* from = static_cast<const std::byte*>(at(s.in[i]));
      copies.emplace_back(from, from + s.in_avals[i].nbytes());
      in_views.push_back(
          {s.in_avals[i].dtype, s.in_avals[i].shape, copies.back().data()});
    }
    for (size_t i = 0; i < s.out.size(); ++i)
      out_views.push_back(
          {s.out_avals[i].dtype, s.out_avals[i].shape, at(s.out[i])});
    s.prim->eval({*s.prim, s.params, in_views, out_views});
  }
  void run(const BranchStep& s) const {
    auto i = size_t(*static_cast<const int32_t*>(at(s.in[0])));
    auto in = all(std::span(s.in).subspan(1)), out = all(s.out);
    interpret_program(*s.cases[std::min(i, s.cases.size() - 1)], in.data(),
                      out.data());
  }
  void run(const LoopStep& s) const;
  void run(const CopyStep& s) const {
    std::memmove(at(s.to), at(s.from), size_t(p.buffers[size_t(s.to)].bytes));
  }
};

template <class In, class Out>
void multiply(const Gemm& g, const In* a, const In* b, Out* c) {
  using W = typename Wide<Out>::type;
  int64_t batches = 1;
  for (int64_t e : g.batch) batches *= e;
  for (int64_t q = 0; q < batches; ++q) {
    int64_t pa = g.lhs_offset, pb = g.rhs_offset, pc = 0, rest = q;
    for (size_t d = g.batch.size(); d-- > 0;) {
      int64_t x = rest % g.batch[d];
      rest /= g.batch[d];
      pa += x * g.lhs_batch[d];
      pb += x * g.rhs_batch[d];
      pc += x * g.out_batch[d];
    }
    for (int64_t i = 0; i < g.m; ++i)
      for (int64_t j = 0; j < g.n; ++j) {
        W acc{};
        for (int64_t k = 0; k < g.k; ++k)
          acc += W(widen(a[pa + i * g.lhs_m + k * g.lhs_k])) *
                 W(widen(b[pb + k * g.rhs_k + j * g.rhs_n]));
        c[pc + i * g.out_m + j] = narrow<Out>(acc);
      }
  }
}

void Memory::run(const GemmStep& s) const {
  Gemm g = s.gemm;
  void* to = s.epilogue ? nullptr : at(s.out);
  Bytes product;
  if (s.epilogue) {  // dense over the epilogue's axes
    g.out_m = g.n;
    int64_t size = g.m * g.n;
    for (size_t d = g.batch.size(); d-- > 0;) {
      g.out_batch[d] = size;
      size *= g.batch[d];
    }
    product.resize(size_t(size * itemsize(g.out_dtype)));
    to = product.data();
  }
  visit_dtype(g.dtype, [&]<class In>() {
    visit_dtype(g.out_dtype, [&]<class Out>() {
      using A = typename Wide<In>::type;
      using C = typename Wide<Out>::type;
      if constexpr (std::is_same_v<A, C> ||
                    (std::is_integral_v<A> && std::is_same_v<C, int32_t>) ||
                    (std::is_floating_point_v<A> && std::is_same_v<C, double>))
        multiply(g, static_cast<const In*>(at(s.lhs)),
                 static_cast<const In*>(at(s.rhs)), static_cast<Out*>(to));
      else
        throw_not_implemented("the interpreter multiplies ", g.dtype, " to ",
                              g.out_dtype);
    });
  });
  if (!s.epilogue) return;
  auto operands = all(s.operands);
  interpret_kernel(*s.epilogue, operands.data(), product.data());
}

// Rows of the streams and a copy of every carry: no places are shared.
void Memory::run(const LoopStep& s) const {
  auto in = all(s.in), out = all(s.out);
  size_t nc = size_t(s.carries), first = size_t(s.cond_consts + s.consts);
  auto copied = [](const Aval& a, const void* from) {
    auto* p = static_cast<const std::byte*>(from);
    return Bytes(p, p + a.nbytes());
  };
  std::vector<Bytes> carry, fresh, made;
  const Program& body = *s.body;
  for (size_t i = 0; i < nc; ++i)
    carry.push_back(copied(body.inputs[size_t(s.consts) + i], in[first + i]));
  auto run_on = [&](const Program& p, const void* const* x,
                    std::vector<Bytes>* y) {
    y->clear();
    SmallVector<void*, 8> to;
    for (const PlanOutput& o : p.outputs)
      y->emplace_back(size_t(o.aval.nbytes()));
    for (Bytes& b : *y) to.push_back(b.data());
    interpret_program(p, x, to.data());
  };
  if (s.prologue) run_on(*s.prologue, in.data() + s.cond_consts, &made);
  for (int64_t i = 0; s.cond || i < s.trips; ++i) {
    if (s.cond) {
      SmallVector<const void*, 8> x(in.begin(), in.begin() + s.cond_consts);
      for (Bytes& b : carry) x.push_back(b.data());
      std::vector<Bytes> more;
      run_on(*s.cond, x.data(), &more);
      if (more[0][0] == std::byte{0}) break;
    }
    int64_t t = s.reverse ? s.trips - 1 - i : i;
    SmallVector<const void*, 8> x(in.begin() + s.cond_consts,
                                  in.begin() + long(first));
    for (Bytes& b : carry) x.push_back(b.data());
    for (size_t k = first + nc; k < in.size(); ++k)
      x.push_back(static_cast<std::byte*>(in[k]) +
                  t * body.inputs[x.size()].nbytes());
    for (Bytes& b : made) x.push_back(b.data());
    run_on(body, x.data(), &fresh);
    for (size_t k = nc; k < fresh.size(); ++k)
      std::copy(fresh[k].begin(), fresh[k].end(),
                static_cast<std::byte*>(out[k]) + t * int64_t(fresh[k].size()));
    fresh.resize(nc);
    carry.swap(fresh);
  }
  for (size_t k = 0; k < nc; ++k)
    std::copy(carry[k].begin(), carry[k].end(),
              static_cast<std::byte*>(out[k]));
}

}  // namespace

void interpret_kernel(const Kernel& k, void* const* operands,
                      const void* product) {
  Interpreter(k, operands, product).run();
}

void interpret_program(const Program& p, const void* const* in,
                       void* const* out) {
  auto bytes = size_t(std::max<int64_t>(p.arena_bytes, 1));
  // Poisoned: a value that is read before it is written shows.
  std::vector<std::byte> arena(bytes + 64, std::byte{0xcd});
  auto base = reinterpret_cast<uintptr_t>(arena.data());
  Memory memory{p, in, out, arena.data() + (64 - base % 64) % 64};
  for (size_t j = 0; j < p.outputs.size(); ++j)
    if (int32_t i = p.outputs[j].alias; i >= 0 && in[i] != out[j])
      std::memcpy(out[j], in[i], size_t(p.outputs[j].aval.nbytes()));
  SmallVector<const void*, 8> inputs;
  for (size_t i = 0; i < p.inputs.size(); ++i) inputs.push_back(in[i]);
  for (size_t j = 0; j < p.outputs.size(); ++j)
    if (p.outputs[j].alias >= 0) inputs[size_t(p.outputs[j].alias)] = out[j];
  memory.in = inputs.data();
  for (const Step& s : p.steps)
    std::visit([&](const auto& step) { memory.run(step); }, s);
  for (size_t j = 0; j < p.outputs.size(); ++j)
    if (int32_t i = p.outputs[j].forwards; i >= 0)
      std::memcpy(out[j], in[i], size_t(p.outputs[j].aval.nbytes()));
}

}  // namespace cotan

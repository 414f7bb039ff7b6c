// Generated kernels against the kernel interpreter, bit for bit, on random
// kernels: every schedule, dtype, stride class, guard and reduction.
#include <cmath>
#include <cstdlib>
#include <random>

#include "backends/cpu/kernel_cache.h"
#include "passes/kernel_interpreter.h"
#include "testing.h"

namespace cotan {
namespace {

struct Random {
  std::mt19937_64 gen;
  explicit Random(uint64_t seed) : gen(seed) {}
  int64_t below(int64_t n) { return int64_t(gen() % uint64_t(n)); }
  template <class T>
  T pick(std::initializer_list<T> list) {
    return list.begin()[below(int64_t(list.size()))];
  }
  bool chance(int percent) { return below(100) < percent; }
};

// One kernel with memory to run it on.
struct Case {
  Ref<Kernel> k = make_ref<Kernel>();
  std::vector<int64_t> elements;  // per operand
  int64_t grid = 1;

  int add_node(Node n) {
    k->nodes.push_back(std::move(n));
    return int(k->nodes.size()) - 1;
  }
  Affine affine(std::vector<int64_t> stride, int64_t offset = 0) const {
    return {SmallVector<int64_t, 4>(stride.begin(), stride.end()), offset};
  }
  // Lowest and highest value of f over the axes.
  std::pair<int64_t, int64_t> range(const Affine& f) const {
    int64_t lo = f.offset, hi = f.offset;
    for (size_t a = 0; a < f.stride.size(); ++a) {
      int64_t d = f.stride[a] * (k->axes[a] - 1);
      (d < 0 ? lo : hi) += d;
    }
    return {lo, hi};
  }
  int operand(DType t, int64_t size, bool read, bool written) {
    k->operands.push_back({t, read, written});
    elements.push_back(size);
    return int(k->operands.size()) - 1;
  }
  // A load with the given strides; the offset is chosen so that it fits.
  int load(DType t, std::vector<int64_t> stride) {
    Node n;
    n.kind = NodeKind::load;
    n.dtype = t;
    n.map.at = affine(std::move(stride));
    auto [lo, hi] = range(n.map.at);
    n.map.at.offset = -lo;
    n.operand = operand(t, hi - lo + 1, true, false);
    return add_node(n);
  }
  int compute(const char* name, std::vector<int> in, DType t,
              Params params = {}) {
    Node n;
    n.kind = NodeKind::compute;
    n.prim = find_primitive(name);
    if (!n.prim) testing::fail(__FILE__, __LINE__, cat("no primitive ", name));
    n.params = std::move(params);
    n.in = SmallVector<int32_t, 3>(in.begin(), in.end());
    n.dtype = t;
    return add_node(n);
  }
  int literal(DType t, double v, bool baked) {
    Node n;
    n.dtype = t;
    n.literal = Literal::from_double(t, v);
    n.baked = baked;
    return add_node(n);
  }
  int reduce(Monoid m, int in, int axis, DType t) {
    Node n;
    n.kind = NodeKind::reduce;
    n.monoid = m;
    n.in = {in};
    n.axis = int8_t(axis);
    n.dtype = t;
    return add_node(n);
  }
  std::vector<int64_t> dense(AxisMask axes) const {
    std::vector<int64_t> s(k->axes.size(), 0);
    int64_t step = 1;
    for (size_t a = k->axes.size(); a-- > 0;)
      if (axes >> a & 1) {
        s[a] = step;
        step *= k->axes[a];
      }
    return s;
  }
  void store(int node, AxisMask axes) {
    Store s;
    s.node = node;
    s.map.at = affine(dense(axes));
    s.operand = operand(k->nodes[size_t(node)].dtype,
                        range(s.map.at).second + 1, false, true);
    k->stores.push_back(s);
  }
  AxisMask all() const { return (AxisMask(1) << k->rank()) - 1; }
  void finish() {
    bool reduces = false;
    for (const Node& n : k->nodes) reduces |= n.kind == NodeKind::reduce;
    k->unroll = reduces ? 4 : 2;
    finish_kernel(*k);
    check_kernel(*k);
    grid = 1;
    for (int a = 0; a < k->grid_axes(); ++a) grid *= k->axes[size_t(a)];
  }
};

using Bytes = std::vector<std::byte>;

Bytes random_bytes(DType t, int64_t n, Random& r) {
  Bytes b(size_t(n * itemsize(t)) + 64);
  for (int64_t i = 0; i < n; ++i) {
    double v = double(r.below(2001) - 1000) / 300;
    if (is_float(t) && r.chance(1))
      v = r.pick<double>({NAN, INFINITY, -0.0, 1e30});
    Literal lit = is_complex(t)
                      ? Literal::from_complex(t, {v, double(r.below(9)) - 4})
                  : is_float(t) ? Literal::from_double(t, v)
                                : Literal::from_int(t, r.below(200) - 100);
    std::memcpy(b.data() + i * itemsize(t), lit.bytes, size_t(itemsize(t)));
  }
  return b;
}

// Bit for bit; any nan equals any other.
bool same_values(DType t, const std::byte* a, const std::byte* b) {
  if (std::memcmp(a, b, size_t(itemsize(t))) == 0) return true;
  Literal x = Literal::from_bytes(t, a), y = Literal::from_bytes(t, b);
  if (!is_inexact(t)) return false;
  auto p = x.to_complex(), q = y.to_complex();
  auto eq = [](double u, double v) {
    // The sign of a zero that max or min chooses is free.
    return u == v || (std::isnan(u) && std::isnan(v));
  };
  return eq(p.real(), q.real()) && eq(p.imag(), q.imag());
}

void check_case(Case& c, uint64_t seed, const cpu::TargetSpec& target) {
  Random r(seed);
  std::vector<Bytes> expected, got;
  for (size_t i = 0; i < c.elements.size(); ++i) {
    expected.push_back(random_bytes(c.k->operands[i].dtype, c.elements[i], r));
    got.push_back(expected.back());
  }
  std::vector<void*> a, b;
  for (size_t i = 0; i < expected.size(); ++i) {
    a.push_back(expected[i].data());
    b.push_back(got[i].data());
  }
  interpret_kernel(*c.k, a.data());
  KernelRef k = c.k;
  auto code = cpu::compile_kernels({&k, 1}, target);
  int64_t grain = 1 + r.below(c.grid + 3);
  cpu::run_kernel(*code[0], *c.k, b.data(), c.grid, grain);
  for (size_t i = 0; i < expected.size(); ++i) {
    DType t = c.k->operands[i].dtype;
    for (int64_t e = 0; e < c.elements[i]; ++e) {
      const std::byte* x = expected[i].data() + e * itemsize(t);
      const std::byte* y = got[i].data() + e * itemsize(t);
      if (!same_values(t, x, y))
        testing::fail(__FILE__, __LINE__,
                      cat("seed ", seed, " operand ", i, "[", e, "]: expected ",
                          Literal::from_bytes(t, x), ", got ",
                          Literal::from_bytes(t, y), "\n", to_string(*c.k)));
    }
    if (std::memcmp(expected[i].data() + c.elements[i] * itemsize(t),
                    got[i].data() + c.elements[i] * itemsize(t), 64) != 0)
      testing::fail(__FILE__, __LINE__,
                    cat("seed ", seed, ": wrote beyond operand ", i));
  }
}

const std::initializer_list<DType> kNumbers = {
    DType::f32, DType::f32, DType::f32,  DType::f64,  DType::i32,
    DType::i64, DType::u8,  DType::i16,  DType::bf16, DType::f16,
    DType::u32, DType::c64, DType::c128, DType::u64,  DType::i8};

std::vector<int64_t> random_stride(const Case& c, Random& r) {
  size_t rank = c.k->axes.size();
  std::vector<int64_t> s = c.dense(c.all());
  if (r.chance(25)) {  // permuted
    std::vector<size_t> order(rank);
    for (size_t a = 0; a < rank; ++a) order[a] = a;
    std::shuffle(order.begin(), order.end(), r.gen);
    int64_t step = 1;
    for (size_t a : order) {
      s[a] = step;
      step *= c.k->axes[a];
    }
  }
  for (int64_t& x : s) {
    if (r.chance(15)) x = 0;
    if (r.chance(10)) x = -x;
    if (r.chance(10)) x *= 2;
  }
  return s;
}

// A few loads and operations on them, all of dtype t.
int random_expression(Case& c, Random& r, DType t, int size) {
  std::vector<int> values;
  int loads = 1 + int(r.below(3));
  for (int i = 0; i < loads; ++i) {
    int n = c.load(t, random_stride(c, r));
    if (r.chance(15)) {  // a guard that cuts some elements off
      Node& node = c.k->nodes[size_t(n)];
      Guard g;
      std::vector<int64_t> s(c.k->axes.size(), 0);
      size_t axis = size_t(r.below(int64_t(s.size())));
      s[axis] = r.pick<int64_t>({1, -1, 3});
      g.expr = c.affine(s, r.below(5) - 2);
      auto [lo, hi] = c.range(g.expr);
      g.lo = lo + r.below(4);
      g.hi = hi + 1 - r.below(4);
      node.map.guards.push_back(g);
    }
    values.push_back(n);
  }
  auto any = [&] { return values[size_t(r.below(int64_t(values.size())))]; };
  for (int i = 0; i < size; ++i) {
    int kind = int(r.below(6));
    int n;
    if (kind == 0) {
      n = c.compute("neg", {any()}, t);
    } else if (kind == 1) {
      int lit = c.literal(t, double(r.below(7) - 3), r.chance(50));
      n = c.compute("mul", {any(), lit}, t);
    } else if (kind == 2 && !is_complex(t)) {
      n = c.compute("max", {any(), any()}, t);
    } else if (kind == 3) {
      n = c.compute("sub", {any(), any()}, t);
    } else if (kind == 4) {
      Node g;
      g.kind = NodeKind::guard;
      g.dtype = t;
      int x = any(), y = any();
      g.in = {x, y};
      Guard guard;
      std::vector<int64_t> s(c.k->axes.size(), 0);
      s[size_t(r.below(int64_t(s.size())))] = r.pick<int64_t>({1, -1, 2});
      guard.expr = c.affine(s);
      auto [lo, hi] = c.range(guard.expr);
      guard.lo = lo + r.below(hi - lo + 1);
      guard.hi = hi + 1;
      g.guards.push_back(guard);
      n = c.add_node(g);
    } else {
      n = c.compute("add", {any(), any()}, t);
    }
    values.push_back(n);
  }
  return values.back();
}

Case random_map(uint64_t seed) {
  Random r(seed);
  Case c;
  int rank = 1 + int(r.below(3));
  for (int a = 0; a < rank; ++a)
    c.k->axes.push_back(a + 1 == rank
                            ? r.pick<int64_t>({1, 3, 15, 16, 17, 40, 64, 131})
                            : r.pick<int64_t>({1, 2, 3, 5, 8}));
  DType t = r.pick(kNumbers);
  int stores = 1 + int(r.below(2));
  for (int i = 0; i < stores; ++i) {
    int n = random_expression(c, r, t, int(r.below(5)));
    AxisMask dep = 0;
    finish_kernel(*c.k);
    dep = c.k->nodes[size_t(n)].dep;
    c.store(n, dep);
  }
  c.finish();
  return c;
}

Case random_reduction(uint64_t seed, bool columns) {
  Random r(seed);
  Case c;
  int rank = 1 + int(r.below(3));
  if (columns && rank == 1) rank = 2;
  for (int a = 0; a < rank; ++a)
    c.k->axes.push_back(a + 1 == rank
                            ? r.pick<int64_t>({1, 7, 16, 64, 100, 131, 300})
                            : r.pick<int64_t>({1, 2, 3, 5}));
  if (rank == 1 && r.chance(10)) c.k->axes[0] = 40000;
  DType t = r.pick(kNumbers);
  int x = random_expression(c, r, t, int(r.below(3)));
  int lane = rank - 1;
  int axis = columns ? int(r.below(lane)) : lane;
  // Make sure that it varies along the reduced axis.
  x = c.compute("add", {x, c.load(t, c.dense(c.all()))}, t);
  Monoid m = is_complex(t) ? Monoid::sum
                           : r.pick({Monoid::sum, Monoid::sum, Monoid::max,
                                     Monoid::min, Monoid::prod});
  if (columns && is_half(t)) m = Monoid::max;  // strips keep f16 rows
  if (!columns && !is_complex(t) && r.chance(20)) {
    int a = c.reduce(r.pick({Monoid::argmax, Monoid::argmin}), x, axis,
                     r.pick({DType::i32, DType::i64}));
    finish_kernel(*c.k);
    c.store(a, c.k->nodes[size_t(a)].dep);
  }
  int y = c.reduce(m, x, axis, t);
  finish_kernel(*c.k);
  c.store(y, c.k->nodes[size_t(y)].dep);
  if (!columns) {  // a second stage
    int z = c.compute("sub", {x, y}, t);
    if (r.chance(50)) {
      int s = c.reduce(Monoid::sum, z, axis, t);
      z = c.compute("add", {z, s}, t);
    }
    finish_kernel(*c.k);
    c.store(z, c.k->nodes[size_t(z)].dep);
  }
  c.finish();
  return c;
}

Case random_panel(uint64_t seed) {
  Random r(seed);
  Case c;
  c.k->schedule = Schedule::panel;
  int rank = 2 + int(r.below(2));
  for (int a = 0; a < rank; ++a)
    c.k->axes.push_back(a + 1 == rank
                            ? r.pick<int64_t>({1, 7, 16, 64, 100, 131})
                            : r.pick<int64_t>({1, 2, 3, 5, 17}));
  DType t = r.pick(kNumbers);
  int axis = rank - 2;
  int x = random_expression(c, r, t, int(r.below(3)));
  x = c.compute("add", {x, c.load(t, c.dense(c.all()))}, t);
  if (r.chance(30) && (t == DType::f32 || t == DType::f64))
    x = c.compute("exp", {x}, t);
  Monoid m = is_complex(t) ? Monoid::sum
                           : r.pick({Monoid::sum, Monoid::max, Monoid::min});
  if (!is_complex(t) && r.chance(20)) {
    int a = c.reduce(r.pick({Monoid::argmax, Monoid::argmin}), x, axis,
                     r.pick({DType::i32, DType::i64}));
    finish_kernel(*c.k);
    c.store(a, c.k->nodes[size_t(a)].dep);
  }
  int y = c.reduce(m, x, axis, t);
  finish_kernel(*c.k);
  if (r.chance(70)) c.store(y, c.k->nodes[size_t(y)].dep);
  int z = c.compute("sub", {x, y}, t);
  if (r.chance(50)) {
    int s = c.reduce(Monoid::sum, z, axis, t);
    z = c.compute("add", {z, s}, t);
  }
  finish_kernel(*c.k);
  c.store(z, c.k->nodes[size_t(z)].dep);
  c.finish();
  return c;
}

Case random_tile(uint64_t seed) {
  Random r(seed);
  Case c;
  c.k->schedule = Schedule::tile;
  int rank = 2 + int(r.below(2));
  for (int a = 0; a < rank; ++a)
    c.k->axes.push_back(a + 2 < rank
                            ? 1 + r.below(3)
                            : r.pick<int64_t>({1, 7, 16, 17, 32, 50, 144}));
  DType t = r.pick(kNumbers);
  std::vector<int64_t> s(size_t(rank), 0);  // contiguous along the rows
  s[size_t(rank - 2)] = 1;
  s[size_t(rank - 1)] = c.k->axes[size_t(rank - 2)] + r.below(2);
  if (rank == 3) s[0] = s[2] * c.k->axes[2];
  int x = c.load(t, s);
  if (r.chance(70))
    x = c.compute("sub", {x, random_expression(c, r, t, int(r.below(4)))}, t);
  if (r.chance(30) && is_float(t)) x = c.compute("sin", {x}, t);
  c.store(x, c.all());
  c.finish();
  return c;
}

// Short rows, and f32 beside f64 in one kernel.
Case random_block(uint64_t seed) {
  Random r(seed);
  Case c;
  c.k->schedule = r.chance(80) ? Schedule::block : Schedule::strip;
  c.k->axes = {1 + r.below(40), 1 + r.below(70)};
  DType t = r.pick(kNumbers);
  int x = random_expression(c, r, t, int(r.below(3)));
  x = c.compute("add", {x, c.load(t, c.dense(c.all()))}, t);
  int y = c.reduce(Monoid::sum, x, 1, t);
  finish_kernel(*c.k);
  c.store(y, c.k->nodes[size_t(y)].dep);
  int z = c.compute("sub", {x, y}, t);
  if (!is_complex(t))
    z = c.compute("max", {z, c.reduce(Monoid::max, z, 1, t)}, t);
  finish_kernel(*c.k);
  c.store(z, c.k->nodes[size_t(z)].dep);
  if (r.chance(40)) {
    DType u = r.pick({DType::f32, DType::f64, DType::c64});
    int w = c.reduce(Monoid::sum, c.load(u, c.dense(c.all())), 1, u);
    finish_kernel(*c.k);
    c.store(w, c.k->nodes[size_t(w)].dep);
  }
  c.finish();
  return c;
}

constexpr int kCases = 150;

}  // namespace

TEST(cpu_kernel_maps) {
  for (uint64_t s = 0; s < kCases; ++s) {
    Case c = random_map(s);
    check_case(c, s, cpu::this_machine());
    if (s % 4 == 0) check_case(c, s, cpu::other_machine("haswell"));
  }
}

TEST(cpu_kernel_row_reductions) {
  for (uint64_t s = 0; s < kCases; ++s) {
    Case c = random_reduction(s, false);
    check_case(c, s, cpu::this_machine());
    if (s % 4 == 0) check_case(c, s, cpu::other_machine("haswell"));
  }
}

TEST(cpu_kernel_column_reductions) {
  for (uint64_t s = 0; s < kCases; ++s) {
    Case c = random_reduction(s, true);
    check_case(c, s, cpu::this_machine());
    if (s % 4 == 0) check_case(c, s, cpu::other_machine("haswell"));
  }
}

TEST(cpu_kernel_blocks) {
  for (uint64_t s = 0; s < kCases; ++s) {
    Case c = random_block(s);
    check_case(c, s, cpu::this_machine());
    if (s % 4 == 0) check_case(c, s, cpu::other_machine("haswell"));
  }
}

TEST(cpu_kernel_tiles) {
  for (uint64_t s = 0; s < kCases; ++s) {
    Case c = random_tile(s);
    check_case(c, s, cpu::this_machine());
    if (s % 4 == 0) check_case(c, s, cpu::other_machine("haswell"));
  }
}

TEST(cpu_kernel_panels) {
  for (uint64_t s = 0; s < kCases; ++s) {
    Case c = random_panel(s);
    check_case(c, s, cpu::this_machine());
    if (s % 4 == 0) check_case(c, s, cpu::other_machine("haswell"));
  }
}

}  // namespace cotan

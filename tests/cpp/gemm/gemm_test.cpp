// Random products against references. f32 and f64 without an epilogue must
// agree bit for bit with a chain of fma in ascending k (the dot kernel: with
// its 16 lanes); integers bit for bit; the rest within rounding. Every case
// also runs with other thread counts and with the closed set of kernels, and
// must give the same bits.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gemm_jit.h"

using namespace cotan;
using namespace cotan::cpu;
using namespace gemm_testing;

namespace {

struct Case {
  GemmTypes types;
  TargetInfo target;
  std::string cpu;
  int64_t m = 0, n = 0, k = 0, batch = 1;
  bool ta = false, tb = false, accumulate = false, padded = false;
  Fuse fuse = Fuse::none;
};

std::string kernel_name(const Case& c) {
  std::string out = c.cpu + " " + std::to_string(c.target.vector_bits) + " " +
                    std::to_string(c.target.registers);
  for (DType t : {c.types.a, c.types.b, c.types.compute, c.types.out})
    out += " " + std::string(dtype_name(t));
  return out + " fuse" + std::to_string(int(c.fuse));
}

std::string describe(const Case& c) {
  char text[256];
  snprintf(text, sizeof text,
           "%s x %s -> %s (in %s), %d bits, m%lld n%lld k%lld batch%lld%s%s%s%s"
           " fuse%d",
           std::string(dtype_name(c.types.a)).c_str(),
           std::string(dtype_name(c.types.b)).c_str(),
           std::string(dtype_name(c.types.out)).c_str(),
           std::string(dtype_name(c.types.compute)).c_str(),
           c.target.vector_bits, (long long)c.m, (long long)c.n, (long long)c.k,
           (long long)c.batch, c.ta ? " A^T" : "", c.tb ? " B^T" : "",
           c.accumulate ? " +=" : "", c.padded ? " padded" : "", int(c.fuse));
  return text;
}

// --- Elements ---------------------------------------------------------------

double get_float(DType t, const char* p) {
  if (t == DType::f64) return *reinterpret_cast<const double*>(p);
  if (t == DType::f32) return double(*reinterpret_cast<const float*>(p));
  uint16_t bits;
  memcpy(&bits, p, 2);
  return double(t == DType::f16 ? to_float(f16_t{bits})
                                : to_float(bf16_t{bits}));
}
void put_float(DType t, char* p, double v) {
  if (t == DType::f64) memcpy(p, &v, 8);
  float f = float(v);
  if (t == DType::f32) memcpy(p, &f, 4);
  uint16_t bits = t == DType::f16 ? to_f16(f).bits : to_bf16(f).bits;
  if (is_half(t)) memcpy(p, &bits, 2);
}
uint64_t get_int(DType t, const char* p) {  // extended to 64 bits
  uint64_t v = 0;
  memcpy(&v, p, size_t(itemsize(t)));
  if (!is_signed_int(t)) return v;
  int shift = int(64 - 8 * itemsize(t));
  return uint64_t(int64_t(v << shift) >> shift);
}

void fill(DType t, char* p, int64_t count, std::mt19937_64& g) {
  for (int64_t i = 0; i < count; i++, p += itemsize(t)) {
    if (is_float(t)) {
      put_float(t, p, double(int64_t(g() % 4001)) / 2000 - 1);
    } else {
      uint64_t v = t == DType::bool_ ? g() % 2 : g();
      memcpy(p, &v, size_t(itemsize(t)));
    }
  }
}

// --- One case ---------------------------------------------------------------

struct Operands {
  GemmShape shape;
  std::shared_ptr<char> a, b, c, start, bias, residual;
  int64_t c_bytes;
  int64_t strides[2];
  void* args[3];
};

Operands operands(const Case& c, std::mt19937_64& g) {
  Operands o;
  o.shape = gemm_dense(c.m, c.n, c.k, c.ta, c.tb, c.batch);
  auto& s = o.shape;
  if (c.padded) {  // rows further apart than dense ones
    (c.ta ? s.a_k : s.a_row) += 3;
    (c.tb ? s.b_col : s.b_k) += 5;
    s.c_row += 7;
    s.a_batch[2] = (c.ta ? c.k * s.a_k : c.m * s.a_row) + 1;
    s.b_batch[2] = (c.tb ? c.n * s.b_col : c.k * s.b_k) + 2;
    s.c_batch[2] = c.m * s.c_row + 3;
  }
  s.accumulate = c.accumulate;
  auto make = [&](DType t, int64_t count) {
    auto p = pages((count + 64) * itemsize(t));
    fill(t, p.get(), count, g);
    return p;
  };
  o.a = make(c.types.a, s.a_batch[2] * c.batch);
  o.b = make(c.types.b, s.b_batch[2] * c.batch);
  int64_t count = s.c_batch[2] * c.batch;
  o.start = make(c.types.out, count + 1);
  o.c_bytes = (count + 1) * itemsize(c.types.out);
  o.c = pages(o.c_bytes);
  o.bias = make(DType::f32, c.n);
  o.residual = make(DType::f32, c.batch * c.m * c.n);
  o.strides[0] = c.m * c.n, o.strides[1] = c.n;
  o.args[0] = o.bias.get(), o.args[1] = o.residual.get();
  return o;
}

void run(const Case& c, Operands& o, const GemmKernels& kernels,
         const GemmPlan& plan, Pool& pool) {
  (void)c;
  auto scratch = pages(gemm_scratch_bytes(plan));
  memset(scratch.get(), 0xff, size_t(gemm_scratch_bytes(plan)));  // NaN
  memcpy(o.c.get(), o.start.get(), size_t(o.c_bytes));
  void* args[3] = {o.args[0], o.args[1], o.strides};
  auto parallel = pool.parallel();
  run_gemm(plan, kernels,
           {o.a.get(), o.b.get(), o.c.get(), args, scratch.get()}, &parallel);
}

template <class T>
T chain(const std::vector<T>& a, const std::vector<T>& b, T start, bool dots) {
  size_t n = a.size();
  if (!dots) {
    for (size_t k = 0; k < n; k++) start = std::fma(a[k], b[k], start);
    return start;
  }
  constexpr size_t kLanes = sizeof(T) == 8 ? 8 : 16;
  T x[kLanes] = {};
  for (size_t k = 0; k < (n + kLanes - 1) / kLanes * kLanes; k++)
    x[k % kLanes] =
        std::fma(k < n ? a[k] : T(0), k < n ? b[k] : T(0), x[k % kLanes]);
  for (size_t s = 1; s < kLanes; s *= 2)
    for (size_t l = 0; l < kLanes; l += 2 * s) x[l] = x[l] + x[l + s];
  return start + x[0];
}

double fused(const Case& c, const Operands& o, double x, int64_t t, int64_t i,
             int64_t j) {
  auto* bias = reinterpret_cast<const float*>(o.bias.get());
  auto* residual = reinterpret_cast<const float*>(o.residual.get());
  if (c.fuse == Fuse::none) return x;
  if (c.fuse == Fuse::indices) return double(t * 1000000 + i * 1000 + j);
  x += double(bias[j]);
  if (c.fuse == Fuse::bias_relu) return std::fmax(x, 0);
  if (c.fuse == Fuse::gelu)
    return x / (1 + std::exp(-1.5957691216 * (x + 0.044715 * x * x * x)));
  return x / (1 + std::fabs(x)) + double(residual[(t * c.m + i) * c.n + j]);
}

// Empty, or what is wrong.
std::string check(const Case& c, const Operands& o, bool dots) {
  const auto& s = o.shape;
  auto a_at = [&](int64_t t, int64_t i, int64_t k) {
    return o.a.get() +
           (t * s.a_batch[2] + i * s.a_row + k * s.a_k) * itemsize(c.types.a);
  };
  auto b_at = [&](int64_t t, int64_t k, int64_t j) {
    return o.b.get() +
           (t * s.b_batch[2] + k * s.b_k + j * s.b_col) * itemsize(c.types.b);
  };
  std::vector<bool> touched(size_t(s.c_batch[2] * c.batch + 1), false);
  DType out = c.types.out;
  for (int64_t t = 0; t < c.batch; t++)
    for (int64_t i = 0; i < c.m; i++)
      for (int64_t j = 0; j < c.n; j++) {
        int64_t index = t * s.c_batch[2] + i * s.c_row + j;
        touched[size_t(index)] = true;
        const char* got = o.c.get() + index * itemsize(out);
        const char* start = o.start.get() + index * itemsize(out);
        char where[200];
        if (!is_float(c.types.compute)) {
          uint64_t sum = c.accumulate ? get_int(out, start) : 0;
          for (int64_t k = 0; k < c.k; k++)
            sum += get_int(c.types.a, a_at(t, i, k)) *
                   get_int(c.types.b, b_at(t, k, j));
          if (memcmp(&sum, got, size_t(itemsize(out)))) {
            snprintf(where, sizeof where, "[%lld,%lld,%lld] integer sum",
                     (long long)t, (long long)i, (long long)j);
            return where;
          }
          continue;
        }
        auto value = [](DType d, const char* p) {
          if (is_float(d)) return get_float(d, p);
          uint64_t v = get_int(d, p);
          return is_signed_int(d) ? double(int64_t(v)) : double(v);
        };
        std::vector<double> x, y;
        double magnitude = 1;
        for (int64_t k = 0; k < c.k; k++) {
          x.push_back(value(c.types.a, a_at(t, i, k)));
          y.push_back(value(c.types.b, b_at(t, k, j)));
          magnitude += std::fabs(x.back() * y.back());
        }
        double first = c.accumulate ? get_float(out, start) : 0;
        double want, have = get_float(out, got), limit = 0;
        if (c.types.compute == DType::f64) {
          want = fused(c, o, chain(x, y, first, dots), t, i, j);
        } else {
          std::vector<float> xf(x.begin(), x.end()), yf(y.begin(), y.end());
          want =
              fused(c, o, double(chain(xf, yf, float(first), dots)), t, i, j);
        }
        if (c.fuse == Fuse::none) {
          char rounded[8];
          put_float(out, rounded, want);
          want = get_float(out, rounded);
        } else {
          limit = 2e-6 * (1 + std::fabs(want));
          if (is_half(out)) limit += std::fabs(want) / 128;
        }
        if (!(std::fabs(have - want) <= limit)) {
          snprintf(where, sizeof where,
                   "[%lld,%lld,%lld] got %.9g, want %.9g (magnitude %.3g)",
                   (long long)t, (long long)i, (long long)j, have, want,
                   magnitude);
          return where;
        }
      }
  for (size_t i = 0; i < touched.size(); i++)
    if (!touched[i] && memcmp(o.c.get() + int64_t(i) * itemsize(out),
                              o.start.get() + int64_t(i) * itemsize(out),
                              size_t(itemsize(out))))
      return "wrote between the rows at " + std::to_string(i);
  return "";
}

int failures = 0, cases = 0;

void test(const Case& c, std::mt19937_64& g, Pool& pool) {
  auto report = [&](const std::string& what) {
    failures++;
    printf("BAD %s: %s\n", describe(c).c_str(), what.c_str());
  };
  cases++;
  Epilogue epi;
  if (c.fuse != Fuse::none) epi = epilogue(c.fuse);
  const Epilogue* fuse = c.fuse == Fuse::none ? nullptr : &epi;
  GemmSpec spec{c.types, c.target, gemm_tiling(c.target, c.types.compute),
                gemm_all_slots(c.types, gemm_tiling(c.target, c.types.compute)),
                ""};
  Operands o = operands(c, g);
  if (!gemm_layout_ok(o.shape, c.types)) return report("layout refused");
  std::vector<char> first;
  // Small caches, so that small shapes are packed and blocked.
  GemmMachine tiny{.l2 = int64_t(1) << (8 + g() % 9), .l3 = 64 << 10};
  GemmMachine machine = g() % 2 ? tiny : gemm_host_machine();
  for (int threads : {1, 2, 5}) {
    GemmPlan plan = plan_gemm(o.shape, c.types, spec.tiling, threads, machine);
    bool exact = threads == 1 && g() % 3;
    spec.slots = exact ? gemm_needed_slots(plan, c.types, spec.tiling)
                       : gemm_all_slots(c.types, spec.tiling);
    if (threads == 5) {  // more chunks than flops justify
      plan.workers = 5;
      int64_t unit = plan.path == GemmPath::wide
                         ? spec.tiling.wide[plan.shape.m] * spec.tiling.lanes
                         : spec.tiling.width();
      plan.chunk_n = std::min(unit, std::max<int64_t>(c.n, 1));
      plan.chunk_m = std::min<int64_t>(24, std::max<int64_t>(c.m, 1));
      plan.mc = std::min<int64_t>(plan.mc, 24);
      plan.nc = plan.chunk_n;
      plan.keep_panels = false;
      plan.grid_m = c.m ? (c.m + plan.chunk_m - 1) / plan.chunk_m : 0;
      plan.grid_n = c.n ? (c.n + plan.chunk_n - 1) / plan.chunk_n : 0;
      plan.chunk_batch = 1, plan.grid_batch = c.batch;
    }
    // The closed set is compiled once for all shapes.
    static std::map<std::string, Compiled> closed;
    auto key = kernel_name(c);
    Compiled compiled =
        exact || !closed.count(key) ? compile(spec, fuse, c.cpu) : closed[key];
    if (!exact) closed[key] = compiled;
    run(c, o, compiled.kernels, plan, pool);
    if (threads == 1) {
      auto wrong = check(c, o, plan.path == GemmPath::dots);
      if (!wrong.empty()) return report(wrong);
      first.assign(o.c.get(), o.c.get() + o.c_bytes);
    } else if (memcmp(first.data(), o.c.get(), size_t(o.c_bytes))) {
      return report("other bits with " + std::to_string(threads) + " threads");
    }
  }
}

// Every 32-bit pattern class through f16 and bf16 in both directions is swept
// by the tests of csrc/ir; here special values pass through a product with 1.
void test_specials(const TargetInfo& target, const std::string& cpu) {
  for (DType t : {DType::f16, DType::bf16}) {
    GemmTypes types = gemm_types(t, t, t);
    GemmTiling tiling = gemm_tiling(target, types.compute);
    auto compiled =
        compile({types, target, tiling, gemm_all_slots(types, tiling), ""},
                nullptr, cpu);
    int64_t n = 65536;
    GemmShape s = gemm_dense(1, n, 1);
    GemmPlan plan = plan_gemm(s, types, tiling, 1);
    auto b = pages(2 * n), c = pages(2 * n),
         scratch = pages(gemm_scratch_bytes(plan));
    uint16_t one = t == DType::f16 ? to_f16(1).bits : to_bf16(1).bits;
    auto* in = reinterpret_cast<uint16_t*>(b.get());
    auto* out = reinterpret_cast<uint16_t*>(c.get());
    for (int64_t i = 0; i < n; i++) in[i] = uint16_t(i);
    run_gemm(plan, compiled.kernels, {&one, in, out, nullptr, scratch.get()},
             nullptr);
    cases++;
    for (int64_t i = 0; i < n; i++) {
      double want = get_float(t, reinterpret_cast<char*>(in + i));
      double have = get_float(t, reinterpret_cast<char*>(out + i));
      if (std::isnan(want) ? std::isnan(have) : have == want) continue;
      failures++;
      printf("BAD %s bits %04x became %04x\n",
             std::string(dtype_name(t)).c_str(), unsigned(in[i]),
             unsigned(out[i]));
      break;
    }
  }
}

int64_t pick(std::mt19937_64& g, std::vector<int64_t> v) {
  return v[g() % v.size()];
}

}  // namespace

int main(int argc, char** argv) {
  int count = argc > 1 ? atoi(argv[1]) : 200;
  uint64_t seed = argc > 2 ? uint64_t(atoll(argv[2])) : 7;
  std::mt19937_64 g(seed);
  Pool pool(3);
  struct Isa {
    TargetInfo target;
    std::string cpu;
  };
  std::vector<Isa> isas = {
      {{.vector_bits = 256,
        .registers = 16,
        .mask_bits = 32,
        .f16_convert = true},
       "haswell"},
      {{.vector_bits = 128, .registers = 32, .f16_convert = true}, "haswell"},
      {{.vector_bits = 128, .registers = 16}, "haswell"}};
  TargetInfo host = gemm_target(host_target());
  isas.push_back({host, ""}), isas.push_back({host, ""});
  std::vector<GemmTypes> types = {
      gemm_types(DType::f32, DType::f32, DType::f32),
      gemm_types(DType::f32, DType::f32, DType::f32),
      gemm_types(DType::f32, DType::f32, DType::f32),
      gemm_types(DType::f64, DType::f64, DType::f64),
      gemm_types(DType::f64, DType::f64, DType::f64),
      gemm_types(DType::f16, DType::f16, DType::f16),
      gemm_types(DType::bf16, DType::bf16, DType::bf16),
      gemm_types(DType::bf16, DType::bf16, DType::f32),
      gemm_types(DType::i8, DType::i8, DType::i8),
      gemm_types(DType::i8, DType::i8, DType::i32),
      gemm_types(DType::u8, DType::i8, DType::i32),
      gemm_types(DType::i16, DType::i16, DType::i16),
      gemm_types(DType::u16, DType::u16, DType::u16),
      gemm_types(DType::i32, DType::i32, DType::i32),
      gemm_types(DType::u32, DType::u32, DType::u32),
      gemm_types(DType::i64, DType::i64, DType::i64),
      gemm_types(DType::u64, DType::u64, DType::u64),
      gemm_types(DType::u8, DType::u8, DType::u64),
      gemm_types(DType::i8, DType::f32, DType::f32),
      gemm_types(DType::bool_, DType::f32, DType::f32)};
  for (auto& isa : {isas[1], isas[2], isas.back()})
    test_specials(isa.target, isa.cpu);
  for (int i = 0; i < count; i++) {
    auto& isa = isas[g() % isas.size()];
    Case c{.types = types[g() % types.size()],
           .target = isa.target,
           .cpu = isa.cpu};
    c.m = pick(g, {0, 1, 1, 2, 3, 4, 5, 7, 8, 13, 24, 31, 64, 100, 129, 301});
    c.n = pick(g, {0, 1, 2, 3, 15, 16, 17, 33, 48, 63, 64, 65, 100, 131, 300});
    c.k = pick(g, {0, 1, 2, 5, 16, 37, 64, 100, 201, 600, 1100});
    c.batch = pick(g, {1, 1, 1, 2, 3});
    c.ta = g() % 2, c.tb = g() % 2, c.padded = g() % 2;
    if (is_float(c.types.compute) && c.types.a == DType::f32 &&
        c.types.out == DType::f32)
      c.fuse = Fuse(g() % 5);
    c.accumulate = c.types.out == c.types.compute && g() % 4 == 0;
    test(c, g, pool);
  }
  printf("%d cases, %d bad\n", cases, failures);
  return failures != 0;
}

// cotan_gemm_bench [key=value ...]: GFLOP/s of generated products.
//   no shape    the table of docs: 64..2048, skinny, batched, transposes
//   m= n= k= s= batch= ta= tb=  one shape (s: m = n = k)
//   type=f32|f64|bf16|f16|i8  threads=1  fuse=0..3 (see Fuse)  t=seconds
//   rows= vectors= mc= kc= nc= pack=0|1 fused=0|1  override the plan
//   asm=1       print the assembly of the kernels a shape needs
// Times are minima: of wall time, or for one thread above 2 ms of CPU time, so
// that other processes disturb less.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>

#include "gemm_jit.h"

using namespace cotan;
using namespace cotan::cpu;
using namespace gemm_testing;

namespace {

std::map<std::string, std::string> options;

int64_t option(const char* key, int64_t otherwise) {
  auto it = options.find(key);
  return it == options.end() ? otherwise : atoll(it->second.c_str());
}

GemmTypes types_of(const std::string& t) {
  if (t == "f64") return gemm_types(DType::f64, DType::f64, DType::f64);
  if (t == "bf16") return gemm_types(DType::bf16, DType::bf16, DType::bf16);
  if (t == "f16") return gemm_types(DType::f16, DType::f16, DType::f16);
  if (t == "i8") return gemm_types(DType::i8, DType::i8, DType::i32);
  if (t == "i32") return gemm_types(DType::i32, DType::i32, DType::i32);
  return gemm_types(DType::f32, DType::f32, DType::f32);
}

void override_plan(GemmPlan& p, const GemmTypes& types,
                   const GemmTiling& tiling) {
  p.mc = option("mc", p.mc), p.kc = option("kc", p.kc);
  p.nc = option("nc", p.nc);
  if (options.count("pack") && p.pack_b != GemmPack::transpose)
    p.pack_b = option("pack", 0) ? GemmPack::copy : GemmPack::none;
  p.fuse_packing =
      option("fused", p.fuse_packing) && p.pack_b == GemmPack::copy;
  p.keep_panels = p.pack_b != GemmPack::none && p.chunk_m > p.mc;
  int64_t size = itemsize(types.compute);
  int64_t depth = (p.kc + 15) / 16 * 16;
  if (options.size()) {
    p.a_bytes = (p.mc + 16) * (depth + 16) * size;
    p.b_bytes = (p.nc / tiling.width() + 1) * (p.shape.k / p.kc + 1) *
                tiling.width() * depth * size;
    p.a_bytes = (p.a_bytes + 63) / 64 * 64,
    p.b_bytes = (p.b_bytes + 63) / 64 * 64;
  }
}

void bench(const GemmShape& shape, const char* label, int threads) {
  GemmTypes types = types_of(options.count("type") ? options["type"] : "f32");
  TargetInfo target = gemm_target(host_target());
  if (option("bits", 512) == 256)
    target.vector_bits = 256, target.mask_bits = 32, target.registers = 16;
  GemmTiling tiling = gemm_tiling(target, types.compute);
  tiling.rows = int32_t(option("rows", tiling.rows));
  tiling.vectors = int32_t(option("vectors", tiling.vectors));
  GemmPlan plan = plan_gemm(shape, types, tiling, threads);
  override_plan(plan, types, tiling);
  auto fuse = Fuse(option("fuse", 0));
  Epilogue epi;
  if (fuse != Fuse::none) epi = epilogue(fuse);
  const Epilogue* e = fuse == Fuse::none ? nullptr : &epi;
  GemmSpec spec{types, target, tiling, gemm_needed_slots(plan, types, tiling),
                ""};
  if (option("all", 0)) spec.slots = gemm_all_slots(types, tiling);
  if (option("asm", 0)) {
    puts(assembly(spec, e).c_str());
    return;
  }
  static bool warm = false;
  if (!warm) compile(spec, e);
  warm = true;
  auto compiled = compile(spec, e);

  const GemmShape& s = plan.shape;
  int64_t batches = shape.batches(), in = itemsize(types.a);
  auto a = pages(batches * s.m * s.k * in), b = pages(batches * s.k * s.n * in),
       c = pages(batches * s.m * s.n * itemsize(types.out)),
       bias = pages(4 * s.n), residual = pages(batches * s.m * s.n * 4),
       scratch = pages(gemm_scratch_bytes(plan));
  std::mt19937 g(1);
  auto fill = [&](char* p, int64_t n) {
    for (int64_t i = 0; i < n; i++, p += in) {
      double x = double(g() % 2001) / 1000 - 1;
      float f = float(x);
      uint16_t half = to_bf16(f).bits;
      int8_t byte = int8_t(g());
      memcpy(p,
             in == 8   ? (void*)&x
             : in == 4 ? (void*)&f
             : in == 2 ? (void*)&half
                       : (void*)&byte,
             size_t(in));
    }
  };
  fill(a.get(), batches * s.m * s.k), fill(b.get(), batches * s.k * s.n);
  int64_t strides[2] = {s.m * s.n, s.n};
  void* args[3] = {bias.get(), residual.get(), strides};
  GemmArgs run{a.get(), b.get(), c.get(), args, scratch.get()};
  Pool pool(threads);
  auto parallel = pool.parallel();
  double flops =
      2.0 * double(batches) * double(s.m) * double(s.n) * double(s.k);
  int inner = std::max(1, int(20e-6 / (flops / 150e9)));
  double budget = options.count("t") ? atof(options["t"].c_str()) : 0.4;
  auto now = threads == 1 && flops > 4e8 ? cpu_seconds : wall_seconds;
  double best = 1e9, start = wall_seconds();
  for (int r = 0; r < 5 || wall_seconds() - start < budget; r++) {
    double t = now();
    for (int i = 0; i < inner; i++)
      run_gemm(plan, compiled.kernels, run, threads > 1 ? &parallel : nullptr);
    best = std::min(best, (now() - t) / inner);
  }
  printf(
      "%-26s %10.2f us %7.1f GF/s  compile %5.1f ms  (%lldx%lld chunks, "
      "mc %lld kc %lld nc %lld, pack %d%d%s)\n",
      label, best * 1e6, flops / best * 1e-9, compiled.milliseconds,
      (long long)plan.grid_m, (long long)plan.grid_n, (long long)plan.mc,
      (long long)plan.kc, (long long)plan.nc, int(plan.pack_a),
      int(plan.pack_b), plan.fuse_packing ? " fused" : "");
  fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    std::string s = argv[i];
    auto eq = s.find('=');
    options[s.substr(0, eq)] = eq == std::string::npos ? "1" : s.substr(eq + 1);
  }
  int threads = int(option("threads", 1));
  bool one = options.count("m") || options.count("s");
  auto run = [&](int64_t m, int64_t n, int64_t k, int64_t batch) {
    for (int t = 0; t < 3; t++) {
      bool ta = t == 2, tb = t == 1;
      if (one) ta = option("ta", 0), tb = option("tb", 0);
      char label[80];
      snprintf(label, sizeof label, "%lldx%lldx%lld%s%s%s", (long long)m,
               (long long)n, (long long)k, ta ? " A^T" : "", tb ? " B^T" : "",
               batch > 1 ? " batched" : "");
      bench(gemm_dense(m, n, k, ta, tb, batch), label, threads);
      if (one) return;
    }
  };
  if (one) {
    int64_t s = option("s", 0);
    run(option("m", s), option("n", s), option("k", s), option("batch", 1));
    return 0;
  }
  for (int64_t s : {8, 64, 128, 256, 512, 1024, 2048}) run(s, s, s, 1);
  run(1, 512, 784, 1), run(4, 512, 784, 1), run(32, 512, 784, 1);
  run(128, 512, 784, 1), run(128, 64, 64, 64);
  return 0;
}

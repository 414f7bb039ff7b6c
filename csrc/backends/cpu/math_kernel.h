// One math function over an array, compiled as every kernel is. For the
// accuracy program, tests of equal bits, and benchmarks of the bodies.
#pragma once

#include "backends/cpu/jit.h"
#include "emit/scalar.h"

namespace cotan::cpu {

struct MathKernel {
  Ref<LoadedCode> code;
  // out[i] = fn(x[i], y[i]); n is a multiple of 16. Unary: y is not read.
  void (*run)(const void* x, const void* y, void* out, int64_t n) = nullptr;
};

// dtype: f32 or f64. lanes: 1 to 16. cpu: see named_target; null: the host.
[[gnu::visibility("default")]] MathKernel compile_math(
    MathFn fn, DType dtype, int lanes, const char* cpu = nullptr);

}  // namespace cotan::cpu

// ScalarEmitter: the one interface in which elementwise primitives write
// their bodies. A Scalar is "one lane" of a typed value: an SSA vector for the
// LLVM emitter, a number for the host evaluator, a name for source printers.
//
// Three layers:
//   1. raw_*: virtual, what a target must provide, on real types only;
//   2. the named operations (add, mul, select, convert, ...): also complex;
//   3. math functions (exp, sin, erf, ...): bodies shared by all targets in
//      emit/math*.cpp, overridable as a whole by targets that have their own
//      (StableHLO).
//
// Rules for bodies: explicit fma, never contraction; no fast-math flag;
// denormals are kept; f16/bf16 do not occur (the caller widens operands to
// f32 and rounds the result once per primitive, see scalar_body.h), narrow
// dtypes only where values are moved or converted (see ops/narrow.cpp).
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "ir/dtype.h"
#include "ir/literal.h"
#include "ir/scalar_fwd.h"

namespace cotan {

enum class UnaryOp : uint8_t {
  neg,   // floats: flips the sign bit; ints: wraps
  not_,  // bitwise (logical for bool)
  abs,   // floats only: clears the sign bit
  sqrt,  // correctly rounded
  trunc,
  floor,
  ceil,
  round_even,
  clz,
  popcount,
};
enum class BinaryOp : uint8_t {
  add,
  sub,
  mul,  // ints wrap
  div,
  rem,  // ints: divisor is nonzero and no overflow; floats: IEEE
        // division; rem is C fmod
  and_,
  or_,
  xor_,
  shl,
  lshr,
  ashr,   // amount < width
  mulhi,  // u32, u64: high half of the product
};
enum class CompareOp : uint8_t { eq, ne, lt, le, gt, ge };  // nan: only ne

enum class MathFn : uint8_t {
  exp,
  exp2,
  expm1,
  log,
  log1p,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  asinh,
  acosh,
  atanh,
  logistic,
  erf,
  erfc,
  erf_inv,
  cbrt,
  rsqrt,
  lgamma,
  digamma,
  atan2,
  pow,
};

class ScalarEmitter {
 public:
  virtual ~ScalarEmitter() = default;

  // ---- constants. constant(f32, 1) works for every numeric dtype.
  Scalar constant(DType t, double v);
  Scalar constant_int(DType t, int64_t v);
  Scalar constant(const Literal& lit);

  // ---- arithmetic. Operands share one dtype; complex where it makes sense.
  Scalar neg(Scalar x);
  Scalar add(Scalar x, Scalar y);
  Scalar sub(Scalar x, Scalar y);
  Scalar mul(Scalar x, Scalar y);  // complex: plain 4-product form with fma
  Scalar div(Scalar x, Scalar y);  // complex: scaled (Smith/ldexp)
  Scalar rem(Scalar x, Scalar y) { return binary(BinaryOp::rem, x, y); }
  Scalar fma(Scalar x, Scalar y, Scalar z);  // x * y + z, one rounding
  Scalar abs(Scalar x);                      // complex: the modulus, real
  Scalar sqrt(Scalar x);                     // complex: the principal root
  Scalar trunc(Scalar x) { return unary(UnaryOp::trunc, x); }
  Scalar floor(Scalar x) { return unary(UnaryOp::floor, x); }
  Scalar ceil(Scalar x) { return unary(UnaryOp::ceil, x); }
  Scalar round_even(Scalar x) { return unary(UnaryOp::round_even, x); }
  Scalar unary(UnaryOp op, Scalar x) { return raw_unary(op, x); }
  Scalar binary(BinaryOp op, Scalar x, Scalar y) {
    return raw_binary(op, x, y);
  }

  // ---- bits
  Scalar and_(Scalar x, Scalar y) { return binary(BinaryOp::and_, x, y); }
  Scalar or_(Scalar x, Scalar y) { return binary(BinaryOp::or_, x, y); }
  Scalar xor_(Scalar x, Scalar y) { return binary(BinaryOp::xor_, x, y); }
  Scalar not_(Scalar x) { return unary(UnaryOp::not_, x); }
  Scalar shl(Scalar x, int k) { return shift(BinaryOp::shl, x, k); }
  Scalar lshr(Scalar x, int k) { return shift(BinaryOp::lshr, x, k); }
  Scalar ashr(Scalar x, int k) { return shift(BinaryOp::ashr, x, k); }
  Scalar bitcast(Scalar x, DType to) { return raw_bitcast(x, to); }

  // ---- comparisons give bool
  Scalar compare(CompareOp op, Scalar x, Scalar y);
  Scalar lt(Scalar x, Scalar y) { return compare(CompareOp::lt, x, y); }
  Scalar le(Scalar x, Scalar y) { return compare(CompareOp::le, x, y); }
  Scalar gt(Scalar x, Scalar y) { return compare(CompareOp::gt, x, y); }
  Scalar ge(Scalar x, Scalar y) { return compare(CompareOp::ge, x, y); }
  Scalar eq(Scalar x, Scalar y) { return compare(CompareOp::eq, x, y); }
  Scalar ne(Scalar x, Scalar y) { return compare(CompareOp::ne, x, y); }
  Scalar is_nan(Scalar x) { return ne(x, x); }
  Scalar select(Scalar mask, Scalar on_true, Scalar on_false);

  // Value conversion as JAX does it: float -> int saturates and nan gives 0;
  // int -> int wraps; complex -> real drops the imaginary part; to bool is
  // x != 0.
  Scalar convert(Scalar x, DType to);

  // ---- complex parts
  Scalar real(Scalar x);  // identity for real types
  Scalar imag(Scalar x);  // zero for real types
  Scalar complex(Scalar re, Scalar im);

  // ---- control. rare(): `slow()` is evaluated only if any lane has the
  // mask, and its results replace `usual` in the lanes that have it.
  Scalar rare(Scalar mask, Scalar usual, const std::function<Scalar()>& slow);
  virtual void rare_many(
      Scalar mask, std::span<Scalar> values,
      const std::function<void(std::span<Scalar>)>& slow) = 0;

  // ---- math functions, real (f32, f64) and complex
  Scalar math(MathFn fn, Scalar x, Scalar y = {});
  Scalar exp(Scalar x) { return math(MathFn::exp, x); }
  Scalar log(Scalar x) { return math(MathFn::log, x); }
  Scalar sin(Scalar x) { return math(MathFn::sin, x); }
  Scalar cos(Scalar x) { return math(MathFn::cos, x); }
  Scalar tanh(Scalar x) { return math(MathFn::tanh, x); }
  // Fast path hook: y * 2^n in one correctly rounded instruction, if any.
  virtual bool raw_scale_exp2(Scalar /*y*/, Scalar /*n*/, Scalar* /*out*/) {
    return false;
  }
  // table[index mod 16], 16 values, for an integer index: a permutation of
  // registers where the target has one, selects elsewhere.
  virtual Scalar raw_lookup(Scalar index, DType t, const double* table);
  // Targets with math functions of their own override this.
  virtual Scalar raw_math(MathFn fn, Scalar x, Scalar y);

  // ---- what a target provides; x and y are real and share a dtype
  virtual Scalar raw_constant(const Literal& lit) = 0;
  virtual Scalar raw_unary(UnaryOp op, Scalar x) = 0;
  virtual Scalar raw_binary(BinaryOp op, Scalar x, Scalar y) = 0;
  virtual Scalar raw_compare(CompareOp op, Scalar x, Scalar y) = 0;
  virtual Scalar raw_select(Scalar mask, Scalar x, Scalar y) = 0;
  virtual Scalar raw_fma(Scalar x, Scalar y, Scalar z) = 0;
  // Any pair of real dtypes incl. bool and the 16-bit floats, with the
  // semantics of convert() above.
  virtual Scalar raw_convert(Scalar x, DType to) = 0;
  virtual Scalar raw_bitcast(Scalar x, DType to) = 0;
  // Whether raw_convert takes narrow dtypes; else emit/narrow.cpp has them.
  virtual bool converts_narrow() const { return false; }

 private:
  Scalar shift(BinaryOp op, Scalar x, int k) {
    return raw_binary(op, x, constant_int(x.dtype, k));
  }
};

// Conversions from and to narrow dtypes (emit/narrow.cpp).
Scalar emit_narrow_convert(ScalarEmitter& e, Scalar x, DType to);
// The shared bodies (emit/math*.cpp, emit/complex_math.cpp).
Scalar emit_math(ScalarEmitter& e, MathFn fn, Scalar x, Scalar y);
Scalar emit_complex_math(ScalarEmitter& e, MathFn fn, Scalar x, Scalar y);
Scalar emit_complex_sqrt(ScalarEmitter& e, Scalar x);
Scalar emit_complex_abs(ScalarEmitter& e, Scalar x);

}  // namespace cotan

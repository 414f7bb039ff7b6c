// Reductions in registers: identities, the combination of two accumulators,
// and how a kernel's node gets its result. The order is the loops' business.
#include <limits>

#include "backends/cpu/kernel_emitter.h"
#include "base/error.h"

namespace cotan::cpu {

DType KernelEmitter::accumulator_dtype(const Node& n) const {
  DType t = k_.nodes[size_t(n.in[0])].dtype;
  return is_half(t) ? DType::f32 : t;
}

KernelEmitter::Accumulator KernelEmitter::identity(const Node& n) {
  DType t = accumulator_dtype(n);
  bool fp = is_float(t);
  auto extreme = [&](bool largest) {
    if (fp) return e_.constant(t, largest ? INFINITY : -INFINITY);
    if (t == DType::bool_) return e_.constant_int(t, largest);
    int bits = bit_width(t);
    if (is_signed_int(t)) {
      int64_t min = bits == 64 ? std::numeric_limits<int64_t>::min()
                               : -(int64_t(1) << (bits - 1));
      return e_.constant_int(t, largest ? ~min : min);
    }
    return e_.constant_int(t, largest ? -1 : 0);
  };
  switch (n.monoid) {
    case Monoid::sum:
    case Monoid::or_:
    case Monoid::xor_:
      return {e_.constant(t, 0), {}};
    case Monoid::prod:
      return {e_.constant(t, 1), {}};
    case Monoid::and_:
      return {e_.constant_int(t, -1), {}};
    case Monoid::max:
    case Monoid::min: {
      bool largest = n.monoid == Monoid::min;
      if (is_complex(t)) {
        Scalar v = e_.constant(real_dtype(t), largest ? INFINITY : -INFINITY);
        return {e_.complex(v, v), {}};
      }
      return {extreme(largest), {}};
    }
    case Monoid::argmax:
    case Monoid::argmin: {
      // Beaten by everything, by an equal value because of its index.
      int64_t last = itemsize(n.dtype) >= 8
                         ? std::numeric_limits<int64_t>::max()
                     : is_signed_int(n.dtype)
                         ? (int64_t(1) << (bit_width(n.dtype) - 1)) - 1
                         : (int64_t(1) << bit_width(n.dtype)) - 1;
      return {extreme(n.monoid == Monoid::argmin),
              e_.constant_int(n.dtype, last)};
    }
  }
  return {};
}

KernelEmitter::Accumulator KernelEmitter::select(llvm::Value* mask,
                                                 const Accumulator& a,
                                                 const Accumulator& b) {
  Scalar m = make_scalar(DType::bool_, mask);
  Accumulator r;
  r.value = e_.select(m, a.value, b.value);
  if (a.index.v) r.index = e_.select(m, a.index, b.index);
  return r;
}

KernelEmitter::Accumulator KernelEmitter::combine(const Node& n,
                                                  const Accumulator& acc,
                                                  const Accumulator& v) {
  Scalar a = acc.value, x = v.value;
  bool inexact = is_inexact(a.dtype);
  switch (n.monoid) {
    case Monoid::sum:
      return {e_.add(a, x), {}};
    case Monoid::prod:
      return {e_.mul(a, x), {}};
    case Monoid::and_:
      return {e_.and_(a, x), {}};
    case Monoid::or_:
      return {e_.or_(a, x), {}};
    case Monoid::xor_:
      return {e_.xor_(a, x), {}};
    case Monoid::max:
    case Monoid::min: {
      bool max = n.monoid == Monoid::max;
      if (a.dtype == DType::bool_)
        return {max ? e_.or_(a, x) : e_.and_(a, x), {}};
      // Off the critical path: x alone decides whether it is a nan.
      Scalar better = e_.compare(max ? CompareOp::gt : CompareOp::lt, x, a);
      Scalar r = e_.select(better, x, a);
      if (inexact) r = e_.select(e_.compare(CompareOp::ne, x, x), x, r);
      return {r, {}};
    }
    case Monoid::argmax:
    case Monoid::argmin: {
      bool max = n.monoid == Monoid::argmax;
      Scalar better = e_.compare(max ? CompareOp::gt : CompareOp::lt, x, a);
      Scalar tie = e_.eq(x, a);
      if (inexact) {
        Scalar xn = e_.ne(x, x), an = e_.ne(a, a);
        better = e_.or_(better, e_.and_(xn, e_.not_(an)));
        better = e_.and_(better, e_.or_(xn, e_.not_(an)));
        tie = e_.or_(tie, e_.and_(xn, an));
      }
      Scalar first = e_.lt(v.index, acc.index);
      better = e_.or_(better, e_.and_(tie, first));
      return {e_.select(better, x, a), e_.select(better, v.index, acc.index)};
    }
  }
  return {};
}

KernelEmitter::Accumulator KernelEmitter::widen(const Node& n, Scalar value,
                                                Scalar index) {
  Accumulator a;
  a.value = is_half(value.dtype) ? e_.convert(value, DType::f32) : value;
  if (is_arg(n)) a.index = e_.convert(index, n.dtype);
  return a;
}

Scalar KernelEmitter::finish(const Node& n, const Accumulator& a) {
  return is_arg(n) ? a.index : e_.round_half(a.value, n.dtype);
}

std::vector<llvm::Value*> KernelEmitter::values_of(const Accumulator& a) const {
  std::vector<llvm::Value*> v = {value_of(a.value)};
  if (imag_of(a.value)) v.push_back(imag_of(a.value));
  if (a.index.v) v.push_back(value_of(a.index));
  return v;
}

KernelEmitter::Accumulator KernelEmitter::like(
    const Node& n, const std::vector<llvm::Value*>& v, size_t& at) const {
  Accumulator a;
  DType t = accumulator_dtype(n);
  llvm::Value* re = v[at++];
  llvm::Value* im = is_complex(t) ? v[at++] : nullptr;
  a.value = make_scalar(t, re, im);
  if (is_arg(n)) a.index = make_scalar(n.dtype, v[at++]);
  return a;
}

}  // namespace cotan::cpu

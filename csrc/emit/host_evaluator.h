// HostEvaluator: a ScalarEmitter that computes at once, one lane. A Scalar's
// v holds the bits of the value (upper bytes zero), im those of the imaginary
// part. It is how a primitive's .scalar body runs on the CPU: the reference
// `eval`, constant folding, tests. It holds no state and never allocates, so
// one shared instance serves all threads.
//
//   HostEvaluator& e = HostEvaluator::instance();
//   float y = HostEvaluator::value<float>(e.sin(HostEvaluator::of(1.0f)));
#pragma once

#include <bit>
#include <cstring>
#include <type_traits>

#include "emit/scalar.h"

namespace cotan {

class HostEvaluator final : public ScalarEmitter {
 public:
  static HostEvaluator& instance();

  // ---- values in and out
  template <class T>
  static Scalar of(T x) {
    Scalar s;
    s.dtype = dtype_of<T>::value;
    if constexpr (is_complex(dtype_of<T>::value)) {
      auto re = x.real(), im = x.imag();
      std::memcpy(&s.v, &re, sizeof re);
      std::memcpy(&s.im, &im, sizeof im);
    } else {
      std::memcpy(&s.v, &x, sizeof x);
    }
    return s;
  }
  template <class T>
  static T value(Scalar s) {
    if constexpr (is_complex(dtype_of<T>::value)) {
      typename T::value_type re, im;
      std::memcpy(&re, &s.v, sizeof re);
      std::memcpy(&im, &s.im, sizeof im);
      return {re, im};
    } else {
      T x;
      std::memcpy(&x, &s.v, sizeof x);
      return x;
    }
  }
  // An element of an array of dtype t.
  static Scalar load(DType t, const void* p);
  static void store(Scalar s, void* p);

  // ---- ScalarEmitter. Integer division by zero gives all ones, its
  // remainder the dividend, as XLA has them: bad input never traps. 16-bit
  // floats are computed in f32 and rounded after each operation.
  void rare_many(Scalar mask, std::span<Scalar> values,
                 const std::function<void(std::span<Scalar>)>& slow) override;
  Scalar raw_lookup(Scalar index, DType t, const double* table) override;
  Scalar raw_constant(const Literal& lit) override;
  Scalar raw_unary(UnaryOp op, Scalar x) override;
  Scalar raw_binary(BinaryOp op, Scalar x, Scalar y) override;
  Scalar raw_compare(CompareOp op, Scalar x, Scalar y) override;
  Scalar raw_select(Scalar mask, Scalar x, Scalar y) override;
  Scalar raw_fma(Scalar x, Scalar y, Scalar z) override;
  Scalar raw_convert(Scalar x, DType to) override;
  Scalar raw_bitcast(Scalar x, DType to) override;
};

}  // namespace cotan

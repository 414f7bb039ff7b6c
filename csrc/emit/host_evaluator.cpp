#include "emit/host_evaluator.h"

#include <cmath>
#include <limits>

#include "base/error.h"

namespace cotan {

namespace host {
namespace {

template <class T>
constexpr bool kHalf = std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>;

float widen(f16_t x) { return to_float(x); }
float widen(bf16_t x) { return to_float(x); }
template <class T>
T narrow(float x) {
  if constexpr (std::is_same_v<T, f16_t>) {
    return to_f16(x);
  } else {
    return to_bf16(x);
  }
}

template <class T>
T unary(UnaryOp op, T x) {
  if constexpr (kHalf<T>) {
    return narrow<T>(unary(op, widen(x)));
  } else if constexpr (std::is_floating_point_v<T>) {
    switch (op) {
      case UnaryOp::neg:
        return -x;
      case UnaryOp::abs:
        return std::fabs(x);
      case UnaryOp::sqrt:
        return std::sqrt(x);
      case UnaryOp::trunc:
        return std::trunc(x);
      case UnaryOp::floor:
        return std::floor(x);
      case UnaryOp::ceil:
        return std::ceil(x);
      case UnaryOp::round_even:
        return std::nearbyint(x);
      default:
        break;
    }
  } else if constexpr (std::is_same_v<T, bool>) {
    if (op == UnaryOp::not_) return !x;
  } else {
    using U = std::make_unsigned_t<T>;
    switch (op) {
      case UnaryOp::neg:
        return T(U(0) - U(x));
      case UnaryOp::not_:
        return T(~U(x));
      case UnaryOp::clz:
        return T(std::countl_zero(U(x)));
      case UnaryOp::popcount:
        return T(std::popcount(U(x)));
      default:
        break;
    }
  }
  check_failed(__FILE__, __LINE__, "operation is defined for the dtype");
}

template <class T>
T divide_int(T x, T y) {
  if (y == 0) return T(-1);
  if constexpr (std::is_signed_v<T>) {
    if (y == T(-1)) return T(0 - std::make_unsigned_t<T>(x));
  }
  return T(x / y);
}
template <class T>
T remainder_int(T x, T y) {
  if (y == 0) return x;
  if constexpr (std::is_signed_v<T>) {
    if (y == T(-1)) return 0;
  }
  return T(x % y);
}

template <class T>
T binary_int(BinaryOp op, T x, T y) {
  using U = std::make_unsigned_t<T>;
  // Wide enough that a product of promoted operands cannot overflow.
  using W = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  constexpr int kBits = int(8 * sizeof(T));
  switch (op) {
    case BinaryOp::add:
      return T(W(x) + W(y));
    case BinaryOp::sub:
      return T(W(x) - W(y));
    case BinaryOp::mul:
      return T(W(x) * W(y));
    case BinaryOp::div:
      return divide_int(x, y);
    case BinaryOp::rem:
      return remainder_int(x, y);
    case BinaryOp::and_:
      return T(x & y);
    case BinaryOp::or_:
      return T(x | y);
    case BinaryOp::xor_:
      return T(x ^ y);
    case BinaryOp::shl:
      return T(W(U(x)) << (U(y) % kBits));
    case BinaryOp::lshr:
      return T(U(x) >> (U(y) % kBits));
    case BinaryOp::ashr:
      return T(std::make_signed_t<T>(x) >> (U(y) % kBits));
    case BinaryOp::mulhi:
      if constexpr (sizeof(T) == 8) {
        __extension__ using Wide = unsigned __int128;
        return T(Wide(U(x)) * U(y) >> 64);
      } else {
        return T(uint64_t(U(x)) * U(y) >> kBits);
      }
  }
  __builtin_unreachable();
}

template <class T>
T binary(BinaryOp op, T x, T y) {
  if constexpr (kHalf<T>) {
    return narrow<T>(binary(op, widen(x), widen(y)));
  } else if constexpr (std::is_floating_point_v<T>) {
    switch (op) {
      case BinaryOp::add:
        return x + y;
      case BinaryOp::sub:
        return x - y;
      case BinaryOp::mul:
        return x * y;
      case BinaryOp::div:
        return x / y;
      case BinaryOp::rem:
        return std::fmod(x, y);
      default:
        break;
    }
    check_failed(__FILE__, __LINE__, "operation is defined for the dtype");
  } else if constexpr (std::is_same_v<T, bool>) {
    switch (op) {
      case BinaryOp::and_:
      case BinaryOp::mul:
        return x && y;
      case BinaryOp::or_:
      case BinaryOp::add:
        return x || y;
      case BinaryOp::xor_:
      case BinaryOp::sub:
        return x != y;
      default:
        break;
    }
    check_failed(__FILE__, __LINE__, "operation is defined for the dtype");
  } else {
    return binary_int(op, x, y);
  }
}

template <class T>
bool compare(CompareOp op, T x, T y) {
  if constexpr (kHalf<T>) {
    return compare(op, widen(x), widen(y));
  } else {
    switch (op) {
      case CompareOp::eq:
        return x == y;
      case CompareOp::ne:
        return x != y;
      case CompareOp::lt:
        return x < y;
      case CompareOp::le:
        return x <= y;
      case CompareOp::gt:
        return x > y;
      case CompareOp::ge:
        return x >= y;
    }
    __builtin_unreachable();
  }
}

template <class To, class From>
To convert_to(From x) {
  if constexpr (kHalf<From>) {
    return convert_to<To>(widen(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_same_v<To, f16_t>) {
    // f64 -> f16 goes through f32, and so do wide integers: as LLVM's
    // targets without native halves do.
    return to_f16(float(x));
  } else if constexpr (std::is_same_v<To, bf16_t>) {
    return to_bf16(float(x));
  } else if constexpr (std::is_floating_point_v<From> &&
                       std::is_integral_v<To>) {
    if (x != x) return To(0);
    // The limits as From round to powers of two where they are not exact.
    constexpr From kLow = From(std::numeric_limits<To>::min());
    constexpr From kTop = From(std::numeric_limits<To>::max());
    if (x <= kLow) return std::numeric_limits<To>::min();
    if (x >= kTop) return std::numeric_limits<To>::max();
    return To(x);
  } else {
    return To(x);
  }
}

template <class T>
constexpr bool kArithmetic = !is_complex(dtype_of<T>::value);

}  // namespace
}  // namespace host

HostEvaluator& HostEvaluator::instance() {
  static HostEvaluator evaluator;
  return evaluator;
}

Scalar HostEvaluator::load(DType t, const void* p) {
  Scalar s;
  s.dtype = t;
  const int64_t n = itemsize(real_dtype(t));
  std::memcpy(&s.v, p, size_t(n));
  if (is_complex(t)) {
    std::memcpy(&s.im, static_cast<const char*>(p) + n, size_t(n));
  }
  return s;
}

void HostEvaluator::store(Scalar s, void* p) {
  const int64_t n = itemsize(real_dtype(s.dtype));
  std::memcpy(p, &s.v, size_t(n));
  if (is_complex(s.dtype)) {
    std::memcpy(static_cast<char*>(p) + n, &s.im, size_t(n));
  }
}

void HostEvaluator::rare_many(
    Scalar mask, std::span<Scalar> values,
    const std::function<void(std::span<Scalar>)>& slow) {
  if (mask.v & 1) slow(values);
}

Scalar HostEvaluator::raw_lookup(Scalar index, DType t, const double* table) {
  double v = table[index.v & 15];
  return t == DType::f32 ? of(float(v)) : of(v);
}

Scalar HostEvaluator::raw_constant(const Literal& lit) {
  Scalar s;
  s.dtype = lit.dtype;
  std::memcpy(&s.v, lit.bytes, sizeof s.v);  // unused bytes are zero
  return s;
}

Scalar HostEvaluator::raw_unary(UnaryOp op, Scalar x) {
  if (x.dtype == DType::f32) return of(host::unary(op, value<float>(x)));
  return visit_dtype(x.dtype, [&]<class T>() -> Scalar {
    if constexpr (host::kArithmetic<T>) {
      Scalar s = of(host::unary(op, value<T>(x)));
      s.dtype = x.dtype;
      return s;
    }
    __builtin_unreachable();
  });
}

Scalar HostEvaluator::raw_binary(BinaryOp op, Scalar x, Scalar y) {
  if (x.dtype == DType::f32) {
    return of(host::binary(op, value<float>(x), value<float>(y)));
  }
  return visit_dtype(x.dtype, [&]<class T>() -> Scalar {
    if constexpr (host::kArithmetic<T>) {
      Scalar s = of(host::binary(op, value<T>(x), value<T>(y)));
      s.dtype = x.dtype;
      return s;
    }
    __builtin_unreachable();
  });
}

Scalar HostEvaluator::raw_compare(CompareOp op, Scalar x, Scalar y) {
  if (x.dtype == DType::f32) {
    return of(host::compare(op, value<float>(x), value<float>(y)));
  }
  return visit_dtype(x.dtype, [&]<class T>() -> Scalar {
    if constexpr (host::kArithmetic<T>) {
      return of(host::compare(op, value<T>(x), value<T>(y)));
    }
    __builtin_unreachable();
  });
}

Scalar HostEvaluator::raw_select(Scalar mask, Scalar x, Scalar y) {
  return mask.v & 1 ? x : y;
}

Scalar HostEvaluator::raw_fma(Scalar x, Scalar y, Scalar z) {
  switch (x.dtype) {
    case DType::f32:
      return of(std::fma(value<float>(x), value<float>(y), value<float>(z)));
    case DType::f64:
      return of(std::fma(value<double>(x), value<double>(y), value<double>(z)));
    default: {
      // A product of 16-bit floats is exact in f64, so only the sum rounds
      // before the result does.
      COTAN_CHECK(is_half(x.dtype));
      auto wide = [&](Scalar s) {
        return value<double>(raw_convert(s, DType::f64));
      };
      return raw_convert(of(std::fma(wide(x), wide(y), wide(z))), x.dtype);
    }
  }
}

Scalar HostEvaluator::raw_convert(Scalar x, DType to) {
  return visit_dtype(x.dtype, [&]<class From>() -> Scalar {
    if constexpr (host::kArithmetic<From>) {
      From v = value<From>(x);
      return visit_dtype(to, [&]<class To>() -> Scalar {
        if constexpr (host::kArithmetic<To>) {
          Scalar s = of(host::convert_to<To>(v));
          s.dtype = to;
          return s;
        }
        __builtin_unreachable();
      });
    }
    __builtin_unreachable();
  });
}

Scalar HostEvaluator::raw_bitcast(Scalar x, DType to) {
  COTAN_CHECK(itemsize(x.dtype) == itemsize(to));
  return {x.v, 0, to};
}

}  // namespace cotan

#include "ir/literal.h"

#include <cmath>

namespace cotan {

namespace {
template <class T>
void put(Literal& lit, T v) {
  std::memcpy(lit.bytes, &v, sizeof v);
}
template <class T>
T get(const Literal& lit) {
  T v;
  std::memcpy(&v, lit.bytes, sizeof v);
  return v;
}
}  // namespace

uint64_t Literal::hash(uint64_t seed) const noexcept {
  return hash_bytes(hash_mix(seed, uint64_t(dtype) << 1 | uint64_t(weak_type)),
                    {reinterpret_cast<const char*>(bytes), sizeof bytes});
}

Literal Literal::from_complex(DType t, std::complex<double> v, bool weak) {
  Literal lit{t, weak, {}};
  if (t == DType::c64)
    put(lit, std::complex<float>(v));
  else if (t == DType::c128)
    put(lit, v);
  else
    return from_double(t, v.real(), weak);
  return lit;
}

Literal Literal::from_double(DType t, double v, bool weak) {
  Literal lit{t, weak, {}};
  switch (t) {
    case DType::f16:
      put(lit, to_f16(float(v)));
      break;
    case DType::bf16:
      put(lit, to_bf16(float(v)));
      break;
    case DType::f32:
      put(lit, float(v));
      break;
    case DType::f64:
      put(lit, v);
      break;
    case DType::c64:
    case DType::c128:
      return from_complex(t, v, weak);
    case DType::bool_:
      put(lit, v != 0);
      break;
    default: {
      if (is_narrow_float(t)) {
        put(lit, float_to_narrow(t, v));
        break;
      }
      int64_t i = std::isnan(v)  ? 0
                  : v >= 9.2e18  ? INT64_MAX
                  : v <= -9.2e18 ? INT64_MIN
                                 : int64_t(v);
      return from_int(t, i, weak);
    }
  }
  return lit;
}

Literal Literal::from_int(DType t, int64_t v, bool weak) {
  if (is_inexact(t)) return from_double(t, double(v), weak);
  Literal lit{t, weak, {}};
  if (t == DType::bool_)
    put(lit, v != 0);
  else if (is_narrow_int(t))
    put(lit, uint8_t(v & ((1 << bit_width(t)) - 1)));
  else
    std::memcpy(lit.bytes, &v, size_t(itemsize(t)));  // little endian
  return lit;
}

Literal Literal::from_bytes(DType t, const void* data, bool weak) {
  Literal lit{t, weak, {}};
  std::memcpy(lit.bytes, data, size_t(itemsize(t)));
  return lit;
}

std::complex<double> Literal::to_complex() const {
  if (dtype == DType::c64)
    return std::complex<double>(get<std::complex<float>>(*this));
  if (dtype == DType::c128) return get<std::complex<double>>(*this);
  return to_double();
}

double Literal::to_double() const {
  switch (dtype) {
    case DType::f16:
      return to_float(get<f16_t>(*this));
    case DType::bf16:
      return to_float(get<bf16_t>(*this));
    case DType::f32:
      return get<float>(*this);
    case DType::f64:
      return get<double>(*this);
    case DType::c64:
    case DType::c128:
      return to_complex().real();
    case DType::u64:
      return double(get<uint64_t>(*this));
    default:
      if (is_narrow_float(dtype)) return narrow_to_float(dtype, bytes[0]);
      return double(to_int());
  }
}

int64_t Literal::to_int() const {
  switch (dtype) {
    case DType::bool_:
      return get<bool>(*this);
    case DType::i8:
      return get<int8_t>(*this);
    case DType::i16:
      return get<int16_t>(*this);
    case DType::i32:
      return get<int32_t>(*this);
    case DType::i2:
    case DType::i4: {
      int unused = 8 - bit_width(dtype);
      return int8_t(bytes[0] << unused) >> unused;
    }
    case DType::u2:
    case DType::u4:
      return bytes[0] & ((1 << bit_width(dtype)) - 1);
    case DType::u8:
      return get<uint8_t>(*this);
    case DType::u16:
      return get<uint16_t>(*this);
    case DType::u32:
    case DType::key_phx2:
      return get<uint32_t>(*this);
    case DType::i64:
    case DType::u64:
    case DType::key:
    case DType::key_phx4:
      return get<int64_t>(*this);
    case DType::float0:
      return 0;
    default: {
      double v = to_double();
      if (std::isnan(v)) return 0;
      return v >= 9.2e18 ? INT64_MAX : v <= -9.2e18 ? INT64_MIN : int64_t(v);
    }
  }
}

void append_to(std::string& out, const Literal& lit) {
  if (lit.dtype == DType::bool_) {
    append_to(out, get<bool>(lit));
  } else if (is_float(lit.dtype)) {
    append_to(out, lit.to_double());
  } else if (is_complex(lit.dtype)) {
    auto v = lit.to_complex();
    out += '(';
    append_to(out, v.real());
    if (!(v.imag() < 0 || std::signbit(v.imag()))) out += '+';
    append_to(out, v.imag());
    out += "j)";
  } else if (lit.dtype == DType::u64) {
    append_to(out, get<uint64_t>(lit));
  } else {
    append_to(out, lit.to_int());
  }
}

}  // namespace cotan

#include "ir/aval.h"

#include "base/error.h"

namespace cotan {

int64_t num_elements(std::span<const int64_t> shape) {
  int64_t n = 1;
  bool overflow = false;
  for (int64_t d : shape) {
    if (d == 0) return 0;
    overflow |= __builtin_mul_overflow(n, d, &n) || n > (int64_t{1} << 58);
  }
  if (overflow)
    throw_error(ErrorKind::overflow,
                cat("array is too big; shape ", shape_string(shape),
                    " has more elements than an address space can hold"));
  return n;
}

Dims row_major_strides(std::span<const int64_t> shape) {
  Dims strides(shape.size());
  int64_t n = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = n;
    n *= shape[i];
  }
  return strides;
}

std::string shape_string(std::span<const int64_t> shape) {
  return tuple_string(shape);
}

uint64_t Aval::hash(uint64_t seed) const noexcept {
  seed = hash_mix(seed, uint64_t(dtype) << 1 | uint64_t(weak_type));
  for (int64_t d : shape) seed = hash_mix(seed, uint64_t(d));
  return hash_mix(seed, shape.size());
}

void append_to(std::string& out, const Aval& aval) {
  append_to(out, aval.dtype);
  out += '[';
  append_joined(out, aval.shape, ",");
  out += ']';
}

std::string short_string(const Aval& aval, bool show_weak) {
  std::string out;
  if (show_weak && aval.weak_type) out += '~';
  append_to(out, aval);
  return out;
}

}  // namespace cotan

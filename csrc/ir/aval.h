// Abstract values: what the type rules compute with.
#pragma once

#include <span>
#include <string>

#include "base/hash.h"
#include "base/small_vector.h"
#include "base/strings.h"
#include "ir/dtype.h"

namespace cotan {

using Dims = SmallVector<int64_t, 6>;
using Shape = Dims;
using Axes = SmallVector<int64_t, 6>;

// Number of elements; throws OverflowError beyond 2^62.
int64_t num_elements(std::span<const int64_t> shape);
// Row-major strides in elements.
Dims row_major_strides(std::span<const int64_t> shape);
std::string shape_string(std::span<const int64_t> shape);  // "(2, 3)"

struct Aval {
  DType dtype = DType::f32;
  bool weak_type = false;
  Shape shape;

  int64_t rank() const { return int64_t(shape.size()); }
  int64_t size() const { return num_elements(shape); }
  int64_t nbytes() const { return size() * itemsize(dtype); }
  bool operator==(const Aval&) const = default;
  uint64_t hash(uint64_t seed = 0) const noexcept;
};

// Same dtype and shape; weak types do not matter to compiled code.
inline bool same_layout(const Aval& a, const Aval& b) {
  return a.dtype == b.dtype && a.shape == b.shape;
}

// "f32[2,3]"; weak types print as in JAX, "f32[2,3]" or "~f32[]" (str_short).
void append_to(std::string& out, const Aval& aval);
std::string short_string(const Aval& aval, bool show_weak = false);

using Avals = SmallVector<Aval, 2>;

}  // namespace cotan

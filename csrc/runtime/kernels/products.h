// Matrix products for kernels. A backend that can make fast ones installs a
// factory; without it there are plain loops.
#pragma once

#include <cstdint>
#include <memory>

#include "ir/dtype.h"

namespace cotan {

// C[m, n] = sum_k A[m, k] B[k, n] (+ C). Strides in elements; columns of C are
// dense, one of a_row, a_k is 1 and one of b_k, b_col.
struct Product {
  DType dtype = DType::f32;  // f32 or f64
  int64_t m = 0, n = 0, k = 0;
  int64_t a_row = 0, a_k = 1, b_k = 0, b_col = 1, c_row = 0;
  bool accumulate = false;
  friend bool operator==(const Product&, const Product&) = default;
};

class ProductRunner {
 public:
  virtual ~ProductRunner() = default;
  virtual int64_t scratch_bytes() const = 0;  // aligned to 64
  // On the calling thread.
  virtual void run(const void* a, const void* b, void* c,
                   void* scratch) const = 0;
};

using ProductFactory = std::shared_ptr<const ProductRunner> (*)(const Product&);
void set_product_factory(ProductFactory f) noexcept;
std::shared_ptr<const ProductRunner> make_product(const Product& p);

}  // namespace cotan

// NumPy's products. All promote their operands and become dot_general.
#pragma once

#include <string_view>
#include <vector>

#include "jnp/promote.h"
#include "ops/params.h"

namespace cotan::jnp {

struct ProductOptions {
  std::string precision;           // "", "highest", ...
  std::optional<DType> preferred;  // of accumulation and result
};

Value matmul(const Value& x, const Value& y, const ProductOptions& o);
Value dot(const Value& x, const Value& y, const ProductOptions& o = {});
// Sums over pairs of axes; the free axes of x come first in the result.
Value contract(const Value& x, const Value& y, Axes x_axes, Axes y_axes,
               const ProductOptions& o = {});

// Einstein summation: "ij,jk->ik", "...ij->...ji", "ii". Contracts two
// operands at a time, in the order with the least arithmetic.
Value einsum(std::string_view subscripts, std::span<const Value> operands,
             const ProductOptions& o = {});
// The order: pairs of positions in the shrinking list of operands.
std::vector<Axes> einsum_path(std::string_view subscripts,
                              std::span<const Value> operands);

}  // namespace cotan::jnp

// custom_linear_solve: x with A x = b, where A is known by what it does.
#pragma once

#include "ops/control.h"

namespace cotan::lax {

// Each graph takes its constants, then vectors of b's types. solve may give
// auxiliary results after x. Null jaxprs: no transpose.
struct LinearSolve {
  TracedGraph matvec, vecmat, solve, transpose_solve;
};
Values custom_linear_solve(const LinearSolve& s, std::span<const Value> b);

}  // namespace cotan::lax

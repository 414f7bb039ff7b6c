// The `hlo` rules of structural primitives: each writes the StableHLO
// operation that means the same. Elementwise primitives need none: their
// StableHLO names are in backends/pjrt/native_ops.cpp, their bodies in .scalar.
#pragma once

#include <functional>

#include "emit/hlo.h"
#include "ops/params.h"

namespace cotan {
struct WindowParams;
}

namespace cotan::hlo {

// ---- shapes (hlo_shape.cpp)
HloValues broadcast_in_dim(const HloArgs& a);
HloValues reshape(const HloArgs& a);
inline HloValues squeeze(const HloArgs& a) { return reshape(a); }
HloValues transpose(const HloArgs& a);
HloValues rev(const HloArgs& a);
HloValues slice(const HloArgs& a);
HloValues pad(const HloArgs& a);
HloValues iota(const HloArgs& a);
HloValues bitcast(const HloArgs& a);
HloValues dynamic_slice(const HloArgs& a);
HloValues dynamic_update_slice(const HloArgs& a);

// ---- windows, orders, running combinations (hlo_index.cpp)
HloValues gather(const HloArgs& a, const Literal& fill);
HloValues scatter(const HloArgs& a, ScatterKind kind);
HloValues sort(const HloArgs& a);
HloValues cumulative(const HloArgs& a, CumulativeKind kind);

// ---- convolutions, Fourier transforms, windows (hlo_window.cpp)
HloValues convolution(const HloArgs& a);
HloValues fft(const HloArgs& a);
HloValues reduce_window(const HloArgs& a, Monoid m);
HloValues select_and_gather_add(const HloArgs& a);
HloValues select_and_scatter_add(const HloArgs& a);

HloValues dot(const HloArgs& a);

// ---- control flow by the slot `control` (hlo_control.cpp)
HloValues branch(const HloArgs& a);
HloValues loop(const HloArgs& a);
HloValues optimization_barrier(const HloArgs& a);
// The loop that both scans and algorithms are: `step` gives the next carries
// for the index of this iteration, which counts from 0.
using LoopStep =
    std::function<HloValues(HloValue index, std::span<const HloValue> carry)>;
HloValues repeat(HloBuilder& b, int64_t trips, std::span<const HloValue> init,
                 const LoopStep& step);

// ---- linear algebra (hlo_linalg.cpp)
HloValues cholesky(const HloArgs& a);
HloValues triangular_solve(const HloArgs& a);
HloValues pivots_to_permutation(const HloArgs& a);

// "array<i64: 1, 2>" and "[1, 2]".
std::string i64_array(std::span<const int64_t> v);
std::string i64_list(std::span<const int64_t> v);
// "#stablehlo<precision HIGHEST>": what an operand of a product of type t is
// taken as.
std::string precision_text(std::string_view asked, DType t);
// The attributes of reduce_window.
std::string window_text(const WindowParams& p);

}  // namespace cotan::hlo

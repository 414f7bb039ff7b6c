// One primitive on host arrays, at once. Elementwise primitives run kernels
// that know neither sizes nor shapes: a thousand shapes of x + y share one.
// Everything else is a program of one equation, cached by its types.
#pragma once

#include <span>

#include "ir/primitive.h"

namespace cotan::cpu {

// in_ptrs[i] and out_ptrs[j]: dense row-major arrays of the given types; an
// elementwise output may be one of the inputs. Throws what compiling and
// running throw.
__attribute__((visibility("default"))) void run_eager(
    const Primitive& p, const Params& params, std::span<const Aval> in,
    const void* const* in_ptrs, std::span<const Aval> out,
    void* const* out_ptrs);

}  // namespace cotan::cpu

// The heavy primitives as plain C++ kernels, found by name and called from
// generated code. ir/kernel_attrs.h says what each one does; csrc/ops encodes
// attributes when it lowers and the kernels decode them.
//
// Every kernel is multi-threaded by the runtime's pool, allocates its own
// scratch, never throws, and gives the same bits for any number of threads.
// Operands and results are dense and row-major.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ir/kernel_attrs.h"
#include "runtime/runtime.h"

namespace cotan {

struct KernelCall {
  const void* const* in;
  void* const* out;
  const int64_t* attrs;  // what encode_attrs wrote
  void* scratch;         // unused by the kernels of this folder
  Runtime* rt;
};

// Null if there is no kernel of that name.
KernelFn find_kernel(std::string_view name) noexcept;
std::span<const std::string_view> kernel_names() noexcept;

}  // namespace cotan

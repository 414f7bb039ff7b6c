// Calling a kernel by name from a test.
#pragma once

#include <string_view>
#include <vector>

#include "runtime/kernels/kernels.h"
#include "testing.h"

namespace cotan {

template <class Attrs>
int call_kernel(std::string_view name, const Attrs& attrs,
                std::vector<const void*> in, std::vector<void*> out) {
  std::vector<int64_t> blob = encode_attrs(attrs);
  KernelCall call{in.data(), out.data(), blob.data(), nullptr,
                  &default_runtime()};
  KernelFn fn = find_kernel(name);
  CHECK(fn != nullptr);
  return fn(&call);
}

// A small generator, so that a test's data is the same everywhere.
struct Random {
  uint64_t state = 1;
  uint32_t operator()() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return uint32_t(state >> 32);
  }
  int64_t below(int64_t n) { return int64_t((*this)() % uint64_t(n)); }
  // In [-1, 1).
  float uniform() { return float(int32_t((*this)())) * 0x1p-31f; }
};

}  // namespace cotan

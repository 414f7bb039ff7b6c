#include <algorithm>

#include "runtime/kernels/kernels.h"

namespace cotan {

int sort_kernel(const KernelCall*);
int top_k_kernel(const KernelCall*);
int cumulative_kernel(const KernelCall*);
int gather_kernel(const KernelCall*);
int scatter_kernel(const KernelCall*);
int threefry_kernel(const KernelCall*);
int random_bits_kernel(const KernelCall*);
int linalg_kernel(const KernelCall*);
int fft_kernel(const KernelCall*);
int window_kernel(const KernelCall*);
int convolution_kernel(const KernelCall*);

namespace {

constexpr std::string_view kNames[] = {
    "sort",         "cumulative",  "gather", "scatter",
    "threefry2x32", "random_bits", "linalg", "fft",
    "window",       "convolution", "top_k",
};
constexpr KernelFn kKernels[] = {
    sort_kernel,     cumulative_kernel,  gather_kernel, scatter_kernel,
    threefry_kernel, random_bits_kernel, linalg_kernel, fft_kernel,
    window_kernel,   convolution_kernel, top_k_kernel,
};
static_assert(std::size(kNames) == std::size(kKernels));

}  // namespace

KernelFn find_kernel(std::string_view name) noexcept {
  auto* at = std::find(std::begin(kNames), std::end(kNames), name);
  return at == std::end(kNames) ? nullptr : kKernels[at - std::begin(kNames)];
}

std::span<const std::string_view> kernel_names() noexcept { return kNames; }

}  // namespace cotan

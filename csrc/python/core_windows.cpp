// fft, convolution and windows.
#include "jnp/ufuncs.h"
#include "ops/lax.h"
#include "ops/window_params.h"
#include "python/core.h"

namespace py = pybind11;

namespace cotan::python {

namespace {

using Pairs = std::vector<std::pair<int64_t, int64_t>>;

std::vector<PadPair> padding_of(const Pairs& pairs) {
  std::vector<PadPair> out;
  for (auto [low, high] : pairs) out.push_back({low, high});
  return out;
}
WindowParams window_of(const Dims& dimensions, const Dims& strides,
                       const Pairs& padding, const Dims& base,
                       const Dims& dilation) {
  return {dimensions, strides, padding_of(padding), base, dilation};
}

}  // namespace

void bind_windows(py::module_& m) {
  m.def("fft", [](const Value& x, int kind, const Dims& lengths) {
    return lax::fft(x, FftType(kind), lengths);
  });
  m.def("reduce_window", [](const Value& x, const std::string& kind,
                            const Dims& dimensions, const Dims& strides,
                            const Pairs& padding, const Dims& base,
                            const Dims& dilation) {
    Monoid monoid = kind == "sum"   ? Monoid::sum
                    : kind == "max" ? Monoid::max
                                    : Monoid::min;
    return lax::reduce_window(
        x, monoid, window_of(dimensions, strides, padding, base, dilation));
  });
  m.def("select_and_gather_add", [](const Value& t, const Value& x,
                                    bool greatest, const Dims& dimensions,
                                    const Dims& strides, const Pairs& padding,
                                    const Dims& base, const Dims& dilation) {
    return lax::select_and_gather_add(
        t, x,
        {greatest, window_of(dimensions, strides, padding, base, dilation)});
  });
  m.def("select_and_scatter_add",
        [](const Value& source, const Value& x, bool greatest,
           const Dims& dimensions, const Dims& strides, const Pairs& padding) {
          Dims ones(dimensions.size(), 1);
          return lax::select_and_scatter_add(
              source, x,
              {greatest, window_of(dimensions, strides, padding, ones, ones)});
        });
  m.def("conv",
        [](const Value& lhs, const Value& rhs, const Dims& strides,
           const Pairs& padding, const Dims& lhs_dilation,
           const Dims& rhs_dilation, const Dims& lhs_spec, const Dims& rhs_spec,
           const Dims& out_spec, int64_t feature_groups, int64_t batch_groups,
           const std::string& precision) {
          return lax::conv(lhs, rhs,
                           {strides, padding_of(padding), lhs_dilation,
                            rhs_dilation, lhs_spec, rhs_spec, out_spec,
                            feature_groups, batch_groups, precision});
        });
}

}  // namespace cotan::python

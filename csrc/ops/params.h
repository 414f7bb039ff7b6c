// Parameter types of the primitives.
#pragma once

#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

#include "ir/params.h"
#include "ir/primitive.h"

namespace cotan {

enum class RoundingMode : uint8_t { away_from_zero, to_nearest_even };
inline std::string_view enum_name(RoundingMode m) {
  return m == RoundingMode::away_from_zero ? "AWAY_FROM_ZERO"
                                           : "TO_NEAREST_EVEN";
}
enum class CumulativeKind : uint8_t { sum, prod, max, min, logsumexp };
inline std::string_view enum_name(CumulativeKind k) {
  constexpr std::string_view names[] = {"sum", "prod", "max", "min",
                                        "logsumexp"};
  return names[int(k)];
}
enum class GatherMode : uint8_t { clip, fill_or_drop, promise_in_bounds };
inline std::string_view enum_name(GatherMode m) {
  constexpr std::string_view names[] = {"GatherScatterMode.CLIP",
                                        "GatherScatterMode.FILL_OR_DROP",
                                        "GatherScatterMode.PROMISE_IN_BOUNDS"};
  return names[int(m)];
}
enum class ScatterKind : uint8_t { set, add, sub, mul, min, max };
inline std::string_view enum_name(ScatterKind k) {
  constexpr std::string_view names[] = {"set", "add", "sub",
                                        "mul", "min", "max"};
  return names[int(k)];
}
enum class RngAlgorithm : uint8_t { automatic, threefry, philox };
inline std::string_view enum_name(RngAlgorithm a) {
  constexpr std::string_view names[] = {"RNG_DEFAULT", "RNG_THREE_FRY",
                                        "RNG_PHILOX"};
  return names[int(a)];
}

struct RoundParams {
  RoundingMode mode;
  static constexpr auto fields() {
    return std::tuple{field("rounding_method", &RoundParams::mode)};
  }
};
struct IntegerPowParams {
  int64_t y;
  static constexpr auto fields() {
    return std::tuple{field("y", &IntegerPowParams::y)};
  }
};
struct ReducePrecisionParams {
  int64_t exponent_bits, mantissa_bits;
  static constexpr auto fields() {
    return std::tuple{
        field("exponent_bits", &ReducePrecisionParams::exponent_bits),
        field("mantissa_bits", &ReducePrecisionParams::mantissa_bits)};
  }
};
struct ConvertParams {
  DType to;
  bool weak_type;
  static constexpr auto fields() {
    return std::tuple{field("new_dtype", &ConvertParams::to),
                      field("weak_type", &ConvertParams::weak_type)};
  }
};
struct BitcastParams {
  DType to;
  static constexpr auto fields() {
    return std::tuple{field("new_dtype", &BitcastParams::to)};
  }
};
struct IotaParams {
  DType dtype;
  Dims shape;
  int64_t dimension;
  static constexpr auto fields() {
    return std::tuple{field("dtype", &IotaParams::dtype),
                      field("shape", &IotaParams::shape),
                      field("dimension", &IotaParams::dimension)};
  }
};
struct RngParams {
  Dims shape;
  DType dtype;
  RngAlgorithm algorithm;
  static constexpr auto fields() {
    return std::tuple{field("shape", &RngParams::shape),
                      field("dtype", &RngParams::dtype),
                      field("algorithm", &RngParams::algorithm)};
  }
};
struct BroadcastParams {
  Dims shape;
  Axes dims;  // output dimension of each operand dimension, ascending
  static constexpr auto fields() {
    return std::tuple{field("shape", &BroadcastParams::shape),
                      field("broadcast_dimensions", &BroadcastParams::dims)};
  }
};
struct ReshapeParams {
  Dims shape;
  static constexpr auto fields() {
    return std::tuple{field("new_sizes", &ReshapeParams::shape)};
  }
};
struct AxesParams {  // squeeze, rev
  Axes axes;
  static constexpr auto fields() {
    return std::tuple{field("dimensions", &AxesParams::axes)};
  }
};
struct TransposeParams {
  Axes perm;
  static constexpr auto fields() {
    return std::tuple{field("permutation", &TransposeParams::perm)};
  }
};
struct SliceParams {
  Dims start, limit, strides;  // strides never empty
  static constexpr auto fields() {
    return std::tuple{field("start_indices", &SliceParams::start),
                      field("limit_indices", &SliceParams::limit),
                      field("strides", &SliceParams::strides)};
  }
};
struct PadDim {
  int64_t low, high, interior;
  static constexpr auto fields() {
    return std::tuple{field("low", &PadDim::low), field("high", &PadDim::high),
                      field("interior", &PadDim::interior)};
  }
};
struct PadParams {
  std::vector<PadDim> config;
  static constexpr auto fields() {
    return std::tuple{field("padding_config", &PadParams::config)};
  }
};
struct DimensionParams {  // concatenate
  int64_t dimension;
  static constexpr auto fields() {
    return std::tuple{field("dimension", &DimensionParams::dimension)};
  }
};
struct DynamicSliceParams {
  Dims sizes;
  static constexpr auto fields() {
    return std::tuple{field("slice_sizes", &DynamicSliceParams::sizes)};
  }
};
// XLA's gather; the index vector is the last dimension of `indices`.
struct GatherParams {
  Axes offset_dims, collapsed_slice_dims, start_index_map,
      operand_batching_dims, start_indices_batching_dims;
  Dims slice_sizes;
  GatherMode mode = GatherMode::fill_or_drop;
  bool indices_are_sorted = false, unique_indices = false;
  std::optional<Literal> fill_value;  // default: nan, min int, max uint
  static constexpr auto fields() {
    return std::tuple{
        field("offset_dims", &GatherParams::offset_dims),
        field("collapsed_slice_dims", &GatherParams::collapsed_slice_dims),
        field("start_index_map", &GatherParams::start_index_map),
        field("operand_batching_dims", &GatherParams::operand_batching_dims),
        field("start_indices_batching_dims",
              &GatherParams::start_indices_batching_dims),
        field("slice_sizes", &GatherParams::slice_sizes),
        field("mode", &GatherParams::mode),
        field("indices_are_sorted", &GatherParams::indices_are_sorted),
        field("unique_indices", &GatherParams::unique_indices),
        field("fill_value", &GatherParams::fill_value)};
  }
};
// One record per ScatterKind, so the kind is not a parameter.
struct ScatterParams {
  Axes update_window_dims, inserted_window_dims, scatter_dims_to_operand_dims,
      operand_batching_dims, scatter_indices_batching_dims;
  GatherMode mode = GatherMode::fill_or_drop;
  bool indices_are_sorted = false, unique_indices = false;
  static constexpr auto fields() {
    return std::tuple{
        field("update_window_dims", &ScatterParams::update_window_dims),
        field("inserted_window_dims", &ScatterParams::inserted_window_dims),
        field("scatter_dims_to_operand_dims",
              &ScatterParams::scatter_dims_to_operand_dims),
        field("operand_batching_dims", &ScatterParams::operand_batching_dims),
        field("scatter_indices_batching_dims",
              &ScatterParams::scatter_indices_batching_dims),
        field("mode", &ScatterParams::mode),
        field("indices_are_sorted", &ScatterParams::indices_are_sorted),
        field("unique_indices", &ScatterParams::unique_indices)};
  }
};
struct ReduceParams {
  Axes axes;
  static constexpr auto fields() {
    return std::tuple{field("axes", &ReduceParams::axes)};
  }
};
struct ArgReduceParams {
  Axes axes;  // exactly one
  DType index_dtype;
  static constexpr auto fields() {
    return std::tuple{field("axes", &ArgReduceParams::axes),
                      field("index_dtype", &ArgReduceParams::index_dtype)};
  }
};
struct CumulativeParams {
  int64_t axis;
  bool reverse;
  static constexpr auto fields() {
    return std::tuple{field("axis", &CumulativeParams::axis),
                      field("reverse", &CumulativeParams::reverse)};
  }
};
struct DotParams {
  Axes lhs_contract, rhs_contract, lhs_batch, rhs_batch;
  std::optional<DType> preferred;  // accumulation and result dtype
  std::string precision;           // "", "highest", ...: kept for lowering
  static constexpr auto fields() {
    return std::tuple{field("lhs_contracting", &DotParams::lhs_contract),
                      field("rhs_contracting", &DotParams::rhs_contract),
                      field("lhs_batch", &DotParams::lhs_batch),
                      field("rhs_batch", &DotParams::rhs_batch),
                      field("preferred_element_type", &DotParams::preferred),
                      field("precision", &DotParams::precision)};
  }
};
struct SortParams {
  int64_t dimension;
  bool is_stable;
  int64_t num_keys;
  static constexpr auto fields() {
    return std::tuple{field("dimension", &SortParams::dimension),
                      field("is_stable", &SortParams::is_stable),
                      field("num_keys", &SortParams::num_keys)};
  }
};
struct TopKParams {
  int64_t axis, k;
  static constexpr auto fields() {
    return std::tuple{field("axis", &TopKParams::axis),
                      field("k", &TopKParams::k)};
  }
};
struct CallParams {
  JaxprRef jaxpr;
  std::string name;
  int64_t num_known = 0;  // tangent calls: leading operands are residuals
  static constexpr auto fields() {
    return std::tuple{field("jaxpr", &CallParams::jaxpr),
                      field("name", &CallParams::name),
                      field("num_known", &CallParams::num_known)};
  }
};
struct CustomJvpParams {
  OpaqueRef fun;   // Callable
  OpaqueRef jvp;   // Callable
  JaxprRef jaxpr;  // of fun, once staged; consts first
  int64_t num_consts = 0;
  std::string name;
  bool symbolic_zeros = false;
  static constexpr auto fields() {
    return std::tuple{
        field("fun", &CustomJvpParams::fun),
        field("jvp", &CustomJvpParams::jvp),
        field("call_jaxpr", &CustomJvpParams::jaxpr),
        field("num_consts", &CustomJvpParams::num_consts),
        field("name", &CustomJvpParams::name),
        field("symbolic_zeros", &CustomJvpParams::symbolic_zeros)};
  }
};
struct CustomVjpParams {
  OpaqueRef fun, fwd, bwd;  // Callables
  JaxprRef jaxpr;           // of fun, once staged; consts first
  int64_t num_consts = 0;
  std::string name;
  bool symbolic_zeros = false;
  static constexpr auto fields() {
    return std::tuple{
        field("fun", &CustomVjpParams::fun),
        field("fwd", &CustomVjpParams::fwd),
        field("bwd", &CustomVjpParams::bwd),
        field("call_jaxpr", &CustomVjpParams::jaxpr),
        field("num_consts", &CustomVjpParams::num_consts),
        field("name", &CustomVjpParams::name),
        field("symbolic_zeros", &CustomVjpParams::symbolic_zeros)};
  }
};

}  // namespace cotan

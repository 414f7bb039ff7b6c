// Parameters of operations over named axes. Which axes they are and how large
// stands in the parameters: a jaxpr keeps its meaning wherever it is read.
#pragma once

#include <optional>

#include "ops/params.h"

namespace cotan {

using AxisNames = std::vector<AxisName>;
// Lists of indices along the axis, which together are all of them: each group
// does the operation by itself.
using AxisGroups = std::optional<std::vector<Dims>>;

struct AllReduceParams {  // psum, pmax, pmin
  AxisNames names;
  AxisGroups groups;
  static constexpr auto fields() {
    return std::tuple{field("axes", &AllReduceParams::names),
                      field("axis_index_groups", &AllReduceParams::groups)};
  }
};
struct AllGatherParams {
  int64_t dimension = 0;
  AxisNames names;
  AxisGroups groups;
  int64_t size = 0;  // of all axes together, or of a group
  bool tiled = false;
  static constexpr auto fields() {
    return std::tuple{
        field("all_gather_dimension", &AllGatherParams::dimension),
        field("axis_name", &AllGatherParams::names),
        field("axis_index_groups", &AllGatherParams::groups),
        field("axis_size", &AllGatherParams::size),
        field("tiled", &AllGatherParams::tiled)};
  }
};
struct ReduceScatterParams {
  int64_t dimension = 0;
  AxisNames names;
  AxisGroups groups;
  int64_t size = 0;
  bool tiled = false;
  static constexpr auto fields() {
    return std::tuple{
        field("scatter_dimension", &ReduceScatterParams::dimension),
        field("axis_name", &ReduceScatterParams::names),
        field("axis_index_groups", &ReduceScatterParams::groups),
        field("axis_size", &ReduceScatterParams::size),
        field("tiled", &ReduceScatterParams::tiled)};
  }
};
// The rank stays: dimension `split` is divided by the size, `concat`
// multiplied. `tiled` is only remembered.
struct AllToAllParams {
  int64_t split = 0, concat = 0;
  AxisNames names;
  AxisGroups groups;
  int64_t size = 0;
  bool tiled = false;
  static constexpr auto fields() {
    return std::tuple{field("split_axis", &AllToAllParams::split),
                      field("concat_axis", &AllToAllParams::concat),
                      field("axis_name", &AllToAllParams::names),
                      field("axis_index_groups", &AllToAllParams::groups),
                      field("axis_size", &AllToAllParams::size),
                      field("tiled", &AllToAllParams::tiled)};
  }
};
struct PPermuteParams {
  AxisNames names;
  std::vector<Dims> perm;  // (source, destination)
  static constexpr auto fields() {
    return std::tuple{field("axis_name", &PPermuteParams::names),
                      field("perm", &PPermuteParams::perm)};
  }
};
struct PBroadcastParams {
  AxisNames names;
  int64_t source = 0;
  static constexpr auto fields() {
    return std::tuple{field("axis_name", &PBroadcastParams::names),
                      field("source", &PBroadcastParams::source)};
  }
};
struct AxisIndexParams {
  AxisName name;
  static constexpr auto fields() {
    return std::tuple{field("axis_name", &AxisIndexParams::name)};
  }
};

}  // namespace cotan

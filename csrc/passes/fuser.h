// The state of fuse(), shared by its three files.
#pragma once

#include "passes/fusion.h"

namespace cotan {

class Fuser {
 public:
  Fuser(const FlowGraph& g, const PlanOptions& options, const Alone& alone);
  FusionPlan run();

 private:
  static constexpr float kMaxCost = 600;
  static constexpr int32_t kMaxStreams = 24;
  static constexpr float kFree = 4;  // recomputed without thought

  // ---- values and demands
  const FlowValue& value(int32_t v) const { return g_.values[size_t(v)]; }
  ValuePlan& plan(int32_t v) { return p_.values[size_t(v)]; }
  Group& group(int32_t i) { return p_.groups[size_t(i)]; }
  bool in_flow(int32_t v) const { return value(v).op >= 0; }
  void resolve(Demand& d);
  void resolve_all(int32_t v);
  // Group `to` reads v through `a`.
  void demand(int32_t v, int32_t to, Access a);
  void demand_dynamic(int32_t to, const Access& a);
  int32_t new_group(Group::Kind kind);
  // Group `from` must run before `to`.
  void connect(int32_t from, int32_t to);
  // v is written by `writer`; whoever reads it from memory comes after.
  void written(int32_t v, int32_t writer);
  bool cycle(int32_t host, int32_t v);
  void mark_inlined(int32_t op, int32_t group);

  // ---- one operation
  void process(int32_t op);
  void view_op(int32_t op);
  void reinterpret_op(int32_t op);
  void store_view(int32_t op);
  void store_dilated(int32_t op);
  void compute_op(int32_t op);
  void reduce_op(int32_t op);
  void concat_op(int32_t op);
  bool inline_concat(int32_t op);
  bool reduces(int32_t v) const;
  void update_op(int32_t op);
  void dot_op(int32_t op);
  void opaque_op(int32_t op);
  bool is_alone(int32_t op);
  int32_t store_root(int32_t v);  // a new group that stores all of v

  // ---- joining
  SmallVector<int32_t, 4> groups_of(const FlowOp& op);
  bool is_used(int32_t v);
  bool needs_memory(const FlowOp& op);
  bool can_host(const FlowOp& op, int32_t to);
  void keep_in_memory(int32_t op, const SmallVector<int32_t, 4>& groups);
  void drop_demands(int32_t v, int32_t to);
  bool can_join(const FlowOp& op, int32_t to);
  bool affordable(const FlowOp& op, const Group& to, const Access& a);
  void join(int32_t op, int32_t to);
  bool store_fits(const Group& to, const Access& a) const;
  int32_t lane_guess(const Group& to) const;
  // The one access of v in a group; null if there are several.
  const Access* only_access(int32_t v, int32_t to);
  bool join_reduce(int32_t op, int32_t to);
  bool reduce_axes(const FlowOp& op, Group& to, const Access& a, Affine* index,
                   AxisMask* axes);
  void root_reduce(int32_t op);
  bool epilogue(int32_t op, int32_t to);

  // ---- merging (fusion_merge.cpp)
  struct Mapping {
    std::vector<Affine> to;         // per axis of the group that disappears
    SmallVector<int64_t, 2> added;  // extents of axes new in the other
  };
  bool merge(int32_t a, int32_t b, int32_t v);
  bool map_axes(const Group& keep, const Access& in_keep, const Group& gone,
                const Access& in_gone, Mapping* m) const;
  bool map_dimension(const Group& keep, const Affine& f, const Group& gone,
                     const Affine& h, int64_t extent, Mapping* m,
                     std::vector<bool>* done) const;
  bool map_rest(const Group& keep, AxisMask free_keep, const Group& gone,
                AxisMask free_gone, Mapping* m) const;
  bool compatible(const Group& keep, const Group& gone, const Mapping& m) const;
  void absorb(int32_t keep, int32_t gone, Mapping m);
  void merge_siblings();

  // ---- memory that is written over (fusion_order.cpp)
  bool may_overwrite(int32_t x);
  bool is_small_part(int32_t v, int32_t of) const;
  void set_window_apart(const FlowOp& update);
  // `by` is the group that writes over operands of op.
  void note_overwrites(const FlowOp& op, int32_t by);
  void put_readers_first();
  void keep_parts(int32_t x, int32_t reader);

  struct Overwrite {
    int32_t value, by;
  };
  std::vector<Overwrite> overwrites_;

  const FlowGraph& g_;
  const PlanOptions& options_;
  const Alone& alone_;
  FusionPlan p_;
  int32_t last_effect_ = -1;
};

}  // namespace cotan

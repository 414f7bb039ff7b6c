// Fusion: which operations are evaluated together. Walks the flow graph from
// results to operands; every value is demanded by groups through accesses,
// and an operation joins the groups that demand it, or is kept in memory.
//
// Start with FusionPlan; the rules are in fusion.cpp (joining),
// fusion_merge.cpp (siblings) and fusion_order.cpp (memory reused in place).
#pragma once

#include <deque>

#include "passes/access.h"
#include "passes/flow.h"

namespace cotan {

class Bits {
 public:
  bool test(int32_t i) const {
    auto w = size_t(i) / 64;
    return w < words_.size() && (words_[w] >> (i % 64) & 1);
  }
  void set(int32_t i) {
    auto w = size_t(i) / 64;
    if (w >= words_.size()) words_.resize(w + 1, 0);
    words_[w] |= uint64_t(1) << (i % 64);
  }
  void operator|=(const Bits& o) {
    if (words_.size() < o.words_.size()) words_.resize(o.words_.size(), 0);
    for (size_t w = 0; w < o.words_.size(); ++w) words_[w] |= o.words_[w];
  }

 private:
  SmallVector<uint64_t, 4> words_;
};

// A value that the group writes: source, seen through `from`, goes to the
// memory of `value` at `to` (for most sinks the same value and access).
struct Sink {
  int32_t value = -1;
  Access to;
  int32_t source = -1;
  Access from;
};

// A reduction inside a group: its operand's access and the axes reduced.
// consumed: the group uses the result (a row reduction of a later stage).
struct Reduced {
  int32_t op = -1;
  Access in;
  AxisMask axes = 0;
  bool consumed = false;
};

// What happened to a group's axes, for accesses that were made before.
struct GroupEvent {
  Split split;
  int32_t into = -1;  // merged into that group: axes become `map`
  int32_t at = 0;     // events that it had then
  std::vector<Affine> map;
};

struct Group {
  enum Kind : uint8_t { kernel, gemm, opaque } kind = kernel;
  bool alive = true;
  int32_t op = -1;  // gemm, opaque: the operation
  Space space;
  std::vector<Sink> sinks;
  std::vector<Reduced> reduced;
  AxisMask red = 0;  // axes of the consumed reductions
  Access product;    // gemm: how the epilogue indexes the product
  std::vector<GroupEvent> events;
  float cost = 0;       // vector operations
  int32_t streams = 0;  // values that it loads, at most
  Bits down;            // groups that depend on this one
};

struct Demand {
  int32_t group = -1;
  int32_t events = 0;  // of the group that the access has seen
  Access access;
};

struct ValuePlan {
  SmallVector<Demand, 1> demands;   // of groups that do not compute it
  SmallVector<int32_t, 2> users;    // opaque and gemm groups that read it
  SmallVector<int32_t, 2> writers;  // groups, in the order they must run
  bool memory = false;              // has a place in memory
  bool apart = false;               // stored before its readers start
  int32_t alias = -1;               // a reshape of that value: the same memory
};

struct FusionPlan {
  std::deque<Group> groups;
  std::vector<ValuePlan> values;
  std::vector<SmallVector<int32_t, 2>> inlined;  // per op: groups that have it
  // Group pairs, the first to run before the second where that can be.
  std::vector<std::pair<int32_t, int32_t>> ordered;
  // Operations that fuse() is to be called again with as `alone`.
  std::vector<int32_t> to_set_apart;
  int32_t find(int32_t group) const {  // after merging
    while (!groups[size_t(group)].alive)
      group = groups[size_t(group)].events.back().into;
    return group;
  }
  bool is_inlined(int32_t op, int32_t group) const {
    for (int32_t g : inlined[size_t(op)])
      if (find(g) == group) return true;
    return false;
  }
};

// Operations that must not be fused into others (a kernel could not be built).
using Alone = std::vector<bool>;
FusionPlan fuse(const FlowGraph& g, const PlanOptions& options,
                const Alone& alone);

class GroupSplits final : public SplitListener {
 public:
  explicit GroupSplits(Group& g) : g_(g) {}
  void on_split(const Split& s) override;
  bool happened = false;

 private:
  Group& g_;
};

// The access of a rank-0 value.
inline Access scalar_access() { return {}; }

int64_t count_pieces(int64_t n, int64_t piece);

}  // namespace cotan

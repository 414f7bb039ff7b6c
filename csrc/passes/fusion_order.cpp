// What writes over an operand (an update, a kernel in place, a loop over its
// carries) can have the operand's memory only if everybody else has read it:
// readers are put first, and what an update writes is computed beforehand
// where it reads other elements than those it replaces.
#include <algorithm>
#include <vector>

#include "passes/control.h"
#include "passes/fuser.h"
#include "passes/kernel_builder.h"
#include "passes/memory.h"

namespace cotan {

namespace {

// The value whose memory v is by another name.
int32_t named_memory(const FlowGraph& g, int32_t v) {
  for (const FlowOp* d = g.def(v);
       d && ((d->kind == FlowKind::view && d->view.reshape) ||
             d->kind == FlowKind::reinterpret);
       d = g.def(v))
    v = d->in[0];
  return v;
}

// Whether the view reads exactly the elements that the update replaces.
bool is_own_window(const FlowOp& view, const FlowOp& update) {
  if (view.in[0] != update.in[0] || view.view.reshape || view.view.guarded ||
      view.view.dims.size() != update.view.dims.size())
    return false;
  for (size_t d = 0; d < view.view.dims.size(); ++d) {
    const ViewDim &r = view.view.dims[d], &w = update.view.dims[d];
    if (r.out_dim != w.out_dim || r.step != w.step || r.offset != w.offset ||
        r.dilation != w.dilation || r.max_start != w.max_start ||
        (r.start < 0) != (w.start < 0))
      return false;
    if (r.start >= 0 && view.in[size_t(r.start)] != update.in[size_t(w.start)])
      return false;
  }
  return true;
}

// Looks from an update's new elements up to what they are computed from in
// the same kernel, for reads of the updated operand, or of what it was before
// updates that come first (a swap of two elements).
class WindowReads {
 public:
  WindowReads(const FlowGraph& g, const FlowOp& update)
      : g_(g), update_(update) {
    const FlowOp* u = &update;
    while (u && u->kind == FlowKind::update && memories_.size() < kChain) {
      memories_.push_back(named_memory(g, u->in[0]));
      u = g.def(memories_.back());
    }
  }

  // Any but an element's read of itself; a search that is too long says yes.
  bool elsewhere() {
    visit(update_.in[1], true);
    while (!agenda_.empty() && !found_) {
      auto [v, aligned] = agenda_.back();
      agenda_.pop_back();
      operands(*g_.def(v), v, aligned);
    }
    return found_;
  }

 private:
  static constexpr size_t kLongest = 2000, kChain = 16;

  // aligned: element i of v becomes element i of the window.
  void visit(int32_t v, bool aligned) {
    found_ |= std::find(memories_.begin(), memories_.end(),
                        named_memory(g_, v)) != memories_.end();
    const FlowOp* d = g_.def(v);
    if (!d || d->kind == FlowKind::kernel || d->kind == FlowKind::eval ||
        d->kind == FlowKind::control || d->kind == FlowKind::update)
      return;
    if (seen_.empty()) seen_.resize(2 * g_.values.size());
    auto mark = seen_[2 * size_t(v) + size_t(aligned)];
    if (mark) return;
    mark = true;
    found_ |= ++count_ > kLongest;
    agenda_.push_back({v, aligned});
  }
  void operands(const FlowOp& op, int32_t v, bool aligned) {
    if (op.kind == FlowKind::view && aligned && is_own_window(op, update_))
      return;
    bool elementwise =
        op.kind == FlowKind::compute || op.kind == FlowKind::bitcast;
    for (int32_t u : op.in)
      visit(u, aligned && elementwise &&
                   g_.values[size_t(u)].shape == g_.values[size_t(v)].shape);
  }

  const FlowGraph& g_;
  const FlowOp& update_;
  SmallVector<int32_t, 4> memories_;
  bool found_ = false;
  size_t count_ = 0;
  std::vector<bool> seen_;
  std::vector<std::pair<int32_t, bool>> agenda_;
};

}  // namespace

bool Fuser::is_alone(int32_t i) {
  if (alone_[size_t(i)] || !options_.fuse) return true;
  for (int32_t v : g_.ops[size_t(i)].out)
    if (plan(v).apart) return true;
  return false;
}

// Whether the memory planner would give x's memory to another value.
bool Fuser::may_overwrite(int32_t x) {
  for (;;) {
    x = named_memory(g_, x);
    const FlowValue& v = value(x);
    if (v.input >= 0)
      return size_t(v.input) < options_.donated.size() &&
             options_.donated[size_t(v.input)];
    const FlowOp* d = g_.def(x);
    if (!d) return false;
    if (v.bytes() >= kWorthSharing) return true;
    if (d->kind != FlowKind::update) return false;
    x = d->in[0];
  }
}

// To copy the operand costs no more than to keep what is half of it.
bool Fuser::is_small_part(int32_t v, int32_t of) const {
  return value(v).size() * 2 <= value(of).size();
}

void Fuser::set_window_apart(const FlowOp& update) {
  const int32_t x = update.in[0], y = update.in[1];
  if (is_small_part(y, x) && may_overwrite(x) &&
      WindowReads(g_, update).elsewhere())
    plan(y).apart = true;
}

void Fuser::note_overwrites(const FlowOp& op, int32_t by) {
  size_t first = 0, n = 0;
  if (op.kind == FlowKind::kernel && op.prim->flags & kInPlace) {
    n = std::min(op.in.size(), op.out.size());
  } else if (op.kind == FlowKind::control) {
    Control c = op.prim->control(op.params);
    if (!c.cases.empty()) return;
    first = size_t(c.cond_consts + c.body_consts);
    n = size_t(c.carries);
  } else if (op.kind == FlowKind::update) {
    n = 1;
  }
  for (size_t i = first; i < first + n; ++i)
    if (may_overwrite(op.in[i])) overwrites_.push_back({op.in[i], by});
}

// Parts of x that the group reads become values of their own.
void Fuser::keep_parts(int32_t x, int32_t reader) {
  for (size_t i = 0; i < g_.ops.size(); ++i) {
    const FlowOp& op = g_.ops[i];
    if (op.kind == FlowKind::view && !op.view.reshape && !alone_[i] &&
        p_.is_inlined(int32_t(i), reader) &&
        named_memory(g_, op.in[0]) == named_memory(g_, x) &&
        is_small_part(op.out[0], x))
      p_.to_set_apart.push_back(int32_t(i));
  }
}

// Other readers of what is overwritten come first where they can.
void Fuser::put_readers_first() {
  if (overwrites_.empty()) return;
  std::vector<SmallVector<int32_t, 1>> names(p_.values.size());
  for (size_t v = 0; v < p_.values.size(); ++v)
    names[size_t(memory_of(p_, int32_t(v)))].push_back(int32_t(v));
  for (auto [x, writer] : overwrites_) {
    const int32_t by = p_.find(writer);
    auto first = [&, x = x](int32_t reader) {
      if (reader == by) return;
      if (group(by).down.test(reader)) return keep_parts(x, reader);
      connect(reader, by);
      p_.ordered.push_back({reader, by});
    };
    for (int32_t v : names[size_t(memory_of(p_, x))]) {
      for (const Demand& d : plan(v).demands) first(p_.find(d.group));
      for (int32_t u : plan(v).users) first(p_.find(u));
    }
  }
}

}  // namespace cotan

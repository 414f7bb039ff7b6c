#include "backends/cpu/kernel_emitter.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/Intrinsics.h>

#include "backends/cpu/target.h"
#include "base/error.h"

namespace cotan::cpu {
namespace {

int affine_words(int rank) { return rank + 1; }
int guard_words(int rank) { return rank + 3; }

bool is_wide(DType t) { return itemsize(t) >= 8; }

// Two nodes that one evaluation of a primitive serves.
bool same_application(const Node& a, const Node& b) {
  return a.kind == b.kind && a.prim == b.prim && a.in == b.in &&
         a.index == b.index && a.aval == b.aval && a.params == b.params;
}

}  // namespace

int kernel_width(const Kernel& k, bool specialised) {
  bool wide = false, narrow_float = false, reduces = false,
       narrow_reduce = false;
  for (const Node& n : k.nodes) {
    wide |= is_wide(n.dtype);
    narrow_float |= is_float(n.dtype) && !is_wide(n.dtype);
    if (n.kind != NodeKind::reduce) continue;
    reduces = true;
    narrow_reduce |= !is_wide(k.nodes[size_t(n.in[0])].dtype);
  }
  int width = narrow_reduce || !wide || (narrow_float && !reduces) ? 16 : 8;
  // Short rows of known length: lanes beyond it would only hold identities.
  bool strip = k.schedule == Schedule::strip || k.schedule == Schedule::block;
  bool known = (specialised && strip) || k.schedule == Schedule::block;
  if (known && k.ragged.axis != k.lane())
    while (width > 1 && k.axes[size_t(k.lane())] <= width / 2) width /= 2;
  return width;
}

KernelEmitter::KernelEmitter(Builder& b, const TargetSpec& target,
                             const Kernel& k, const KernelArgs& args)
    : b_(b),
      k_(k),
      args_(args),
      layout_(k),
      width_(args.width ? args.width : kernel_width(k, args.meta == nullptr)),
      e_(b, target, width_),
      memory_(e_),
      lane_bit_(k.lane_bit()),
      inner_(k.lane_bit()),
      first_stage_(k.nodes.size(), -1),
      coord_(size_t(k.rank()), nullptr),
      meta_(size_t(layout_.size), nullptr),
      collected_(k.nodes.size(), -1),
      row_(k.nodes.size()),
      constant_(k.nodes.size(), false) {
  for (size_t i = 0; i < k.nodes.size(); ++i) {
    int lead = int(i);
    const Node& n = k.nodes[i];
    if (n.kind == NodeKind::compute || n.kind == NodeKind::generate)
      for (size_t j = 0; j < i && lead == int(i); ++j)
        if (same_application(k.nodes[j], n)) lead = int(j);
    leader_.push_back(lead);
  }
  // Run-time values are loaded in a block of their own, which dominates all.
  auto* body = llvm::BasicBlock::Create(b.getContext(), "kernel",
                                        b.GetInsertBlock()->getParent());
  preamble_end_ = b.CreateBr(body);
  b.SetInsertPoint(body);
}

// ---- run-time values

llvm::Value* KernelEmitter::meta(int index) {
  if (!args_.meta) return i64(args_.constants[size_t(index)]);
  llvm::Value*& v = meta_[size_t(index)];
  if (!v) {
    Builder at(preamble_end_);
    llvm::Value* p = at.CreateConstInBoundsGEP1_64(at.getInt64Ty(), args_.meta,
                                                   uint64_t(index));
    auto* load = at.CreateAlignedLoad(at.getInt64Ty(), p, llvm::Align(8));
    // Lets stores of the kernel's results not clobber it.
    load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                      llvm::MDNode::get(b_.getContext(), {}));
    v = load;
  }
  return v;
}

llvm::Value* KernelEmitter::extent_here(int axis) {
  llvm::Value* full = extent(axis);
  if (k_.ragged.axis != axis) return full;
  llvm::Value* done = b_.CreateMul(coord_[size_t(k_.ragged.outer)], full);
  llvm::Value* left = b_.CreateSub(meta(layout_.ragged), done);
  return b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, full, left);
}

llvm::Value* KernelEmitter::stride(const Affine& a, int base, int axis) {
  switch (stride_class(a.stride[size_t(axis)])) {
    case StrideClass::zero:
      return i64(0);
    case StrideClass::one:
      return i64(1);
    case StrideClass::minus_one:
      return i64(-1);
    case StrideClass::other:
      return fixed(axis) || (axis == k_.lane() &&
                             is_interleaved(a.stride[size_t(axis)]))
                 ? i64(a.stride[size_t(axis)])
                 : meta(base + axis);
  }
  return nullptr;
}

llvm::Value* KernelEmitter::affine_base(const Affine& a, int base,
                                        AxisMask over) {
  llvm::Value* sum = meta(base + k_.rank());
  for (int x = 0; x < k_.rank(); ++x) {
    if (!(over >> x & 1) || a.stride[size_t(x)] == 0) continue;
    llvm::Value* c = coord_[size_t(x)];
    StrideClass cls = stride_class(a.stride[size_t(x)]);
    if (cls == StrideClass::minus_one)
      sum = b_.CreateSub(sum, c);
    else if (cls == StrideClass::one)
      sum = b_.CreateAdd(sum, c);
    else
      sum = b_.CreateAdd(sum, b_.CreateMul(c, stride(a, base, x)));
  }
  return sum;
}

// ---- rows

void KernelEmitter::begin_row(AxisMask changed) {
  bool all = changed == ~AxisMask(0);
  for (size_t i = 0; i < row_.size(); ++i)
    if (!constant_[i] && (all || (k_.nodes[i].dep & changed) != 0))
      row_[i] = {};
  node_address_.clear();
  store_address_.clear();
  row_affine_.clear();
}

void KernelEmitter::keep_constant(int id) {
  row_value(id);
  for (size_t i = 0; i < row_.size(); ++i)
    if (row_[i].v) constant_[i] = true;
}

Point KernelEmitter::point(llvm::Value* lane, llvm::Value* mask, int stage) {
  Point p;
  p.lane = lane;
  p.mask = mask;
  p.stage = stage;
  p.memo.resize(k_.nodes.size());
  return p;
}

void KernelEmitter::collect(int id, int stage) {
  const Node& n = k_.nodes[size_t(id)];
  if ((n.dep & inner_) == 0 || collected_[size_t(id)] == stage) return;
  collected_[size_t(id)] = stage;
  int& first = first_stage_[size_t(id)];
  if (first < 0) first = stage;
  if (n.parked >= 0 && first < stage) return;
  if (n.kind == NodeKind::reduce && n.stage <= stage && n.stage > 0 &&
      k_.nodes[size_t(n.in[0])].stage < n.stage)
    return;  // complete: a value, not a sum in progress
  for (int32_t a : n.in) collect(a, stage);
  for (const Indirect& x : n.map.indirect) collect(x.node, stage);
}

int KernelEmitter::guards_base(const Map&, int base) const {
  return base + affine_words(k_.rank());
}

KernelEmitter::RowAddress KernelEmitter::row_address(int operand, const Map& m,
                                                     int base) {
  RowAddress r;
  r.base = affine_base(m.at, base, ~lane_bit_);
  r.lane = stride_class(m.at.stride[size_t(k_.lane())]);
  r.stride = stride(m.at, base, k_.lane());
  int at = guards_base(m, base) + int(m.guards.size()) * guard_words(k_.rank());
  for (const Indirect& x : m.indirect) {
    if (!has_lane(x.node)) {
      Scalar index = e_.extract(row_value(x.node), 0);
      int lanes = e_.lanes();
      e_.set_lanes(1);
      r.base = b_.CreateAdd(r.base, indirect_offset(x, at, index));
      e_.set_lanes(lanes);
    }
    at += 2;
  }
  r.pointer = memory_.element(k_.operands[size_t(operand)].dtype,
                              args_.operands[size_t(operand)], r.base);
  return r;
}

// stride * clamp(index, 0, limit), i64 in as many lanes as the index has.
llvm::Value* KernelEmitter::indirect_offset(const Indirect& x, int base,
                                            Scalar index) {
  llvm::Value* v = cotan::cpu::value_of(index);
  llvm::Type* t = e_.wide(b_.getInt64Ty());
  llvm::Value* limit = e_.splat(meta(base + 1));
  if (index.dtype == DType::u64) {
    v = b_.CreateBinaryIntrinsic(llvm::Intrinsic::umin, v, limit);
  } else {
    v = b_.CreateIntCast(v, t, is_signed_int(index.dtype));
    v = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, v,
                                 llvm::Constant::getNullValue(t));
    v = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, v, limit);
  }
  (void)x;
  return b_.CreateMul(v, e_.splat(meta(base)));
}

const KernelEmitter::RowAddress& KernelEmitter::node_address(int id) {
  auto it = node_address_.find(id);
  if (it == node_address_.end()) {
    const Node& n = k_.nodes[size_t(id)];
    it = node_address_
             .emplace(id,
                      row_address(n.operand, n.map, layout_.node[size_t(id)]))
             .first;
  }
  return it->second;
}

void KernelEmitter::prepare_guards(std::span<const Guard> guards, int base) {
  for (const Guard& g : guards) {
    row_affine_[base] = affine_base(g.expr, base, ~lane_bit_);
    base += guard_words(k_.rank());
  }
}

void KernelEmitter::prepare(int id, int stage) {
  std::vector<bool> seen(k_.nodes.size());
  prepare_unseen(id, stage, seen);
}

// Every node once: values that are used twice, over and over, would otherwise
// be visited once per path.
void KernelEmitter::prepare_unseen(int id, int stage, std::vector<bool>& seen) {
  if (seen[size_t(id)]) return;
  seen[size_t(id)] = true;
  if (!has_lane(id)) {
    row_value(id);
    return;
  }
  const Node& n = k_.nodes[size_t(id)];
  if (n.parked >= 0 && first_stage_[size_t(id)] < stage) return;
  if (n.kind == NodeKind::reduce) return;  // panel: kept per lane
  int base = layout_.node[size_t(id)];
  switch (n.kind) {
    case NodeKind::load:
      for (const Indirect& x : n.map.indirect)
        prepare_unseen(x.node, stage, seen);
      prepare_guards(n.map.guards, guards_base(n.map, base));
      node_address(id);
      break;
    case NodeKind::guard:
      prepare_guards(n.guards, base);
      break;
    case NodeKind::generate:
      for (const Affine& a : n.index) {
        row_affine_[base] = affine_base(a, base, ~lane_bit_);
        base += affine_words(k_.rank());
      }
      break;
    default:
      break;
  }
  for (int32_t a : n.in) prepare_unseen(a, stage, seen);
}

void KernelEmitter::prepare_store(const Store& s, int index) {
  int base = layout_.store[size_t(index)];
  for (const Indirect& x : s.map.indirect) prepare(x.node, 0);
  prepare_guards(s.map.guards, guards_base(s.map, base));
  store_address_[index] = row_address(s.operand, s.map, base);
}

bool KernelEmitter::store_has_lane(const Store& s) const {
  return has_lane(s.node) || s.map.at.stride[size_t(k_.lane())] != 0;
}

// ---- evaluation

Scalar KernelEmitter::row_value(int id) {
  Scalar& slot = row_[size_t(id)];
  if (slot.v) return slot;
  const Node& n = k_.nodes[size_t(id)];
  COTAN_CHECK(n.kind != NodeKind::reduce);  // set when its stage is complete
  for (int32_t a : n.in) row_value(a);
  for (const Indirect& x : n.map.indirect) row_value(x.node);
  int base = layout_.node[size_t(id)];
  if (n.kind == NodeKind::load)
    prepare_guards(n.map.guards, guards_base(n.map, base));
  if (n.kind == NodeKind::guard) prepare_guards(n.guards, base);
  if (n.kind == NodeKind::generate) {
    for (const Affine& a : n.index) {
      row_affine_[base] = affine_base(a, base, ~lane_bit_);
      base += affine_words(k_.rank());
    }
  }
  // Rows have no lane; guards on none are scalars in every lane.
  Point p = point(i64(0), nullptr, n.stage);
  for (size_t i = 0; i < row_.size(); ++i) p.memo[i] = row_[i];
  Scalar s = eval_fresh(id, p);
  for (size_t i = 0; i < row_.size(); ++i)
    if (leader(int(i)) == leader(id) && p.memo[i].v) row_[i] = p.memo[i];
  row_[size_t(id)] = s;
  return s;
}

Scalar KernelEmitter::eval(int id, Point& p) {
  if (!has_lane(id)) {
    COTAN_CHECK(row_[size_t(id)].v != 0);  // prepare() was forgotten
    return row_[size_t(id)];
  }
  Scalar& slot = p.memo[size_t(id)];
  if (slot.v) return slot;
  const Node& n = k_.nodes[size_t(id)];
  if (n.parked >= 0 && first_stage_[size_t(id)] < p.stage)
    return slot = memory_.load(n.dtype, parked_at(n, p), nullptr);
  slot = eval_fresh(id, p);
  park(id, p);
  return slot;
}

LaneAddress KernelEmitter::parked_at(const Node& n, Point& p) {
  return {.base =
              memory_.element(n.dtype, parked_slot(n.parked), parked_index(p))};
}

void KernelEmitter::park(int id, Point& p) {
  const Node& n = k_.nodes[size_t(id)];
  if (n.parked < 0 || !has_lane(id) || first_stage_[size_t(id)] < p.stage)
    return;
  memory_.store(p.memo[size_t(id)], parked_at(n, p), nullptr);
}

llvm::Value* KernelEmitter::parked_row_size() {
  return b_.CreateAdd(extent(k_.lane()), i64(64));
}

// Slots follow each other, each a whole number of cache lines (parked_bytes).
llvm::Value* KernelEmitter::parked_slot(int slot) {
  if (parked_slots_.empty()) {
    std::vector<int64_t> item(size_t(k_.parked), 0);
    for (const Node& n : k_.nodes)
      if (n.parked >= 0) item[size_t(n.parked)] = itemsize(n.dtype);
    Builder::InsertPointGuard guard(b_);
    b_.SetInsertPoint(preamble_end_);
    llvm::Value* row = parked_row_size();
    llvm::Value* p = args_.parked;
    for (int64_t bytes : item) {
      parked_slots_.push_back(p);
      llvm::Value* size = b_.CreateAdd(b_.CreateMul(row, i64(bytes)), i64(63));
      p = b_.CreateGEP(b_.getInt8Ty(), p, b_.CreateAnd(size, i64(-64)));
    }
  }
  return parked_slots_[size_t(slot)];
}

Scalar KernelEmitter::literal_value(int id) {
  const Node& n = k_.nodes[size_t(id)];
  int base = layout_.node[size_t(id)];
  if (n.baked || base < 0 || !args_.meta) return e_.constant(n.literal);
  llvm::Value* p = b_.CreateConstInBoundsGEP1_64(b_.getInt64Ty(), args_.meta,
                                                 uint64_t(base));
  return memory_.load_splat(n.dtype, p);
}

Scalar KernelEmitter::eval_fresh(int id, Point& p) {
  const Node& n = k_.nodes[size_t(id)];
  switch (n.kind) {
    case NodeKind::load:
      return eval_load(id, p);
    case NodeKind::literal:
      return literal_value(id);
    case NodeKind::compute:
    case NodeKind::generate:
      return eval_compute(id, p);
    case NodeKind::guard: {
      auto get = [&](int32_t a) {
        return has_lane(a) ? eval(a, p) : row_value(a);
      };
      llvm::Value* m = guard_mask(n.guards, layout_.node[size_t(id)], p);
      return e_.select(make_scalar(DType::bool_, m), get(n.in[0]),
                       get(n.in[1]));
    }
    case NodeKind::bitcast: {
      int32_t a = n.in[0];
      return e_.bitcast(has_lane(a) ? eval(a, p) : row_value(a), n.dtype);
    }
    case NodeKind::reduce:
    case NodeKind::product:
      break;
  }
  COTAN_CHECK(!"node kind has no value at a point");
  return {};
}

Scalar KernelEmitter::eval_compute(int id, Point& p) {
  const Node& n = k_.nodes[size_t(id)];
  SmallVector<Scalar, 4> x;
  if (n.kind == NodeKind::compute) {
    for (int32_t a : n.in) x.push_back(has_lane(a) ? eval(a, p) : row_value(a));
  } else {
    int base = layout_.node[size_t(id)];
    for (const Affine& a : n.index) {
      x.push_back(make_scalar(DType::i64, lane_affine(a, base, p)));
      base += affine_words(k_.rank());
    }
  }
  ScalarOuts r = Scalar{};
  if (n.kind == NodeKind::compute) {
    r = e_.apply(*n.prim, n.params, x);
  } else {
    Aval out = n.aval;
    LowerArgs lower{n.params, {}, {&out, 1}};
    r = n.prim->generate(e_, x, lower);
  }
  for (size_t i = 0; i < k_.nodes.size(); ++i) {
    if (leader(int(i)) != leader(id)) continue;
    const Node& same = k_.nodes[i];
    COTAN_CHECK(same.out < r.n);
    p.memo[i] = e_.round_half(r.s[same.out], same.dtype);
    COTAN_CHECK(p.memo[i].dtype == same.dtype);
    if (int(i) != id) park(int(i), p);  // it will be found in the memo
  }
  return p.memo[size_t(id)];
}

// ---- loads, stores, guards

llvm::Value* KernelEmitter::lane_affine(const Affine& a, int base, Point& p) {
  auto it = row_affine_.find(base);
  COTAN_CHECK(it != row_affine_.end());
  llvm::Value* row = it->second;
  int64_t s = a.stride[size_t(k_.lane())];
  if (s == 0) return e_.splat(row);
  llvm::Value* step = stride(a, base, k_.lane());
  llvm::Value* first = b_.CreateAdd(row, b_.CreateMul(p.lane, step));
  llvm::Value* lanes =
      b_.CreateMul(memory_.lane_iota(b_.getInt64Ty()), e_.splat(step));
  return b_.CreateAdd(e_.splat(first), lanes);
}

llvm::Value* KernelEmitter::and_mask(llvm::Value* a, llvm::Value* b) {
  if (!a) return b;
  if (!b) return a;
  return b_.CreateAnd(a, b);
}

llvm::Value* KernelEmitter::guard_mask(std::span<const Guard> guards, int base,
                                       Point& p) {
  llvm::Value *mask = nullptr, *scalar = nullptr;
  for (const Guard& g : guards) {
    auto it = row_affine_.find(base);
    COTAN_CHECK(it != row_affine_.end());
    llvm::Value* e = it->second;
    llvm::Value* lo = meta(base + affine_words(k_.rank()));
    llvm::Value* hi = meta(base + affine_words(k_.rank()) + 1);
    StrideClass cls = stride_class(g.expr.stride[size_t(k_.lane())]);
    if (cls == StrideClass::zero) {
      llvm::Value* in =
          b_.CreateAnd(b_.CreateICmpSLE(lo, e), b_.CreateICmpSLT(e, hi));
      scalar = and_mask(scalar, in);
    } else if (cls == StrideClass::other) {
      llvm::Value* v = lane_affine(g.expr, base, p);
      mask = and_mask(mask, b_.CreateICmpSGE(v, e_.splat(lo)));
      mask = and_mask(mask, b_.CreateICmpSLT(v, e_.splat(hi)));
    } else if (cls == StrideClass::one) {
      e = b_.CreateAdd(e, p.lane);
      mask = and_mask(mask, memory_.lanes_below(b_.CreateSub(hi, e)));
      mask = and_mask(mask,
                      b_.CreateNot(memory_.lanes_below(b_.CreateSub(lo, e))));
    } else {
      e = b_.CreateAdd(b_.CreateSub(e, p.lane), i64(1));
      mask = and_mask(mask, memory_.lanes_below(b_.CreateSub(e, lo)));
      mask = and_mask(mask,
                      b_.CreateNot(memory_.lanes_below(b_.CreateSub(e, hi))));
    }
    base += guard_words(k_.rank());
  }
  if (scalar) mask = and_mask(mask, e_.splat(scalar));
  return mask;
}

LaneAddress KernelEmitter::lane_address(const RowAddress& r, DType t, Point& p,
                                        const Map& m, int base) {
  LaneAddress at;
  at.base = r.pointer;
  at.stride = r.lane;
  at.lane_stride = r.stride;
  if (r.lane == StrideClass::one)
    at.base = memory_.element(t, r.pointer, p.lane);
  else if (r.lane == StrideClass::minus_one)
    at.base = memory_.element(t, r.pointer, b_.CreateNeg(p.lane));
  else if (r.lane == StrideClass::other)
    at.base = memory_.element(t, r.pointer, b_.CreateMul(p.lane, r.stride));
  else
    at.stride = StrideClass::other;  // of zero
  base = guards_base(m, base) + int(m.guards.size()) * guard_words(k_.rank());
  for (const Indirect& x : m.indirect) {
    if (has_lane(x.node)) {
      if (!at.offsets)
        at.offsets = b_.CreateMul(memory_.lane_iota(b_.getInt64Ty()),
                                  e_.splat(at.lane_stride));
      at.offsets =
          b_.CreateAdd(at.offsets, indirect_offset(x, base, eval(x.node, p)));
    }
    base += 2;
  }
  return at;
}

Scalar KernelEmitter::eval_load(int id, Point& p) {
  const Node& n = k_.nodes[size_t(id)];
  int base = layout_.node[size_t(id)];
  const RowAddress& r = node_address(id);
  llvm::Value* mask = guard_mask(n.map.guards, guards_base(n.map, base), p);
  if (!has_lane(id)) {
    if (!mask) return memory_.load_splat(n.dtype, r.pointer);
    llvm::Value* on =
        cotan::cpu::value_of(e_.extract(make_scalar(DType::bool_, mask), 0));
    int lanes = e_.lanes();
    e_.set_lanes(1);
    Scalar s = memory_.load(n.dtype, {.base = r.pointer}, on);
    e_.set_lanes(lanes);
    return e_.splat(s);
  }
  mask = and_mask(mask, p.mask);
  return memory_.load(n.dtype, lane_address(r, n.dtype, p, n.map, base), mask);
}

void KernelEmitter::store_lanes(const Store& s, int index, Scalar value,
                                Point& p) {
  int base = layout_.store[size_t(index)];
  const RowAddress& r = store_address_.at(index);
  llvm::Value* mask = guard_mask(s.map.guards, guards_base(s.map, base), p);
  mask = and_mask(mask, p.mask);
  memory_.store(value, lane_address(r, value.dtype, p, s.map, base), mask,
                k_.streaming);
}

Scalar KernelEmitter::load_stored(const Store& s, int index, Point& p) {
  int base = layout_.store[size_t(index)];
  const RowAddress& r = store_address_.at(index);
  DType t = k_.operands[size_t(s.operand)].dtype;
  return memory_.load(t, lane_address(r, t, p, s.map, base), p.mask);
}

Scalar KernelEmitter::load_stored_row(const Store& s, int index) {
  return memory_.load_splat(k_.operands[size_t(s.operand)].dtype,
                            store_address_.at(index).pointer);
}

void KernelEmitter::store_row(const Store& s, int index) {
  prepare_store(s, index);
  int base = layout_.store[size_t(index)];
  const RowAddress& r = store_address_.at(index);
  Scalar value = row_value(s.node);
  Point p = point(i64(0), nullptr, 0);
  llvm::Value* mask = guard_mask(s.map.guards, guards_base(s.map, base), p);
  if (!mask) {
    memory_.store_one(value, r.pointer);
    return;
  }
  Scalar on = e_.extract(make_scalar(DType::bool_, mask), 0);
  e_.rare_many(on, {},
               [&](std::span<Scalar>) { memory_.store_one(value, r.pointer); });
}

}  // namespace cotan::cpu

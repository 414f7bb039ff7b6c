#include "backends/cpu/split_epilogues.h"

#include <algorithm>

#include "base/error.h"

namespace cotan::cpu {
namespace {

int64_t align64(int64_t n) { return (n + 63) & ~int64_t(63); }

// The epilogue with its product node loaded from a new, last operand that is
// dense over the axes.
KernelRef load_product(const Kernel& epilogue) {
  auto k = make_ref<Kernel>(epilogue);
  Dims dense = row_major_strides(k->axes);
  auto operand = int32_t(k->operands.size());
  DType t = DType::f32;
  for (Node& n : k->nodes) {
    if (n.kind != NodeKind::product) continue;
    n.kind = NodeKind::load;
    n.operand = operand;
    n.map.at.stride = SmallVector<int64_t, 4>(dense.begin(), dense.end());
    t = n.dtype;
  }
  k->operands.push_back({t, true, false});
  k->schedule = Schedule::strip;
  k->unroll = 4;
  k->streaming = false;
  k->specialised = false;
  finish_kernel(*k);
  return k;
}

// The programs inside a step split as well. Their arena, the last part of the
// step's scratch, may grow: then the scratch moves behind the arena.
template <class S>
bool split_nested(S& s, Program& p, bool (*keep)(const GemmStep&)) {
  int64_t before = 0, after = 0;
  bool any = false;
  auto split = [&](ProgramRef& q) {
    if (!q) return;
    before = std::max(before, align64(q->arena_bytes));
    ProgramRef r = split_epilogues(q, keep);
    any |= r != q;
    q = std::move(r);
    after = std::max(after, align64(q->arena_bytes));
  };
  if constexpr (std::is_same_v<S, LoopStep>)
    for (ProgramRef* q : {&s.prologue, &s.cond, &s.body}) split(*q);
  else
    for (ProgramRef& q : s.cases) split(q);
  if (after == before) return any;
  PlanBuffer scratch;
  scratch.dtype = DType::u8;
  scratch.bytes = after - before;
  if (s.scratch >= 0) scratch.bytes += p.buffers[size_t(s.scratch)].bytes;
  scratch.offset = p.arena_bytes;
  s.scratch = BufferId(p.buffers.size());
  p.buffers.push_back(scratch);
  return true;
}

bool has_nested(const Program& p) {
  for (const Step& s : p.steps)
    if (std::holds_alternative<BranchStep>(s) ||
        std::holds_alternative<LoopStep>(s))
      return true;
  return false;
}

ProgramRef split_inner(const ProgramRef& program,
                       bool (*keep)(const GemmStep&)) {
  if (!has_nested(*program)) return program;
  auto p = make_ref<Program>(*program);
  p->arena_bytes = align64(p->arena_bytes);
  int64_t end = p->arena_bytes;
  bool any = false;
  for (Step& s : p->steps) {
    size_t known = p->buffers.size();
    if (auto* b = std::get_if<BranchStep>(&s))
      any |= split_nested(*b, *p, keep);
    if (auto* l = std::get_if<LoopStep>(&s)) any |= split_nested(*l, *p, keep);
    if (p->buffers.size() > known)
      end = std::max(end, p->arena_bytes + align64(p->buffers.back().bytes));
  }
  p->arena_bytes = end;
  return any ? ProgramRef(p) : program;
}

}  // namespace

ProgramRef split_epilogues(const ProgramRef& whole,
                           bool (*keep)(const GemmStep&)) {
  ProgramRef program = split_inner(whole, keep);
  bool any = false;
  for (const Step& s : program->steps)
    if (auto* g = std::get_if<GemmStep>(&s)) any |= g->epilogue && !keep(*g);
  if (!any) return program;
  auto p = make_ref<Program>(*program);
  p->steps.clear();
  int64_t base = align64(p->arena_bytes);
  for (const Step& s : program->steps) {
    auto* g = std::get_if<GemmStep>(&s);
    if (!g || !g->epilogue || keep(*g)) {
      p->steps.push_back(s);
      continue;
    }
    PlanBuffer buffer;
    buffer.offset = base;
    buffer.dtype = g->gemm.out_dtype;
    GemmStep plain = *g;
    plain.epilogue = nullptr;
    plain.operands.clear();
    plain.meta.clear();
    plain.gemm.out_m = plain.gemm.n;
    int64_t size = plain.gemm.m * plain.gemm.n;
    for (size_t d = plain.gemm.batch.size(); d-- > 0;) {
      plain.gemm.out_batch[d] = size;
      size *= plain.gemm.batch[d];
    }
    buffer.bytes = size * itemsize(buffer.dtype);
    p->arena_bytes = std::max(p->arena_bytes, base + align64(buffer.bytes));
    plain.out = BufferId(p->buffers.size());
    p->buffers.push_back(buffer);
    FusedStep f;
    f.kernel = load_product(*g->epilogue);
    f.operands = g->operands;
    f.operands.push_back(plain.out);
    f.meta = meta_values(*f.kernel);
    for (int a = 0; a < f.kernel->grid_axes(); ++a)
      f.grid *= f.kernel->axes[size_t(a)];
    int64_t row = std::max<int64_t>(f.kernel->axes.back(), 1);
    f.grain = std::max<int64_t>(1, (int64_t(1) << 16) / row);
    f.work_ns = float(double(size) * double(f.kernel->cost) * 0.05);
    p->steps.push_back(std::move(plain));
    p->steps.push_back(std::move(f));
  }
  return p;
}

}  // namespace cotan::cpu

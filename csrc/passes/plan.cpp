// From a jaxpr to a program: simplify, fuse, build kernels, order them, place
// the memory.
#include <algorithm>
#include <queue>
#include <unordered_map>

#include "passes/control.h"
#include "passes/kernel_builder.h"
#include "passes/memory.h"
#include "passes/nested.h"
#include "passes/passes.h"

namespace cotan {

namespace {

class Planner {
 public:
  Planner(const JaxprRef& jaxpr, const PlanOptions& options)
      : options_(options),
        out_avals_(jaxpr->out_avals()),
        jaxpr_(simplify_jaxpr(jaxpr)),
        flow_(build_flow(*jaxpr_)),
        alone_(flow_.ops.size()),
        program_(make_ref<Program>()) {}

  ProgramRef run() {
    program_->inputs = jaxpr_->in_avals();
    program_->donated = options_.donated;
    program_->donated.resize(program_->inputs.size());
    program_->heirs = options_.heirs;
    while (!build()) {
    }
    storages();
    order();
    outputs();
    plan_memory(*program_, storages_);
    return std::move(program_);
  }

 private:
  struct Unit {
    int32_t group = -1;
    BuiltKernel kernel;
    BuiltGemm gemm;
    SmallVector<int32_t, 4> reads;  // values
    int32_t key = 0;                // position in the program
  };
  const FlowValue& value(int32_t v) const { return flow_.values[size_t(v)]; }

  // False: an operation was set apart; start again.
  bool build() {
    plan_ = fuse(flow_, options_, alone_);
    for (int32_t op : plan_.to_set_apart) alone_[size_t(op)] = true;
    if (!plan_.to_set_apart.empty()) return false;
    units_.clear();
    for (size_t i = 0; i < plan_.groups.size(); ++i) {
      Group& g = plan_.groups[i];
      if (!g.alive) continue;
      Unit u;
      u.group = int32_t(i);
      u.key = g.op;
      for (const Sink& s : g.sinks) u.key = std::max(u.key, value(s.value).op);
      if (g.kind == Group::kernel) {
        u.kernel = build_kernel(flow_, plan_, u.group, options_);
        if (u.kernel.stuck >= 0) return set_apart(u.kernel.stuck);
        if (checking_ir()) check_kernel(*u.kernel.kernel);
        reads_of(u.kernel, &u);
      } else if (g.kind == Group::gemm) {
        u.gemm = build_gemm(flow_, plan_, u.group);
        u.reads = {u.gemm.lhs, u.gemm.rhs};
        if (u.gemm.epilogue.kernel) {
          if (checking_ir()) check_kernel(*u.gemm.epilogue.kernel);
          reads_of(u.gemm.epilogue, &u);
        }
      } else {
        for (int32_t v : flow_.ops[size_t(g.op)].in) u.reads.push_back(v);
      }
      units_.push_back(std::move(u));
    }
    return true;
  }
  static void reads_of(const BuiltKernel& k, Unit* u) {
    for (size_t i = 0; i < k.operands.size(); ++i)
      if (k.kernel->operands[i].read) u->reads.push_back(k.operands[i]);
  }
  // A reduction whose kernel cannot be built reads a materialised operand in
  // a kernel of its own. Each call sets one more operation apart, so planning
  // ends.
  bool set_apart(int32_t op) {
    bool progress = !alone_[size_t(op)];
    alone_[size_t(op)] = true;
    int32_t v = flow_.ops[size_t(op)].in[0];
    while (const FlowOp* d = flow_.def(v)) {
      auto i = size_t(value(v).op);
      progress |= !alone_[i];
      alone_[i] = true;
      if (d->kind != FlowKind::view) break;
      v = d->in[0];
    }
    COTAN_CHECK(progress);
    return false;
  }

  // ---- storage

  int32_t memory_of(int32_t v) const { return cotan::memory_of(plan_, v); }

  int32_t storage_of(int32_t v) {
    v = memory_of(v);
    int32_t& s = storage_[size_t(v)];
    if (s >= 0) return s;
    s = int32_t(storages_.size());
    Storage x;
    x.dtype = value(v).dtype;
    x.bytes = value(v).bytes();
    x.input = value(v).input;
    if (value(v).literal >= 0) {
      x.constant = int32_t(program_->constants.size());
      program_->constants.push_back(flow_.literals[size_t(value(v).literal)]);
    }
    storages_.push_back(x);
    return s;
  }

  // Results take their values' places first, so that steps write them there.
  void storages() {
    storage_.assign(flow_.values.size(), -1);
    for (size_t j = 0; j < flow_.outputs.size(); ++j) {
      int32_t v = memory_of(flow_.outputs[j]);
      if (value(v).input >= 0 || value(v).literal >= 0 ||
          storage_[size_t(v)] >= 0)
        continue;
      storages_[size_t(storage_of(v))].output = int32_t(j);
    }
    for (size_t i = 0; i < program_->inputs.size(); ++i)
      storage_of(int32_t(i));  // the first values are the inputs
  }

  // ---- steps

  void order() {
    // unit_of[group]; a unit waits for the writers of what it reads.
    std::vector<int32_t> unit_of(plan_.groups.size(), -1);
    for (size_t i = 0; i < units_.size(); ++i)
      unit_of[size_t(units_[i].group)] = int32_t(i);
    std::vector<std::vector<int32_t>> next(units_.size());
    std::vector<int32_t> waits(units_.size(), 0);
    auto edge = [&](int32_t from, int32_t to) {
      if (from == to) return;
      next[size_t(from)].push_back(to);
      ++waits[size_t(to)];
    };
    auto writer = [&](int32_t group) {
      return unit_of[size_t(plan_.find(group))];
    };
    for (size_t i = 0; i < units_.size(); ++i)
      for (int32_t v : units_[i].reads)
        for (int32_t w : plan_.values[size_t(memory_of(v))].writers)
          edge(writer(w), int32_t(i));
    for (const ValuePlan& v : plan_.values)
      for (size_t k = 1; k < v.writers.size(); ++k)
        if (writer(v.writers[k]) != writer(v.writers[k - 1]) &&
            plan_.groups[size_t(plan_.find(v.writers[k - 1]))].down.test(
                plan_.find(v.writers[k])))
          edge(writer(v.writers[k - 1]), writer(v.writers[k]));
    effects(edge, unit_of);
    for (auto [a, b] : plan_.ordered) {
      int32_t from = writer(a), to = writer(b);
      if (!reaches(next, to, from)) edge(from, to);
    }
    using Entry = std::pair<int32_t, int32_t>;  // key, unit
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
    for (size_t i = 0; i < units_.size(); ++i)
      if (waits[i] == 0) ready.push({units_[i].key, int32_t(i)});
    size_t done = 0;
    while (!ready.empty()) {
      int32_t u = ready.top().second;
      ready.pop();
      ++done;
      emit(units_[size_t(u)]);
      for (int32_t n : next[size_t(u)])
        if (--waits[size_t(n)] == 0) ready.push({units_[size_t(n)].key, n});
    }
    COTAN_CHECK(done == units_.size());
  }
  static bool reaches(const std::vector<std::vector<int32_t>>& next,
                      int32_t from, int32_t to) {
    std::vector<bool> seen(next.size());
    std::vector<int32_t> agenda = {from};
    while (!agenda.empty()) {
      int32_t u = agenda.back();
      agenda.pop_back();
      if (u == to) return true;
      if (seen[size_t(u)]) continue;
      seen[size_t(u)] = true;
      agenda.insert(agenda.end(), next[size_t(u)].begin(),
                    next[size_t(u)].end());
    }
    return false;
  }
  // Operations with effects keep their order.
  template <class Edge>
  void effects(const Edge& edge, const std::vector<int32_t>&) {
    int32_t last = -1;
    std::vector<std::pair<int32_t, int32_t>> ordered;
    for (size_t i = 0; i < units_.size(); ++i) {
      const Group& g = plan_.groups[size_t(units_[i].group)];
      if (g.kind == Group::opaque && flow_.ops[size_t(g.op)].effects != kPure)
        ordered.push_back({g.op, int32_t(i)});
    }
    std::sort(ordered.begin(), ordered.end());
    for (auto [op, unit] : ordered) {
      if (last >= 0) edge(last, unit);
      last = unit;
    }
  }

  void emit(Unit& u) {
    const Group& g = plan_.groups[size_t(u.group)];
    if (g.kind == Group::kernel) return emit_kernel(u);
    if (g.kind == Group::gemm) return emit_gemm(u);
    const FlowOp& op = flow_.ops[size_t(g.op)];
    if (op.kind == FlowKind::control) return emit_control(op);
    if (op.kind == FlowKind::kernel) {
      RuntimeStep s;
      s.spec = op.spec;
      s.in_place = op.prim->flags & kInPlace;
      operands(op, s);
      s.scratch = scratch(op.spec.scratch_bytes);
      program_->steps.push_back(std::move(s));
      return;
    }
    EvalStep s;
    operands(op, s);
    program_->steps.push_back(std::move(s));
  }
  BufferId scratch(int64_t bytes) {
    if (bytes == 0) return -1;
    Storage x;
    x.dtype = DType::u8;
    x.bytes = bytes;
    storages_.push_back(x);
    return BufferId(storages_.size() - 1);
  }
  void emit_control(const FlowOp& op) {
    Control control = op.prim->control(op.params);
    auto fill = [&](auto planned) {
      auto& s = planned.step;
      for (int32_t v : op.in) s.in.push_back(storage_of(v));
      for (int32_t v : op.out) s.out.push_back(storage_of(v));
      s.scratch = scratch(planned.scratch_bytes);
      program_->steps.push_back(std::move(s));
    };
    if (control.cases.empty())
      fill(plan_loop(control, options_));
    else
      fill(plan_branch(control, options_));
  }
  template <class S>
  void operands(const FlowOp& op, S& s) {
    s.prim = op.prim;
    s.params = op.params;
    for (int32_t v : op.in) {
      s.in.push_back(storage_of(v));
      s.in_avals.push_back({value(v).dtype, false, value(v).shape});
    }
    for (int32_t v : op.out) {
      s.out.push_back(storage_of(v));
      s.out_avals.push_back({value(v).dtype, false, value(v).shape});
    }
  }

  SmallVector<BufferId, 4> operands(const BuiltKernel& k) {
    SmallVector<BufferId, 4> list;
    for (int32_t v : k.operands) list.push_back(storage_of(v));
    return list;
  }
  void emit_kernel(Unit& u) {
    FusedStep s = make_step(std::move(u.kernel.kernel));
    s.operands = operands(u.kernel);
    program_->steps.push_back(std::move(s));
  }
  void emit_gemm(Unit& u) {
    GemmStep s;
    s.gemm = u.gemm.gemm;
    s.lhs = storage_of(u.gemm.lhs);
    s.rhs = storage_of(u.gemm.rhs);
    double flops = 2 * double(s.gemm.m) * double(s.gemm.n) * double(s.gemm.k);
    for (int64_t b : s.gemm.batch) flops *= double(b);
    s.work_ns = float(flops / 100);
    if (u.gemm.epilogue.kernel) {
      s.epilogue = std::move(u.gemm.epilogue.kernel);
      s.operands = operands(u.gemm.epilogue);
      s.meta = meta_values(*s.epilogue);
    } else {
      s.out = storage_of(u.gemm.out);
    }
    program_->steps.push_back(std::move(s));
  }

  // ---- results that no step writes where they belong

  void outputs() {
    for (size_t j = 0; j < flow_.outputs.size(); ++j) {
      int32_t v = flow_.outputs[j], base = memory_of(v);
      PlanOutput o;
      o.aval = out_avals_[j];
      if (value(base).input >= 0) {
        o.forwards = value(base).input;
      } else if (int32_t s = storage_of(base);
                 storages_[size_t(s)].output != int32_t(j)) {
        Storage x = storages_[size_t(s)];
        x.constant = -1;
        x.output = int32_t(j);
        storages_.push_back(x);
        if (x.bytes > 0)
          program_->steps.push_back(CopyStep{s, int32_t(storages_.size() - 1)});
      }
      program_->outputs.push_back(std::move(o));
    }
  }

  const PlanOptions& options_;
  const Avals out_avals_;  // with the weak types of the original
  JaxprRef jaxpr_;
  FlowGraph flow_;
  Alone alone_;
  FusionPlan plan_;
  Ref<Program> program_;
  std::vector<Unit> units_;
  std::vector<int32_t> storage_;  // per value
  std::vector<Storage> storages_;
};

}  // namespace

ProgramRef plan_program(const JaxprRef& jaxpr, const PlanOptions& options) {
  ProgramRef p = Planner(jaxpr, options).run();
  if (checking_ir()) check_program(*p);
  return p;
}

// ---- the checker

namespace {

struct ProgramChecker {
  const Program& p;
  // For each buffer: its contents are whole and nobody wrote over them.
  std::vector<bool> valid;

  void need(bool ok, size_t step, const char* what) const {
    if (!ok)
      throw_error(ErrorKind::internal, cat("ill-formed program: step ", step,
                                           ": ", what, "\n", to_string(p)));
  }
  bool same_memory(const PlanBuffer& a, const PlanBuffer& b) const {
    if (a.kind == PlanBuffer::arena || b.kind == PlanBuffer::arena)
      return a.kind == b.kind && a.offset < b.offset + b.bytes &&
             b.offset < a.offset + a.bytes;
    auto input = [&](const PlanBuffer& x) -> int32_t {
      if (x.kind == PlanBuffer::input) return x.index;
      return x.kind == PlanBuffer::output ? p.outputs[size_t(x.index)].alias
                                          : -1;
    };
    if (a.kind == b.kind && a.index == b.index) return true;
    return input(a) >= 0 && input(a) == input(b);
  }
  // In place, the name of the result reads what the operand's name holds.
  bool readable(BufferId id) const {
    if (valid[size_t(id)]) return true;
    for (size_t i = 0; i < valid.size(); ++i)
      if (valid[i] && p.buffers[i].bytes == p.buffers[size_t(id)].bytes &&
          same_memory(p.buffers[i], p.buffers[size_t(id)]))
        return true;
    return false;
  }
  void write(BufferId id, size_t step) {
    const PlanBuffer& b = p.buffers[size_t(id)];
    need(b.kind != PlanBuffer::constant, step, "writes a constant");
    if (b.kind == PlanBuffer::input)
      need(p.donated[size_t(b.index)], step, "writes an input");
    if (b.kind == PlanBuffer::arena)
      need(b.offset % 64 == 0 && b.offset + b.bytes <= p.arena_bytes, step,
           "a buffer outside the arena");
    for (size_t i = 0; i < valid.size(); ++i)
      if (int32_t(i) != id && same_memory(p.buffers[i], b)) valid[i] = false;
    valid[size_t(id)] = true;
  }
  void run() {
    valid.resize(p.buffers.size());
    for (size_t i = 0; i < valid.size(); ++i)
      valid[i] = p.buffers[i].kind == PlanBuffer::input ||
                 p.buffers[i].kind == PlanBuffer::constant ||
                 p.buffers[i].bytes == 0;
    for (size_t s = 0; s < p.steps.size(); ++s) {
      if (auto* f = std::get_if<FusedStep>(&p.steps[s])) {
        check_kernel(*f->kernel);
        need(f->operands.size() == f->kernel->operands.size(), s, "operands");
      }
      for_each_nested(p.steps[s], [](const Program& q) { check_program(q); });
      std::vector<BufferId> written;
      for_each_buffer(p.steps[s], [&](BufferId b, bool writes) {
        if (writes)
          written.push_back(b);
        else
          need(readable(b), s, "reads what is not there");
      });
      for (BufferId b : written) write(b, s);
    }
    for (size_t i = 0; i < p.buffers.size(); ++i)
      if (p.buffers[i].kind == PlanBuffer::output && last_name(i))
        need(valid[i], p.steps.size(), "an output is not written");
  }
  // Of several buffers in one output the one written last holds the result.
  bool last_name(size_t i) const {
    for (size_t k = p.steps.size(); k-- > 0;) {
      BufferId found = -1;
      for_each_buffer(p.steps[k], [&](BufferId b, bool writes) {
        const PlanBuffer& x = p.buffers[size_t(b)];
        if (writes && x.kind == PlanBuffer::output &&
            x.index == p.buffers[i].index)
          found = b;
      });
      if (found >= 0) return found == BufferId(i);
    }
    return false;
  }
};

void print_buffer(std::string& out, const Program& p, BufferId id) {
  if (id < 0) {
    out += '-';
    return;
  }
  const PlanBuffer& b = p.buffers[size_t(id)];
  constexpr std::string_view names[] = {"in", "out", "arena", "const"};
  out += names[b.kind];
  if (b.kind == PlanBuffer::arena)
    out += cat("[", b.offset, ":", b.offset + b.bytes, "]");
  else
    out += cat(b.index);
}
template <class List>
void print_buffers(std::string& out, const Program& p, const List& ids) {
  for (BufferId b : ids) {
    out += ' ';
    print_buffer(out, p, b);
  }
}

template <class S>
void print_control(std::string& out, const Program& p, std::string_view name,
                   const S& s) {
  out += name;
  print_buffers(out, p, s.in);
  out += " ->";
  print_buffers(out, p, s.out);
  out += '\n';
  for_each_nested(s, [&](const Program& q) { out += to_string(q); });
}

void print_step(std::string& out, const Program& p, const Step& step) {
  if (auto* f = std::get_if<FusedStep>(&step)) {
    out += "fused";
    print_buffers(out, p, f->operands);
    out += cat(" grid ", f->grid, " grain ", f->grain, "\n",
               to_string(*f->kernel));
  } else if (auto* g = std::get_if<GemmStep>(&step)) {
    out += cat("gemm ", g->gemm.dtype, " m ", g->gemm.m, " n ", g->gemm.n,
               " k ", g->gemm.k, " batch ", tuple_string(g->gemm.batch));
    print_buffers(out, p, SmallVector<BufferId, 3>{g->lhs, g->rhs, g->out});
    out += '\n';
    if (g->epilogue) {
      print_buffers(out, p, g->operands);
      out += cat('\n', to_string(*g->epilogue));
    }
  } else if (auto* r = std::get_if<RuntimeStep>(&step)) {
    out += cat("call ", r->spec.name);
    print_buffers(out, p, r->in);
    out += " ->";
    print_buffers(out, p, r->out);
    out += '\n';
  } else if (auto* e = std::get_if<EvalStep>(&step)) {
    out += cat("eval ", e->prim->name);
    print_buffers(out, p, e->in);
    out += " ->";
    print_buffers(out, p, e->out);
    out += '\n';
  } else if (auto* c = std::get_if<CopyStep>(&step)) {
    out += "copy";
    print_buffers(out, p, SmallVector<BufferId, 2>{c->from, c->to});
    out += '\n';
  } else if (auto* b = std::get_if<BranchStep>(&step)) {
    print_control(out, p, "branch", *b);
  } else if (auto* l = std::get_if<LoopStep>(&step)) {
    print_control(out, p, cat("loop ", l->trips), *l);
    for (size_t i = 0; i < l->carry.size(); ++i)
      if (l->carry[i].spare >= 0) out += cat("carry ", i, " has two places\n");
  }
}

}  // namespace

void check_program(const Program& p) { ProgramChecker{p, {}}.run(); }

std::string to_string(const Program& p) {
  std::string out = cat("program arena ", p.arena_bytes, " {\n");
  for (const Step& s : p.steps) print_step(out, p, s);
  for (size_t j = 0; j < p.outputs.size(); ++j) {
    const PlanOutput& o = p.outputs[j];
    out += cat("out", j, ": ", o.aval);
    if (o.alias >= 0) out += cat(" over in", o.alias);
    if (o.forwards >= 0) out += cat(" is in", o.forwards);
    out += '\n';
  }
  return out += "}\n";
}

}  // namespace cotan

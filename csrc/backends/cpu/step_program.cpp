#include "backends/cpu/step_program.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/gemm_calls.h"
#include "backends/cpu/program_calls.h"
#include "backends/cpu/split_epilogues.h"
#include "base/error.h"
#include "runtime/kernels/kernels.h"

namespace cotan::cpu {

std::vector<InputSpec> input_specs(const Program& p) {
  std::vector<InputSpec> in;
  for (size_t i = 0; i < p.inputs.size(); ++i)
    in.push_back({p.inputs[i], i < p.donated.size() && p.donated[i]});
  return in;
}
std::vector<OutputSpec> output_specs(const Program& p) {
  std::vector<OutputSpec> out;
  for (const PlanOutput& o : p.outputs)
    out.push_back({o.aval, o.alias, o.forwards});
  return out;
}

namespace {

int64_t align64(int64_t n) { return (n + 63) & ~int64_t(63); }

int64_t most_parked(const Program& p) {
  int64_t bytes = 0;
  for (const Step& s : p.steps)
    if (auto* f = std::get_if<FusedStep>(&s))
      bytes = std::max(bytes, align64(parked_bytes(*f->kernel)));
  return bytes;
}

class StepProgram final : public Executable {
 public:
  StepProgram(const ProgramRef& p, const TargetSpec& target)
      : Executable(cpu_device(), input_specs(*p), output_specs(*p),
                   size_t(align64(p->arena_bytes) + most_parked(*p))),
        p_(p) {
    std::vector<KernelRef> wanted;
    for (const Step& s : p->steps) {
      calls_.emplace_back();
      Call& c = calls_.back();
      if (auto* f = std::get_if<FusedStep>(&s)) {
        c.kernel = int(wanted.size());
        c.parked = align64(parked_bytes(*f->kernel));
        wanted.push_back(f->kernel);
      } else if (auto* g = std::get_if<GemmStep>(&s)) {
        c.gemm = make_gemm_call(*g, {}, target, true);
      } else if (auto* r = std::get_if<RuntimeStep>(&s)) {
        c.runtime = make_runtime_call(r->spec, target);
      } else if (auto* e = std::get_if<EvalStep>(&s)) {
        c.eval = {e->prim, e->params, e->in_avals, e->out_avals};
        if (!e->prim->eval)
          throw_not_implemented("[compile] ", e->prim->name,
                                " has no way to run: its record lacks `eval`");
      }
    }
    if (!wanted.empty()) kernels_ = compile_kernels(wanted, target);
  }

  int run(const void* const* in, void* const* out, void* arena,
          Runtime* rt) const override {
    Memory m{*p_, in, out, static_cast<char*>(arena)};
    for (size_t i = 0; i < calls_.size(); ++i) {
      int status = std::visit(
          [&](const auto& s) { return run_step(s, calls_[i], m, rt); },
          p_->steps[i]);
      if (status != kOk) return status;
    }
    return kOk;
  }

 private:
  struct Call {
    int kernel = -1;
    int64_t parked = 0;
    std::unique_ptr<GemmCall> gemm;
    RuntimeCall runtime{};
    EvalCall eval{};
  };
  struct Memory {
    const Program& p;
    const void* const* in;
    void* const* out;
    char* arena;
    void* at(BufferId id) const {
      const PlanBuffer& b = p.buffers[size_t(id)];
      switch (b.kind) {
        case PlanBuffer::input:
          return const_cast<void*>(in[b.index]);
        case PlanBuffer::output:
          return out[b.index];
        case PlanBuffer::arena:
          return arena + b.offset;
        case PlanBuffer::constant:
          return const_cast<unsigned char*>(p.constants[size_t(b.index)].bytes);
      }
      return nullptr;
    }
  };

  int run_step(const FusedStep& s, const Call& c, const Memory& m,
               Runtime* rt) const {
    SmallVector<int64_t, 24> words(sizeof(KernelFrame) / 8 + s.operands.size());
    auto* frame = reinterpret_cast<KernelFrame*>(words.data());
    frame->meta = s.meta.data();
    frame->parked = m.arena + align64(p_->arena_bytes);
    frame->parked_stride = c.parked;
    frame->grid = s.grid;
    frame->grain = s.grain;
    for (size_t i = 0; i < s.operands.size(); ++i)
      frame->operands[i] = m.at(s.operands[i]);
    KernelFunction f = kernels_[size_t(c.kernel)]->function;
    if (s.grid > s.grain) return call_kernel(rt, f, frame, int64_t(s.work_ns));
    f(frame, 0, 0);
    return kOk;
  }
  int run_step(const GemmStep& s, const Call& c, const Memory& m,
               Runtime* rt) const {
    return call_gemm(rt, c.gemm.get(), m.at(s.lhs), m.at(s.rhs), m.at(s.out),
                     nullptr);
  }
  template <class S>
  void pointers(const S& s, const Memory& m, SmallVector<void*, 8>* in,
                SmallVector<void*, 8>* out) const {
    for (BufferId id : s.in) in->push_back(m.at(id));
    for (BufferId id : s.out) out->push_back(m.at(id));
  }
  int run_step(const RuntimeStep& s, const Call& c, const Memory& m,
               Runtime* rt) const {
    SmallVector<void*, 8> in, out;
    pointers(s, m, &in, &out);
    return call_runtime(rt, &c.runtime, in.data(), out.data(),
                        s.scratch >= 0 ? m.at(s.scratch) : nullptr);
  }
  int run_step(const EvalStep& s, const Call& c, const Memory& m,
               Runtime* rt) const {
    SmallVector<void*, 8> in, out;
    pointers(s, m, &in, &out);
    return call_eval(rt, &c.eval, in.data(), out.data());
  }
  // Control flow is compiled, never stepped.
  int run_step(const BranchStep&, const Call&, const Memory&, Runtime*) const {
    COTAN_CHECK(!"a branch in a step program");
    return kFailed;
  }
  int run_step(const LoopStep&, const Call&, const Memory&, Runtime*) const {
    COTAN_CHECK(!"a loop in a step program");
    return kFailed;
  }
  int run_step(const CopyStep& s, const Call&, const Memory& m,
               Runtime*) const {
    std::memcpy(m.at(s.to), m.at(s.from),
                size_t(p_->buffers[size_t(s.to)].bytes));
    return kOk;
  }

  const ProgramRef p_;
  std::vector<Call> calls_;
  std::vector<CompiledKernelRef> kernels_;
};

}  // namespace

Ref<Executable> make_step_program(const ProgramRef& program,
                                  const TargetSpec& target) {
  return make_ref<StepProgram>(
      split_epilogues(program, [](const GemmStep&) { return false; }), target);
}

}  // namespace cotan::cpu

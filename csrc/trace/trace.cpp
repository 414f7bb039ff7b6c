// The current trace, the evaluating trace, and the reference interpreter.
#include "trace/trace.h"

#include "base/config.h"
#include "trace/arith.h"

namespace cotan {

namespace {

EvalHook eval_hook = nullptr;
NewArrayHook new_array_hook = nullptr;
KernelHook kernel_hook = nullptr;
SourceHook source_hook = nullptr;

class EvalTrace final : public Trace {
 public:
  Values process(const Primitive& p, std::span<const Value> x,
                 const Params& params) override {
    for (const Value& v : x)
      if (!v->is_concrete()) [[unlikely]]
        throw_leaked(*v.get(), p.name);
    return eval_hook ? eval_hook(p, x, params) : reference_eval(p, x, params);
  }
};

// Immortal: a static Ref keeps the count above zero.
EvalTrace& the_eval_trace() noexcept {
  static const Ref<EvalTrace> t = make_ref<EvalTrace>();
  return *t;
}

thread_local Trace* tls_current = nullptr;

}  // namespace

Trace& eval_trace() noexcept { return the_eval_trace(); }
Trace& current_trace() noexcept {
  return tls_current ? *tls_current : eval_trace();
}
bool is_evaluating() noexcept {
  return !tls_current || tls_current == &eval_trace();
}

SetTrace::SetTrace(Trace& t) noexcept : previous_(tls_current) {
  tls_current = &t;
}
SetTrace::~SetTrace() { tls_current = previous_; }

Values bind_all(const Primitive& p, std::span<const Value> x,
                const Params& params) {
  return current_trace().process(p, x, params);
}

void set_eval_hook(EvalHook hook) noexcept { eval_hook = hook; }
void set_new_array_hook(NewArrayHook hook) noexcept { new_array_hook = hook; }
NewArray new_array(const Aval& aval) {
  COTAN_CHECK(new_array_hook);
  return new_array_hook(aval);
}
void set_kernel_hook(KernelHook hook) noexcept { kernel_hook = hook; }
void run_kernel(const KernelSpec& spec, const void* const* in,
                void* const* out) {
  COTAN_CHECK(kernel_hook);
  kernel_hook(spec, in, out);
}
void set_source_hook(SourceHook hook) noexcept { source_hook = hook; }
SourceRef current_source() { return source_hook ? source_hook() : nullptr; }

Values reference_eval(const Primitive& p, std::span<const Value> x,
                      const Params& params) {
  if (p.impl) return p.impl(params, x);
  SmallVector<HostView, 4> in, out;
  for (const Value& v : x) {
    const void* data = v->host_data();
    if (!data && v.size() > 0)
      throw_not_implemented("[", p.name,
                            "] the reference interpreter needs host memory");
    in.push_back({v.dtype(), v.shape(), const_cast<void*>(data)});
  }
  Avals in_avals = avals_of(x);
  Avals types = p.type({p, in_avals, params});
  if (computes_wide(p, in_avals, types)) return compute_wide(p, params, x);
  if (!p.eval) {
    if (p.expand) return p.expand(params, x);
    if (p.inlined) return eval_jaxpr(*p.inlined(params), x);
    throw_not_implemented("primitive '", p.name, "' has no eval rule");
  }
  Values result;
  for (const Aval& t : types) {
    NewArray a = new_array(t);
    out.push_back({t.dtype, a.value.shape(), a.data});
    result.push_back(std::move(a.value));
  }
  p.eval({p, params, in, out});
  return result;
}

Value concrete_value(const Value& v) {
  const Value* p = &v;
  while (const Value* primal = (*p)->primal_value()) p = primal;
  return (*p)->is_concrete() ? *p : nullptr;
}

void throw_leaked(const ValueObj& v, std::string_view where) {
  std::string made;
  if (const SourceInfo* source = v.made_at())
    made = cat(" It was created on line ", source->describe(), ".");
  bool alive = v.trace() && v.trace()->alive();
  throw_error(
      ErrorKind::unexpected_tracer,
      cat("[", where, "] Encountered an unexpected tracer of type ",
          short_string(v.aval, true), ".", made,
          alive ? " Its transformation is active but not the current one: the "
                  "value belongs to another level of tracing."
                : " Its transformation has ended: a value escaped from a "
                  "jit/grad/vmap-transformed function through a side effect "
                  "(global state, a list, an attribute). Return it instead."));
}

void check_leaks(const Trace& trace) {
  if (!config().checking_leaks || trace.is_unique()) return;
  throw_error(ErrorKind::unexpected_tracer,
              "Leaked trace: a value of a transformed function is still held "
              "after the transformation has ended (by a global, a list, an "
              "attribute, a closure). Return it instead.");
}

Values eval_jaxpr(const Jaxpr& j, std::span<const Value> args) {
  COTAN_CHECK(args.size() == j.in.size());
  std::vector<Value> env(j.avals.size());
  for (size_t i = 0; i < args.size(); ++i) env[size_t(j.in[i])] = args[i];
  auto read = [&](Atom a) -> Value {
    if (a.is_none()) return nullptr;
    if (a.is_var()) return env[size_t(a.id)];
    return scalar_value(j.literals[size_t(a.literal_index())]);
  };
  for (const Eqn& e : j.eqns) {
    Values in;
    for (Atom a : e.in) in.push_back(read(a));
    Values out = bind_all(*e.prim, in, e.params);
    COTAN_CHECK(out.size() == e.out.size());
    for (size_t i = 0; i < out.size(); ++i)
      env[size_t(e.out[i])] = std::move(out[i]);
  }
  Values out;
  for (Atom a : j.out) out.push_back(read(a));
  return out;
}

}  // namespace cotan

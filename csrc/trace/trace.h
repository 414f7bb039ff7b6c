// Traces interpret operations. bind_all() hands an operation to the current
// trace of this thread: the evaluating trace runs it, GraphTrace records it,
// the transforms (transforms/) rewrite it and pass it on to their parent.
//
// A tracer keeps its trace object alive, but a trace that has ended is dead:
// using one of its tracers is an UnexpectedTracerError that names the line
// where the tracer was made.
#pragma once

#include <unordered_map>

#include "ir/primitive.h"

namespace cotan {

class Trace : public RefCounted {
 public:
  virtual Values process(const Primitive& p, std::span<const Value> x,
                         const Params& params) = 0;
  bool alive() const noexcept { return alive_; }
  // Ends the trace; its tracers must not be used any more.
  virtual void end() { alive_ = false; }

 private:
  bool alive_ = true;
};

Trace& current_trace() noexcept;
bool is_evaluating() noexcept;  // the current trace runs operations at once

// Makes a trace current for a scope.
class SetTrace {
 public:
  explicit SetTrace(Trace& t) noexcept;
  ~SetTrace();
  SetTrace(const SetTrace&) = delete;
  SetTrace& operator=(const SetTrace&) = delete;

 private:
  Trace* previous_;
};
Trace& eval_trace() noexcept;

Values bind_all(const Primitive& p, std::span<const Value> x,
                const Params& params = {});
inline Values bind_all(const Primitive& p, std::initializer_list<Value> x,
                       const Params& params = {}) {
  return bind_all(p, std::span(x.begin(), x.size()), params);
}
// For primitives with one result.
inline Value bind1(const Primitive& p, std::initializer_list<Value> x,
                   const Params& params = {}) {
  return std::move(bind_all(p, std::span(x.begin(), x.size()), params)[0]);
}
inline Value bind1(const Primitive& p, std::span<const Value> x,
                   const Params& params = {}) {
  return std::move(bind_all(p, x, params)[0]);
}

// Runs one primitive on concrete values; the API layer installs the backend
// dispatcher, the default runs the reference `eval`.
using EvalHook = Values (*)(const Primitive&, std::span<const Value>,
                            const Params&);
void set_eval_hook(EvalHook hook) noexcept;
// Makes a concrete array of zero-initialised host memory; installed by the
// API layer together with the hook.
struct NewArray {
  Value value;
  void* data;
};
using NewArrayHook = NewArray (*)(const Aval&);
void set_new_array_hook(NewArrayHook hook) noexcept;
NewArray new_array(const Aval& aval);
// Runs a kernel of the runtime on host memory, for reference evaluation of what
// has no simpler definition; installed by the API layer.
using KernelHook = void (*)(const KernelSpec&, const void* const* in,
                            void* const* out);
void set_kernel_hook(KernelHook hook) noexcept;
void run_kernel(const KernelSpec& spec, const void* const* in,
                void* const* out);
// The reference interpreter of one primitive (`impl` or `eval`).
Values reference_eval(const Primitive& p, std::span<const Value> x,
                      const Params& params);

// Source of the operation being traced; the Python layer installs the hook.
using SourceHook = SourceRef (*)();
void set_source_hook(SourceHook hook) noexcept;
SourceRef current_source();
// For a tracer that wraps v: v's own source serves if it has one.
inline SourceRef source_around(const Value& v) {
  return v->is_concrete() ? current_source() : nullptr;
}

// The concrete value behind v: v itself, or the primal of a dual number whose
// primal is concrete; null for abstract tracers.
Value concrete_value(const Value& v);
[[noreturn]] void throw_leaked(const ValueObj& v, std::string_view where);
// Under checking_leaks: throws if a tracer of an ended trace is still held.
// The caller has let go of its own.
void check_leaks(const Trace& trace);

// ---- graphs

class GraphTracer final : public ValueObj {
 public:
  GraphTracer(Aval a, Ref<Trace> t, Var v, SourceRef s)
      : ValueObj(ValueKind::graph, std::move(a)),
        var(v),
        source(std::move(s)),
        trace_(std::move(t)) {}
  const Var var;
  const SourceRef source;
  Trace* trace() const noexcept override { return trace_.get(); }
  const SourceInfo* made_at() const noexcept override { return source.get(); }

 private:
  const Ref<Trace> trace_;
};

struct TracedGraph {
  JaxprRef jaxpr;  // inputs: consts, then arguments
  Values consts;   // what the function closed over
};

// Records operations into a jaxpr.
class GraphTrace final : public Trace {
 public:
  GraphTrace();
  Value new_arg(const Aval& aval);
  Values process(const Primitive& p, std::span<const Value> x,
                 const Params& params) override;
  // The tracer of v in this graph: v itself, or a lifted constant.
  Atom lift(const Value& v);
  Value tracer(Var v);
  // Ends the trace. A null output stays a symbolic zero. `prune` drops
  // constants (never arguments) that nothing uses.
  TracedGraph finish(std::span<const Value> outs, bool prune = true);
  void end() override;
  size_t num_eqns() const { return jaxpr_->eqns.size(); }
  // Types of arguments that are also used as weak scalars, for error texts.
  const Jaxpr& jaxpr() const { return *jaxpr_; }

 private:
  Values record(const Primitive& p, std::span<const Value> x,
                const Params& params);

  Ref<Jaxpr> jaxpr_;
  std::unordered_map<const ValueObj*, Atom> lifted_;
  Values consts_;
  std::vector<Var> const_vars_;
};

// Interprets a jaxpr by binding its equations under the current trace.
// args: constants first, as in j.in.
Values eval_jaxpr(const Jaxpr& j, std::span<const Value> args);

// Functions on values: C++ lambdas and Python callables alike.
class Callable : public Opaque {
 public:
  virtual Values call(std::span<const Value> args) const = 0;
};
using CallableRef = Ref<const Callable>;
template <class F>
class LambdaCallable final : public Callable {
 public:
  explicit LambdaCallable(F f) : f_(std::move(f)) {}
  Values call(std::span<const Value> args) const override { return f_(args); }

 private:
  F f_;
};
template <class F>
CallableRef make_callable(F f) {
  return make_ref<LambdaCallable<F>>(std::move(f));
}

// A non-owning reference to a function on values.
class FunctionRef {
 public:
  template <class F>
    requires std::is_invocable_r_v<Values, F&, std::span<const Value>>
  FunctionRef(F&& f)  // NOLINT: implicit, like std::function_ref
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* o, std::span<const Value> a) {
          return (*static_cast<std::remove_reference_t<F>*>(o))(a);
        }) {}
  FunctionRef(const Callable& c)
      : object_(const_cast<Callable*>(&c)),
        call_([](void* o, std::span<const Value> a) {
          return static_cast<const Callable*>(o)->call(a);
        }) {}
  Values operator()(std::span<const Value> args) const {
    return call_(object_, args);
  }

 private:
  void* object_;
  Values (*call_)(void*, std::span<const Value>);
};

// Traces f on abstract arguments.
TracedGraph trace_to_jaxpr(FunctionRef f, std::span<const Aval> in);
// Same, with the closed-over values required to be none.
JaxprRef make_jaxpr(FunctionRef f, std::span<const Aval> in);

}  // namespace cotan

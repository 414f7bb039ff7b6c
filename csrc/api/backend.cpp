#include "api/backend.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "api/program.h"
#include "backends/cpu/compile_stats.h"
#include "backends/cpu/compiler.h"
#include "backends/cpu/eager.h"
#include "backends/pjrt/pjrt.h"
#include "base/config.h"
#include "runtime/kernels/kernels.h"

namespace cotan {

namespace {

NewArray new_zeroed_array(const Aval& aval) {
  NewArray a;
  a.value = allocate_array(aval, &a.data);
  std::memset(a.data, 0, size_t(aval.nbytes()));
  return a;
}

std::atomic<bool>& interpret_flag() {
  static std::atomic<bool> on = [] {
    const char* v = std::getenv("COTAN_INTERPRET");
    return v && *v && std::strcmp(v, "0") != 0;
  }();
  return on;
}
bool interpreting() { return interpret_flag().load(std::memory_order_relaxed); }

// A jaxpr, equation by equation, with the reference rules.
class InterpretedExecutable final : public Executable {
 public:
  InterpretedExecutable(JaxprRef j, std::vector<InputSpec> in,
                        std::vector<OutputSpec> out)
      : Executable(cpu_device(), std::move(in), std::move(out), 0),
        jaxpr_(std::move(j)) {}
  int run(const void* const* in, void* const* out, void*,
          Runtime*) const override {
    SetTrace scope(eval_trace());
    Values args;
    for (size_t i = 0; i < inputs().size(); ++i) {
      const Aval& a = inputs()[i].aval;
      args.push_back(
          make_ref<ArrayObj>(a, Buffer::copy_of(in[i], size_t(a.nbytes()))));
    }
    Values results = eval_jaxpr(*jaxpr_, args);
    for (size_t i = 0; i < results.size(); ++i)
      std::memcpy(out[i], results[i]->host_data(),
                  size_t(results[i].aval().nbytes()));
    return kOk;
  }
  std::string text() const override { return to_string(*jaxpr_); }

 private:
  JaxprRef jaxpr_;
};

Ref<Executable> interpreted(const JaxprRef& j,
                            const std::vector<bool>& donated) {
  std::vector<InputSpec> in;
  std::vector<OutputSpec> out;
  for (const Aval& a : j->in_avals())
    in.push_back({a, in.size() < donated.size() && donated[in.size()]});
  for (const Aval& a : j->out_avals()) out.push_back({a});
  return make_ref<InterpretedExecutable>(j, std::move(in), std::move(out));
}

void run_host_kernel(const KernelSpec& spec, const void* const* in,
                     void* const* out) {
  KernelFn kernel = find_kernel(spec.name);
  COTAN_CHECK(kernel);
  std::vector<char> scratch(size_t(spec.scratch_bytes));
  KernelCall call{in, out, spec.attrs.data(), scratch.data(),
                  &default_runtime()};
  check_status(kernel(&call));
}

// Host pointers of concrete values; keeps nothing alive.
const void* host_pointer(const Primitive& p, const Value& v) {
  const void* data = v->host_data();
  if (!data && v.size() > 0)
    throw_not_implemented("[", p.name, "] operand is not in host memory");
  return data;
}

// A program of one equation, on another device than the CPU.
Values run_eager_on(Device* device, const Primitive& p,
                    std::span<const Value> x, const Params& params) {
  SmallVector<Aval, 4> in;
  SmallVector<Ref<Buffer>, 4> held;
  SmallVector<Buffer*, 4> buffers;
  for (const Value& v : x) {
    in.push_back(v.aval());
    held.push_back(buffer_on(v, device));
    buffers.push_back(held.back().get());
  }
  Avals out = p.type({p, in, params});
  Ref<Executable> e = pjrt::eager_program(device, p, params, in);
  SmallVector<Ref<Buffer>, 2> results(out.size());
  execute(*e, buffers, results);
  bool committed = any_committed(x);
  Values values;
  for (size_t i = 0; i < out.size(); ++i)
    values.push_back(
        make_ref<ArrayObj>(out[i], std::move(results[i]), committed));
  if (config().debug_nans || config().debug_infs) [[unlikely]]
    for (const Value& v : values) check_special(p.name, v);
  return values;
}

// ---- control flow outside of jit: compiled like a jit of that one operation

struct ControlKey {
  const Primitive* prim;
  Params params;
  Avals in;
  bool operator==(const ControlKey& o) const {
    return prim == o.prim && in == o.in && params == o.params;
  }
};
struct ControlKeyHash {
  size_t operator()(const ControlKey& k) const {
    uint64_t h = hash_mix(reinterpret_cast<uint64_t>(k.prim), k.params.hash());
    for (const Aval& a : k.in) h = a.hash(h);
    return h;
  }
};
struct ControlTable {
  std::mutex mutex;
  std::unordered_map<ControlKey, Ref<JitProgram>, ControlKeyHash> programs;
};
ControlTable& control_table() {
  static auto* t = new ControlTable();  // outlives static destructors
  return *t;
}

Ref<JitProgram> control_program(const Primitive& p, const Params& params,
                                Avals in) {
  constexpr size_t kLimit = 1024;
  ControlTable& t = control_table();
  ControlKey key{&p, params, std::move(in)};
  Blocking blocking(true);  // comparing parameters may run Python code
  std::lock_guard lock(t.mutex);
  if (auto it = t.programs.find(key); it != t.programs.end()) return it->second;
  auto j = make_ref<Jaxpr>();
  Eqn e;
  e.prim = &p;
  e.params = params;
  for (const Aval& a : key.in) {
    Var v = j->new_var(a);
    j->in.push_back(v);
    e.in.push_back(Atom::var(v));
  }
  for (const Aval& a : p.type({p, key.in, params})) {
    Var v = j->new_var(a);
    e.out.push_back(v);
    j->out.push_back(Atom::var(v));
  }
  if (p.effects) j->effects = p.effects(params);
  j->eqns.push_back(std::move(e));
  auto program =
      make_ref<JitProgram>(TracedGraph{j, {}}, std::vector<bool>{}, p.name);
  if (t.programs.size() >= kLimit) t.programs.clear();
  t.programs.emplace(std::move(key), program);
  return program;
}

}  // namespace

void clear_control_programs() {
  decltype(ControlTable::programs) dying;  // may run Python code: unlocked
  Blocking blocking(true);                 // as in control_program
  std::lock_guard lock(control_table().mutex);
  dying.swap(control_table().programs);
}

bool set_interpreting(bool on) { return interpret_flag().exchange(on); }

CodeStats code_stats() {
  cpu::CompileStats s = cpu::compile_stats();
  return {s.program_hits,  s.kernels,    s.kernel_hits,
          s.eager_kernels, s.code_bytes, s.compile_ns};
}

Ref<Executable> compile(const JaxprRef& j, const std::vector<bool>& donated,
                        Device* device, const std::string& name) {
  if (!device->is_cpu()) return pjrt::compile(device, *j, donated, name);
  if (interpreting()) return interpreted(j, donated);
  cpu::CompileOptions options;
  options.donated = donated;
  return cpu::compile_cpu(j, options);
}

Values run_eager(const Primitive& p, std::span<const Value> x,
                 const Params& params) {
  if (p.control && !interpreting())
    return control_program(p, params, avals_of(x))->run(x);
  if (p.impl) return p.impl(params, x);
  if (placement_matters()) [[unlikely]] {
    Device* device = placement(x);
    if (!device->is_cpu() && !interpreting())
      return run_eager_on(device, p, x, params);
  }
  if (interpreting()) return reference_eval(p, x, params);
  SmallVector<Aval, 3> in;
  SmallVector<const void*, 4> in_ptrs;
  for (const Value& v : x) {
    in.push_back(v.aval());
    in_ptrs.push_back(host_pointer(p, v));
  }
  Avals out = p.type({p, in, params});
  Values result;
  SmallVector<void*, 2> out_ptrs;
  for (const Aval& a : out) {
    void* data;
    result.push_back(allocate_array(a, &data));
    out_ptrs.push_back(data);
  }
  cpu::run_eager(p, params, in, in_ptrs.data(), out, out_ptrs.data());
  if (config().debug_nans || config().debug_infs) [[unlikely]]
    for (const Value& v : result) check_special(p.name, v);
  return result;
}

void set_compile_interrupt_check(bool (*check)()) noexcept {
  cpu::set_compile_interrupt_check(check);
}

void install_backend() {
  set_new_array_hook(new_zeroed_array);
  set_eval_hook(run_eager);
  set_kernel_hook(run_host_kernel);
}

namespace {
const bool installed = (install_backend(), true);
}

}  // namespace cotan

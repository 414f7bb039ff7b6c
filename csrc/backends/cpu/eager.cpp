// Start at run_eager. The hot path is a lookup in a small table of this
// thread, a few stores and a call.
#include "backends/cpu/eager.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "backends/cpu/compile_stats.h"
#include "backends/cpu/compiler.h"
#include "backends/cpu/jit.h"
#include "backends/cpu/kernel_emitter.h"
#include "backends/cpu/step_program.h"
#include "base/error.h"
#include "runtime/executable.h"
#include "runtime/host.h"
#include "trace/arith.h"

namespace cotan::cpu {
namespace {

// ---- elementwise: one kernel per (primitive, params, dtypes, which operands
// are scalars)

// Elements [begin, end) of the collapsed arrays.
using ElementwiseFunction = void (*)(void* const* operands, int64_t begin,
                                     int64_t end);

constexpr size_t kMaxOperands = 10;  // inputs and outputs of the fast path

struct ElementwiseKey {
  const Primitive* prim = nullptr;
  uint64_t word = 0;  // 6 bits per operand: dtype, and whether it is a scalar
  bool operator==(const ElementwiseKey&) const = default;
};
struct Elementwise {
  ElementwiseKey key;
  Params params;
  ElementwiseFunction function = nullptr;
  Ref<LoadedCode> code;
  float ns_per_element = 0;
};

uint64_t slot_of(const ElementwiseKey& k) {
  return hash_mix(reinterpret_cast<uint64_t>(k.prim), k.word);
}

struct ElementwiseTable {
  std::mutex mutex;
  // Entries are never removed: threads keep pointers to them.
  std::unordered_multimap<uint64_t, std::unique_ptr<Elementwise>> entries;
};
ElementwiseTable& elementwise_table() {
  static ElementwiseTable* t = new ElementwiseTable();
  return *t;
}

int operand(Kernel& k, DType t, bool written) {
  k.operands.push_back({t, !written, written});
  return int(k.operands.size()) - 1;
}

// A kernel over one axis whose extent nobody looks at.
Ref<Kernel> elementwise_kernel(const Primitive& p, const Params& params,
                               std::span<const Aval> in,
                               std::span<const Aval> out, uint64_t scalars) {
  auto k = make_ref<Kernel>();
  k->axes = {int64_t(1) << 20};
  k->name = p.name;
  for (size_t i = 0; i < in.size(); ++i) {
    Node n;
    n.kind = NodeKind::load;
    n.dtype = in[i].dtype;
    n.operand = operand(*k, in[i].dtype, false);
    n.map.at.stride = {scalars >> i & 1 ? 0 : 1};
    k->nodes.push_back(std::move(n));
  }
  for (size_t j = 0; j < out.size(); ++j) {
    Node n;
    n.kind = NodeKind::compute;
    n.prim = &p;
    n.params = params;
    n.dtype = out[j].dtype;
    n.out = uint8_t(j);
    for (size_t i = 0; i < in.size(); ++i) n.in.push_back(int32_t(i));
    k->nodes.push_back(std::move(n));
    Store s;
    s.node = int32_t(k->nodes.size()) - 1;
    s.operand = operand(*k, out[j].dtype, true);
    s.map.at.stride = {1};
    k->stores.push_back(std::move(s));
  }
  // Long bodies overlap by themselves, in the reorder buffer.
  k->unroll = p.cost <= 4 ? 4 : p.cost <= 12 ? 2 : 1;
  finish_kernel(*k);
  return k;
}

std::unique_ptr<Elementwise> compile_elementwise(const Kernel& k) {
  int64_t start = now_ns();
  const TargetSpec& target = host_target();
  CompileSession session(target);
  auto module = session.new_module("eager");
  Builder b(session.context());
  llvm::Type *ptr = b.getPtrTy(), *i64 = b.getInt64Ty();
  auto* type = llvm::FunctionType::get(b.getVoidTy(), {ptr, i64, i64}, false);
  auto* f = llvm::Function::Create(type, llvm::Function::ExternalLinkage,
                                   "eager", *module);
  set_function_attributes(*f, target);
  b.SetInsertPoint(llvm::BasicBlock::Create(session.context(), "entry", f));
  KernelArgs args;
  for (size_t i = 0; i < k.operands.size(); ++i)
    args.operands.push_back(b.CreateAlignedLoad(
        ptr, b.CreateConstInBoundsGEP1_64(ptr, f->getArg(0), i),
        llvm::Align(8)));
  std::vector<int64_t> constants = meta_values(k);
  args.constants = constants;
  args.begin = f->getArg(1);
  args.end = f->getArg(2);
  make_kernel_emitter(b, target, k, args)->emit();
  b.CreateRetVoid();
  auto e = std::make_unique<Elementwise>();
  e->code = link_object(session.compile(std::move(module)));
  e->function = reinterpret_cast<ElementwiseFunction>(e->code->find("eager"));
  count_kernels(1, int64_t(e->code->code_bytes()), now_ns() - start);
  count_eager_kernel();
  return e;
}

const Elementwise& find_elementwise(const ElementwiseKey& key,
                                    const Primitive& p, const Params& params,
                                    std::span<const Aval> in,
                                    std::span<const Aval> out,
                                    uint64_t scalars) {
  ElementwiseTable& t = elementwise_table();
  uint64_t slot = slot_of(key);
  // The lock is held while compiling: a millisecond, and nobody compiles the
  // same kernel twice. Who waits for it must not hold Python's, which the
  // compiler takes to look for signals.
  Blocking blocking(true);
  std::lock_guard lock(t.mutex);
  auto [first, last] = t.entries.equal_range(slot);
  for (auto it = first; it != last; ++it)
    if (it->second->key == key && it->second->params == params)
      return *it->second;
  Ref<Kernel> k = elementwise_kernel(p, params, in, out, scalars);
  std::unique_ptr<Elementwise> e = compile_elementwise(*k);
  e->key = key;
  e->params = params;
  int64_t bytes = 0;
  for (const Aval& a : out) bytes += itemsize(a.dtype);
  for (size_t i = 0; i < in.size(); ++i)
    if (!(scalars >> i & 1)) bytes += itemsize(in[i].dtype);
  e->ns_per_element = std::max(p.cost * 0.02f, float(bytes) * 0.05f);
  return *t.entries.emplace(slot, std::move(e))->second;
}

// This thread's view of the table, direct mapped.
struct Recent {
  const Elementwise* entry[256] = {};
};

void run_chunks(const Elementwise& e, void* const* operands, int64_t n) {
  constexpr int64_t kGrain = 1 << 16;
  struct Context {
    const Elementwise& e;
    void* const* operands;
    int64_t n;
  } context{e, operands, n};
  ChunkFn fn = [](void* p, int64_t chunk, int) {
    auto& c = *static_cast<Context*>(p);
    c.e.function(c.operands, chunk * kGrain,
                 std::min((chunk + 1) * kGrain, c.n));
  };
  Runtime& rt = default_runtime();
  Blocking blocking(true);
  check_status(rt.parallel_for(&rt, fn, &context, (n + kGrain - 1) / kGrain,
                               int64_t(double(n) * double(e.ns_per_element))));
}

bool run_elementwise(const Primitive& p, const Params& params,
                     std::span<const Aval> in, const void* const* in_ptrs,
                     std::span<const Aval> out, void* const* out_ptrs) {
  size_t operands = in.size() + out.size();
  if (!p.scalar || operands > kMaxOperands) return false;
  int64_t n = 1;
  for (int64_t d : out[0].shape) n *= d;
  if (n == 0) return true;
  size_t rank = out[0].shape.size();
  uint64_t word = 0, scalars = 0;
  bool narrow = is_narrow(out[0].dtype);
  for (size_t i = 0; i < in.size(); ++i) {
    bool scalar = rank != 0 && in[i].shape.empty();
    scalars |= uint64_t(scalar) << i;
    narrow |= is_narrow(in[i].dtype);
    word = word << 6 | uint64_t(in[i].dtype) << 1 | uint64_t(scalar);
  }
  for (const Aval& a : out) word = word << 6 | uint64_t(a.dtype) << 1;
  if (narrow && computes_wide(p, in, out)) [[unlikely]]
    return false;
  ElementwiseKey key{&p, word};
  // A pointer: libcotan's thread-local block must stay small (it is static).
  static thread_local std::unique_ptr<Recent> recent;
  if (!recent) [[unlikely]]
    recent = std::make_unique<Recent>();
  const Elementwise*& e = recent->entry[slot_of(key) & 255];
  if (!e || !(e->key == key) || !(e->params == params)) [[unlikely]]
    e = &find_elementwise(key, p, params, in, out, scalars);
  void* pointers[kMaxOperands];
  for (size_t i = 0; i < in.size(); ++i)
    pointers[i] = const_cast<void*>(in_ptrs[i]);
  for (size_t j = 0; j < out.size(); ++j) pointers[in.size() + j] = out_ptrs[j];
  if (n <= 1 << 16) [[likely]]
    e->function(pointers, 0, n);
  else
    run_chunks(*e, pointers, n);
  return true;
}

// ---- everything else: a program per (primitive, params, types)

struct ProgramKey {
  const Primitive* prim;
  Params params;
  SmallVector<Aval, 4> in;
  bool operator==(const ProgramKey& o) const {
    if (prim != o.prim || in.size() != o.in.size()) return false;
    for (size_t i = 0; i < in.size(); ++i)
      if (!same_layout(in[i], o.in[i])) return false;
    return params == o.params;
  }
};
uint64_t hash_types(const Primitive& p, const Params& params,
                    std::span<const Aval> in) {
  uint64_t h = hash_mix(reinterpret_cast<uint64_t>(&p), params.hash());
  for (const Aval& a : in) {
    h = hash_mix(h, uint64_t(a.dtype) << 8 | a.shape.size());
    for (int64_t d : a.shape) h = hash_mix(h, uint64_t(d));
  }
  return h;
}
struct ProgramKeyHash {
  size_t operator()(const ProgramKey& k) const {
    return hash_types(*k.prim, k.params, k.in);
  }
};

struct EagerProgram {
  Ref<Executable> executable;  // null: only the reference evaluation works
  std::once_flag once;
  std::atomic<bool> ready{false};  // `once` is over
};
struct ProgramTable {
  std::mutex mutex;
  std::unordered_map<ProgramKey, std::shared_ptr<EagerProgram>, ProgramKeyHash>
      entries;
};
ProgramTable& program_table() {
  static ProgramTable* t = new ProgramTable();
  return *t;
}

Ref<Executable> compile_one(const Primitive& p, const Params& params,
                            std::span<const Aval> in,
                            std::span<const Aval> out) {
  auto j = make_ref<Jaxpr>();
  Eqn e;
  e.prim = &p;
  e.params = params;
  for (const Aval& a : in) {
    Var v = j->new_var(a);
    j->in.push_back(v);
    e.in.push_back(Atom::var(v));
  }
  for (const Aval& a : out) {
    Var v = j->new_var(a);
    e.out.push_back(v);
    j->out.push_back(Atom::var(v));
  }
  j->eqns.push_back(std::move(e));
  PlanOptions options;
  options.specialise_small = false;  // shapes share their kernels
  options.vector_registers = host_target().vector_registers;
  ProgramRef program = plan_program(j, options);
  // Loops and branches are compiled, never stepped through.
  for (const Step& s : program->steps)
    if (std::holds_alternative<LoopStep>(s) ||
        std::holds_alternative<BranchStep>(s))
      return compile_cpu(j);
  return make_step_program(program, host_target());
}

std::shared_ptr<EagerProgram> find_program(const Primitive& p,
                                           const Params& params,
                                           std::span<const Aval> in,
                                           std::span<const Aval> out) {
  ProgramTable& t = program_table();
  std::shared_ptr<EagerProgram> entry;
  {
    ProgramKey key{&p, params, SmallVector<Aval, 4>(in)};
    std::lock_guard lock(t.mutex);
    auto& slot = t.entries[std::move(key)];
    if (!slot) slot = std::make_shared<EagerProgram>();
    entry = slot;
  }
  if (entry->ready.load(std::memory_order_acquire)) return entry;
  Blocking blocking(true);  // as in find_elementwise
  std::call_once(entry->once, [&] {
    try {
      entry->executable = compile_one(p, params, in, out);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::not_implemented || !p.eval) throw;
    }
  });
  entry->ready.store(true, std::memory_order_release);
  return entry;
}

void run_reference(const Primitive& p, const Params& params,
                   std::span<const Aval> in, const void* const* in_ptrs,
                   std::span<const Aval> out, void* const* out_ptrs) {
  SmallVector<HostView, 4> from, to;
  for (size_t i = 0; i < in.size(); ++i)
    from.push_back({in[i].dtype, in[i].shape, const_cast<void*>(in_ptrs[i])});
  for (size_t j = 0; j < out.size(); ++j)
    to.push_back({out[j].dtype, out[j].shape, out_ptrs[j]});
  p.eval({p, params, from, to});
}

// Touches enough memory that other threads should get a turn meanwhile.
bool is_long(std::span<const Aval> avals) {
  for (const Aval& a : avals)
    if (a.nbytes() >= 1 << 16) return true;
  return false;
}

void run_program(const Primitive& p, const Params& params,
                 std::span<const Aval> in, const void* const* in_ptrs,
                 std::span<const Aval> out, void* const* out_ptrs) {
  std::shared_ptr<EagerProgram> found = find_program(p, params, in, out);
  if (!found->executable) {
    run_reference(p, params, in, in_ptrs, out, out_ptrs);
    return;
  }
  const Executable& e = *found->executable;
  Scratch arena(std::max<size_t>(e.arena_bytes(), 64));
  Blocking blocking(is_long(in) || is_long(out));
  int status = e.run(in_ptrs, out_ptrs, arena.data(), &default_runtime());
  check_status(status);
  for (size_t j = 0; j < out.size(); ++j)
    if (int from = e.outputs()[j].forwards; from >= 0)
      if (in_ptrs[from] != out_ptrs[j])
        std::memcpy(out_ptrs[j], in_ptrs[from], size_t(out[j].nbytes()));
}

}  // namespace

void run_eager(const Primitive& p, const Params& params,
               std::span<const Aval> in, const void* const* in_ptrs,
               std::span<const Aval> out, void* const* out_ptrs) {
  if (run_elementwise(p, params, in, in_ptrs, out, out_ptrs)) return;
  run_program(p, params, in, in_ptrs, out, out_ptrs);
}

}  // namespace cotan::cpu

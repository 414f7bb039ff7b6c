#include "backends/cpu/gemm_calls.h"

#include <llvm/IR/Module.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>

#include "backends/cpu/compile_stats.h"
#include "backends/cpu/emit_epilogue.h"
#include "backends/cpu/gemm/gemm_emitter.h"
#include "backends/cpu/jit.h"
#include "backends/cpu/kernel_emitter.h"
#include "base/error.h"
#include "runtime/host.h"
#include "runtime/thread_pool.h"

namespace cotan::cpu {

// ---- dense copies

int64_t DenseCopy::bytes() const {
  int64_t n = item;
  for (int64_t e : extents) n *= e;
  return n;
}

void DenseCopy::run(void* to, const void* from) const {
  auto* out = static_cast<char*>(to);
  auto walk = [&](auto& self, size_t d, const char* p) -> void {
    if (d == extents.size()) {
      std::memcpy(out, p, size_t(item));
      out += item;
      return;
    }
    for (int64_t i = 0; i < extents[d]; ++i)
      self(self, d + 1, p + i * strides[d] * item);
  };
  walk(walk, 0, static_cast<const char*>(from));
}

namespace {

// ---- kernels

struct Table {
  GemmKernels kernels;
  GemmSlots have = 0;
  int rounds = 0;  // compilations so far
  std::vector<Ref<LoadedCode>> code;
};
using TableKey = std::tuple<const TargetSpec*, DType, DType, DType, DType>;
using EpilogueTables =
    std::unordered_map<KernelRef, Table, KernelCodeHash, KernelSameCode>;
struct Tables {
  std::mutex mutex;
  std::map<TableKey, Table> plain;
  std::map<std::pair<TableKey, int>, EpilogueTables> fused;  // int: kept
  Table& find(const TableKey& key, const FusedEpilogue& e) {
    return e.kernel ? fused[{key, e.kept}][e.kernel] : plain[key];
  }
};
Tables& tables() {
  static Tables* t = new Tables();  // outlives static destructors
  return *t;
}
// After so many shapes compile what serves all of them.
constexpr int kExactRounds = 6;

// One vector of the product through the epilogue.
llvm::Value* apply_epilogue(Builder& b, const FusedEpilogue& e,
                            const TargetSpec& target, DType compute,
                            llvm::Value* sum, const EpilogueCtx& ctx) {
  auto pointer = [&](size_t i) {
    auto* load = b.CreateAlignedLoad(
        b.getPtrTy(),
        b.CreateConstInBoundsGEP1_64(b.getPtrTy(), ctx.args, uint64_t(i)),
        llvm::Align(8));
    load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                      llvm::MDNode::get(b.getContext(), {}));
    return load;
  };
  KernelArgs args;
  args.meta = pointer(0);
  for (size_t i = 0; i < e.kernel->operands.size(); ++i)
    args.operands.push_back(pointer(1 + i));
  args.width = ctx.lanes;
  EpilogueEmitter emitter(b, target, *e.kernel, args);
  Scalar r = emitter.store_others(e.kept, make_scalar(compute, sum), ctx.batch,
                                  ctx.row, ctx.col, ctx.mask);
  return value_of(r);
}

void compile_slots(Table& t, GemmSlots slots, const TargetSpec& target,
                   const FusedEpilogue& fused) {
  int64_t start = now_ns();
  GemmSpec spec;
  spec.types = t.kernels.types;
  spec.target = gemm_target(target);
  spec.tiling = t.kernels.tiling;
  spec.slots = slots;
  CompileSession session(target);
  auto module = session.new_module("gemm");
  Epilogue epilogue;
  if (fused.kernel) {
    spec.epilogue = "fused";
    epilogue.rolled = fused.kernel->cost > 6;
    epilogue.apply = [&](llvm::IRBuilder<>& b, llvm::Value* sum,
                         const EpilogueCtx& ctx) {
      return apply_epilogue(b, fused, target, spec.types.compute, sum, ctx);
    };
  }
  auto names =
      emit_gemm_kernels(*module, spec, fused.kernel ? &epilogue : nullptr, "g");
  for (auto& [slot, name] : names)
    set_function_attributes(*module->getFunction(name), target);
  Ref<LoadedCode> code = link_object(session.compile(std::move(module)));
  for (auto& [slot, name] : names) {
    t.kernels.slots[slot] = code->find(name);
    COTAN_CHECK(t.kernels.slots[slot] != nullptr);
  }
  t.have |= slots;
  ++t.rounds;
  count_kernels(int64_t(names.size()), int64_t(code->code_bytes()),
                now_ns() - start);
  t.code.push_back(std::move(code));
}

void find_kernels(GemmCall& call, const GemmTypes& types,
                  const TargetSpec& target, const FusedEpilogue& epilogue,
                  bool any_shape) {
  Tables& all = tables();
  TableKey key{&target, types.a, types.b, types.compute, types.out};
  std::lock_guard lock(all.mutex);
  Table& t = all.find(key, epilogue);
  if (t.rounds == 0) {
    GemmTiling tiling = gemm_tiling(gemm_target(target), types.compute);
    t.kernels = GemmKernels(types, tiling);
  }
  GemmSlots needed = gemm_needed_slots(call.plan, types, t.kernels.tiling);
  GemmSlots missing = needed & ~t.have;
  if (missing && any_shape && t.rounds >= kExactRounds)
    missing = gemm_all_slots(types, t.kernels.tiling) & ~t.have;
  if (missing) compile_slots(t, missing, target, epilogue);
  call.kernels = t.kernels;
}

// ---- shapes

// Batch axes that all three arrays walk as one become one.
struct Batches {
  SmallVector<int64_t, 4> extent, a, b, c;

  explicit Batches(const Gemm& g) {
    for (size_t d = 0; d < g.batch.size(); ++d) {
      if (g.batch[d] == 1) continue;
      int64_t x = g.lhs_batch[d], y = g.rhs_batch[d], z = g.out_batch[d];
      size_t n = extent.size();
      int64_t e = g.batch[d];
      if (n && a[n - 1] == x * e && b[n - 1] == y * e && c[n - 1] == z * e) {
        extent[n - 1] *= e;
        a[n - 1] = x, b[n - 1] = y, c[n - 1] = z;
      } else {
        extent.push_back(e);
        a.push_back(x), b.push_back(y), c.push_back(z);
      }
    }
  }
};

bool shape_of(const Gemm& g, GemmShape* s) {
  Batches batches(g);
  size_t n = batches.extent.size();
  if (n > 3) return false;
  s->m = g.m, s->n = g.n, s->k = g.k;
  s->a_row = g.lhs_m, s->a_k = g.lhs_k;
  s->b_k = g.rhs_k, s->b_col = g.rhs_n;
  s->c_row = g.out_m;
  for (size_t d = 0; d < n; ++d) {
    size_t to = 3 - n + d;
    s->batch[to] = batches.extent[d];
    s->a_batch[to] = batches.a[d];
    s->b_batch[to] = batches.b[d];
    s->c_batch[to] = batches.c[d];
  }
  return true;
}

DenseCopy make_dense(const Gemm& g, const SmallVector<int64_t, 2>& batch,
                     int64_t rows, int64_t row, int64_t cols, int64_t col) {
  DenseCopy copy;
  copy.needed = true;
  copy.item = itemsize(g.dtype);
  for (size_t d = 0; d < g.batch.size(); ++d) {
    // An operand that does not vary along a batch axis is copied once.
    copy.extents.push_back(batch[d] == 0 ? 1 : g.batch[d]);
    copy.strides.push_back(batch[d]);
  }
  copy.extents.push_back(rows);
  copy.strides.push_back(row);
  copy.extents.push_back(cols);
  copy.strides.push_back(col);
  return copy;
}
void use_dense(const DenseCopy& copy, SmallVector<int64_t, 2>& batch,
               int64_t* row, int64_t* col) {
  size_t n = batch.size();
  *col = 1;
  *row = copy.extents[n + 1];
  int64_t step = copy.extents[n] * copy.extents[n + 1];
  for (size_t d = n; d-- > 0;) {
    if (batch[d] != 0) batch[d] = step;
    step *= copy.extents[d];
  }
}

TransposedCopy make_transposed(DType t, int64_t rows, int64_t from,
                               int64_t cols, int64_t to) {
  int64_t item = itemsize(t);
  GemmPackFn pack = gemm_builtin_pack(t, t, true);
  return {true, pack, rows, cols, from * item, to * item, item};
}

// A product of few columns, as one of few rows.
void narrow_to_rows(GemmCall& call, GemmShape& shape, GemmTypes& types) {
  int64_t c_row = shape.c_row;
  gemm_narrow_to_rows(shape);
  std::swap(types.a, types.b);
  call.swapped = true;
  call.narrow_out =
      make_transposed(types.out, shape.m, shape.c_row, shape.n, c_row);
  if (shape.a_k == 1 || shape.b_k != 1) return;  // no dots
  call.narrow_lhs =
      make_transposed(types.a, shape.k, shape.a_k, shape.m, shape.k);
  shape.a_row = shape.k, shape.a_k = 1;
}

}  // namespace

FusedEpilogue fuse_epilogue(const GemmStep& step) {
  if (!step.epilogue) return {};
  const Gemm& g = step.gemm;
  GemmTypes types = gemm_types(g.dtype, g.dtype, g.out_dtype);
  if (!gemm_supports(types)) return {};
  FusedEpilogue e;
  e.kernel =
      g.n == 1 && g.m > 1 ? swap_product_axes(*step.epilogue) : step.epilogue;
  const Kernel& k = *e.kernel;
  for (size_t i = 0; i < k.stores.size(); ++i) {
    const Store& s = k.stores[i];
    DType t = k.nodes[size_t(s.node)].dtype;
    bool type =
        t == types.compute || (is_half(t) && types.compute == DType::f32);
    bool dense = s.map.at.stride.back() == 1 && s.map.guards.empty() &&
                 s.map.indirect.empty();
    // Partial sums may be kept where the result will be.
    if (!type || !dense || k.operands[size_t(s.operand)].read) continue;
    bool all = true;
    for (int a = 0; a < k.rank(); ++a)
      all &= k.axes[size_t(a)] == 1 || s.map.at.stride[size_t(a)] != 0;
    if (!all) continue;
    e.kept = int(i);
    return e;
  }
  return {};
}

std::unique_ptr<GemmCall> make_gemm_call(const GemmStep& step,
                                         const FusedEpilogue& epilogue,
                                         const TargetSpec& target,
                                         bool any_shape) {
  auto call = std::make_unique<GemmCall>();
  Gemm g = step.gemm;
  GemmTypes types = gemm_types(g.dtype, g.dtype, g.out_dtype);
  if (!gemm_supports(types))
    throw_not_implemented("[dot_general] ", g.dtype, " operands with result ",
                          g.out_dtype, " on the CPU");
  call->ns = int64_t(step.work_ns);
  call->lhs_bytes = g.lhs_offset * itemsize(g.dtype);
  call->rhs_bytes = g.rhs_offset * itemsize(g.dtype);
  if (epilogue.kernel) {
    const Store& s = epilogue.store();
    size_t n = g.batch.size();
    bool column = g.n == 1 && g.m > 1;
    g.out_m = s.map.at.stride[column ? n + 1 : n];
    for (size_t d = 0; d < n; ++d) g.out_batch[d] = s.map.at.stride[d];
    types.out = epilogue.kernel->nodes[size_t(s.node)].dtype;
    call->out_bytes = s.map.at.offset * itemsize(types.out);
  }
  GemmShape shape;
  if (!shape_of(g, &shape) || !gemm_layout_ok(shape, types)) {
    call->lhs_copy = make_dense(g, g.lhs_batch, g.m, g.lhs_m, g.k, g.lhs_k);
    call->rhs_copy = make_dense(g, g.rhs_batch, g.k, g.rhs_k, g.n, g.rhs_n);
    use_dense(call->lhs_copy, g.lhs_batch, &g.lhs_m, &g.lhs_k);
    use_dense(call->rhs_copy, g.rhs_batch, &g.rhs_k, &g.rhs_n);
    shape = GemmShape();
    if (!shape_of(g, &shape))
      throw_not_implemented(
          "[dot_general] more than three batch axes that do not collapse");
  }
  call->swapped = gemm_column_to_row(shape);
  COTAN_CHECK(!epilogue.kernel || call->swapped == (g.n == 1 && g.m > 1));
  if (call->swapped) std::swap(types.a, types.b);
  if (!epilogue.kernel) {
    gemm_merge_batch(shape);
    if (!call->swapped && gemm_is_narrow(shape, types))
      narrow_to_rows(*call, shape, types);
  }
  call->plan =
      plan_gemm(shape, types, gemm_tiling(gemm_target(target), types.compute),
                ThreadPool::global().threads());
  find_kernels(*call, types, target, epilogue, any_shape);
  return call;
}

PlainGemm plan_plain_gemm(GemmShape shape, GemmTypes types,
                          const TargetSpec& target) {
  GemmCall call;
  call.swapped = gemm_column_to_row(shape);
  if (call.swapped)
    std::swap(types.a, types.b);
  else if (!shape.accumulate && gemm_is_narrow(shape, types))
    narrow_to_rows(call, shape, types);
  call.plan = plan_gemm(shape, types,
                        gemm_tiling(gemm_target(target), types.compute), 1);
  find_kernels(call, types, target, FusedEpilogue(), true);
  return PlainGemm(std::move(call));
}

// ---- running

namespace {

int threads_of(const Runtime* rt) {
  int n = ThreadPool::global().threads();
  return rt->max_threads > 0 ? std::min(n, int(rt->max_threads)) : n;
}

int64_t align64(int64_t n) { return (n + 63) & ~int64_t(63); }

struct Pool {
  Runtime* rt;
  int status = kOk;
  std::atomic<bool> stopped{false};
};

// Worker 0 is the caller, who may ask for signals and tells the others.
bool stop_pool(void* p, int worker) {
  auto* own = static_cast<Pool*>(p);
  if (own->stopped.load(std::memory_order_relaxed)) return true;
  bool stop =
      worker == 0 ? own->rt->poll(own->rt) != 0 : own->rt->interrupt != 0;
  if (stop) own->stopped.store(true, std::memory_order_relaxed);
  return stop;
}

void run_pool(void* p, GemmParallel::ChunkFn fn, void* ctx, int64_t chunks,
              int max_threads) {
  auto* own = static_cast<Pool*>(p);
  ThreadPool::Options options;
  options.max_threads = std::min(max_threads, threads_of(own->rt));
  options.stop = &own->rt->interrupt;
  options.poll_ctx = own->rt;
  options.poll = [](void* r) -> int {
    auto* runtime = static_cast<Runtime*>(r);
    return runtime->poll(runtime);
  };
  if (!ThreadPool::global().parallel_for(fn, ctx, chunks, options))
    own->status = kInterrupted;
}

// A and C of a product of few columns are copies beside the scratch memory.
const void* narrow_lhs(const GemmCall& call, const void* a, char* scratch) {
  if (!call.narrow_lhs.needed) return a;
  call.narrow_lhs(scratch, a);
  return scratch;
}

}  // namespace

int64_t PlainGemm::scratch_bytes() const {
  return align64(gemm_scratch_bytes(call_.plan)) +
         align64(call_.narrow_lhs.bytes()) + align64(call_.narrow_out.bytes());
}

void PlainGemm::run(const void* a, const void* b, void* c,
                    void* scratch) const {
  if (call_.swapped) std::swap(a, b);
  char* left =
      static_cast<char*>(scratch) + align64(gemm_scratch_bytes(call_.plan));
  a = narrow_lhs(call_, a, left);
  void* out =
      call_.narrow_out.needed ? left + align64(call_.narrow_lhs.bytes()) : c;
  run_gemm(call_.plan, call_.kernels, {a, b, out, nullptr, scratch}, nullptr);
  if (call_.narrow_out.needed) call_.narrow_out(c, out);
}

int call_gemm(Runtime* rt, const GemmCall* call, const void* lhs,
              const void* rhs, void* out, void* const* epilogue) {
  int64_t own = align64(gemm_scratch_bytes(call->plan));
  int64_t left = call->lhs_copy.needed ? align64(call->lhs_copy.bytes()) : 0;
  int64_t right = call->rhs_copy.needed ? align64(call->rhs_copy.bytes()) : 0;
  int64_t narrow = align64(call->narrow_lhs.bytes());
  int64_t bytes =
      own + left + right + narrow + align64(call->narrow_out.bytes());
  char* scratch = nullptr;
  if (bytes > 0) {
    scratch = static_cast<char*>(rt->allocate(rt, size_t(bytes)));
    if (!scratch)
      return rt->fail(rt, "[run] out of memory for a matrix product");
  }
  const void* a = static_cast<const char*>(lhs) + call->lhs_bytes;
  const void* b = static_cast<const char*>(rhs) + call->rhs_bytes;
  if (left) {
    call->lhs_copy.run(scratch + own, a);
    a = scratch + own;
  }
  if (right) {
    call->rhs_copy.run(scratch + own + left, b);
    b = scratch + own + left;
  }
  if (call->swapped) std::swap(a, b);
  char* result = static_cast<char*>(out) + call->out_bytes;
  char* c = result;
  a = narrow_lhs(*call, a, scratch + own + left + right);
  if (call->narrow_out.needed) c = scratch + own + left + right + narrow;
  Pool pool{rt};
  GemmArgs args{a, b, c, epilogue, scratch, stop_pool, &pool};
  GemmParallel parallel{run_pool, &pool};
  bool wide = call->plan.workers > 1 && call->plan.chunks() > 1 &&
              threads_of(rt) > 1 &&
              ThreadPool::global().gains(call->ns, rt->max_threads);
  run_gemm(call->plan, call->kernels, args, wide ? &parallel : nullptr);
  if (call->narrow_out.needed) call->narrow_out(result, c);
  if (scratch) rt->deallocate(rt, scratch, size_t(bytes));
  return pool.stopped ? int(kInterrupted) : pool.status;
}

}  // namespace cotan::cpu

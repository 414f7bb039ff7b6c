// Drives the generated kernels over blocks and panels of a product
//   C[batch, m, n] = epilogue(sum_k A[batch, m, k] B[batch, k, n] (+ C)).
// plan_gemm decides everything from the shape, once; run_gemm allocates
// nothing. No LLVM and no thread pool inside.
//
// The result does not depend on the number of threads: chunks split m, n and
// batch, never k, and a kernel's order of summation depends on the shape only.
#pragma once

#include <array>
#include <cstdint>

#include "backends/cpu/gemm/gemm_kernels.h"

namespace cotan::cpu {

// Strides in elements. Columns of C are dense. One of a_row, a_k must be 1
// where A has to be converted or n is 1, and one of b_k, b_col always
// (gemm_layout_ok).
struct GemmShape {
  using Batch = std::array<int64_t, 3>;
  int64_t m = 0, n = 0, k = 0;
  int64_t a_row = 0, a_k = 1, b_k = 0, b_col = 1, c_row = 0;
  Batch batch{1, 1, 1};  // outermost first
  Batch a_batch{}, b_batch{}, c_batch{};
  bool accumulate = false;  // C +=; only where out is the compute type

  int64_t batches() const { return batch[0] * batch[1] * batch[2]; }
  friend bool operator==(const GemmShape&, const GemmShape&) = default;
};
// Dense row-major operands; ta: A is [k, m], tb: B is [n, k].
GemmShape gemm_dense(int64_t m, int64_t n, int64_t k, bool ta = false,
                     bool tb = false, int64_t batch = 1);
bool gemm_layout_ok(const GemmShape& shape, const GemmTypes& types);

// n == 1 becomes m == 1, which has its own kernels. True if it did: then
// exchange A and B (and their types), and the epilogue's row and col.
bool gemm_column_to_row(GemmShape& shape);
// Few columns of many rows are better computed as few rows, in vectors along
// the rows of C. The caller exchanges A and B, provides a dense C for the
// transposed result and, where a_k is not 1, a copy of A with dense rows.
bool gemm_is_narrow(const GemmShape& shape, const GemmTypes& types);
void gemm_narrow_to_rows(GemmShape& shape);
// Batch items that share B and follow each other in A and C become rows. True
// if they did: then an epilogue sees row = batch index * m + row.
bool gemm_merge_batch(GemmShape& shape);

struct GemmMachine {
  int64_t l2 = 1 << 20, l3 = 16 << 20;  // bytes
};
const GemmMachine& gemm_host_machine();

enum class GemmPath : uint8_t { tiles, wide, dots };
enum class GemmPack : uint8_t { none, copy, transpose };

// Plain data, so that generated code can hold one as a constant.
struct GemmPlan {
  GemmShape shape;
  GemmPath path = GemmPath::tiles;
  GemmPack pack_a = GemmPack::none, pack_b = GemmPack::none;
  bool fuse_packing = false;  // the first row of tiles packs B
  bool pack_edge = false;     // the last panel of B, though B is in place
  bool keep_panels = false;   // several row blocks read a packed panel
  int64_t mc = 0, nc = 0, kc = 0;
  int64_t chunk_m = 0, chunk_n = 0, chunk_batch = 0;
  int64_t grid_m = 0, grid_n = 0, grid_batch = 0;
  int64_t a_bytes = 0, b_bytes = 0, partial_bytes = 0;  // of one worker
  int32_t workers = 1;

  int64_t chunks() const { return grid_m * grid_n * grid_batch; }
  int64_t worker_bytes() const { return a_bytes + b_bytes + partial_bytes; }
};
GemmPlan plan_gemm(const GemmShape& shape, const GemmTypes& types,
                   const GemmTiling& tiling, int threads,
                   const GemmMachine& machine = gemm_host_machine());

// The kernels to compile for run_gemm, exact edges included. A table with
// gemm_all_slots serves every plan too, with a little waste at the edges.
GemmSlots gemm_needed_slots(const GemmPlan& plan, const GemmTypes& types,
                            const GemmTiling& tiling);

// Bytes that GemmArgs::scratch must have, aligned to 64.
inline int64_t gemm_scratch_bytes(const GemmPlan& plan) {
  return plan.worker_bytes() * plan.workers;
}
int64_t gemm_scratch_bytes(const GemmShape& shape, const GemmTypes& types,
                           const GemmTiling& tiling, int threads);

// A thread pool. run: fn(ctx, chunk, worker) for every chunk, with
// 0 <= worker < max_threads and no worker in two calls at once.
struct GemmParallel {
  using ChunkFn = void (*)(void* ctx, int64_t chunk, int worker);
  void (*run)(void* pool, ChunkFn fn, void* ctx, int64_t chunks,
              int max_threads) = nullptr;
  void* pool = nullptr;
};

struct GemmArgs {
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  void* const* epilogue = nullptr;  // EpilogueCtx::args
  void* scratch = nullptr;
  // Asked every few milliseconds of work; true: leave the rest undone.
  bool (*stop)(void* ctx, int worker) = nullptr;
  void* stop_ctx = nullptr;
};
// parallel may be null: all on this thread.
void run_gemm(const GemmPlan& plan, const GemmKernels& kernels,
              const GemmArgs& args, const GemmParallel* parallel) noexcept;

}  // namespace cotan::cpu

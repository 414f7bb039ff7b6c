#include "backends/cpu/emit_small_gemm.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/Intrinsics.h>

#include <algorithm>

#include "backends/cpu/emit_epilogue.h"
#include "backends/cpu/target.h"
#include "backends/cpu/vector_memory.h"
#include "base/error.h"

namespace cotan::cpu {
namespace {

constexpr int64_t kMaxWork = 1 << 14;  // multiplications
constexpr int kMaxVectors = 8;         // accumulators of a block of rows

class SmallGemm {
 public:
  SmallGemm(Builder& b, const TargetSpec& target, const SmallGemmArgs& args)
      : b_(b),
        g_(args.gemm),
        args_(args),
        width_(lanes_of(args.gemm)),
        e_(b, target, width_),
        memory_(e_) {
    if (!args.epilogue) return;
    kernel_args_.operands = args.operands;
    kernel_args_.constants = args.meta;
    kernel_args_.width = width_;
    epilogue_ = std::make_unique<EpilogueEmitter>(b, target, *args.epilogue,
                                                  kernel_args_);
  }

  void run() {
    int64_t batches = 1;
    for (int64_t e : g_.batch) batches *= e;
    loop(0, batches, 1, [&](llvm::Value* q) {
      batch_ = q;
      a_ = c_ = nullptr;
      llvm::Value *a = i64(g_.lhs_offset), *b = i64(g_.rhs_offset), *c = i64(0),
                  *rest = q;
      for (size_t d = g_.batch.size(); d-- > 0;) {
        llvm::Value* x = b_.CreateURem(rest, i64(g_.batch[d]));
        rest = b_.CreateUDiv(rest, i64(g_.batch[d]));
        a = add(a, mul(x, g_.lhs_batch[d]));
        b = add(b, mul(x, g_.rhs_batch[d]));
        c = add(c, mul(x, g_.out_batch[d]));
      }
      a_ = at(args_.lhs, a);
      rhs_ = at(args_.rhs, b);
      c_ = args_.out ? at(args_.out, c) : nullptr;
      rows();
    });
  }

 private:
  // Narrower vectors where the rows are short.
  static int lanes_of(const Gemm& g) {
    int lanes = itemsize(g.dtype) == 8 ? 8 : 16;
    while (lanes > 1 && g.n <= lanes / 2) lanes /= 2;
    return lanes;
  }
  llvm::Value* i64(int64_t v) { return b_.getInt64(uint64_t(v)); }
  llvm::Value* add(llvm::Value* x, llvm::Value* y) {
    return b_.CreateAdd(x, y);
  }
  llvm::Value* mul(llvm::Value* x, int64_t y) {
    return b_.CreateMul(x, i64(y));
  }
  llvm::Value* at(llvm::Value* p, llvm::Value* index) {
    return memory_.element(g_.dtype, p, index);
  }
  template <class Body>
  void loop(int64_t lo, int64_t hi, int64_t step, const Body& body) {
    emit_loop(b_, i64(lo), i64(hi), i64(step), {},
              [&](llvm::Value* i, std::vector<llvm::Value*>) {
                body(i);
                return std::vector<llvm::Value*>();
              });
  }

  void rows() {
    int64_t vectors = (g_.n + width_ - 1) / width_;
    int64_t per_block = std::min<int64_t>(vectors, kMaxVectors);
    int64_t height = std::max<int64_t>(1, kMaxVectors / per_block);
    height = std::min<int64_t>(height, std::min<int64_t>(g_.m, 4));
    int64_t whole = g_.m / height * height;
    for (int64_t v = 0; v < vectors; v += per_block) {
      int64_t n = std::min(per_block, vectors - v);
      loop(0, whole, height,
           [&](llvm::Value* row) { block(row, height, v, n); });
      loop(whole, g_.m, 1, [&](llvm::Value* row) { block(row, 1, v, n); });
    }
  }

  // Rows [row, row + height), vectors [first, first + count) of columns.
  void block(llvm::Value* row, int64_t height, int64_t first, int64_t count) {
    std::vector<llvm::Value*> sums(
        size_t(height * count),
        llvm::Constant::getNullValue(e_.register_type(g_.dtype)));
    int64_t unroll = g_.k % 4 == 0 ? 4 : g_.k % 2 == 0 ? 2 : 1;
    if (g_.k <= 8) unroll = g_.k;
    auto step = [&](llvm::Value* k, std::vector<llvm::Value*> acc) {
      for (int64_t u = 0; u < unroll; ++u)
        one_step(row, height, first, count, add(k, i64(u)), acc);
      return acc;
    };
    if (g_.k > 0)
      sums = emit_loop(b_, i64(0), i64(g_.k), i64(unroll), sums, step);
    for (int64_t r = 0; r < height; ++r)
      for (int64_t v = 0; v < count; ++v)
        finish(sums[size_t(r * count + v)], add(row, i64(r)),
               (first + v) * width_);
  }
  llvm::Value* mask_of(int64_t column) {
    int64_t left = g_.n - column;
    return left >= width_ ? nullptr : memory_.lanes_below(i64(left));
  }
  void one_step(llvm::Value* row, int64_t height, int64_t first, int64_t count,
                llvm::Value* k, std::vector<llvm::Value*>& acc) {
    std::vector<llvm::Value*> b;
    for (int64_t v = 0; v < count; ++v) {
      int64_t column = (first + v) * width_;
      llvm::Value* index = add(mul(k, g_.rhs_k), i64(column));
      b.push_back(value_of(
          memory_.load(g_.dtype, {.base = at(rhs_, index)}, mask_of(column))));
    }
    for (int64_t r = 0; r < height; ++r) {
      llvm::Value* index =
          add(mul(add(row, i64(r)), g_.lhs_m), mul(k, g_.lhs_k));
      llvm::Value* a = value_of(memory_.load_splat(g_.dtype, at(a_, index)));
      for (int64_t v = 0; v < count; ++v) {
        llvm::Value*& sum = acc[size_t(r * count + v)];
        sum = b_.CreateIntrinsic(llvm::Intrinsic::fma, {sum->getType()},
                                 {a, b[size_t(v)], sum});
      }
    }
  }
  void finish(llvm::Value* sum, llvm::Value* row, int64_t column) {
    Scalar value = make_scalar(g_.dtype, sum);
    llvm::Value* mask = mask_of(column);
    if (epilogue_) {
      epilogue_->store(value, batch_, row, i64(column), mask);
      return;
    }
    llvm::Value* index = add(mul(row, g_.out_m), i64(column));
    memory_.store(value, {.base = at(c_, index)}, mask);
  }

  Builder& b_;
  const Gemm& g_;
  const SmallGemmArgs& args_;
  const int width_;
  LlvmEmitter e_;
  VectorMemory memory_;
  KernelArgs kernel_args_;
  std::unique_ptr<EpilogueEmitter> epilogue_;
  llvm::Value *batch_ = nullptr, *a_ = nullptr, *rhs_ = nullptr, *c_ = nullptr;
};

}  // namespace

bool is_small_gemm(const Gemm& g) {
  int64_t work = std::max<int64_t>(g.m, 1) * std::max<int64_t>(g.n, 1) *
                 std::max<int64_t>(g.k, 1);
  for (int64_t e : g.batch) work *= e;
  bool type = g.dtype == g.out_dtype &&
              (g.dtype == DType::f32 || g.dtype == DType::f64);
  return type && work <= kMaxWork && (g.rhs_n == 1 || g.n == 1);
}

void emit_small_gemm(Builder& b, const TargetSpec& target,
                     const SmallGemmArgs& args) {
  SmallGemm(b, target, args).run();
}

}  // namespace cotan::cpu

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

constexpr int64_t kMaxWork = 1 << 14;         // multiplications
constexpr int kMaxVectors = 8;                // accumulators of a block of rows
constexpr int64_t kMaxBatchedWork = 1 << 12;  // of one of many products
constexpr int64_t kMaxColumns = 16;
constexpr int kMaxDotRows = 4;
constexpr int64_t kUnrolled = 64;  // fma of a block without a loop

// Rows of both sides are dense along k: a dot product each.
bool sums_lanes(const Gemm& g) {
  return g.rhs_k == 1 && g.rhs_n != 1 && g.n > 1 && g.k > 1;
}

class SmallGemm {
 public:
  SmallGemm(Builder& b, const TargetSpec& target, const SmallGemmArgs& args)
      : b_(b),
        g_(args.gemm),
        args_(args),
        width_(lanes_of(args.gemm, target)),
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
    llvm::Value* begin = args_.begin ? args_.begin : i64(0);
    llvm::Value* end = args_.end ? args_.end : i64(batches);
    loop(begin, end, 1, [&](llvm::Value* q) {
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
      if (sums_lanes(g_))
        dots();
      else
        rows();
    });
  }

 private:
  // Narrower vectors where the rows are short.
  static int narrowed(DType t, int64_t n) {
    int lanes = itemsize(t) == 8 ? 8 : 16;
    while (lanes > 1 && n <= lanes / 2) lanes /= 2;
    return lanes;
  }
  static int lanes_of(const Gemm& g, const TargetSpec& target) {
    int lanes = narrowed(g.dtype, g.n);
    if (!sums_lanes(g)) return lanes;
    // One accumulator for each column of a block.
    lanes = std::min(lanes, narrowed(g.dtype, g.k));
    return std::min(lanes, target.vector_registers >= 32 ? 16 : 4);
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
    loop(i64(lo), i64(hi), step, body);
  }
  template <class Body>
  void loop(llvm::Value* lo, llvm::Value* hi, int64_t step, const Body& body) {
    emit_loop(b_, lo, hi, i64(step), {},
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

  // Rows [row, row + height), vectors [first, first + count) of columns. Few
  // accumulators would wait for each other: k is then dealt out in turn to
  // `chains` sets of them.
  void block(llvm::Value* row, int64_t height, int64_t first, int64_t count) {
    const auto set = size_t(height * count);
    int64_t chains = 1;
    while (chains < 4 && g_.k % (4 * chains) == 0 &&
           2 * chains * int64_t(set) <= kMaxVectors)
      chains *= 2;
    std::vector<llvm::Value*> sums(
        set * size_t(chains),
        llvm::Constant::getNullValue(e_.register_type(g_.dtype)));
    int64_t unroll = g_.k % 4 == 0 ? 4 : g_.k % 2 == 0 ? 2 : 1;
    if (g_.k <= 8 || g_.k * int64_t(set) <= kUnrolled) unroll = g_.k;
    auto step = [&](llvm::Value* k, std::vector<llvm::Value*> acc) {
      for (int64_t u = 0; u < unroll; ++u)
        one_step(row, height, first, count, add(k, i64(u)),
                 &acc[set * size_t(u % chains)]);
      return acc;
    };
    if (unroll == g_.k)
      sums = step(i64(0), sums);
    else if (g_.k > 0)
      sums = emit_loop(b_, i64(0), i64(g_.k), i64(unroll), sums, step);
    for (auto half = size_t(chains) / 2; half > 0; half /= 2)
      for (size_t i = 0; i < half * set; ++i)
        sums[i] = b_.CreateFAdd(sums[i], sums[i + half * set]);
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
                llvm::Value* k, llvm::Value** acc) {
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
    finish(sum, row, i64(column), mask_of(column));
  }
  void finish(llvm::Value* sum, llvm::Value* row, llvm::Value* column,
              llvm::Value* mask) {
    Scalar value = make_scalar(g_.dtype, sum);
    if (epilogue_) {
      epilogue_->store(value, batch_, row, column, mask);
      return;
    }
    llvm::Value* index = add(mul(row, g_.out_m), column);
    memory_.store(value, {.base = at(c_, index)}, mask);
  }

  // ---- lanes along k: width_ columns at a time, a vector of sums each

  void dots() {
    depth_ = narrowed(g_.dtype, g_.k);
    int64_t whole = g_.n / width_ * width_;
    loop(0, g_.m, 1, [&](llvm::Value* row) {
      loop(0, whole, width_, [&](llvm::Value* column) {
        finish(dot_block(row, column, width_), row, column, nullptr);
      });
      if (whole < g_.n)
        finish(dot_block(row, i64(whole), g_.n - whole), row, whole);
    });
  }
  llvm::Value* dot_block(llvm::Value* row, llvm::Value* column, int64_t count) {
    LlvmEmitter deep(b_, e_.target(), depth_);
    VectorMemory memory(deep);
    std::vector<llvm::Value*> sums(
        size_t(width_),
        llvm::Constant::getNullValue(deep.register_type(g_.dtype)));
    auto some = [&](llvm::Value* k, llvm::Value* mask) {
      auto lanes = [&](llvm::Value* base, llvm::Value* index, int64_t stride) {
        LaneAddress a{.base = at(base, index), .stride = stride_class(stride)};
        a.lane_stride = i64(stride);
        return value_of(memory.load(g_.dtype, a, mask));
      };
      llvm::Value* a =
          lanes(a_, add(mul(row, g_.lhs_m), mul(k, g_.lhs_k)), g_.lhs_k);
      for (int64_t j = 0; j < count; ++j) {
        llvm::Value* index = add(mul(add(column, i64(j)), g_.rhs_n), k);
        llvm::Value*& sum = sums[size_t(j)];
        sum = b_.CreateIntrinsic(llvm::Intrinsic::fma, {sum->getType()},
                                 {a, lanes(rhs_, index, 1), sum});
      }
    };
    int64_t whole = g_.k / depth_ * depth_;
    if (whole > 0)
      sums = emit_loop(b_, i64(0), i64(whole), i64(depth_), sums,
                       [&](llvm::Value* k, std::vector<llvm::Value*> acc) {
                         sums = std::move(acc);
                         some(k, nullptr);
                         return sums;
                       });
    if (whole < g_.k) some(i64(whole), memory.lanes_below(i64(g_.k - whole)));
    return sum_lanes(std::move(sums));
  }
  // Lane i: the sum over the lanes of v[i]. Vectors are halved to as many
  // lanes as there are of them, then pairs become one with half of each.
  llvm::Value* sum_lanes(std::vector<llvm::Value*> v) {
    for (int n = depth_; n > width_; n /= 2)
      for (llvm::Value*& x : v) x = halves(x, x, n, n / 2, n / 2);
    for (int step = width_ / 2; step > 0; step /= 2) {
      for (size_t i = 0; i < size_t(step); ++i)
        v[i] = halves(v[i], v[i + size_t(step)], width_, step, width_);
      v.resize(size_t(step));
    }
    return v[0];
  }
  // Blocks of 2 * step lanes: the sum of the halves of x's block, then of y's.
  llvm::Value* halves(llvm::Value* x, llvm::Value* y, int lanes, int step,
                      int kept) {
    llvm::SmallVector<int, 16> low, high;
    for (int i = 0; i < kept; ++i) {
      int block = i / (2 * step) * 2 * step, within = i % (2 * step);
      int from = within < step ? block + within : lanes + block + within - step;
      low.push_back(from);
      high.push_back(from + step);
    }
    return b_.CreateFAdd(b_.CreateShuffleVector(x, y, low),
                         b_.CreateShuffleVector(x, y, high));
  }

  Builder& b_;
  const Gemm& g_;
  const SmallGemmArgs& args_;
  const int width_;
  LlvmEmitter e_;
  VectorMemory memory_;
  KernelArgs kernel_args_;
  std::unique_ptr<EpilogueEmitter> epilogue_;
  int depth_ = 1;  // lanes along k
  llvm::Value *batch_ = nullptr, *a_ = nullptr, *rhs_ = nullptr, *c_ = nullptr;
};

}  // namespace

Gemm swapped_sides(const Gemm& g) {
  Gemm r = g;
  std::swap(r.m, r.n);
  std::swap(r.lhs_batch, r.rhs_batch);
  r.lhs_m = g.rhs_n, r.lhs_k = g.rhs_k;
  r.rhs_n = g.lhs_m, r.rhs_k = g.lhs_k;
  std::swap(r.lhs_offset, r.rhs_offset);
  r.out_m = g.m;
  return r;
}

bool is_small_column(const Gemm& g) {
  return g.n == 1 && g.m > 1 && g.out_m == 1 && (g.lhs_m == 1 || g.lhs_k == 1);
}

bool is_small_batched_gemm(const Gemm& g) {
  bool type = g.dtype == g.out_dtype &&
              (g.dtype == DType::f32 || g.dtype == DType::f64);
  return type && g.n <= kMaxColumns && g.m <= kMaxColumns &&
         g.m * g.n * g.k <= kMaxBatchedWork &&
         (g.n == 1 ? is_small_column(g) : g.rhs_n == 1 || sums_lanes(g));
}

bool is_small_gemm(const Gemm& g) {
  int64_t work = std::max<int64_t>(g.m, 1) * std::max<int64_t>(g.n, 1) *
                 std::max<int64_t>(g.k, 1);
  for (int64_t e : g.batch) work *= e;
  bool type = g.dtype == g.out_dtype &&
              (g.dtype == DType::f32 || g.dtype == DType::f64);
  return type && work <= kMaxWork &&
         (g.rhs_n == 1 || g.n == 1 || (sums_lanes(g) && g.m <= kMaxDotRows));
}

void emit_small_gemm(Builder& b, const TargetSpec& target,
                     const SmallGemmArgs& args) {
  SmallGemm(b, target, args).run();
}

}  // namespace cotan::cpu

// Few rows and a transposed B: dot products along k of 1 to 4 rows with a
// group of columns. B is read in place; nothing is packed.
//
// Each product is summed in 16 (8 for 64-bit types) lanes and these by one
// fixed tree, ((0+1)+(2+3))+..., so that rows, group and ISA change no bit.
#include <algorithm>
#include <cstddef>

#include "backends/cpu/gemm/gemm_ir.h"

namespace cotan::cpu {

using namespace llvm;

namespace {

class DotKernel {
  using Values = GemmIr::Values;

 public:
  DotKernel(GemmIr& ir, int rows, const Epilogue* epilogue)
      : ir_(ir), b_(ir.b), epilogue_(epilogue), rows_(rows) {
    wide_ = ir.size == 8 ? 8 : 16;
    wide_vec_ = ir.vector(ir.element, wide_);
    // Whole groups of columns whose sums fit the registers.
    int registers = ir.spec.target.registers / 2;
    int sum_registers = rows * std::max(wide_ / ir.lanes, 1);
    group_ = std::min(8, ir.lanes);
    while (group_ > 1 && group_ * sum_registers > registers) group_ /= 2;
    native_ = ir.lanes == wide_ && ir.spec.target.masks(ir.spec.types.compute);
  }

  void emit(const std::string& name) {
    auto* f = ir_.begin(name, {ir_.ptr});
    load_arguments(f->getArg(0));
    auto* results = ir_.stack(ir_.vec, rows_);
    if (!native_) edge_ = ir_.stack(wide_vec_, 1);
    auto* all = ir_.add(cols_, ir_.k(ir_.lanes - 1));
    ir_.loop(ir_.k(0), all, ir_.lanes, [&](Value* j) {
      Values x;
      if (group_ == ir_.lanes) {
        x = dots(j);
      } else {
        ir_.loop(ir_.k(0), ir_.k(ir_.lanes), group_, [&](Value* g) {
          Values part = dots(ir_.add(j, g));
          auto* p = ir_.at(results, ir_.mul(g, ir_.k(ir_.size)));
          for (int r = 0; r < rows_; r++)
            ir_.store(part[size_t(r)], ir_.at(p, r * ir_.lanes * ir_.size));
        });
        for (int r = 0; r < rows_; r++)
          x.push_back(
              ir_.load(ir_.vec, ir_.at(results, r * ir_.lanes * ir_.size)));
      }
      auto* mask = ir_.lanes_below(b_.CreateSub(cols_, j), 0, ir_.lanes);
      for (int r = 0; r < rows_; r++) finish(r, j, x[size_t(r)], mask);
    });
    ir_.end();
  }

 private:
  void load_arguments(Value* tile) {
    TileArgs args(ir_, tile);
    a_ = args.pointer(offsetof(GemmTile, a));
    auto* a_row = args.number(offsetof(GemmTile, a_row));
    for (int r = 0; r < rows_; r++)
      row_offset_.push_back(ir_.mul(a_row, ir_.k(r)));
    bp_ = args.pointer(offsetof(GemmTile, b));
    b_col_ = args.number(offsetof(GemmTile, b_col));
    c_ = args.pointer(offsetof(GemmTile, c));
    c_row_ = args.number(offsetof(GemmTile, c_row));
    depth_ = args.number(offsetof(GemmTile, k));
    cols_ = args.number(offsetof(GemmTile, cols));
    ctx_.args = args.pointer(offsetof(GemmTile, args));
    ctx_.batch = args.number(offsetof(GemmTile, batch));
    ctx_.row = args.number(offsetof(GemmTile, row));
    ctx_.col = args.number(offsetof(GemmTile, col));
    ctx_.lanes = ir_.lanes;
    if (ir_.spec.types.out == ir_.spec.types.compute) {
      auto* flags = args.number(offsetof(GemmTile, flags));
      resume_ =
          b_.CreateICmpNE(b_.CreateAnd(flags, ir_.k(kGemmResume)), ir_.k(0));
    }
  }

  void finish(int r, Value* j, Value* x, Value* mask) {
    EpilogueCtx ctx = ctx_;
    ctx.row = ir_.add(ctx.row, ir_.k(r));
    ctx.col = ir_.add(ctx.col, j);
    ctx.mask = mask;
    auto* c = ir_.at(c_, ir_.mul(ir_.k(r), c_row_));
    c = ir_.at(c, ir_.mul(j, ir_.k(ir_.out_size)));
    if (resume_) {
      auto* old = ir_.load(ir_.vec, c, mask);
      x = b_.CreateSelect(resume_, ir_.plus(old, x), x);
    }
    finish_vector(ir_, epilogue_, x, ctx, c);
  }

  // Per row the dot products with columns j .. j + group - 1, as a vector.
  Values dots(Value* j) {
    auto* last = b_.CreateSub(cols_, ir_.k(1));
    Values column;
    for (int c = 0; c < group_; c++) {
      auto* at = ir_.min(ir_.add(j, ir_.k(c)), last);
      column.push_back(ir_.at(bp_, ir_.mul(at, b_col_)));
    }
    Values sums(size_t(rows_ * group_), Constant::getNullValue(wide_vec_));
    auto* p = ir_.loop(
        ir_.k(0), depth_, wide_,
        [&](Value* p) {
          step(column, sums, p,
               [&](Value* from) { return ir_.load(wide_vec_, from); });
        },
        &sums);
    ir_.when(
        b_.CreateICmpSLT(p, depth_),
        [&] {
          auto* left = b_.CreateSub(depth_, p);
          auto* mask = native_ ? ir_.lanes_below(left, 0, wide_) : nullptr;
          step(column, sums, p, [&](Value* from) {
            return mask ? ir_.load(wide_vec_, from, mask)
                        : load_edge(from, left);
          });
        },
        &sums);
    Values out;
    for (int r = 0; r < rows_; r++) {
      auto first = sums.begin() + r * group_;
      out.push_back(transposed_sum(Values(first, first + group_)));
    }
    return out;
  }
  void step(const Values& column, Values& sums, Value* p,
            function_ref<Value*(Value*)> load) {
    auto* offset = ir_.mul(p, ir_.k(ir_.size));
    Values av;
    for (int r = 0; r < rows_; r++)
      av.push_back(load(ir_.at(a_, ir_.add(offset, row_offset_[size_t(r)]))));
    for (int c = 0; c < group_; c++) {
      auto* bv = load(ir_.at(column[size_t(c)], offset));
      for (int r = 0; r < rows_; r++) {
        auto& sum = sums[size_t(r * group_ + c)];
        sum = ir_.multiply_add(av[size_t(r)], bv, sum);
      }
    }
  }
  // The first `count` elements at p, then zeros.
  Value* load_edge(Value* p, Value* count) {
    ir_.store(Constant::getNullValue(wide_vec_), edge_);
    ir_.loop(ir_.k(0), count, 1, [&](Value* l) {
      auto* offset = ir_.mul(l, ir_.k(ir_.size));
      ir_.store(ir_.load(ir_.element, ir_.at(p, offset)),
                ir_.at(edge_, offset));
    });
    return ir_.load(wide_vec_, edge_);
  }

  // Lane c of the result is the sum of sums[c]'s lanes.
  Value* transposed_sum(Values x) {
    int s = 1;
    for (; s < group_; s *= 2)
      for (size_t c = 0; c < x.size(); c += size_t(2 * s)) {
        auto [lo, hi] = ir_.swap_blocks(x[c], x[c + size_t(s)], s);
        x[c] = ir_.plus(lo, hi);
      }
    for (; s < wide_; s *= 2) {
      SmallVector<int> other;
      for (int l = 0; l < wide_; l++) other.push_back(l ^ s);
      x[0] = ir_.plus(x[0], b_.CreateShuffleVector(x[0], other));
    }
    SmallVector<int> first;
    for (int l = 0; l < group_; l++) first.push_back(l);
    return b_.CreateShuffleVector(x[0], first);
  }

  GemmIr& ir_;
  IRBuilder<>& b_;
  const Epilogue* epilogue_;
  int rows_, wide_, group_;
  bool native_;  // masked loads of k's edge
  Type* wide_vec_;
  EpilogueCtx ctx_{};
  Values row_offset_;
  Value *a_, *bp_, *b_col_, *c_, *c_row_, *depth_, *cols_;
  Value *resume_ = nullptr, *edge_ = nullptr;
};

}  // namespace

void emit_dot_kernel(GemmIr& ir, const std::string& name, int rows,
                     const Epilogue* epilogue) {
  DotKernel(ir, rows, epilogue).emit(name);
}

}  // namespace cotan::cpu

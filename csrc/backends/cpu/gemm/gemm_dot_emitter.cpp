// Few rows and a transposed B: dot products along k, `lanes` columns of C at
// once. B is read once, in place; nothing is packed.
//
// Each product is summed in 16 (8 for 64-bit types) lanes and these by one
// fixed tree, ((0+1)+(2+3))+..., so that every ISA gives the same bits.
#include <cstddef>

#include "backends/cpu/gemm/gemm_ir.h"

namespace cotan::cpu {

using namespace llvm;

namespace {

class DotKernel {
  using Values = GemmIr::Values;

 public:
  DotKernel(GemmIr& ir, const Epilogue* epilogue)
      : ir_(ir), b_(ir.b), epilogue_(epilogue) {
    wide_ = ir.size == 8 ? 8 : 16;
    bool whole = ir.lanes == wide_;  // a dot's lanes are one register
    group_ = whole ? wide_ : std::min(4, ir.lanes);
    wide_vec_ = ir.vector(ir.element, wide_);
    native_ = whole && ir.spec.target.masks(ir.spec.types.compute);
  }

  void emit(const std::string& name) {
    auto* f = ir_.begin(name, {ir_.ptr});
    load_arguments(f->getArg(0));
    auto* results = ir_.stack(ir_.vec, 1);
    if (!native_) edge_ = ir_.stack(wide_vec_, 1);
    auto* all = ir_.add(cols_, ir_.k(ir_.lanes - 1));
    ir_.loop(ir_.k(0), all, ir_.lanes, [&](Value* j) {
      auto* left = b_.CreateSub(cols_, j);
      auto* mask = ir_.lanes_below(left, 0, ir_.lanes);
      ir_.loop(ir_.k(0), rows_, 1, [&](Value* i) {
        auto* a = ir_.at(a_, ir_.mul(i, a_row_));
        Value* x;
        if (group_ == ir_.lanes) {
          x = dots(a, j);
        } else {
          ir_.loop(ir_.k(0), ir_.k(ir_.lanes), group_, [&](Value* g) {
            ir_.store(dots(a, ir_.add(j, g)),
                      ir_.at(results, ir_.mul(g, ir_.k(ir_.size))));
          });
          x = ir_.load(ir_.vec, results);
        }
        EpilogueCtx ctx = ctx_;
        ctx.row = ir_.add(ctx.row, i);
        ctx.col = ir_.add(ctx.col, j);
        ctx.mask = mask;
        auto* c = ir_.at(c_, ir_.mul(i, c_row_));
        c = ir_.at(c, ir_.mul(j, ir_.k(ir_.out_size)));
        if (resumes_) {
          auto* old = ir_.load(ir_.vec, c, mask);
          x = b_.CreateSelect(resume_, ir_.plus(old, x), x);
        }
        finish_vector(ir_, epilogue_, x, ctx, c);
      });
    });
    ir_.end();
  }

 private:
  void load_arguments(Value* tile) {
    TileArgs args(ir_, tile);
    a_ = args.pointer(offsetof(GemmTile, a));
    a_row_ = args.number(offsetof(GemmTile, a_row));
    bp_ = args.pointer(offsetof(GemmTile, b));
    b_col_ = args.number(offsetof(GemmTile, b_col));
    c_ = args.pointer(offsetof(GemmTile, c));
    c_row_ = args.number(offsetof(GemmTile, c_row));
    depth_ = args.number(offsetof(GemmTile, k));
    rows_ = args.number(offsetof(GemmTile, rows));
    cols_ = args.number(offsetof(GemmTile, cols));
    ctx_.args = args.pointer(offsetof(GemmTile, args));
    ctx_.batch = args.number(offsetof(GemmTile, batch));
    ctx_.row = args.number(offsetof(GemmTile, row));
    ctx_.col = args.number(offsetof(GemmTile, col));
    ctx_.lanes = ir_.lanes;
    resumes_ = ir_.spec.types.out == ir_.spec.types.compute;
    if (resumes_) {
      auto* flags = args.number(offsetof(GemmTile, flags));
      resume_ =
          b_.CreateICmpNE(b_.CreateAnd(flags, ir_.k(kGemmResume)), ir_.k(0));
    }
  }

  // The dot products of row a with columns j .. j + group - 1, as a vector.
  Value* dots(Value* a, Value* j) {
    auto* last = b_.CreateSub(cols_, ir_.k(1));
    Values column, sums(size_t(group_), Constant::getNullValue(wide_vec_));
    for (int c = 0; c < group_; c++) {
      auto* at = ir_.min(ir_.add(j, ir_.k(c)), last);
      column.push_back(ir_.at(bp_, ir_.mul(at, b_col_)));
    }
    auto* p = ir_.loop(
        ir_.k(0), depth_, wide_,
        [&](Value* p) {
          step(column, sums, a, p,
               [&](Value* from) { return ir_.load(wide_vec_, from); });
        },
        &sums);
    ir_.when(
        b_.CreateICmpSLT(p, depth_),
        [&] {
          auto* left = b_.CreateSub(depth_, p);
          auto* mask = native_ ? ir_.lanes_below(left, 0, wide_) : nullptr;
          step(column, sums, a, p, [&](Value* from) {
            return mask ? ir_.load(wide_vec_, from, mask)
                        : load_edge(from, left);
          });
        },
        &sums);
    return transposed_sum(sums);
  }
  void step(const Values& column, Values& sums, Value* a, Value* p,
            function_ref<Value*(Value*)> load) {
    auto* offset = ir_.mul(p, ir_.k(ir_.size));
    auto* av = load(ir_.at(a, offset));
    for (size_t c = 0; c < sums.size(); c++)
      sums[c] = ir_.multiply_add(av, load(ir_.at(column[c], offset)), sums[c]);
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
  Value* transposed_sum(Values& x) {
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
  int wide_, group_;
  bool native_, resumes_ = false;
  Type* wide_vec_;
  EpilogueCtx ctx_{};
  Value *a_, *a_row_, *bp_, *b_col_, *c_, *c_row_, *depth_, *rows_, *cols_,
      *resume_ = nullptr, *edge_ = nullptr;
};

}  // namespace

void emit_dot_kernel(GemmIr& ir, const std::string& name,
                     const Epilogue* epilogue) {
  DotKernel(ir, epilogue).emit(name);
}

}  // namespace cotan::cpu

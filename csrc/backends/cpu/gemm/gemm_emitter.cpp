// The register-tile kernel, and the entry point that emits a set of kernels.
//
// A tile kernel keeps rows x vectors accumulators in registers. A step of k
// loads `vectors` of B and broadcasts one element of each row of A. Strides
// and K are run-time values, so a new shape compiles nothing: the row offsets
// of A live in registers and one pointer each walks A and B.
#include "backends/cpu/gemm/gemm_emitter.h"

#include <llvm/TargetParser/Triple.h>
#include <llvm/TargetParser/X86TargetParser.h>

#include <cstddef>

#include "backends/cpu/gemm/gemm_ir.h"
#include "base/error.h"
#include "base/strings.h"

namespace cotan::cpu {

using namespace llvm;

namespace {

class TileKernel {
  using Values = GemmIr::Values;

 public:
  TileKernel(GemmIr& ir, int rows, int vectors, bool masked, bool packing,
             const Epilogue* epilogue)
      : ir_(ir),
        b_(ir.b),
        rows_(rows),
        vectors_(vectors),
        masked_(masked),
        packing_(packing),
        epilogue_(epilogue),
        masks_(size_t(vectors), nullptr),
        sums_(size_t(rows * vectors), Constant::getNullValue(ir.vec)) {
    const GemmTypes& types = ir.spec.types;
    native_ =
        ir.spec.target.masks(types.compute) && ir.spec.target.masks(types.out);
    // Scalarised masks are bulky: one copy of them, in a loop.
    rolled_ = (epilogue && epilogue->rolled) || (masked && !native_);
    two_endings_ = epilogue || types.out != types.compute;
  }

  void emit(const std::string& name) {
    auto* f = ir_.begin(name, {ir_.ptr});
    load_arguments(f->getArg(0));
    resume();
    depth();
    if (!two_endings_) {
      store_tile(nullptr, c_, c_row_, false);
    } else {
      ir_.branch(
          flag(kGemmFinish), [&] { store_tile(epilogue_, c_, c_row_, true); },
          [&] { store_tile(nullptr, partial_, partial_row_, false); });
    }
    ir_.end();
  }

 private:
  Value* flag(int64_t bit) {
    return b_.CreateICmpNE(b_.CreateAnd(flags_, ir_.k(bit)), ir_.k(0));
  }
  Value* mask(int v) { return masks_[size_t(v)]; }
  Value*& sum(int r, int v) { return sums_[size_t(r * vectors_ + v)]; }
  int64_t vector_bytes() const { return ir_.lanes * ir_.size; }
  int64_t out_bytes() const { return ir_.lanes * ir_.out_size; }

  void load_arguments(Value* tile) {
    TileArgs args(ir_, tile);
    a_ = args.pointer(offsetof(GemmTile, a));
    a_row_ = args.number(offsetof(GemmTile, a_row));
    a_k_ = args.number(offsetof(GemmTile, a_k));
    bp_ = args.pointer(offsetof(GemmTile, b));
    b_k_ = args.number(offsetof(GemmTile, b_k));
    c_ = args.pointer(offsetof(GemmTile, c));
    c_row_ = args.number(offsetof(GemmTile, c_row));
    partial_ = args.pointer(offsetof(GemmTile, partial));
    partial_row_ = args.number(offsetof(GemmTile, partial_row));
    if (packing_) panel_ = args.pointer(offsetof(GemmTile, panel));
    depth_ = args.number(offsetof(GemmTile, k));
    flags_ = args.number(offsetof(GemmTile, flags));
    if (masked_) {
      cols_ = args.number(offsetof(GemmTile, cols));
      for (int v = 0; v < vectors_; v++)
        masks_[size_t(v)] = ir_.lanes_below(cols_, v * ir_.lanes, ir_.lanes);
    }
    if (epilogue_) {
      ctx_.args = args.pointer(offsetof(GemmTile, args));
      ctx_.batch = args.number(offsetof(GemmTile, batch));
      ctx_.row = args.number(offsetof(GemmTile, row));
      ctx_.col = args.number(offsetof(GemmTile, col));
    } else {
      ctx_.args = ConstantPointerNull::get(b_.getPtrTy());
      ctx_.batch = ctx_.row = ctx_.col = ir_.k(0);
    }
    ctx_.lanes = ir_.lanes;
    if (rolled_) buffer_ = ir_.stack(ir_.vec, rows_ * vectors_);
  }

  // The tile of partial sums, row by row; sums stay in ascending k because
  // the chain of fma starts from them.
  void resume() {
    for (int r = 0; r < rows_; r++)
      ir_.prefetch(ir_.at(c_, ir_.mul(c_row_, ir_.k(r))));
    ir_.when(
        flag(kGemmResume),
        [&] {
          if (masked_ && !native_) return resume_through_buffer();
          for (int r = 0; r < rows_; r++) {
            auto* p = ir_.at(partial_, ir_.mul(partial_row_, ir_.k(r)));
            for (int v = 0; v < vectors_; v++)
              sum(r, v) =
                  ir_.load(ir_.vec, ir_.at(p, v * vector_bytes()), mask(v));
          }
        },
        &sums_);
  }
  void resume_through_buffer() {
    each_vector_rolled([&](Value* r, Value* v, Value* slot, Value* mask) {
      auto* p = ir_.at(partial_, ir_.mul(partial_row_, r));
      p = ir_.at(p, ir_.mul(v, ir_.k(vector_bytes())));
      ir_.store(ir_.load(ir_.vec, p, mask), slot);
    });
    for (int r = 0; r < rows_; r++)
      for (int v = 0; v < vectors_; v++)
        sum(r, v) = ir_.load(ir_.vec, buffered(r, v));
  }

  Value* buffered(int r, int v) {
    return ir_.at(buffer_, (r * vectors_ + v) * vector_bytes());
  }
  void each_vector_rolled(
      function_ref<void(Value*, Value*, Value*, Value*)> body) {
    ir_.loop(ir_.k(0), ir_.k(rows_), 1, [&](Value* r) {
      ir_.loop(ir_.k(0), ir_.k(vectors_), 1, [&](Value* v) {
        auto* index = ir_.add(ir_.mul(r, ir_.k(vectors_)), v);
        auto* slot = ir_.at(buffer_, ir_.mul(index, ir_.k(vector_bytes())));
        Value* mask = nullptr;
        if (masked_) {
          auto* left = b_.CreateSub(cols_, ir_.mul(v, ir_.k(ir_.lanes)));
          mask = ir_.lanes_below(left, 0, ir_.lanes);
        }
        body(r, v, slot, mask);
      });
    });
  }

  // sums += A B. `state` holds the sums and the walking pointers.
  void depth() {
    Values offsets;
    for (int r = 0; r < rows_; r++)
      offsets.push_back(ir_.mul(a_row_, ir_.k(r)));
    Values state = sums_;
    state.push_back(a_);
    state.push_back(bp_);
    if (packing_) state.push_back(panel_);
    // Unrolling is worth 1-2 % on some cores, and costs compile time.
    bool main = rows_ == ir_.spec.tiling.rows && !masked_ && !packing_;
    int unroll = main ? 2 : 1;
    auto steps = [&](int n) {
      return [&, n](Value*) {
        for (int u = 0; u < n; u++) step(state, offsets);
      };
    };
    auto* reached = ir_.loop(ir_.k(0), depth_, unroll, steps(unroll), &state);
    if (unroll > 1) ir_.loop(reached, depth_, 1, steps(1), &state);
    std::copy(state.begin(), state.begin() + rows_ * vectors_, sums_.begin());
  }
  void step(Values& state, const Values& offsets) {
    size_t n = size_t(rows_ * vectors_);
    Value *&a = state[n], *&bp = state[n + 1];
    // Without native masks an edge is read from a panel, which has the room.
    bool mask_b = masked_ && ir_.spec.target.masks(ir_.spec.types.compute);
    Values bv;
    for (int v = 0; v < vectors_; v++) {
      bv.push_back(ir_.load(ir_.vec, ir_.at(bp, v * vector_bytes()),
                            mask_b ? mask(v) : nullptr));
      if (packing_)
        ir_.store(bv.back(), ir_.at(state[n + 2], v * vector_bytes()));
    }
    for (int r = 0; r < rows_; r++) {
      auto* x = ir_.load(ir_.element, ir_.at(a, offsets[size_t(r)]));
      auto* av = ir_.splat(x, ir_.lanes);
      for (int v = 0; v < vectors_; v++) {
        auto& s = state[size_t(r * vectors_ + v)];
        s = ir_.multiply_add(av, bv[size_t(v)], s);
      }
    }
    a = ir_.at(a, a_k_);
    bp = ir_.at(bp, b_k_);
    if (packing_)
      state[n + 2] = ir_.at(state[n + 2], vectors_ * vector_bytes());
  }

  EpilogueCtx context(Value* r, Value* col_offset, Value* mask) {
    EpilogueCtx ctx = ctx_;
    ctx.row = ir_.add(ctx.row, r);
    ctx.col = ir_.add(ctx.col, col_offset);
    ctx.mask = mask;
    return ctx;
  }

  // out: convert to the out type; else partial sums in the compute type.
  void store_tile(const Epilogue* epilogue, Value* c, Value* c_row, bool out) {
    bool rolled = (epilogue && epilogue->rolled) || (masked_ && !native_);
    int64_t bytes = out ? out_bytes() : vector_bytes();
    if (!rolled) {
      // All epilogues before any store, so that equal loads are merged.
      Values results = sums_;
      for (int r = 0; r < rows_ && epilogue; r++)
        for (int v = 0; v < vectors_; v++) {
          auto& x = results[size_t(r * vectors_ + v)];
          x = epilogue->apply(b_, x,
                              context(ir_.k(r), ir_.k(v * ir_.lanes), mask(v)));
        }
      for (int r = 0; r < rows_; r++) {
        auto* p = ir_.at(c, ir_.mul(c_row, ir_.k(r)));
        for (int v = 0; v < vectors_; v++) {
          auto* x = results[size_t(r * vectors_ + v)];
          ir_.store(out ? ir_.narrow(x) : x, ir_.at(p, v * bytes), mask(v));
        }
      }
      return;
    }
    for (int r = 0; r < rows_; r++)
      for (int v = 0; v < vectors_; v++) ir_.store(sum(r, v), buffered(r, v));
    each_vector_rolled([&](Value* r, Value* v, Value* slot, Value* mask) {
      auto* x = ir_.load(ir_.vec, slot);
      auto* p = ir_.at(c, ir_.mul(c_row, r));
      p = ir_.at(p, ir_.mul(v, ir_.k(bytes)));
      if (!out) return ir_.store(x, p, mask);
      auto* col = ir_.mul(v, ir_.k(ir_.lanes));
      finish_vector(ir_, epilogue, x, context(r, col, mask), p);
    });
  }

  GemmIr& ir_;
  IRBuilder<>& b_;
  int rows_, vectors_;
  bool masked_, packing_, native_, rolled_, two_endings_;
  const Epilogue* epilogue_;
  Values masks_, sums_;
  EpilogueCtx ctx_{};
  Value *a_, *a_row_, *a_k_, *bp_, *b_k_, *c_, *c_row_, *partial_,
      *partial_row_, *panel_ = nullptr, *depth_, *flags_, *cols_ = nullptr;
  Value* buffer_ = nullptr;
};

}  // namespace

void emit_tile_kernel(GemmIr& ir, const std::string& name, int rows,
                      int vectors, bool masked, bool packing,
                      const Epilogue* epilogue) {
  TileKernel(ir, rows, vectors, masked, packing, epilogue).emit(name);
}

// --- The target -------------------------------------------------------------

TargetInfo gemm_target(const TargetSpec& target) {
  if (Triple(target.triple).isAArch64())
    return {.vector_bits = 128, .registers = 32, .f16_convert = true};
  if (target.avx512)
    return {.vector_bits = 512,
            .registers = 32,
            .mask_bits = 8,
            .f16_convert = true};
  SmallVector<StringRef> of_cpu;
  if (target.features.empty()) X86::getFeaturesForCPU(target.cpu, of_cpu);
  auto has = [&](StringRef feature) {
    return is_contained(of_cpu, feature) ||
           StringRef(target.features).contains(("+" + feature + ",").str());
  };
  if (has("avx2") && has("fma"))
    return {.vector_bits = 256,
            .registers = 16,
            .mask_bits = 32,
            .f16_convert = has("f16c")};
  return {};
}

// --- The set ----------------------------------------------------------------

static std::string emit_slot(GemmIr& ir, int slot, const Epilogue* epilogue,
                             const std::string& prefix) {
  const GemmTiling& tiling = ir.spec.tiling;
  std::string name;
  if (slot < GemmSlot::kWide) {
    int rows = slot / (kGemmMaxVectors + 1) + 1;
    int masked = slot % (kGemmMaxVectors + 1);
    int vectors = masked ? masked : tiling.vectors;
    name = cat(prefix, "_tile", rows, "x", vectors, masked ? "m" : "");
    emit_tile_kernel(ir, name, rows, vectors, masked != 0, false, epilogue);
  } else if (slot < GemmSlot::kPackingTile) {
    int rows = slot - GemmSlot::kWide + 1;
    name = cat(prefix, "_wide", rows);
    emit_tile_kernel(ir, name, rows, tiling.wide[rows], false, false, epilogue);
  } else if (slot == GemmSlot::kPackingTile) {
    name = cat(prefix, "_packing");
    emit_tile_kernel(ir, name, tiling.rows, tiling.vectors, false, true,
                     epilogue);
  } else if (slot < GemmSlot::kCopyA) {
    int rows = slot - GemmSlot::kDots + 1;
    name = cat(prefix, "_dots", rows);
    emit_dot_kernel(ir, name, rows, epilogue);
  } else {
    bool is_a = slot == GemmSlot::kCopyA || slot == GemmSlot::kTransposeA;
    bool copy = slot == GemmSlot::kCopyA || slot == GemmSlot::kCopyB;
    name = cat(prefix, copy ? "_copy_" : "_transpose_", is_a ? "a" : "b");
    (copy ? emit_copy_kernel : emit_transpose_kernel)(
        ir, name, is_a ? ir.spec.types.a : ir.spec.types.b);
  }
  return name;
}

std::vector<std::pair<int, std::string>> emit_gemm_kernels(
    Module& module, const GemmSpec& spec, const Epilogue* epilogue,
    const std::string& prefix) {
  COTAN_CHECK(gemm_supports(spec.types) || epilogue);
  std::vector<std::pair<int, std::string>> names;
  for (int slot = 0; slot < GemmSlot::kCount; slot++) {
    if (!(spec.slots & gemm_slot(slot))) continue;
    GemmIr ir(module, spec);
    names.emplace_back(slot, emit_slot(ir, slot, epilogue, prefix));
  }
  return names;
}

}  // namespace cotan::cpu

// Packing kernels: a copy or a transpose of a block, which also converts it
// to the compute type.
#include "backends/cpu/gemm/gemm_ir.h"

namespace cotan::cpu {

using namespace llvm;

namespace {

struct Block {
  Value *dst, *dst_row, *src, *src_row, *rows, *cols;
};

Block begin_block(GemmIr& ir, const std::string& name) {
  auto* f = ir.begin(name, {ir.ptr, ir.i64, ir.ptr, ir.i64, ir.i64, ir.i64});
  return {f->getArg(0), f->getArg(1), f->getArg(2),
          f->getArg(3), f->getArg(4), f->getArg(5)};
}

}  // namespace

void emit_copy_kernel(GemmIr& ir, const std::string& name, DType from) {
  Block block = begin_block(ir, name);
  auto* source = ir.vector(ir.storage(from), ir.lanes);
  int64_t from_size = itemsize(from);
  ir.loop(ir.k(0), block.rows, 1, [&](Value* r) {
    auto* src = ir.at(block.src, ir.mul(r, block.src_row));
    auto* dst = ir.at(block.dst, ir.mul(r, block.dst_row));
    auto in = [&](Value* j) { return ir.at(src, ir.mul(j, ir.k(from_size))); };
    auto out = [&](Value* j) { return ir.at(dst, ir.mul(j, ir.k(ir.size))); };
    auto move = [&](int n) {
      return [&, n](Value* j) {
        for (int v = 0; v < n; v++) {
          auto* jv = ir.add(j, ir.k(v * ir.lanes));
          ir.store(ir.widen(ir.load(source, in(jv)), from), out(jv));
        }
      };
    };
    auto* j = ir.loop(ir.k(0), block.cols, 4 * ir.lanes, move(4));
    j = ir.loop(j, block.cols, ir.lanes, move(1));
    if (ir.spec.target.masks(from)) {
      ir.when(ir.b.CreateICmpSLT(j, block.cols), [&] {
        auto* mask = ir.lanes_below(ir.b.CreateSub(block.cols, j), 0, ir.lanes);
        ir.store(ir.widen(ir.load(source, in(j), mask), from), out(j));
      });
    } else {
      ir.loop(j, block.cols, 1, [&](Value* at) {
        ir.store(ir.widen(ir.load(ir.storage(from), in(at)), from), out(at));
      });
    }
  });
  ir.end();
}

// lanes x lanes blocks through registers; rows beyond the edge repeat the
// last one, columns beyond it go to the spare rows of dst.
void emit_transpose_kernel(GemmIr& ir, const std::string& name, DType from) {
  Block block = begin_block(ir, name);
  auto* source = ir.vector(ir.storage(from), ir.lanes);
  int64_t from_size = itemsize(from);
  int n = ir.lanes;
  auto* last = ir.b.CreateSub(block.rows, ir.k(1));
  auto* rows = ir.add(block.rows, ir.k(n - 1));  // a partial block counts
  ir.loop(ir.k(0), rows, n, [&](Value* i) {
    GemmIr::Values src;
    for (int r = 0; r < n; r++) {
      auto* row = ir.min(ir.add(i, ir.k(r)), last);
      src.push_back(ir.at(block.src, ir.mul(row, block.src_row)));
    }
    auto* dst = ir.at(block.dst, ir.mul(i, ir.k(ir.size)));
    auto move = [&](Value* j, Value* mask) {
      auto* offset = ir.mul(j, ir.k(from_size));
      GemmIr::Values x;
      for (int r = 0; r < n; r++)
        x.push_back(ir.widen(
            ir.load(source, ir.at(src[size_t(r)], offset), mask), from));
      for (int s = 1; s < n; s *= 2)
        for (size_t r = 0; r < size_t(n); r++)
          if (!(r & size_t(s))) {
            auto& y = x[r + size_t(s)];
            std::tie(x[r], y) = ir.swap_blocks(x[r], y, s);
          }
      auto* p = ir.at(dst, ir.mul(j, block.dst_row));
      for (auto* v : x) {
        ir.store(v, p);
        p = ir.at(p, block.dst_row);
      }
    };
    auto* j =
        ir.loop(ir.k(0), block.cols, n, [&](Value* at) { move(at, nullptr); });
    if (ir.spec.target.masks(from)) {
      ir.when(ir.b.CreateICmpSLT(j, block.cols), [&] {
        auto* left = ir.b.CreateSub(block.cols, j);
        move(j, ir.lanes_below(left, 0, n));
      });
      return;
    }
    auto* height = ir.min(ir.k(n), ir.b.CreateSub(block.rows, i));
    ir.loop(j, block.cols, 1, [&](Value* jj) {
      auto* column = ir.at(ir.at(block.src, ir.mul(i, block.src_row)),
                           ir.mul(jj, ir.k(from_size)));
      auto* line = ir.at(dst, ir.mul(jj, block.dst_row));
      ir.loop(ir.k(0), height, 1, [&](Value* r) {
        auto* x =
            ir.load(ir.storage(from), ir.at(column, ir.mul(r, block.src_row)));
        ir.store(ir.widen(x, from), ir.at(line, ir.mul(r, ir.k(ir.size))));
      });
    });
  });
  ir.end();
}

}  // namespace cotan::cpu

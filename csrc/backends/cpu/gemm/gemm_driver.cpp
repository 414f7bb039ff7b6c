// The loops. One chunk is a rectangle of C for some batch items:
//   columns nc > rows mc > depth kc > panels (64 columns) > tiles (6 rows)
// A panel of B is packed when the first row block reaches it.
#include "backends/cpu/gemm/gemm_driver.h"

#include <algorithm>

#include "base/error.h"

namespace cotan::cpu {

namespace {

const char* shifted(const void* p, int64_t bytes) {
  return static_cast<const char*>(p) + bytes;
}
char* shifted(void* p, int64_t bytes) { return static_cast<char*>(p) + bytes; }

class Chunk {
 public:
  Chunk(const GemmPlan& plan, const GemmKernels& kernels, const GemmArgs& args,
        int64_t chunk, int worker)
      : p_(plan),
        s_(plan.shape),
        kernels_(kernels),
        args_(args),
        worker_(worker),
        lanes_(kernels.tiling.lanes),
        width_(kernels.tiling.width()),
        a_size_(itemsize(kernels.types.a)),
        b_size_(itemsize(kernels.types.b)),
        size_(itemsize(kernels.types.compute)),
        c_size_(itemsize(kernels.types.out)) {
    int64_t in = chunk % plan.grid_n;
    int64_t im = chunk / plan.grid_n % plan.grid_m;
    int64_t ib = chunk / plan.grid_n / plan.grid_m;
    i0_ = im * plan.chunk_m, i1_ = std::min(i0_ + plan.chunk_m, s_.m);
    j0_ = in * plan.chunk_n, j1_ = std::min(j0_ + plan.chunk_n, s_.n);
    batch0_ = ib * plan.chunk_batch;
    batch1_ = std::min(batch0_ + plan.chunk_batch, s_.batches());
    char* scratch = args.scratch
                        ? shifted(args.scratch, worker * plan.worker_bytes())
                        : nullptr;
    a_block_ = scratch, b_block_ = scratch + plan.a_bytes;
    partial_ = b_block_ + plan.b_bytes;
    int64_t depth = (std::max<int64_t>(plan.kc, 1) + 15) / 16 * 16;
    a_stride_ = (depth + 16) * size_;
    panel_bytes_ = width_ * depth * size_;
    t_ = {};
    t_.args = args.epilogue;
    t_.c_row = s_.c_row * c_size_;
  }

  void run() {
    for (int64_t i = batch0_; i < batch1_; i++) {
      int64_t inner = i % s_.batch[2], rest = i / s_.batch[2];
      int64_t middle = rest % s_.batch[1], outer = rest / s_.batch[1];
      auto offset = [&](const GemmShape::Batch& stride) {
        return inner * stride[2] + middle * stride[1] + outer * stride[0];
      };
      a_ = shifted(args_.a, offset(s_.a_batch) * a_size_);
      b_ = shifted(args_.b, offset(s_.b_batch) * b_size_);
      c_ = shifted(args_.c, offset(s_.c_batch) * c_size_);
      t_.batch = i;
      switch (p_.path) {
        case GemmPath::dots:
          dots();
          break;
        case GemmPath::wide:
          wide();
          break;
        case GemmPath::tiles:
          tiles();
          break;
      }
    }
  }

 private:
  const char* a_at(int64_t i, int64_t k) const {
    return a_ + (i * s_.a_row + k * s_.a_k) * a_size_;
  }
  const char* b_at(int64_t k, int64_t j) const {
    return b_ + (k * s_.b_k + j * s_.b_col) * b_size_;
  }
  char* c_at(int64_t i, int64_t j) const {
    return c_ + (i * s_.c_row + j) * c_size_;
  }

  void whole_depth() {
    t_.a_row = s_.a_row * a_size_, t_.a_k = s_.a_k * a_size_;
    t_.b_k = s_.b_k * b_size_, t_.b_col = s_.b_col * b_size_;
    t_.partial_row = t_.c_row;
    t_.k = s_.k;
    t_.flags = kGemmFinish | (s_.accumulate ? kGemmResume : 0);
  }

  // All rows with as many columns of B as stay in a cache.
  void dots() {
    whole_depth();
    int64_t column = std::max<int64_t>(s_.k * b_size_, 1);
    int64_t step = std::max<int64_t>((256 << 10) / column / 16, 1) * 16;
    for (int64_t j = j0_; j < j1_; j += step)
      for (int64_t i = i0_; i < i1_; i += kGemmMaxDotRows) {
        t_.rows = std::min<int64_t>(kGemmMaxDotRows, i1_ - i);
        t_.cols = std::min(step, j1_ - j);
        t_.row = i, t_.col = j;
        t_.a = a_at(i, 0), t_.b = b_at(0, j), t_.c = c_at(i, j);
        kernels_.tile(GemmSlot::dots(int(t_.rows)))(&t_);
      }
  }

  void wide() {
    whole_depth();
    int rows = int(s_.m);
    int64_t step = kernels_.tiling.wide[rows] * lanes_, j = j0_;
    auto* kernel = kernels_.tile(GemmSlot::wide(rows));
    t_.a = a_at(0, 0);
    for (; j + step <= j1_; j += step) {
      t_.b = b_at(0, j), t_.c = t_.partial = c_at(0, j);
      t_.col = j;
      kernel(&t_);
    }
    for (; j < j1_; j += width_) {
      t_.b = b_at(0, j);
      Panel panel{.j = j, .cols = std::min(width_, j1_ - j)};
      row_of_tiles(panel, 0, s_.m);
    }
  }

  struct Panel {
    int64_t j, cols;
    // The first tile reads B here and stores it for the others; or null.
    const char* source = nullptr;
    int64_t source_k = 0;
  };

  void tiles() {
    for (int64_t jc = j0_; jc < j1_; jc += p_.nc)
      for (int64_t ic = i0_; ic < i1_; ic += p_.mc) {
        int64_t pc = 0, block = 0;
        do {  // at least once: k == 0 still stores
          if (args_.stop && args_.stop(args_.stop_ctx, worker_)) return;
          tile_block(ic, std::min(ic + p_.mc, i1_), jc,
                     std::min(jc + p_.nc, j1_), pc, block++);
          pc += p_.kc;
        } while (pc < s_.k);
      }
  }

  void tile_block(int64_t i, int64_t i_end, int64_t jc, int64_t j_end,
                  int64_t pc, int64_t block) {
    t_.k = std::min(p_.kc, s_.k - pc);
    bool first = pc == 0, last = pc + p_.kc >= s_.k;
    t_.flags =
        (last ? kGemmFinish : 0) | (!first || s_.accumulate ? kGemmResume : 0);
    prepare_a(i, i_end, pc);
    int64_t panels = (p_.nc + width_ - 1) / width_, index = block * panels;
    for (int64_t j = jc; j < j_end; j += width_, index++) {
      Panel panel{.j = j, .cols = std::min(width_, j_end - j)};
      prepare_b(panel, pc, index, i == i0_);
      if (p_.partial_bytes) {
        t_.partial_row = panels * width_ * size_;
        partial_tile_ = partial_ + (j - jc) * size_;
      } else {
        t_.partial_row = t_.c_row;
      }
      row_of_tiles(panel, i, i_end);
    }
  }

  void prepare_a(int64_t i, int64_t i_end, int64_t pc) {
    const char* source = a_at(i, pc);
    if (p_.pack_a == GemmPack::none) {
      t_.a = source;
      t_.a_row = s_.a_row * a_size_, t_.a_k = s_.a_k * a_size_;
      return;
    }
    if (p_.pack_a == GemmPack::copy)
      kernels_.pack(GemmSlot::kCopyA)(a_block_, a_stride_, source,
                                      s_.a_row * a_size_, i_end - i, t_.k);
    else
      kernels_.pack(GemmSlot::kTransposeA)(a_block_, a_stride_, source,
                                           s_.a_k * a_size_, t_.k, i_end - i);
    t_.a = a_block_;
    t_.a_row = a_stride_, t_.a_k = size_;
  }

  // Points the tile at the panel, packing it for the first row block.
  void prepare_b(Panel& panel, int64_t pc, int64_t index, bool first) {
    const char* source = b_at(pc, panel.j);
    bool edge = panel.cols < width_;
    if (p_.pack_b == GemmPack::none && !(p_.pack_edge && edge)) {
      t_.b = source, t_.b_k = s_.b_k * b_size_;
      return;
    }
    char* packed = b_block_ + (p_.keep_panels ? index * panel_bytes_ : 0);
    t_.b = packed, t_.b_k = width_ * size_;
    if (!first && p_.pack_b != GemmPack::none && p_.keep_panels) return;
    if (p_.pack_b == GemmPack::transpose) {
      kernels_.pack(GemmSlot::kTransposeB)(
          packed, t_.b_k, source, s_.b_col * b_size_, panel.cols, t_.k);
    } else if (p_.fuse_packing && !edge && i1_ - i0_ >= kernels_.tiling.rows) {
      panel.source = source;
      panel.source_k = s_.b_k * b_size_;
    } else {
      kernels_.pack(GemmSlot::kCopyB)(packed, t_.b_k, source, s_.b_k * b_size_,
                                      t_.k, panel.cols);
    }
  }

  // 0: no kernel for so few rows.
  int rows_for(int vectors, int64_t left) const {
    int rows = int(std::min<int64_t>(left, kGemmMaxRows));
    while (rows > 0 && !kernels_.has(GemmSlot::tile(rows, vectors))) rows--;
    return rows;
  }
  bool covers(int vectors, int64_t rows) const {
    while (rows > 0) {
      int step = rows_for(vectors, rows);
      if (step == 0) return false;
      rows %= step;
    }
    return true;
  }
  int vectors_for(int64_t cols, int64_t rows) const {
    if (cols == width_ && covers(0, rows)) return 0;
    int vectors = int((cols + lanes_ - 1) / lanes_);
    while (vectors < kGemmMaxVectors && !covers(vectors, rows)) vectors++;
    COTAN_CHECK(covers(vectors, rows));
    return vectors;
  }

  void row_of_tiles(const Panel& panel, int64_t i, int64_t i_end) {
    GemmTile t = t_;
    t.cols = panel.cols, t.col = panel.j;
    int vectors = vectors_for(panel.cols, i_end - i);
    int64_t block_row = i;
    auto call = [&](GemmTileFn kernel, int64_t rows) {
      t.rows = rows, t.row = i;
      t.a = shifted(t_.a, (i - block_row) * t_.a_row);
      t.c = c_at(i, panel.j);
      t.partial = p_.partial_bytes
                      ? partial_tile_ + (i - block_row) * t_.partial_row
                      : static_cast<char*>(t.c);
      kernel(&t);
      i += rows;
    };
    if (panel.source) {
      t.panel = const_cast<void*>(t.b);
      t.b = panel.source, t.b_k = panel.source_k;
      call(kernels_.tile(GemmSlot::kPackingTile), kernels_.tiling.rows);
      t.b = t.panel, t.b_k = t_.b_k;
    }
    while (i < i_end) {
      int rows = rows_for(vectors, i_end - i);
      auto* kernel = kernels_.tile(GemmSlot::tile(rows, vectors));
      for (; i + rows <= i_end;) call(kernel, rows);
    }
  }

  const GemmPlan& p_;
  const GemmShape& s_;
  const GemmKernels& kernels_;
  const GemmArgs& args_;
  int worker_;
  int64_t lanes_, width_, a_size_, b_size_, size_, c_size_;
  int64_t i0_, i1_, j0_, j1_, batch0_, batch1_;
  const char *a_ = nullptr, *b_ = nullptr;
  char* c_ = nullptr;
  char *a_block_, *b_block_, *partial_, *partial_tile_ = nullptr;
  int64_t a_stride_, panel_bytes_;
  GemmTile t_;
};

struct Run {
  const GemmPlan& plan;
  const GemmKernels& kernels;
  const GemmArgs& args;
};

void run_chunk(void* ctx, int64_t chunk, int worker) {
  const Run& run = *static_cast<const Run*>(ctx);
  Chunk(run.plan, run.kernels, run.args, chunk, worker).run();
}

}  // namespace

void run_gemm(const GemmPlan& plan, const GemmKernels& kernels,
              const GemmArgs& args, const GemmParallel* parallel) noexcept {
  Run run{plan, kernels, args};
  int64_t chunks = plan.chunks();
  if (chunks <= 1 || plan.workers <= 1 || !parallel) {
    for (int64_t c = 0; c < chunks; c++) run_chunk(&run, c, 0);
    return;
  }
  parallel->run(parallel->pool, run_chunk, &run, chunks, plan.workers);
}

}  // namespace cotan::cpu

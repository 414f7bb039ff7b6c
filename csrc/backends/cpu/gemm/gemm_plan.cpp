// The rules: types, register tiles, what to pack, block sizes, the split over
// threads. Measure a change with tests/cpp/gemm/gemm_bench.cpp.
#include <algorithm>
#include <cstdlib>
#include <utility>

#if defined(__linux__)
#include <unistd.h>
#endif

#include "backends/cpu/gemm/gemm_driver.h"

namespace cotan::cpu {

namespace {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }
// A multiple of every tall tile's rows (6 and 8): block edges are whole tiles.
constexpr int64_t kRowUnit = 24;

// The least piece size, a multiple of unit, that makes `pieces` cover n.
int64_t even(int64_t n, int64_t pieces, int64_t unit) {
  return std::max(round_up(ceil_div(n, std::max<int64_t>(pieces, 1)), unit),
                  unit);
}

}  // namespace

// --- Types ------------------------------------------------------------------

GemmTypes gemm_types(DType a, DType b, DType out) {
  auto any = [&](auto is) { return is(a) || is(b) || is(out); };
  DType compute;
  if (any([](DType t) { return t == DType::f64; }))
    compute = DType::f64;
  else if (any(is_float))
    compute = DType::f32;
  else
    compute = itemsize(out) == 8 ? DType::i64 : DType::i32;
  // The same bits: an unsigned operand of this width needs no conversion.
  auto as_signed = [&](DType t) {
    return is_int(t) && itemsize(t) == itemsize(compute) && !is_float(compute)
               ? compute
               : t;
  };
  return {as_signed(a), as_signed(b), compute, as_signed(out)};
}

bool gemm_supports(const GemmTypes& types) {
  auto operand = [](DType t) {
    return t == DType::bool_ || is_int(t) || is_float(t);
  };
  if (!operand(types.a) || !operand(types.b)) return false;
  if (is_float(types.compute)) return is_float(types.out);
  return is_int(types.out) && !is_float(types.a) && !is_float(types.b);
}

GemmTiling gemm_tiling(const TargetInfo& target, DType compute) {
  GemmTiling t;
  t.lanes = target.lanes(compute);
  t.edge_needs_panel = !target.masks(compute);
  if (target.registers < 32) {
    t.vectors = 2;
    t.dot_rows = 8;  // too few registers for a square of sums
    t.tall[1] = 8, t.tall[2] = 6;
    t.wide[1] = 8, t.wide[2] = 4, t.wide[3] = t.wide[4] = 2;
  }
  return t;
}

// The packing slots that have no built-in kernel.
static GemmSlots generated_packs(const GemmTypes& types) {
  GemmSlots slots = 0;
  for (bool transposed : {false, true}) {
    if (!gemm_builtin_pack(types.a, types.compute, transposed))
      slots |= gemm_slot(transposed ? GemmSlot::kTransposeA : GemmSlot::kCopyA);
    if (!gemm_builtin_pack(types.b, types.compute, transposed))
      slots |= gemm_slot(transposed ? GemmSlot::kTransposeB : GemmSlot::kCopyB);
  }
  return slots;
}

GemmKernels::GemmKernels(const GemmTypes& types_, const GemmTiling& tiling_)
    : types(types_), tiling(tiling_) {
  auto fill = [&](int slot, DType from, bool transposed) {
    auto* fn = gemm_builtin_pack(from, types.compute, transposed);
    slots[slot] = reinterpret_cast<const void*>(fn);
  };
  fill(GemmSlot::kCopyA, types.a, false);
  fill(GemmSlot::kTransposeA, types.a, true);
  fill(GemmSlot::kCopyB, types.b, false);
  fill(GemmSlot::kTransposeB, types.b, true);
}

GemmSlots gemm_all_slots(const GemmTypes& types, const GemmTiling& tiling) {
  GemmSlots all = generated_packs(types);
  for (int rows : {6, 4, 2, 1})
    for (int v : {0, 1, 2, 4})
      if (v <= tiling.vectors) all |= gemm_slot(GemmSlot::tile(rows, v));
  for (int slot = GemmSlot::kWide; slot < GemmSlot::kCopyA; slot++)
    all |= gemm_slot(slot);
  return all;
}

// --- Shapes -----------------------------------------------------------------

GemmShape gemm_dense(int64_t m, int64_t n, int64_t k, bool ta, bool tb,
                     int64_t batch) {
  GemmShape s;
  s.m = m, s.n = n, s.k = k;
  s.a_row = ta ? 1 : k, s.a_k = ta ? m : 1;
  s.b_k = tb ? 1 : n, s.b_col = tb ? k : 1;
  s.c_row = n;
  s.batch = {1, 1, batch};
  s.a_batch[2] = m * k, s.b_batch[2] = k * n, s.c_batch[2] = m * n;
  return s;
}

bool gemm_layout_ok(const GemmShape& s, const GemmTypes& types) {
  bool a_ok =
      !types.converts_a() || s.a_k == 1 || s.a_row == 1 || s.m <= 1 || s.k <= 1;
  bool b_ok = s.b_k == 1 || s.b_col == 1 || s.n <= 1 || s.k <= 1;
  // A of a column becomes B of a row (gemm_column_to_row).
  bool column = s.n == 1 && s.m > 1 && s.k > 1;
  if (column && s.a_k != 1 && s.a_row != 1) return false;
  return a_ok && b_ok;
}

bool gemm_column_to_row(GemmShape& s) {
  if (s.n != 1 || s.m <= 1 || s.c_row != 1) return false;
  // What becomes B needs one dense direction.
  if (s.a_k != 1 && s.a_row != 1 && s.k > 1) return false;
  std::swap(s.m, s.n);
  int64_t a_row = s.a_row, a_k = s.a_k;
  s.a_row = s.b_col, s.a_k = s.b_k;
  s.b_k = a_k, s.b_col = a_row;
  std::swap(s.a_batch, s.b_batch);
  s.c_row = s.n;
  return true;
}

bool gemm_is_narrow(const GemmShape& s, const GemmTypes& types) {
  if (types.converts_a() || types.converts_b() || types.out != types.compute)
    return false;
  if (s.n < 2 || s.n > 8 || s.m < 64 || s.batches() != 1) return false;
  if (s.a_k != 1 && s.a_row != 1) return false;
  // Below, the two copies cost more than is gained.
  return s.k >= (s.n <= 4 ? 24 : 64);
}

void gemm_narrow_to_rows(GemmShape& s) {
  std::swap(s.m, s.n);
  std::swap(s.a_row, s.b_col);
  std::swap(s.a_k, s.b_k);
  s.c_row = s.n;
}

// Strides that are never multiplied by anything but 0 say what suits us.
static void settle_strides(GemmShape& s) {
  if (s.m == 1) s.a_row = s.a_k == 1 ? s.k : 1;
  if (s.k <= 1) {
    s.a_k = s.a_row == 1 ? s.m : 1;
    if (s.b_col == 1)
      s.b_k = s.n;
    else
      s.b_k = 1;
  }
  if (s.n == 1 && s.b_k != 1) s.b_col = 1;
}

bool gemm_merge_batch(GemmShape& s) {
  bool merged = false;
  for (size_t d = 3; d-- > 0;) {
    if (s.batch[d] == 1) continue;
    bool taller = s.b_batch[d] == 0 && s.a_batch[d] == s.m * s.a_row &&
                  s.c_batch[d] == s.m * s.c_row;
    if (!taller) break;
    s.m *= s.batch[d];
    s.batch[d] = 1;
    merged = true;
  }
  return merged;
}

const GemmMachine& gemm_host_machine() {
  static const GemmMachine machine = [] {
    GemmMachine m;
#if defined(_SC_LEVEL2_CACHE_SIZE)
    if (long v = sysconf(_SC_LEVEL2_CACHE_SIZE); v > 0) m.l2 = v;
    if (long v = sysconf(_SC_LEVEL3_CACHE_SIZE); v > 0) m.l3 = v;
#endif
    return m;
  }();
  return machine;
}

// --- The plan ---------------------------------------------------------------

namespace {

class Planner {
 public:
  Planner(GemmPlan& plan, const GemmTypes& types, const GemmTiling& tiling,
          int threads, const GemmMachine& machine)
      : p_(plan),
        s_(plan.shape),
        types_(types),
        tiling_(tiling),
        machine_(machine),
        threads_(std::max(threads, 1)),
        size_(itemsize(types.compute)) {}

  void plan() {
    choose_path();
    if (p_.path == GemmPath::tiles) choose_packing();
    choose_depth();
    split();
    choose_blocks();
    size_scratch();
  }

 private:
  bool converts() const { return types_.converts_a() || types_.converts_b(); }

  void choose_path() {
    bool few = !converts() && s_.m >= 1 && s_.m <= kGemmMaxWideRows;
    // Transposing B costs as much as 8 rows of tiles, the last sums of a dot
    // product as much as 40 of its steps.
    int64_t dots =
        std::clamp<int64_t>(s_.k / 5, few ? s_.m : 0, tiling_.dot_rows);
    if (!converts() && s_.m >= 1 && s_.m <= dots && s_.b_k == 1 &&
        s_.b_col != 1 && s_.a_k == 1)
      p_.path = GemmPath::dots;
    else if (few && s_.b_col == 1 && s_.n >= tiling_.wide[s_.m] * tiling_.lanes)
      p_.path = GemmPath::wide;
    else
      p_.path = GemmPath::tiles;
  }

  void choose_packing() {
    // A row-major is read in place by broadcasts; its transpose too while
    // the lines that a tile touches stay in L1.
    bool far = s_.a_k != 1 && s_.m * s_.k * size_ > machine_.l2;
    if (types_.converts_a() || (far && s_.a_row == 1))
      p_.pack_a = s_.a_k == 1 ? GemmPack::copy : GemmPack::transpose;
    if (s_.b_col != 1) {
      p_.pack_b = GemmPack::transpose;
      return;
    }
    bool fits = s_.k * s_.n * size_ <= machine_.l2 * 9 / 10;
    if (types_.converts_b() || !(fits || s_.m < 40)) p_.pack_b = GemmPack::copy;
    p_.fuse_packing = p_.pack_b == GemmPack::copy && !types_.converts_b() &&
                      s_.m >= tiling_.rows && s_.n >= tiling_.width();
    p_.pack_edge = p_.pack_b == GemmPack::none && tiling_.edge_needs_panel &&
                   s_.n % tiling_.width() != 0;
  }

  void choose_depth() {
    int64_t limit = s_.k >= 2048 ? 1024 : 512;
    if (p_.path != GemmPath::tiles) limit = std::max<int64_t>(s_.k, 1);
    p_.kc = even(s_.k, ceil_div(s_.k, limit), 1);
    if (p_.kc < s_.k) p_.kc = round_up(p_.kc, 4);
  }

  int64_t column_unit() const {
    if (p_.path == GemmPath::tiles) return tiling_.width();
    if (p_.path == GemmPath::dots) return tiling_.lanes;
    return tiling_.wide[s_.m] * tiling_.lanes;
  }

  // Below about 1.5 Mflop a hand-off to another thread costs more than it
  // saves. A product of few rows is limited by memory and worth more threads.
  void split() {
    int64_t batches = s_.batches();
    double flops =
        2.0 * double(s_.m) * double(s_.n) * double(s_.k) * double(batches);
    double grain = s_.m <= 4 ? 4e5 : 1.5e6;
    threads_ = std::clamp<int64_t>(int64_t(flops / grain), 1, threads_);
    // Several chunks a thread even out threads that get unequal time.
    int64_t pieces =
        std::clamp<int64_t>(int64_t(flops / 8e6), threads_, 4 * threads_);
    p_.chunk_m = s_.m, p_.chunk_n = s_.n, p_.chunk_batch = batches;
    if (threads_ > 1 && batches >= threads_) {
      p_.chunk_batch = ceil_div(batches, std::min(batches, pieces));
    } else if (threads_ > 1) {
      p_.chunk_batch = 1;
      split_matrix(ceil_div(pieces, std::max<int64_t>(batches, 1)), batches);
    }
    auto count = [](int64_t n, int64_t& chunk) {
      chunk = std::max<int64_t>(chunk, 1);
      return n > 0 ? ceil_div(n, chunk) : 0;
    };
    p_.grid_m = count(s_.m, p_.chunk_m);
    p_.grid_n = count(s_.n, p_.chunk_n);
    p_.grid_batch = count(batches, p_.chunk_batch);
    p_.workers = int32_t(std::clamp<int64_t>(p_.chunks(), 1, threads_));
  }
  // A grid of up to `pieces` rectangles, with the least time until the last
  // thread ends: packing (about 8 multiply-adds an element) included, and a
  // thread that loses a tenth of a chunk's time to something else.
  void split_matrix(int64_t pieces, int64_t batches) {
    double best = 1e300;
    for (int64_t gm = 1; gm <= pieces; gm++)
      for (int64_t gn = 1; gm * gn <= pieces; gn++) {
        int64_t rows = std::min(even(s_.m, gm, kRowUnit), s_.m);
        int64_t cols = std::min(even(s_.n, gn, column_unit()), s_.n);
        int64_t chunks = ceil_div(s_.m, rows) * ceil_div(s_.n, cols) * batches;
        double chunk = double(rows) * double(cols);
        if (p_.pack_b != GemmPack::none) chunk += 8.0 * double(cols);
        if (p_.pack_a != GemmPack::none) chunk += 8.0 * double(rows);
        double cost = chunk * (double(ceil_div(chunks, threads_)) + 0.1);
        if (cost < best) best = cost, p_.chunk_m = rows, p_.chunk_n = cols;
      }
  }

  void choose_blocks() {
    int64_t limit = 240;  // rows of A that stay in L2 beside a panel of B
    p_.mc = even(p_.chunk_m, ceil_div(p_.chunk_m, limit), kRowUnit);
    p_.keep_panels = p_.pack_b != GemmPack::none && p_.chunk_m > p_.mc;
    p_.nc = std::max<int64_t>(p_.chunk_n, 1);
    if (p_.keep_panels) {  // all of k for nc columns, in a share of L3
      int64_t budget = std::min<int64_t>(8 << 20, machine_.l3 / 2);
      int64_t fit = budget / std::max<int64_t>(s_.k * size_, 1);
      fit = std::max(fit / tiling_.width(), int64_t(2)) * tiling_.width();
      p_.nc = even(p_.chunk_n, ceil_div(p_.chunk_n, fit), tiling_.width());
    }
  }

  void size_scratch() {
    int64_t depth = round_up(std::max<int64_t>(p_.kc, 1), 16);
    if (p_.pack_a != GemmPack::none)
      p_.a_bytes = round_up(p_.mc, 16) * (depth + 16) * size_;
    int64_t panel = tiling_.width() * depth * size_;
    if (p_.keep_panels)
      p_.b_bytes = ceil_div(p_.nc, tiling_.width()) *
                   std::max<int64_t>(ceil_div(s_.k, p_.kc), 1) * panel;
    else if (p_.pack_b != GemmPack::none || p_.pack_edge)
      p_.b_bytes = panel;
    if (types_.out != types_.compute && p_.kc < s_.k)
      p_.partial_bytes = p_.mc * round_up(p_.nc, tiling_.width()) * size_;
    for (auto* bytes : {&p_.a_bytes, &p_.b_bytes, &p_.partial_bytes})
      *bytes = round_up(*bytes, 64);
  }

  GemmPlan& p_;
  const GemmShape& s_;
  const GemmTypes& types_;
  const GemmTiling& tiling_;
  const GemmMachine& machine_;
  int64_t threads_, size_;
};

}  // namespace

GemmPlan plan_gemm(const GemmShape& shape, const GemmTypes& types,
                   const GemmTiling& tiling, int threads,
                   const GemmMachine& machine) {
  GemmPlan plan;
  plan.shape = shape;
  settle_strides(plan.shape);
  Planner(plan, types, tiling, threads, machine).plan();
  return plan;
}

int64_t gemm_scratch_bytes(const GemmShape& shape, const GemmTypes& types,
                           const GemmTiling& tiling, int threads) {
  return gemm_scratch_bytes(plan_gemm(shape, types, tiling, threads));
}

GemmSlots gemm_needed_slots(const GemmPlan& plan, const GemmTypes& types,
                            const GemmTiling& tiling) {
  GemmSlots needed = 0;
  auto need = [&](int slot) { needed |= gemm_slot(slot); };
  auto panel = [&](int64_t rows, int64_t tall, int vectors) {
    if (rows >= tall) need(GemmSlot::tile(int(tall), vectors));
    if (rows % tall) need(GemmSlot::tile(int(rows % tall), vectors));
  };
  const GemmShape& s = plan.shape;
  if (plan.chunks() == 0) return 0;
  if (plan.path == GemmPath::dots) {
    if (s.m >= kGemmMaxDotRows) need(GemmSlot::dots(kGemmMaxDotRows));
    if (int rows = int(s.m % kGemmMaxDotRows)) need(GemmSlot::dots(rows));
    return needed;
  }
  int64_t edge = s.n;
  if (plan.path == GemmPath::wide) {
    need(GemmSlot::wide(int(s.m)));
    edge = s.n % (tiling.wide[s.m] * tiling.lanes);
  }
  if (edge >= tiling.width()) panel(s.m, tiling.rows, 0);
  if (int64_t cols = edge % tiling.width()) {
    int v = int(ceil_div(cols, tiling.lanes));
    panel(s.m, tiling.tall[v], v);
  }
  GemmSlots packs = 0;
  if (plan.pack_a != GemmPack::none)
    packs |= gemm_slot(plan.pack_a == GemmPack::copy ? GemmSlot::kCopyA
                                                     : GemmSlot::kTransposeA);
  if (plan.pack_b == GemmPack::copy || plan.pack_edge)
    packs |= gemm_slot(GemmSlot::kCopyB);
  if (plan.pack_b == GemmPack::transpose)
    packs |= gemm_slot(GemmSlot::kTransposeB);
  needed |= packs & generated_packs(types);
  if (plan.fuse_packing) need(GemmSlot::kPackingTile);
  return needed;
}

}  // namespace cotan::cpu

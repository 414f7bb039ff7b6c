// The contract between generated GEMM kernels and the C++ loops that drive
// them: what one call computes (GemmTile), which kernels there are (GemmSlot)
// and the table of compiled ones (GemmKernels). No LLVM: an exported artefact
// contains the driver and compiled kernels only.
//
// A tile kernel computes C[rows x cols] = epilogue(partial + A B) for a block
// of C held in registers. Every element is summed by fma in ascending k from
// its first term, whatever the tile, the blocking or the ISA; only the dot
// kernel sums in 16 (8 for 64-bit types) fixed lanes.
#pragma once

#include <cstdint>

#include "ir/dtype.h"

namespace cotan::cpu {

// What the code generator must know of a CPU.
struct TargetInfo {
  int vector_bits = 128;
  int registers = 16;  // vector registers
  int mask_bits = 0;   // narrowest element with masked load/store; 0: none
  bool f16_convert = false;  // native f16 <-> f32

  int lanes(DType t) const { return vector_bits / int(8 * itemsize(t)); }
  bool masks(DType t) const {
    return mask_bits != 0 && 8 * itemsize(t) >= mask_bits;
  }
  friend bool operator==(const TargetInfo&, const TargetInfo&) = default;
};

// A and B are converted to `compute` while they are packed; C is converted
// from it when it is stored.
struct GemmTypes {
  DType a = DType::f32, b = DType::f32, compute = DType::f32, out = DType::f32;
  bool converts_a() const { return a != compute; }
  bool converts_b() const { return b != compute; }
  friend bool operator==(const GemmTypes&, const GemmTypes&) = default;
};
// The types of a dot_general: f16 and bf16 are summed in f32; integers wrap,
// in 32 bits where the result has no more. Unsigned are summed as signed.
GemmTypes gemm_types(DType a, DType b, DType out);
// False: no kernel for these (bool results, complex, float into integer).
bool gemm_supports(const GemmTypes& types);

// Register tiles: `rows` x `vectors` of `lanes` elements; wide[r] vectors for
// a product of only r rows.
inline constexpr int kGemmMaxRows = 8;
inline constexpr int kGemmMaxVectors = 4;
inline constexpr int kGemmMaxWideRows = 4;
inline constexpr int kGemmMaxDotRows = 4;
struct GemmTiling {
  int32_t lanes = 16, rows = 6, vectors = 4;
  // Rows of a masked tile of v vectors: fewer columns leave room for more.
  int32_t tall[kGemmMaxVectors + 1] = {0, 8, 8, 8, 6};
  int32_t wide[kGemmMaxWideRows + 1] = {0, 16, 8, 8, 6};
  // Up to so many rows a transposed B is read in place, by dots.
  int32_t dot_rows = 48;
  // Columns of an edge must come from a packed panel: no masked loads.
  bool edge_needs_panel = false;

  int64_t width() const { return int64_t(lanes) * vectors; }
  friend bool operator==(const GemmTiling&, const GemmTiling&) = default;
};
GemmTiling gemm_tiling(const TargetInfo& target, DType compute);

struct GemmTile {
  const void* a;  // A[0, 0] of the tile; strides in bytes
  int64_t a_row, a_k;
  const void* b;
  int64_t b_k, b_col;  // b_col: dot kernel only (else columns are dense)
  void* c;
  int64_t c_row;
  void* partial;  // sums of earlier k, in the compute type; may be c
  int64_t partial_row;
  void* panel;  // where a packing kernel stores what it read of B
  int64_t k, rows, cols;
  int64_t row, col, batch;  // index of the first element, for epilogues
  void* const* args;        // the epilogue's own
  int64_t flags;
};
inline constexpr int64_t kGemmResume = 1;  // start from `partial`, not zero
inline constexpr int64_t kGemmFinish = 2;  // epilogue and store to c

using GemmTileFn = void (*)(const GemmTile*);
// dst[row][col] = convert(src[row][col]), or dst[col][row] for a transpose;
// strides in bytes. dst has room for whole vectors (and, transposed, for a
// whole number of `lanes` rows); what lies beyond the edge is unspecified.
using GemmPackFn = void (*)(void* dst, int64_t dst_row, const void* src,
                            int64_t src_row, int64_t rows, int64_t cols);

// Numbers of kernels in the table.
struct GemmSlot {
  // vectors == 0: the full tile; 1..4: masked, at most that many vectors.
  static constexpr int tile(int rows, int vectors) {
    return (rows - 1) * (kGemmMaxVectors + 1) + vectors;
  }
  static constexpr int kWide = kGemmMaxRows * (kGemmMaxVectors + 1);
  static constexpr int wide(int rows) { return kWide + rows - 1; }
  static constexpr int kPackingTile = kWide + kGemmMaxWideRows;
  static constexpr int kDots = kPackingTile + 1;
  static constexpr int dots(int rows) { return kDots + rows - 1; }
  static constexpr int kCopyA = kDots + kGemmMaxDotRows;
  static constexpr int kTransposeA = kCopyA + 1;
  static constexpr int kCopyB = kTransposeA + 1;
  static constexpr int kTransposeB = kCopyB + 1;
  static constexpr int kCount = kTransposeB + 1;
};
static_assert(GemmSlot::kCount <= 64);

// A set of slots.
using GemmSlots = uint64_t;
constexpr GemmSlots gemm_slot(int slot) { return GemmSlots{1} << slot; }
// What has to be compiled to serve every shape: rows 6, 4, 2, 1 and 1, 2, 4
// vectors, and the packing kernels that are not built in.
GemmSlots gemm_all_slots(const GemmTypes& types, const GemmTiling& tiling);

// A packing kernel of this library; null if that conversion is generated.
GemmPackFn gemm_builtin_pack(DType from, DType compute, bool transposed);

struct GemmKernels {
  GemmTypes types;
  GemmTiling tiling;
  const void* slots[GemmSlot::kCount] = {};

  GemmKernels() = default;
  // Holds the built-in kernels; the compiled ones are to be filled in.
  GemmKernels(const GemmTypes& types, const GemmTiling& tiling);

  bool has(int slot) const { return slots[slot] != nullptr; }
  GemmTileFn tile(int slot) const {
    return reinterpret_cast<GemmTileFn>(const_cast<void*>(slots[slot]));
  }
  GemmPackFn pack(int slot) const {
    return reinterpret_cast<GemmPackFn>(const_cast<void*>(slots[slot]));
  }
};

}  // namespace cotan::cpu

// Attributes of the runtime's kernels: a flat list of int64, written when an
// operation is lowered (ops/) and read by the kernel (runtime/kernels/).
// Scalars go as they are, a list as its length and its items. Each struct
// lists its fields once; encode and decode derive from that list.
//
// Operands and results of all kernels are dense and row-major.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/aval.h"

namespace cotan {

class AttrWriter {
 public:
  explicit AttrWriter(std::vector<int64_t>& out) : out_(out) {}
  template <class T>
  void operator()(const T& v) {
    out_.push_back(int64_t(v));
  }
  void operator()(const Dims& v) {
    out_.push_back(int64_t(v.size()));
    out_.insert(out_.end(), v.begin(), v.end());
  }

 private:
  std::vector<int64_t>& out_;
};

class AttrReader {
 public:
  explicit AttrReader(const int64_t* at) : at_(at) {}
  template <class T>
  void operator()(T& v) {
    v = T(*at_++);
  }
  void operator()(Dims& v) {
    int64_t n = *at_++;
    v = Dims(at_, at_ + n);
    at_ += n;
  }

 private:
  const int64_t* at_;
};

template <class Attrs>
std::vector<int64_t> encode_attrs(const Attrs& attrs) {
  std::vector<int64_t> out;
  AttrWriter writer(out);
  const_cast<Attrs&>(attrs).fields(writer);
  return out;
}
template <class Attrs>
Attrs decode_attrs(const int64_t* blob) {
  Attrs attrs;
  AttrReader reader(blob);
  attrs.fields(reader);
  return attrs;
}

// "sort": in k operands, out k operands of the same shape and dtypes, which
// may be the same memory. The shape is [outer, n, inner]; the middle axis is
// sorted, stably, by the first num_keys operands in lexicographic order.
// Order within a key: NaNs last and equal to each other, -0 equal to 0,
// complex by real then imaginary part. Payloads may have any dtype.
struct SortAttrs {
  int64_t outer = 1, n = 0, inner = 1;
  int64_t num_keys = 1;
  Dims dtypes;  // one DType per operand
  void fields(auto& v) { v(outer), v(n), v(inner), v(num_keys), v(dtypes); }
};

// "top_k": in {x}, out {values, i32 indices}; x is [outer, n, inner], the
// results [outer, k, inner]: the k greatest in descending order, NaN first, of
// equal ones those with the least index. Not complex.
struct TopKAttrs {
  DType dtype = DType::f32;
  int64_t outer = 1, n = 0, inner = 1, k = 0;
  void fields(auto& v) { v(dtype), v(outer), v(n), v(inner), v(k); }
};

// "cumulative": in {x}, out {y}, both [outer, n, inner]; y may be x.
// y[i] = x[0] op ... op x[i], or from the other end. max and min propagate
// NaN; logsumexp is log(exp(x[0]) + ... + exp(x[i])). 16-bit floats accumulate
// in f32. bool: sum and max are or, prod and min are and.
enum class Cumulative : int64_t { sum, prod, max, min, logsumexp };
struct CumulativeAttrs {
  Cumulative kind = Cumulative::sum;
  DType dtype = DType::f32;
  int64_t outer = 1, n = 0, inner = 1;
  bool reverse = false;
  void fields(auto& v) {
    v(kind), v(dtype), v(outer), v(n), v(inner), v(reverse);
  }
};

// What happens to a window that does not fit into the operand. `promise` is
// the caller's word that all fit; the kernels clip all the same, so a broken
// promise cannot crash.
enum class IndexMode : int64_t { clip, fill_or_drop, promise };

// "gather": in {operand, indices}, out {result}, as lax.gather. The last axis
// of `indices` is the index vector.
struct GatherAttrs {
  DType dtype = DType::f32;
  DType index_dtype = DType::i32;
  IndexMode mode = IndexMode::clip;
  int64_t fill_lo = 0, fill_hi = 0;  // bits of the fill value, little-endian
  Dims operand_shape, indices_shape, slice_sizes;
  Dims offset_dims, collapsed_slice_dims, start_index_map;
  Dims operand_batching_dims, start_indices_batching_dims;
  void fields(auto& v) {
    v(dtype), v(index_dtype), v(mode), v(fill_lo), v(fill_hi);
    v(operand_shape), v(indices_shape), v(slice_sizes), v(offset_dims);
    v(collapsed_slice_dims), v(start_index_map), v(operand_batching_dims);
    v(start_indices_batching_dims);
  }
};

// "scatter": in {operand, indices, updates}, out {result}, which may be the
// operand's memory. As lax.scatter*: windows are applied in the row-major
// order of the indices, so the last of several sets wins and sums have one
// order. `sub` is result -= update.
enum class Combine : int64_t { set, add, mul, min, max, sub };
struct ScatterAttrs {
  Combine combine = Combine::add;
  DType dtype = DType::f32;
  DType index_dtype = DType::i32;
  IndexMode mode = IndexMode::fill_or_drop;
  bool unique = false;  // no two windows overlap: any order, any thread
  Dims operand_shape, indices_shape, updates_shape;
  Dims update_window_dims, inserted_window_dims, scatter_dims_to_operand_dims;
  Dims operand_batching_dims, scatter_indices_batching_dims;
  void fields(auto& v) {
    v(combine), v(dtype), v(index_dtype), v(mode), v(unique);
    v(operand_shape), v(indices_shape), v(updates_shape);
    v(update_window_dims), v(inserted_window_dims);
    v(scatter_dims_to_operand_dims), v(operand_batching_dims);
    v(scatter_indices_batching_dims);
  }
};

// "threefry2x32": in {k0, k1, x0, x1}, out {y0, y1}, all u32. k0, k1 hold
// `keys` words, the others [keys, n]; y = threefry2x32((k0, k1), (x0, x1)).
struct ThreefryAttrs {
  int64_t keys = 1, n = 0;
  void fields(auto& v) { v(keys), v(n); }
};

// "random_bits": in {key}, u32[keys, 2]; out {bits}, [keys, n] of `width` 8,
// 16, 32 or 64 bits: threefry of the 64-bit flat index, folded as JAX's
// partitionable threefry does.
struct RandomBitsAttrs {
  int64_t keys = 1, n = 0, width = 32;
  void fields(auto& v) { v(keys), v(n), v(width); }
};

// "linalg": one routine of linear algebra on `batch` problems, each operand and
// result advancing by its entry of in_bytes and out_bytes from one to the next.
// What the operands are, and what m, n, k and the flags mean, is said at each
// routine of runtime/kernels/linalg.cpp. Results of a problem that has no
// solution are nan, as in JAX.
enum class LinalgOp : int64_t {
  cholesky,
  lu,
  linear_solve,
  triangular_solve,
  geqrf,
  geqp3,
  householder_product,
  ormqr,
  qr,
  svd,
  eigh,
  eig,
  schur,
  hessenberg,
  tridiagonal,
  tridiagonal_solve,
  pivots_to_permutation,
};
struct LinalgAttrs {
  LinalgOp op = LinalgOp::cholesky;
  DType dtype = DType::f32;  // of the matrices
  int64_t batch = 1, m = 0, n = 0, k = 0;
  int64_t flags[5] = {};
  Dims in_bytes, out_bytes;
  void fields(auto& v) {
    v(op), v(dtype), v(batch), v(m), v(n), v(k);
    for (int64_t& f : flags) v(f);
    v(in_bytes), v(out_bytes);
  }
};

}  // namespace cotan

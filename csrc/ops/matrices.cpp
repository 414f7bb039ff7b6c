#include "ops/matrices.h"

namespace cotan::ops {

Shape with_last(const Shape& shape, size_t drop,
                std::initializer_list<int64_t> last) {
  Shape s(shape.begin(), shape.end() - int64_t(drop));
  for (int64_t d : last) s.push_back(d);
  return s;
}

Value mat_t(const Value& x) {
  Axes perm;
  for (int64_t d = 0; d < x.rank(); ++d) perm.push_back(d);
  std::swap(perm[perm.size() - 2], perm[perm.size() - 1]);
  return lax::transpose(x, perm);
}
Value conj_of(const Value& x) {
  return is_complex(x.dtype()) ? lax::conj(x) : x;
}
Value real_of(const Value& x) {
  return is_complex(x.dtype()) ? lax::real(x) : x;
}
Value adjoint(const Value& x) { return conj_of(mat_t(x)); }

Value matmul(const Value& a, const Value& b) {
  DotParams p;
  int64_t r = a.rank();
  for (int64_t d = 0; d < r - 2; ++d) p.lhs_batch.push_back(d);
  p.rhs_batch = p.lhs_batch;
  p.lhs_contract = {r - 1};
  p.rhs_contract = {r - 2};
  p.precision = "highest";
  return lax::dot_general(a, b, p);
}

Value scaled(const Value& x, double factor) {
  return lax::mul(x, lax::constant_like(x, factor));
}
Value symmetrized(const Value& x) {
  return scaled(lax::add(x, adjoint(x)), 0.5);
}

namespace {

// row + k >= column, over the last two axes of `shape`.
Value lower_mask(const Shape& shape, int64_t k) {
  Shape m = {shape[shape.size() - 2], shape[shape.size() - 1]};
  Value i = lax::iota(DType::i32, m, 0), j = lax::iota(DType::i32, m, 1);
  Value mask =
      lax::ge(lax::add(i, scalar_value(Literal::from_int(DType::i32, k))), j);
  int64_t r = int64_t(shape.size());
  return r == 2 ? mask : broadcast_in_dim(mask, shape, {r - 2, r - 1});
}
Value diagonal_mask(const Shape& shape) {
  Shape m = {shape[shape.size() - 2], shape[shape.size() - 1]};
  Value mask =
      lax::eq(lax::iota(DType::i32, m, 0), lax::iota(DType::i32, m, 1));
  int64_t r = int64_t(shape.size());
  return r == 2 ? mask : broadcast_in_dim(mask, shape, {r - 2, r - 1});
}

}  // namespace

Value tril(const Value& x, int64_t k) {
  return lax::select(lower_mask(x.shape(), k), x, zeros_like(x));
}
Value triu(const Value& x, int64_t k) {
  return lax::select(lower_mask(x.shape(), k - 1), zeros_like(x), x);
}
Value eye(DType t, int64_t n, int64_t m) {
  return lax::convert(diagonal_mask({n, m}), t);
}
Value eye_like(const Value& x) {
  return lax::convert(diagonal_mask(x.shape()), x.dtype());
}
Value diagonal(const Value& x) {
  return lax::reduce_sum(
      lax::select(diagonal_mask(x.shape()), x, zeros_like(x)), {x.rank() - 1});
}
Value diagonal_matrix(const Value& v) {
  int64_t n = v.shape().back();
  Value x = as_columns(v, with_last(v.shape(), 1, {n, n}));
  return lax::select(diagonal_mask(x.shape()), x, zeros_like(x));
}

Value as_rows(const Value& v, const Shape& shape) {
  Axes dims;
  for (int64_t d = 0; d + 1 < v.rank(); ++d) dims.push_back(d);
  dims.push_back(v.rank());
  return broadcast_in_dim(v, shape, dims);
}
Value as_columns(const Value& v, const Shape& shape) {
  Axes dims;
  for (int64_t d = 0; d < v.rank(); ++d) dims.push_back(d);
  return broadcast_in_dim(v, shape, dims);
}

namespace {

Value range(const Value& x, int64_t axis, int64_t begin, int64_t end) {
  Dims from(size_t(x.rank()), 0), to = x.shape();
  from[size_t(axis)] = begin;
  to[size_t(axis)] = end;
  return lax::slice(x, from, to);
}

}  // namespace

Value columns(const Value& x, int64_t begin, int64_t end) {
  return range(x, x.rank() - 1, begin, end);
}
Value row_range(const Value& x, int64_t begin, int64_t end) {
  return range(x, x.rank() - 2, begin, end);
}

Value take_along(const Value& x, const Value& index, int64_t axis) {
  int64_t r = x.rank(), at = r + axis, other = axis == -1 ? r - 2 : r - 1;
  GatherParams g;
  for (int64_t d = 0; d < r - 2; ++d) g.operand_batching_dims.push_back(d);
  g.start_indices_batching_dims = g.operand_batching_dims;
  g.collapsed_slice_dims = g.start_index_map = {at};
  g.offset_dims = {other};
  g.slice_sizes = Dims(size_t(r), 1);
  g.slice_sizes[size_t(other)] = x.shape()[size_t(other)];
  g.mode = GatherMode::clip;
  return lax::gather(x, lax::expand_dims(index, {index.rank()}), g);
}

Value solve(const Value& a, const Value& b) {
  Values f = lax::lu(lax::stop_gradient(a));
  return lax::linear_solve(a, f[0], f[2], b, 0);
}

// ---- type and batch rules

namespace {

bool has_lapack(DType t) {
  return t == DType::f32 || t == DType::f64 || is_complex(t);
}

}  // namespace

Shape matrix_operands(const TypeArgs& a, std::initializer_list<int64_t> ranks,
                      unsigned ints) {
  COTAN_CHECK(a.in.size() == ranks.size());
  const char* name = a.self.name;
  Shape batch;
  size_t i = 0;
  for (int64_t rank : ranks) {
    const Aval& x = a.in[i];
    if (ints >> i & 1) {
      if (x.dtype != DType::i32)
        throw_type("[", name, "] operand ", i, " of ", name,
                   " must be int32, got ", x);
    } else if (is_float(x.dtype) && !has_lapack(x.dtype)) {
      throw_not_implemented("[", name, "] Unsupported dtype ",
                            dtype_name(x.dtype),
                            ": matrices are float32, float64, complex64 or "
                            "complex128");
    } else if (!has_lapack(x.dtype)) {
      throw_type("[", name, "] ", name, " does not accept dtype ",
                 dtype_name(x.dtype), " at position ", i,
                 ". Accepted dtypes are float32, float64, complex64 and "
                 "complex128.");
    } else if (x.dtype != a.in[0].dtype) {
      throw_type("[", name, "] ", name,
                 " requires arguments to have the same dtypes, got ",
                 dtype_name(a.in[0].dtype), ", ", dtype_name(x.dtype), ".");
    }
    if (x.rank() < rank)
      throw_type("[", name, "] Input ", i, " to ", name,
                 " must have rank at least ", rank,
                 ", but got shape=", shape_string(x.shape));
    Shape b(x.shape.begin(), x.shape.end() - rank);
    if (i > 0 && b != batch)
      throw_type("[", name, "] All inputs to ", name,
                 " must have the same batch dimensions, but got ",
                 shape_string(batch), " and ", shape_string(b), ".");
    batch = b;
    ++i;
  }
  return batch;
}

void require_square(const TypeArgs& a) {
  const Shape& s = a.in[0].shape;
  if (s[s.size() - 1] != s[s.size() - 2])
    throw_value("[", a.self.name, "] The input to ", a.self.name,
                " must be a square matrix, shape [..., n, n]. Got shape ",
                shape_string(s), ".");
}

bool all_weak(const TypeArgs& a) {
  for (const Aval& x : a.in)
    if (!x.weak_type) return false;
  return true;
}

Aval matrix_aval(DType t, bool weak, const Shape& batch,
                 std::initializer_list<int64_t> dims) {
  return {t, weak, with_last(batch, 0, dims)};
}

Batched front_batch(const BatchArgs& a) {
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i)
    x.push_back(batch_to_front(a.x[i], a.dims[i], a.size));
  Batched b;
  b.values = bind_all(a.self, x, a.params);
  b.dims.assign(b.values.size(), 0);
  return b;
}

LinalgAttrs linalg_attrs(LinalgOp op, const LowerArgs& a, int64_t drop) {
  LinalgAttrs k;
  k.op = op;
  k.dtype = a.in[0].dtype;
  const Shape& s = a.in[0].shape;
  k.batch = num_elements(std::span(s.begin(), s.end() - drop));
  auto bytes = [&](const Aval& x) {
    return k.batch == 0 ? 0 : x.nbytes() / k.batch;
  };
  for (const Aval& x : a.in) k.in_bytes.push_back(bytes(x));
  for (const Aval& x : a.out) k.out_bytes.push_back(bytes(x));
  if (drop == 2) {
    k.m = s[s.size() - 2];
    k.n = s[s.size() - 1];
  } else {
    k.n = s.back();
  }
  return k;
}

}  // namespace cotan::ops

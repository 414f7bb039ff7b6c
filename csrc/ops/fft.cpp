// fft: discrete Fourier transforms over the last axes, complex, from real or
// to real numbers. All are linear over the reals.
#include "ir/fft_attrs.h"
#include "ops/hlo_rules.h"
#include "ops/rules.h"
#include "ops/window_params.h"

namespace cotan {
namespace ops {

extern const Primitive fft_p;

namespace {

const FftParams& P(const Params& p) { return p.as<FftParams>(); }

bool real_lines(DType t) { return t == DType::f32 || t == DType::f64; }

[[noreturn]] void wrong_lengths(const char* kind, const Aval& x,
                                const Dims& lengths) {
  throw_value("[fft] ", kind, " input shape ", shape_string(x.shape),
              " minor dimensions must be equal to ",
              kind == std::string_view("IRFFT")
                  ? "all except the last fft_length, got fft_lengths="
                  : "fft_lengths ",
              shape_string(lengths));
}

Avals fft_type(const TypeArgs& a) {
  auto& p = P(a.params);
  const Aval& x = a.in[0];
  size_t rank = p.lengths.size();
  if (rank == 0 || rank > x.shape.size())
    throw_value("[fft] FFT input shape ", shape_string(x.shape),
                " must have at least as many input dimensions as fft_lengths ",
                shape_string(p.lengths), ", and one of these");
  for (int64_t n : p.lengths)
    if (n < 1)
      throw_value("[fft] lengths must be positive, got fft_lengths ",
                  shape_string(p.lengths));
  Aval y = x;
  y.weak_type = false;
  size_t first = x.shape.size() - rank;
  const char* kind = p.kind == FftType::rfft    ? "RFFT"
                     : p.kind == FftType::irfft ? "IRFFT"
                                                : "FFT";
  if (p.kind == FftType::rfft) {
    if (!real_lines(x.dtype))
      throw_value("[fft] RFFT input must be float32 or float64, got ",
                  dtype_name(x.dtype));
    y.dtype = complex_dtype(x.dtype);
    y.shape.back() = p.lengths.back() / 2 + 1;
  } else if (!is_complex(x.dtype)) {
    throw_value("[fft] ", kind, " input must be complex64 or complex128, got ",
                dtype_name(x.dtype));
  }
  for (size_t d = 0; d < rank; ++d) {
    int64_t want = p.lengths[d];
    if (d + 1 == rank && p.kind == FftType::irfft) {
      want = want / 2 + 1;
      y.dtype = real_dtype(x.dtype);
      y.shape.back() = p.lengths.back();
    }
    if (x.shape[first + d] != want) wrong_lengths(kind, x, p.lengths);
  }
  return {y};
}

// 1 for the entries of half a spectrum that stand for themselves, 2 for those
// whose conjugate is left out.
Value multiplicity(int64_t n, const Value& like) {
  Shape shape(like.shape().begin(), like.shape().end());
  int64_t axis = like.rank() - 1;
  DType real = real_dtype(like.dtype());
  Value k = lax::iota(DType::i64, shape, axis);
  auto constant = [](int64_t v) {
    return scalar_value(Literal::from_int(DType::i64, v));
  };
  Value alone = lax::eq(k, constant(0));
  if (n % 2 == 0) alone = lax::bitwise_or(alone, lax::eq(k, constant(n / 2)));
  return lax::select(alone, lax::full(shape, Literal::from_double(real, 1)),
                     lax::full(shape, Literal::from_double(real, 2)));
}

Values fft_transpose(const TransposeArgs& a) {
  auto& p = P(a.params);
  const Value& ct = a.ct[0];
  double size = 1;
  for (int64_t n : p.lengths) size *= double(n);
  int64_t last = p.lengths.back();
  if (p.kind == FftType::rfft) {
    Value weight = multiplicity(last, ct);
    Value x = lax::div(lax::conj(ct), lax::convert(weight, ct.dtype()));
    Value y = lax::fft(x, FftType::irfft, p.lengths);
    return {lax::mul(y, lax::constant_like(y, size))};
  }
  if (p.kind == FftType::irfft) {
    Value x = lax::fft(ct, FftType::rfft, p.lengths);
    Value weight = multiplicity(last, x);
    weight = lax::mul(weight, lax::constant_like(weight, 1 / size));
    return {lax::conj(lax::mul(x, lax::convert(weight, x.dtype())))};
  }
  return {lax::fft(ct, p.kind, p.lengths)};
}

Batched fft_batch(const BatchArgs& a) {
  Value x = batch_to_front(a.x[0], a.dims[0], a.size);
  return batched_at(bind1(a.self, {x}, a.params), 0);
}

KernelSpec fft_kernel(const LowerArgs& a) {
  auto& p = P(a.params);
  FftAttrs k;
  k.kind = FftKind(int(p.kind));
  k.is_double = real_dtype(a.in[0].dtype) == DType::f64;
  const Shape& s = a.in[0].shape;
  k.batch =
      num_elements(std::span(s.begin(), s.end() - int64_t(p.lengths.size())));
  k.lengths = p.lengths;
  std::vector<int64_t> attrs;
  attrs.reserve(16);  // else GCC 12 sees an overflow that is not there
  AttrWriter writer(attrs);
  k.fields(writer);
  return {"fft", std::move(attrs)};
}

}  // namespace

constinit const Primitive fft_p = {
    .name = "fft",
    .flags = kLinear,
    .params = params_of<FftParams>,
    .type = fft_type,
    .eval = kernel_eval,
    .jvp = linear_jvp,
    .transpose = fft_transpose,
    .batch = fft_batch,
    .kernel = fft_kernel,
    .hlo = hlo::fft,
};
COTAN_REGISTER(fft_p);

}  // namespace ops

namespace lax {

Value fft(const Value& x, FftType kind, const Dims& lengths) {
  return bind1(ops::fft_p, {x}, FftParams{kind, lengths});
}

}  // namespace lax
}  // namespace cotan

// Discrete Fourier transforms of any length, for several lines at once.
//
// Lines are kept side by side as [n][lanes], real and imaginary parts apart,
// so that every pass is a loop over neighbours and vectorises whatever the
// length is. Lengths whose prime factors are small go by mixed radix
// (Stockham, in order, no bit reversal), others by Bluestein's convolution.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace cotan {

// One line or lane set: parts at re and im, and as much room again.
template <class R>
struct FftBuffers {
  R *re, *im, *re_other, *im_other;
};

template <class R>
class FftPlan {
 public:
  explicit FftPlan(int64_t n);
  int64_t size() const { return n_; }
  // Numbers of scratch that run() needs besides the buffers.
  int64_t scratch(int64_t lanes) const;
  // x[k] = sum_j x[j] exp(-2 pi i j k / n) for every lane; the result is in
  // b.re and b.im, which may have changed places with the others. The inverse,
  // times n, is the same with the parts exchanged.
  void run(FftBuffers<R>& b, int64_t lanes, R* scratch) const;
  // Nanoseconds for one line, roughly.
  double cost() const;

  // Plans are made once and kept.
  static std::shared_ptr<const FftPlan> get(int64_t n);

 private:
  struct Stage {
    int radix;
    int64_t m;                        // length after this stage
    std::vector<R> re, im;            // w^(p j), [m][radix - 1]
    std::vector<R> wave_re, wave_im;  // w_radix^j, for radices without code
  };
  void run_stages(FftBuffers<R>& b, int64_t lanes, size_t first, size_t last,
                  int64_t stride) const;
  void run_line(FftBuffers<R>& b) const;
  void run_bluestein(FftBuffers<R>& b, int64_t lanes, R* scratch) const;
  void make_stages(const std::vector<int>& radices, int64_t n);

  int64_t n_;
  std::vector<Stage> stages_;
  // One long line is a matrix [outer][inner]: columns, twiddles, rows.
  std::shared_ptr<const FftPlan> columns_, rows_;
  std::vector<R> turn_re_, turn_im_;
  // Bluestein: chirp[j] = exp(-pi i j^2 / n), and the transform of its inverse.
  std::shared_ptr<const FftPlan> convolution_;
  std::vector<R> chirp_re_, chirp_im_, kernel_re_, kernel_im_;
};

// exp(-2 pi i k / n) for k in [0, count), each rounded once.
template <class R>
void unit_roots(int64_t n, int64_t count, R* re, R* im);

}  // namespace cotan

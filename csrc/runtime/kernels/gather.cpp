// The gather kernel. The result's axes are [outer window][batch][inner
// window]: the loops follow that order, so that the result is written from
// front to back, and the innermost dense run of a window is one copy.
#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/error.h"
#include "runtime/kernels/index_windows.h"
#include "runtime/kernels/isa.h"

namespace cotan {
namespace {

constexpr int64_t kMaxBlock = 1024;  // windows whose offsets are held at once
constexpr int64_t kChunkBytes = 1 << 18;
constexpr int64_t kCachedBytes = 4 << 20;
constexpr int kAhead = 12;  // windows between a prefetch and its use
// Results that exceed the caches are written around them.
constexpr int64_t kStreamBytes = int64_t(48) << 20;

struct Gather {
  GatherAttrs attrs;
  int64_t itemsize = 0;
  WindowStarts starts;
  WindowAxes outer, inner;
  int64_t run = 0;           // bytes of a dense run
  int64_t batch_stride = 0;  // bytes between neighbours in the result
  // Strides of the result's batch axes if they are not one axis; else empty.
  WindowAxes scattered_batch;
  int64_t result_bytes = 0;
  bool picks = false;  // elements one by one, side by side in the result
  char fill[16];
};

// Copies runs of a size that is known when compiling, or not.
template <int64_t kBytes>
struct FixedRun {
  COTAN_INLINE void copy(char* to, const char* from) const {
    std::memcpy(to, from, kBytes);
  }
};
struct LineRun {  // whole cache lines
  int64_t bytes;
  COTAN_INLINE void copy(char* to, const char* from) const {
    for (int64_t i = 0; i < bytes; i += 64) std::memcpy(to + i, from + i, 64);
  }
};
struct AnyRun {
  int64_t bytes;
  COTAN_INLINE void copy(char* to, const char* from) const {
    std::memcpy(to, from, size_t(bytes));
  }
};
#if defined(__SSE2__)
struct StreamedRun {
  int64_t bytes;
  COTAN_INLINE void copy(char* to, const char* from) const {
    for (int64_t i = 0; i < bytes; i += 64)
      for (int64_t j = i; j < i + 64; j += 16)
        _mm_stream_si128(
            reinterpret_cast<__m128i*>(to + j),
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + j)));
  }
};
#endif

void fill_run(const Gather& g, char* to) {
  for (int64_t i = 0; i < g.run; i += g.itemsize)
    std::memcpy(to + i, g.fill, size_t(g.itemsize));
}

// One window's inner part. `from` is null where it is dropped.
template <class Run>
COTAN_INLINE void copy_window(const Gather& g, const Run& run, char* to,
                              const char* from) {
  if (from == nullptr) {
    for_each_offset(g.inner, [&](int64_t, int64_t b) { fill_run(g, to + b); });
  } else if (g.inner.empty()) {
    run.copy(to, from);
  } else {
    for_each_offset(g.inner,
                    [&](int64_t a, int64_t b) { run.copy(to + b, from + a); });
  }
}

// Single elements of an operand that the caches hold: independent loads need
// no prefetch.
template <class E>
COTAN_MULTIVERSION void pick_elements(const E* operand, const int64_t* starts,
                                      int64_t n, E fill, E* result) {
  for (int64_t i = 0; i < n; ++i) {
    int64_t at = starts[i] / int64_t(sizeof(E));
    E v = operand[at < 0 ? 0 : at];
    result[i] = starts[i] < 0 ? fill : v;
  }
}
// False if these are not such elements.
bool pick_elements(const Gather& g, const char* operand, const int64_t* starts,
                   int64_t n, char* result) {
  if (!g.picks) return false;
  auto pick = [&]<class E>(E fill) {
    std::memcpy(&fill, g.fill, sizeof fill);
    pick_elements(reinterpret_cast<const E*>(operand), starts, n, fill,
                  reinterpret_cast<E*>(result));
  };
  if (g.run == 4)
    pick(uint32_t());
  else
    pick(uint64_t());
  return true;
}

// Windows [0, n) at `starts`, for one element of the outer window.
template <class Run>
void copy_windows(const Gather& g, const Run& run, const char* operand,
                  const int64_t* starts, const int64_t* places, int64_t n,
                  char* result) {
  if (!places && pick_elements(g, operand, starts, n, result)) return;
  int64_t lines = std::min<int64_t>(g.run, 256);
  for (int64_t i = 0; i < n; ++i) {
    if (i + kAhead < n && starts[i + kAhead] >= 0)
      for (int64_t l = 0; l < lines; l += 64)
        __builtin_prefetch(operand + starts[i + kAhead] + l);
    char* to = result + (places ? places[i] : i * g.batch_stride);
    copy_window(g, run, to, starts[i] < 0 ? nullptr : operand + starts[i]);
  }
}

// Calls f with the Run for this gather.
template <class F>
void with_run(const Gather& g, const char* result, F&& f) {
  switch (g.run) {
    case 1:
      return f(FixedRun<1>());
    case 2:
      return f(FixedRun<2>());
    case 4:
      return f(FixedRun<4>());
    case 8:
      return f(FixedRun<8>());
    case 16:
      return f(FixedRun<16>());
    case 32:
      return f(FixedRun<32>());
  }
  if (g.run % 64 != 0 || g.run > 4096) return f(AnyRun{g.run});
#if defined(__SSE2__)
  bool lines = uintptr_t(result) % 64 == 0 && g.batch_stride % 64 == 0;
  if (lines && g.inner.empty() && g.scattered_batch.empty() &&
      g.result_bytes > kStreamBytes) {
    f(StreamedRun{g.run});
    return _mm_sfence();
  }
#endif
  f(LineRun{g.run});
}

// Where the result's batch positions [first, first + n) lie.
void find_places(const Gather& g, int64_t first, int64_t n, int64_t* places) {
  for (int64_t i = 0; i < n; ++i) {
    int64_t rest = first + i, at = 0;
    for (size_t d = g.scattered_batch.size(); d-- > 0;) {
      at += rest % g.scattered_batch[d].size * g.scattered_batch[d].other;
      rest /= g.scattered_batch[d].size;
    }
    places[i] = at;
  }
}

int run_gather(const KernelCall* call, const Gather& g) {
  auto* operand = static_cast<const char*>(call->in[0]);
  auto* result = static_cast<char*>(call->out[0]);
  int64_t outer = 1, inner = g.run;
  for (const WindowAxis& a : g.outer) outer *= a.size;
  for (const WindowAxis& a : g.inner) inner *= a.size;
  int64_t count = g.starts.count();
  int64_t block = std::clamp<int64_t>(kChunkBytes / inner, 1, kMaxBlock);
  int64_t blocks = (count + block - 1) / block;
  // Few windows with many outer elements: these are spread over chunks too.
  int64_t per_chunk =
      std::max<int64_t>(1, kChunkBytes / (inner * std::min(block, count)));
  int64_t pieces = (outer + per_chunk - 1) / per_chunk;
  double ns = double(outer) * double(count) * (1.5 + double(inner) * 0.1);
  return parallel_chunks(
      call->rt, blocks * pieces, int64_t(ns), [&](int64_t chunk) {
        int64_t first = chunk / pieces * block;
        int64_t n = std::min(block, count - first);
        int64_t o = chunk % pieces * per_chunk;
        int64_t end = std::min(outer, o + per_chunk);
        int64_t starts[kMaxBlock], places[kMaxBlock];
        g.starts.compute(call->in[1], first, n, starts);
        bool scattered = !g.scattered_batch.empty();
        if (scattered) find_places(g, first, n, places);
        char* to = result + (scattered ? 0 : first * g.batch_stride);
        with_run(g, result, [&](const auto& run) {
          for (; o < end; ++o) {
            int64_t rest = o, a = 0, b = 0;
            for (size_t d = g.outer.size(); d-- > 0;) {
              a += rest % g.outer[d].size * g.outer[d].operand;
              b += rest % g.outer[d].size * g.outer[d].other;
              rest /= g.outer[d].size;
            }
            copy_windows(g, run, operand + a, starts,
                         scattered ? places : nullptr, n, to + b);
          }
        });
      });
}

// Sorts the result's axes into outer window, batch and inner window.
void plan_axes(Gather& g) {
  const GatherAttrs& a = g.attrs;
  Dims window_axes;  // operand axes of the result's window axes, in order
  for (int64_t d = 0; d < int64_t(a.operand_shape.size()); ++d)
    if (!contains(a.collapsed_slice_dims, d) &&
        !contains(a.operand_batching_dims, d))
      window_axes.push_back(d);
  size_t rank = a.offset_dims.size() + a.indices_shape.size() - 1;
  Dims shape;
  size_t window = 0, batch = 0;
  int64_t first_batch = -1, last_batch = -1;
  for (size_t d = 0; d < rank; ++d) {
    if (contains(a.offset_dims, int64_t(d))) {
      shape.push_back(a.slice_sizes[size_t(window_axes[window++])]);
    } else {
      shape.push_back(a.indices_shape[batch++]);
      if (first_batch < 0) first_batch = int64_t(d);
      last_batch = int64_t(d);
    }
  }
  Dims strides = row_major_strides(shape);
  Dims operand_strides = row_major_strides(a.operand_shape);
  bool dense_batch = last_batch - first_batch + 1 == int64_t(batch);
  g.batch_stride =
      g.itemsize * (last_batch < 0 ? 0 : strides[size_t(last_batch)]);
  window = 0;
  for (size_t d = 0; d < rank; ++d) {
    if (contains(a.offset_dims, int64_t(d))) {
      size_t axis = size_t(window_axes[window++]);
      WindowAxis w = {shape[d], operand_strides[axis] * g.itemsize,
                      strides[d] * g.itemsize};
      bool before = dense_batch && int64_t(d) < first_batch;
      (before ? g.outer : g.inner).push_back(w);
    } else if (!dense_batch) {
      g.scattered_batch.push_back({shape[d], 0, strides[d] * g.itemsize});
    }
  }
  simplify(g.outer);
  simplify(g.inner);
  g.run = take_run(g.inner, g.itemsize);
  g.result_bytes = num_elements(shape) * g.itemsize;
  int64_t operand_bytes = num_elements(a.operand_shape) * g.itemsize;
  g.picks = (g.run == 4 || g.run == 8) && g.run == g.itemsize &&
            g.inner.empty() && g.batch_stride == g.run && operand_bytes > 0 &&
            operand_bytes <= kCachedBytes;
}

}  // namespace

int gather_kernel(const KernelCall* call) {
  Gather g;
  g.attrs = decode_attrs<GatherAttrs>(call->attrs);
  const GatherAttrs& a = g.attrs;
  g.itemsize = itemsize(a.dtype);
  std::memcpy(g.fill, &a.fill_lo, 8);
  std::memcpy(g.fill + 8, &a.fill_hi, 8);
  plan_axes(g);
  if (g.result_bytes == 0) return kOk;
  if (!g.starts.init(g.itemsize, a.index_dtype, a.mode, a.operand_shape,
                     a.slice_sizes, a.indices_shape, a.start_index_map,
                     a.operand_batching_dims, a.start_indices_batching_dims))
    return call->rt->fail(call->rt,
                          "[gather] a slice is larger than the operand");
  return run_gather(call, g);
}

}  // namespace cotan

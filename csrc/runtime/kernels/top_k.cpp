// The top_k kernel: the k greatest of every line. What beats the k-th best so
// far goes to a list that is cut back to k when it is full; most elements are
// only compared, many at a time.
#include <algorithm>
#include <atomic>
#include <vector>

#include "base/error.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/sort_keys.h"

namespace cotan {
namespace {

constexpr int64_t kBlock = 64;

// The best come first: least words, then least indices.
template <class T>
using Word = word_of_size<sizeof(T)>;
template <class T>
COTAN_INLINE Word<T> rank_word(T x) {
  return Word<T>(~to_word(x));
}

// words[i] of n elements; whether one is below the limit.
template <class T>
COTAN_MULTIVERSION bool any_below(const T* x, int64_t stride, int64_t n,
                                  Word<T> limit, Word<T>* words) {
  Word<T> least = Word<T>(~Word<T>(0));
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i) {
      words[i] = rank_word(x[i]);
      least = std::min(least, words[i]);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) {
      words[i] = rank_word(x[i * stride]);
      least = std::min(least, words[i]);
    }
  }
  return least < limit;
}

template <class T>
class Best {
 public:
  explicit Best(int64_t k) : k_(k), capacity_(std::max(4 * k, int64_t(256))) {
    list_.reserve(size_t(capacity_ + kBlock));
  }

  void run(const T* x, int64_t n, int64_t stride) {
    list_.clear();
    Word<T> limit = Word<T>(~Word<T>(0)), words[kBlock];
    bool open = true;  // fewer than k so far: equals of the limit count too
    for (int64_t b = 0; b < n; b += kBlock) {
      int64_t m = std::min(kBlock, n - b);
      if (!any_below(x + b * stride, stride, m, limit, words) && !open)
        continue;
      for (int64_t i = 0; i < m; ++i)
        if (words[i] < limit || open) list_.push_back({words[i], b + i});
      if (int64_t(list_.size()) < (open ? k_ : capacity_)) continue;
      cut();
      limit = list_.back().word;
      open = false;
    }
    cut();
    std::sort(list_.begin(), list_.end());
  }
  int64_t index(int64_t i) const { return list_[size_t(i)].index; }

 private:
  struct Entry {
    Word<T> word;
    int64_t index;
    bool operator<(const Entry& e) const {
      return word != e.word ? word < e.word : index < e.index;
    }
  };
  // Keeps the best k, the worst of them last.
  void cut() {
    auto last = list_.begin() + k_ - 1;
    std::nth_element(list_.begin(), last, list_.end());
    list_.resize(size_t(k_));
  }

  int64_t k_, capacity_;
  std::vector<Entry> list_;
};

template <class T>
int run_lines(const KernelCall* call, const TopKAttrs& a) {
  auto* x = static_cast<const T*>(call->in[0]);
  auto* values = static_cast<T*>(call->out[0]);
  auto* indices = static_cast<int32_t*>(call->out[1]);
  int64_t lines = a.outer * a.inner;
  int64_t grain = std::max<int64_t>(1, (1 << 14) / a.n);
  double ns = double(lines) * (double(a.n) * 0.3 + double(a.k) * 20);
  std::atomic<bool> starved{false};
  int status = parallel_chunks(
      call->rt, (lines + grain - 1) / grain, int64_t(ns), [&](int64_t c) {
        try {
          Best<T> best(a.k);
          for (int64_t l = c * grain; l < std::min(lines, (c + 1) * grain);
               ++l) {
            int64_t o = l / a.inner, i = l % a.inner;
            const T* line = x + o * a.n * a.inner + i;
            best.run(line, a.n, a.inner);
            for (int64_t j = 0; j < a.k; ++j) {
              int64_t to = (o * a.k + j) * a.inner + i;
              indices[to] = int32_t(best.index(j));
              values[to] = line[best.index(j) * a.inner];
            }
          }
        } catch (const std::bad_alloc&) {
          starved = true;
        }
      });
  if (starved) return call->rt->fail(call->rt, "[top_k] out of memory");
  return status;
}

}  // namespace

int top_k_kernel(const KernelCall* call) {
  auto a = decode_attrs<TopKAttrs>(call->attrs);
  if (a.k == 0 || a.outer * a.inner == 0) return kOk;
  return visit_dtype(a.dtype, [&]<class T>() -> int {
    if constexpr (is_complex(dtype_of<T>::value))
      return call->rt->fail(call->rt, "[top_k] complex numbers have no order");
    else
      return run_lines<T>(call, a);
  });
}

}  // namespace cotan

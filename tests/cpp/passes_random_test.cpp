// Random programs of random views, reductions, updates and products: planned
// in every way and compared with the reference evaluation of their jaxpr.
#include <algorithm>
#include <cstdlib>
#include <random>

#include "passes_harness.h"

namespace cotan {

using namespace testing;

namespace {

constexpr DType f64 = DType::f64, i32 = DType::i32;

class RandomProgram {
 public:
  explicit RandomProgram(uint64_t seed) : random_(seed) {}

  // Small extents that share factors, so that reshapes and joins happen.
  Values arguments() {
    Values x;
    const Shape shapes[] = {{6, 4}, {4, 6}, {24}, {2, 3, 4}, {6, 1}, {4}};
    int n = 1 + below(3);
    for (int i = 0; i < n; ++i)
      x.push_back(random_array(f64, shapes[below(6)], -2, 2, random_()));
    return x;
  }

  // Applies `count` random operations to a growing pool of values.
  Values operator()(Args x, uint64_t seed, int count) {
    random_.seed(seed);
    pool_ = Values(x.begin(), x.end());
    for (int i = 0; i < count; ++i) {
      Value v = operation();
      if (v && v.size() <= 400) pool_.push_back(std::move(v));
    }
    Values out;
    int n = 1 + below(3);
    for (int i = 0; i < n; ++i)
      out.push_back(pool_[pool_.size() - 1 -
                          size_t(below(std::min<int>(6, int(pool_.size()))))]);
    return out;
  }

 private:
  int below(int n) { return int(random_() % uint64_t(n)); }
  // Mostly recent values: long chains.
  Value pick() {
    int n = int(pool_.size());
    int back = std::min(below(n), below(n));
    return pool_[size_t(n - 1 - back)];
  }
  Value pick_of_shape(const Shape& shape) {
    for (int i = 0; i < 12; ++i)
      if (Value v = pick(); v.shape() == shape) return v;
    return nullptr;
  }
  // Another value made to fit the shape of x.
  Value partner(const Value& x) {
    if (Value v = below(4) ? pick_of_shape(x.shape()) : nullptr) return v;
    if (below(3) == 0) return lax::constant_like(x, 0.5 + below(3));
    Value v = pick();
    if (v.size() == x.size()) return lax::reshape(v, x.shape());
    for (int64_t d = 0; d < x.rank(); ++d)
      if (v.rank() == 1 && v.shape()[0] == x.shape()[size_t(d)])
        return lax::broadcast_in_dim(v, x.shape(), {d});
    Value total = v;
    Axes all;
    for (int64_t d = 0; d < v.rank(); ++d) all.push_back(d);
    return lax::broadcast_in_dim(lax::reduce_max(total, all), x.shape(), {});
  }

  Value operation() {
    Value x = pick();
    switch (below(20)) {
      case 0:
      case 1:
        return lax::add(x, partner(x));
      case 2:
        return lax::mul(x, partner(x));
      case 3:
        return lax::sub(partner(x), x);
      case 4:
        return lax::sin(x);
      case 5:
        return lax::tanh(lax::mul(x, lax::constant_like(x, 0.25)));
      case 6:
        return lax::select(lax::gt(x, lax::constant_like(x, 0.0)), x,
                           lax::neg(x));
      case 7:
        return transposed(x);
      case 8:
        return reshaped(x);
      case 9:
        return sliced(x);
      case 10:
        return padded(x);
      case 11:
        return joined(x);
      case 12:
      case 13:
        return reduced(x);
      case 14:
        return centred(x);
      case 15:
        return moved(x);
      case 16:
        return updated(x);
      case 17:
        return product(x);
      case 18:
        return counted(x);
      default:
        return x.rank() ? lax::cumulative(x, CumulativeKind::sum,
                                          below(int(x.rank())), below(2))
                        : nullptr;
    }
  }

  Axes shuffled(int64_t rank) {
    Axes perm;
    for (int64_t d = 0; d < rank; ++d) perm.push_back(d);
    std::shuffle(perm.begin(), perm.end(), random_);
    return perm;
  }
  Value transposed(const Value& x) {
    return below(4) ? lax::transpose(x, shuffled(x.rank()))
                    : lax::rev(x, some_axes(x.rank()));
  }
  Axes some_axes(int64_t rank) {
    Axes axes;
    for (int64_t d = 0; d < rank; ++d)
      if (below(2)) axes.push_back(d);
    return axes;
  }
  Value reshaped(const Value& x) {
    Shape shape;
    int64_t left = x.size();
    while (left > 1 && shape.size() < 4) {
      Dims divisors;
      for (int64_t d = 2; d <= left; ++d)
        if (left % d == 0) divisors.push_back(d);
      shape.push_back(divisors[size_t(below(int(divisors.size())))]);
      left /= shape.back();
    }
    if (left > 1) shape.push_back(left);
    if (below(3) == 0)
      shape.insert(shape.begin() + below(int(shape.size()) + 1), 1);
    return lax::reshape(x, shape);
  }
  Value sliced(const Value& x) {
    Dims start, limit, step;
    for (int64_t e : x.shape()) {
      int64_t a = below(int(e)), b = a + 1 + below(int(e - a));
      if (below(2)) a = 0, b = e;
      start.push_back(a);
      limit.push_back(b);
      step.push_back(1 + below(2));
    }
    return lax::slice(x, start, limit, step);
  }
  Value padded(const Value& x) {
    std::vector<PadDim> config;
    for (int64_t e : x.shape()) {
      int64_t low = below(4) - 1, high = below(3) - (e > 2 ? 1 : 0);
      config.push_back({e > 2 ? low : std::max<int64_t>(low, 0),
                        std::max<int64_t>(high, e > 2 ? -1 : 0),
                        below(4) == 0 ? 1 : 0});
    }
    Value fill = below(2) ? lax::constant_like(x, 3.0)
                          : lax::reduce_max(x, shuffled(x.rank()));
    return lax::pad(x, fill, config);
  }
  Value joined(const Value& x) {
    if (x.rank() == 0) return nullptr;
    int64_t d = below(int(x.rank()));
    Values parts{x, lax::neg(x)};
    if (below(2)) parts.push_back(partner(x));
    for (Value& v : parts)
      if (v.shape() != x.shape()) v = lax::broadcast_in_dim(v, x.shape(), {});
    return lax::concatenate(parts, d);
  }
  Value reduced(const Value& x) {
    if (x.rank() == 0) return nullptr;
    if (below(5) == 0)
      return lax::convert(
          lax::argreduce(x, below(2) ? Monoid::argmax : Monoid::argmin,
                         below(int(x.rank())), i32),
          f64);
    Axes axes = some_axes(x.rank());
    if (axes.empty()) axes.push_back(x.rank() - 1);
    return below(3) ? lax::reduce_sum(x, axes) : lax::reduce_max(x, axes);
  }
  // x minus a reduction of it: consumed in the same space.
  Value centred(const Value& x) {
    if (x.rank() == 0) return nullptr;
    Axes kept, axes = some_axes(x.rank());
    if (axes.empty()) axes.push_back(below(int(x.rank())));
    for (int64_t d = 0; d < x.rank(); ++d)
      if (std::find(axes.begin(), axes.end(), d) == axes.end())
        kept.push_back(d);
    Value m = below(2) ? lax::reduce_max(x, axes) : lax::reduce_sum(x, axes);
    if (below(3) == 0) m = lax::tanh(m);
    Value y = lax::sub(x, lax::broadcast_in_dim(m, x.shape(), kept));
    if (below(2)) return y;
    Value e = lax::tanh(y);
    Value s = lax::reduce_sum(e, axes);
    return lax::mul(e, lax::broadcast_in_dim(s, x.shape(), kept));
  }
  Values starts(const Value& x) {
    Values v;
    for (int64_t d = 0; d < x.rank(); ++d) {
      Value source = lax::reduce_max(pool_[0], shuffled(pool_[0].rank()));
      v.push_back(
          below(2) ? Value(scalar_value(Literal::from_int(i32, below(5) - 1)))
                   : lax::convert(source, i32));
    }
    return v;
  }
  Dims window(const Value& x) {
    Dims sizes;
    for (int64_t e : x.shape()) sizes.push_back(1 + below(int(e)));
    return sizes;
  }
  Value moved(const Value& x) {
    return lax::dynamic_slice(x, starts(x), window(x));
  }
  Value updated(const Value& x) {
    Dims sizes = window(x);
    Value y = lax::sin(lax::slice(x, Dims(sizes.size(), 0), sizes));
    return lax::dynamic_update_slice(x, y, starts(x));
  }
  Value product(const Value& x) {
    for (int i = 0; i < 8; ++i) {
      Value y = pick();
      for (int64_t a = 0; a < x.rank(); ++a)
        for (int64_t b = 0; b < y.rank(); ++b) {
          if (x.shape()[size_t(a)] != y.shape()[size_t(b)] || below(3) == 0)
            continue;
          DotParams p;
          p.lhs_contract = {a};
          p.rhs_contract = {b};
          for (int64_t c = 0; c < x.rank() && below(2); ++c)
            for (int64_t d = 0; d < y.rank(); ++d)
              if (c != a && d != b && p.lhs_batch.empty() &&
                  x.shape()[size_t(c)] == y.shape()[size_t(d)]) {
                p.lhs_batch = {c};
                p.rhs_batch = {d};
              }
          return lax::mul(lax::dot_general(x, y, p),
                          lax::constant_like(x, 0.25));
        }
    }
    return nullptr;
  }
  Value counted(const Value& x) {
    if (x.rank() == 0) return nullptr;
    Value i = lax::iota(f64, x.shape(), below(int(x.rank())));
    return lax::select(lax::lt(i, lax::constant_like(i, 2.0)), x, i);
  }

  std::mt19937_64 random_;
  Values pool_;
};

void run_seeds(uint64_t first, int programs, int length) {
  for (uint64_t seed = first; seed < first + uint64_t(programs); ++seed) {
    RandomProgram program(seed);
    Values x = program.arguments();
    try {
      check_planned([&](Args a) { return program(a, seed, length); }, x);
    } catch (Failure& f) {
      f.what = cat("seed ", seed, " length ", length, ": ", f.what);
      throw;
    } catch (const Error& e) {
      fail(__FILE__, __LINE__,
           cat("seed ", seed, " length ", length, " threw ", e.what()));
    }
  }
}

int scale() {
  const char* s = std::getenv("COTAN_RANDOM_SCALE");
  return s ? std::max(1, std::atoi(s)) : 1;
}

}  // namespace

TEST(planned_random_short_programs) { run_seeds(1000, 150 * scale(), 6); }
TEST(planned_random_programs) { run_seeds(5000, 60 * scale(), 16); }
TEST(planned_random_long_programs) { run_seeds(9000, 12 * scale(), 50); }

}  // namespace cotan

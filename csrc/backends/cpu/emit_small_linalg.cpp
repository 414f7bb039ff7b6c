// One problem per lane. Matrices are read as they lie in memory and transposed
// in registers; the algorithms are unrolled, with the columns of right sides
// in a loop. What LAPACK does for odd input is done by selects: a matrix that
// is not positive definite gives nan, a zero pivot is not divided by.
#include "backends/cpu/emit_small_linalg.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <limits>

#include "backends/cpu/kernel_emitter.h"
#include "backends/cpu/vector_memory.h"
#include "base/error.h"

namespace cotan::cpu {
namespace {

constexpr int64_t kMaxSize = 8;
constexpr int64_t kMaxRight = 128;  // elements of right sides

// Movers: functions that move up to `lanes` consecutive elements of each
// lane's problem between memory and vectors, one vector per element:
// (operand, elements of a problem, first problem, last problem, from, slots).
// Lanes beyond the last problem do that one once more. They are compiled once:
// transposing takes longer to compile than most routines.
llvm::FunctionType* mover_type(llvm::LLVMContext& c) {
  llvm::Type *ptr = llvm::PointerType::getUnqual(c),
             *i64 = llvm::Type::getInt64Ty(c);
  return llvm::FunctionType::get(llvm::Type::getVoidTy(c),
                                 {ptr, i64, i64, i64, i64, ptr}, false);
}
std::string mover_name(int lanes, DType t, bool in) {
  return cat(in ? "load" : "store", lanes, "x", itemsize(t));
}

void emit_mover(llvm::Module& m, const TargetSpec& target, int lanes, DType t,
                bool in) {
  auto* f = llvm::Function::Create(mover_type(m.getContext()),
                                   llvm::Function::ExternalLinkage,
                                   mover_name(lanes, t, in), m);
  set_function_attributes(*f, target);
  Builder b(llvm::BasicBlock::Create(m.getContext(), "entry", f));
  LlvmEmitter e(b, target, lanes);
  VectorMemory memory(e);
  llvm::Value *count = f->getArg(1), *from = f->getArg(4);
  llvm::Value* mask = memory.lanes_below(b.CreateSub(count, from));
  auto row = [&](int lane) {
    llvm::Value* p = b.CreateBinaryIntrinsic(
        llvm::Intrinsic::smin,
        b.CreateAdd(f->getArg(2), b.getInt64(uint64_t(lane))), f->getArg(3));
    return memory.element(t, f->getArg(0),
                          b.CreateAdd(b.CreateMul(p, count), from));
  };
  auto slot = [&](int i) {
    return memory.element(t, f->getArg(5), b.getInt64(uint64_t(i * lanes)));
  };
  std::vector<Scalar> v;
  for (int l = 0; l < lanes; ++l)
    v.push_back(in ? memory.load(t, {.base = row(l)}, mask)
                   : memory.load(t, {.base = slot(l)}, nullptr));
  v = transposed(e, std::move(v));
  for (int l = 0; l < lanes; ++l)
    if (in)
      memory.store(v[size_t(l)], {.base = slot(l)}, nullptr);
    else
      memory.store(v[size_t(l)], {.base = row(l)}, mask);
  b.CreateRetVoid();
}

class SmallLinalg {
 public:
  SmallLinalg(Builder& b, const TargetSpec& target, const SmallLinalgArgs& args)
      : b_(b),
        args_(args),
        a_(args.attrs),
        t_(a_.dtype),
        width_(small_linalg_lanes(t_)),
        e_(b, target, width_),
        memory_(e_) {}

  using Routine = void (SmallLinalg::*)();
  static Routine routine(LinalgOp op) {
    static constexpr struct {
      LinalgOp op;
      Routine run;
    } table[] = {
        {LinalgOp::cholesky, &SmallLinalg::cholesky},
        {LinalgOp::lu, &SmallLinalg::lu},
        {LinalgOp::linear_solve, &SmallLinalg::linear_solve},
        {LinalgOp::triangular_solve, &SmallLinalg::triangular_solve},
        {LinalgOp::geqrf, &SmallLinalg::geqrf},
        {LinalgOp::householder_product, &SmallLinalg::householder_product},
        {LinalgOp::qr, &SmallLinalg::qr},
        {LinalgOp::eigh, &SmallLinalg::eigh},
    };
    for (auto& row : table)
      if (row.op == op) return row.run;
    return nullptr;
  }

  void run() {
    Routine body = routine(a_.op);
    last_ = b_.CreateSub(args_.batch, i64(1));
    loop(args_.begin, args_.end, [&](llvm::Value* group) {
      first_ = b_.CreateMul(group, i64(width_));
      (this->*body)();
    });
  }

 private:
  using Matrix = std::vector<Scalar>;  // row-major

  llvm::Value* i64(int64_t v) { return b_.getInt64(uint64_t(v)); }
  template <class Body>
  void loop(llvm::Value* lo, llvm::Value* hi, const Body& body) {
    emit_loop(b_, lo, hi, i64(1), {},
              [&](llvm::Value* i, std::vector<llvm::Value*>) {
                body(i);
                return std::vector<llvm::Value*>();
              });
  }

  // ---- memory

  size_t output(size_t i) const { return a_.in_bytes.size() + i; }
  void call_mover(DType t, bool in, llvm::ArrayRef<llvm::Value*> args) {
    llvm::Module& m = *b_.GetInsertBlock()->getModule();
    b_.CreateCall(m.getOrInsertFunction(mover_name(width_, t, in),
                                        mover_type(m.getContext())),
                  args);
  }
  void move(size_t i, DType t, int64_t count, llvm::Value* base, bool in) {
    for (int64_t from = 0; from < count; from += width_)
      call_mover(t, in,
                 {args_.operands[i], i64(count), first_, last_, i64(from),
                  memory_.element(t, base, i64(from * width_))});
  }
  Matrix load(size_t i, DType t, int64_t count) {
    llvm::Value* base = loaded(i, t, count);
    Matrix x;
    for (int64_t k = 0; k < count; ++k) x.push_back(get(base, i64(k), t));
    return x;
  }
  llvm::Value* loaded(size_t i, DType t, int64_t count) {
    llvm::Value* base = slots(count);
    move(i, t, count, base, true);
    return base;
  }
  void store(size_t i, DType t, const Matrix& x) {
    llvm::Value* base = slots(int64_t(x.size()));
    for (size_t k = 0; k < x.size(); ++k) put(base, i64(int64_t(k)), x[k]);
    move(i, t, int64_t(x.size()), base, false);
  }

  // Vectors on the stack; whole blocks, for the movers.
  llvm::Value* slots(int64_t n) {
    n = (n + width_ - 1) / width_ * width_;
    llvm::BasicBlock& entry = b_.GetInsertBlock()->getParent()->getEntryBlock();
    Builder at(&entry, entry.begin());
    auto* a = at.CreateAlloca(llvm::ArrayType::get(
        b_.getInt8Ty(), uint64_t(n * width_ * itemsize(t_))));
    a->setAlignment(llvm::Align(64));
    return a;
  }
  LaneAddress slot(llvm::Value* base, llvm::Value* index, DType t) {
    return {.base = memory_.element(t, base, b_.CreateMul(index, i64(width_)))};
  }
  void put(llvm::Value* base, llvm::Value* index, Scalar x) {
    memory_.store(x, slot(base, index, x.dtype), nullptr);
  }
  Scalar get(llvm::Value* base, llvm::Value* index, DType t) {
    return memory_.load(t, slot(base, index, t), nullptr);
  }
  Scalar get(llvm::Value* base, llvm::Value* index) {
    return get(base, index, t_);
  }

  // ---- arithmetic

  Scalar number(double v) { return e_.constant(t_, v); }
  Scalar index(int64_t v) { return e_.constant_int(DType::i32, v); }
  Scalar minus(Scalar z, Scalar x, Scalar y) {  // z - x * y
    return e_.fma(e_.neg(x), y, z);
  }

  Scalar larger(Scalar x, Scalar y) { return e_.select(e_.gt(x, y), x, y); }

  void cholesky() {
    int64_t n = a_.n;
    Matrix a = load(0, t_, n * n);
    auto at = [&](int64_t i, int64_t j) -> Scalar& {
      return a[size_t(i * n + j)];
    };
    Scalar good = {};
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t k = 0; k < j; ++k)
        for (int64_t i = j; i < n; ++i)
          at(i, j) = minus(at(i, j), at(i, k), at(j, k));
      Scalar positive = e_.gt(at(j, j), number(0));
      good = j ? e_.and_(good, positive) : positive;
      at(j, j) = e_.sqrt(at(j, j));
      Scalar inverse = e_.div(number(1), at(j, j));
      for (int64_t i = j + 1; i < n; ++i) at(i, j) = e_.mul(at(i, j), inverse);
    }
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        at(i, j) =
            j > i ? number(0)
                  : e_.select(good, at(i, j),
                              number(std::numeric_limits<double>::quiet_NaN()));
    store(output(0), t_, a);
  }

  void lu() {
    int64_t m = a_.m, n = a_.n, steps = std::min(m, n);
    Matrix a = load(0, t_, m * n), pivots, perm;
    auto at = [&](int64_t i, int64_t j) -> Scalar& {
      return a[size_t(i * n + j)];
    };
    for (int64_t i = 0; i < m; ++i) perm.push_back(index(i));
    for (int64_t k = 0; k < steps; ++k) {
      Scalar best = e_.abs(at(k, k)), where = index(k);
      for (int64_t i = k + 1; i < m; ++i) {
        Scalar size = e_.abs(at(i, k)), larger = e_.gt(size, best);
        best = e_.select(larger, size, best);
        where = e_.select(larger, index(i), where);
      }
      pivots.push_back(where);
      for (int64_t i = k + 1; i < m; ++i) {
        Scalar here = e_.eq(where, index(i));
        auto exchange = [&](Scalar& x, Scalar& y) {
          Scalar old = x;
          x = e_.select(here, y, old);
          y = e_.select(here, old, y);
        };
        for (int64_t j = 0; j < n; ++j) exchange(at(k, j), at(i, j));
        exchange(perm[size_t(k)], perm[size_t(i)]);
      }
      Scalar zero = e_.eq(at(k, k), number(0));
      Scalar pivot = e_.select(zero, number(1), at(k, k));
      for (int64_t i = k + 1; i < m; ++i) {
        at(i, k) = e_.div(at(i, k), pivot);
        for (int64_t j = k + 1; j < n; ++j)
          at(i, j) = minus(at(i, j), at(i, k), at(k, j));
      }
    }
    store(output(0), t_, a);
    store(output(1), DType::i32, pivots);
    store(output(2), DType::i32, perm);
  }

  // ---- Householder reflectors, with LAPACK's signs

  // a[m, n] in place, as geqrf leaves it; returns taus.
  Matrix reflect(Matrix& a, int64_t m, int64_t n) {
    auto at = [&](int64_t i, int64_t j) -> Scalar& {
      return a[size_t(i * n + j)];
    };
    Matrix taus;
    for (int64_t k = 0; k < std::min(m, n); ++k) {
      // The norm of the column below, scaled by its largest element.
      Scalar alpha = at(k, k), top = e_.abs(alpha), rest = number(0);
      for (int64_t i = k + 1; i < m; ++i) rest = larger(rest, e_.abs(at(i, k)));
      top = larger(top, rest);
      Scalar some = e_.gt(rest, number(0));
      some = e_.or_(some, e_.ne(rest, rest));
      Scalar unit = e_.div(number(1), e_.select(some, top, number(1)));
      Scalar sum = number(0);
      for (int64_t i = k; i < m; ++i) {
        Scalar x = e_.mul(at(i, k), unit);
        sum = e_.fma(x, x, sum);
      }
      Scalar norm = e_.mul(e_.sqrt(sum), top);
      Scalar beta = e_.select(e_.lt(alpha, number(0)), norm, e_.neg(norm));
      beta = e_.select(some, beta, alpha);
      Scalar safe = e_.select(some, beta, number(1));
      Scalar tau =
          e_.select(some, e_.div(e_.sub(beta, alpha), safe), number(0));
      Scalar inverse =
          e_.div(number(1), e_.select(some, e_.sub(alpha, beta), number(1)));
      for (int64_t i = k + 1; i < m; ++i) at(i, k) = e_.mul(at(i, k), inverse);
      at(k, k) = beta;
      apply(a, n, k, m, k + 1, tau, [&](int64_t i) { return at(i, k); });
      taus.push_back(tau);
    }
    return taus;
  }
  // Columns from `first` on of x[.., n], multiplied by I - tau v v^T, where
  // v = (1, v(k + 1), ..., v(m - 1)) starts in row k.
  template <class V>
  void apply(Matrix& x, int64_t n, int64_t k, int64_t m, int64_t first,
             Scalar tau, const V& v) {
    auto at = [&](int64_t i, int64_t j) -> Scalar& {
      return x[size_t(i * n + j)];
    };
    for (int64_t j = first; j < n; ++j) {
      Scalar w = at(k, j);
      for (int64_t i = k + 1; i < m; ++i) w = e_.fma(v(i), at(i, j), w);
      w = e_.mul(w, tau);
      at(k, j) = e_.sub(at(k, j), w);
      for (int64_t i = k + 1; i < m; ++i) at(i, j) = minus(at(i, j), v(i), w);
    }
  }
  // The first `cols` columns of the product of the reflectors in a[m, n].
  Matrix product_of(const Matrix& a, int64_t m, int64_t n, const Matrix& taus,
                    int64_t cols) {
    Matrix q;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < cols; ++j) q.push_back(number(i == j));
    for (auto k = int64_t(taus.size()); k-- > 0;)
      apply(q, cols, k, m, k, taus[size_t(k)],
            [&](int64_t i) { return a[size_t(i * n + k)]; });
    return q;
  }

  void geqrf() {
    Matrix a = load(0, t_, a_.m * a_.n);
    Matrix taus = reflect(a, a_.m, a_.n);
    store(output(0), t_, a);
    store(output(1), t_, taus);
  }
  void householder_product() {
    Matrix a = load(0, t_, a_.m * a_.n), taus = load(1, t_, a_.k);
    store(output(0), t_, product_of(a, a_.m, a_.n, taus, a_.n));
  }
  void qr() {
    int64_t m = a_.m, n = a_.n, k = a_.k;
    Matrix a = load(0, t_, m * n);
    Matrix taus = reflect(a, m, n);
    store(output(0), t_, product_of(a, m, n, taus, k));
    Matrix r;
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < n; ++j)
        r.push_back(j < i ? number(0) : a[size_t(i * n + j)]);
    store(output(1), t_, r);
  }

  // ---- eigenvalues, by cyclic Jacobi rotations: as exact as it gets

  void eigh() {
    int64_t n = a_.n;
    bool lower = a_.flags[0] != 0;
    Matrix in = load(0, t_, n * n);
    llvm::Value *a = slots(n * n), *v = slots(n * n);  // a: its lower triangle
    Scalar norm = number(0);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        Scalar x = in[size_t(lower == (j < i) ? i * n + j : j * n + i)];
        if (j <= i) put(a, i64(i * n + j), x);
        norm = larger(norm, e_.abs(x));
        norm = e_.select(e_.ne(x, x), x, norm);
        put(v, i64(i * n + j), number(i == j));
      }
    // Squares must neither overflow nor vanish.
    Scalar usual = e_.and_(e_.gt(norm, number(0)), is_finite(norm));
    Scalar scale = e_.select(usual, norm, number(1));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j <= i; ++j)
        put(a, i64(i * n + j), e_.div(get(a, i64(i * n + j)), scale));
    sweeps(a, v, n);
    Matrix w, vectors;
    for (int64_t i = 0; i < n; ++i)
      w.push_back(e_.mul(get(a, i64(i * n + i)), scale));
    for (int64_t i = 0; i < n * n; ++i) vectors.push_back(get(v, i64(i)));
    // Infinite or nan in, nan out.
    Scalar bad = e_.not_(is_finite(norm));
    Scalar nan = number(std::numeric_limits<double>::quiet_NaN());
    for (Matrix* x : {&w, &vectors})
      for (Scalar& y : *x) y = e_.select(bad, nan, y);
    sort_columns(w, vectors, n);
    store(output(0), t_, vectors);
    store(output(1), t_, w);
  }
  Scalar is_finite(Scalar x) { return e_.eq(e_.sub(x, x), number(0)); }

  // Rotations of all pairs, again until no lane has a large element left.
  void sweeps(llvm::Value* a, llvm::Value* v, int64_t n) {
    if (n < 2) return;
    constexpr int64_t kMost = 30;
    auto* f = b_.GetInsertBlock()->getParent();
    auto* before = b_.GetInsertBlock();
    auto* sweep = llvm::BasicBlock::Create(b_.getContext(), "sweep", f);
    auto* after = llvm::BasicBlock::Create(b_.getContext(), "swept", f);
    b_.CreateBr(sweep);
    b_.SetInsertPoint(sweep);
    auto* count = b_.CreatePHI(b_.getInt64Ty(), 2);
    count->addIncoming(i64(0), before);
    Scalar left = number(0);
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) rotate(a, v, n, p, q, &left);
    auto* next = b_.CreateAdd(count, i64(1));
    count->addIncoming(next, b_.GetInsertBlock());
    double eps = itemsize(t_) == 8 ? 0x1p-53 : 0x1p-24;
    Scalar large = e_.gt(left, number(eps / 8));
    llvm::Value* any = b_.CreateOrReduce(value_of(large));
    b_.CreateCondBr(b_.CreateAnd(any, b_.CreateICmpSLT(next, i64(kMost))),
                    sweep, after);
    b_.SetInsertPoint(after);
  }
  // Makes a(p, q) zero; *left: the largest such element before its rotation.
  void rotate(llvm::Value* a, llvm::Value* v, int64_t n, int64_t p, int64_t q,
              Scalar* left) {
    auto slot_of = [&](int64_t i, int64_t j) {
      return i64(i > j ? i * n + j : j * n + i);
    };
    Scalar pq = get(a, slot_of(p, q)), pp = get(a, slot_of(p, p)),
           qq = get(a, slot_of(q, q));
    *left = larger(*left, e_.abs(pq));
    Scalar zero = e_.eq(pq, number(0));
    Scalar theta = e_.div(e_.mul(e_.sub(qq, pp), number(0.5)),
                          e_.select(zero, number(1), pq));
    Scalar root = e_.sqrt(e_.fma(theta, theta, number(1)));
    Scalar size = e_.div(number(1), e_.add(e_.abs(theta), root));
    Scalar t = e_.select(e_.lt(theta, number(0)), e_.neg(size), size);
    t = e_.select(zero, number(0), t);
    Scalar c = e_.div(number(1), e_.sqrt(e_.fma(t, t, number(1))));
    Scalar s = e_.mul(t, c), tau = e_.div(s, e_.add(c, number(1)));
    put(a, slot_of(p, p), minus(pp, t, pq));
    put(a, slot_of(q, q), e_.fma(t, pq, qq));
    put(a, slot_of(p, q), number(0));
    auto turn = [&](llvm::Value* x, llvm::Value* i, llvm::Value* j) {
      Scalar g = get(x, i), h = get(x, j);
      put(x, i, minus(g, s, e_.fma(g, tau, h)));
      put(x, j, e_.fma(s, minus(g, h, tau), h));
    };
    for (int64_t r = 0; r < n; ++r)
      if (r != p && r != q) turn(a, slot_of(r, p), slot_of(r, q));
    for (int64_t r = 0; r < n; ++r) turn(v, i64(r * n + p), i64(r * n + q));
  }
  // Ascending values w, each with its column.
  void sort_columns(Matrix& w, Matrix& vectors, int64_t n) {
    for (int64_t end = n; end-- > 1;)
      for (int64_t i = 0; i < end; ++i) {
        Scalar swap = e_.gt(w[size_t(i)], w[size_t(i + 1)]);
        auto exchange = [&](Scalar& x, Scalar& y) {
          Scalar old = x;
          x = e_.select(swap, y, old);
          y = e_.select(swap, old, y);
        };
        exchange(w[size_t(i)], w[size_t(i + 1)]);
        for (int64_t r = 0; r < n; ++r)
          exchange(vectors[size_t(r * n + i)], vectors[size_t(r * n + i + 1)]);
      }
  }

  // x in place; coefficient(i, j) of the triangle, i != j or the diagonal.
  template <class F>
  void substitute(Matrix& x, bool lower, bool unit, const F& coefficient) {
    auto n = int64_t(x.size());
    for (int64_t step = 0; step < n; ++step) {
      int64_t i = lower ? step : n - 1 - step;
      for (int64_t s = 0; s < step; ++s) {
        int64_t j = lower ? s : n - 1 - s;
        x[size_t(i)] = minus(x[size_t(i)], coefficient(i, j), x[size_t(j)]);
      }
      if (!unit) x[size_t(i)] = e_.div(x[size_t(i)], coefficient(i, i));
    }
  }
  auto entries(llvm::Value* a, int64_t n, bool transpose) {
    return [this, a, n, transpose](int64_t i, int64_t j) {
      return get(a, i64(transpose ? j * n + i : i * n + j));
    };
  }

  void triangular_solve() {
    bool left = a_.flags[0], lower = a_.flags[1], transpose = a_.flags[2];
    int64_t n = left ? a_.m : a_.n, sides = left ? a_.n : a_.m;
    // X A = B is A^T X^T = B^T.
    if (!left) transpose = !transpose;
    llvm::Value* a = loaded(0, t_, n * n);
    llvm::Value* b = loaded(1, t_, n * sides);
    loop(i64(0), i64(sides), [&](llvm::Value* s) {
      auto at = [&](int64_t i) {
        return left ? b_.CreateAdd(i64(i * sides), s)
                    : b_.CreateAdd(b_.CreateMul(s, i64(n)), i64(i));
      };
      Matrix x;
      for (int64_t i = 0; i < n; ++i) x.push_back(get(b, at(i)));
      substitute(x, lower != transpose, a_.flags[4], entries(a, n, transpose));
      for (int64_t i = 0; i < n; ++i) put(b, at(i), x[size_t(i)]);
    });
    move(output(0), t_, n * sides, b, false);
  }

  void linear_solve() {
    int64_t n = a_.n, sides = a_.k;
    bool transpose = a_.flags[0] != 0;
    llvm::Value* a = loaded(1, t_, n * n);
    Matrix perm = load(2, DType::i32, n);
    llvm::Value* b = loaded(3, t_, n * sides);
    loop(i64(0), i64(sides), [&](llvm::Value* s) {
      auto at = [&](int64_t i) { return b_.CreateAdd(i64(i * sides), s); };
      Matrix in, x;
      for (int64_t i = 0; i < n; ++i) in.push_back(get(b, at(i)));
      if (transpose) {
        substitute(in, true, false, entries(a, n, true));
        substitute(in, false, true, entries(a, n, true));
        for (int64_t i = 0; i < n; ++i)
          x.push_back(chosen(
              in, [&](int64_t j) { return e_.eq(perm[size_t(j)], index(i)); }));
      } else {
        for (int64_t i = 0; i < n; ++i)
          x.push_back(chosen(
              in, [&](int64_t j) { return e_.eq(perm[size_t(i)], index(j)); }));
        substitute(x, true, true, entries(a, n, false));
        substitute(x, false, false, entries(a, n, false));
      }
      for (int64_t i = 0; i < n; ++i) put(b, at(i), x[size_t(i)]);
    });
    move(output(0), t_, n * sides, b, false);
  }
  // x[j] for the j that is meant; the first if none is.
  template <class F>
  Scalar chosen(const Matrix& x, const F& meant) {
    Scalar r = x[0];
    for (size_t j = 1; j < x.size(); ++j)
      r = e_.select(meant(int64_t(j)), x[j], r);
    return r;
  }

  Builder& b_;
  const SmallLinalgArgs& args_;
  const LinalgAttrs& a_;
  const DType t_;
  const int width_;
  LlvmEmitter e_;
  VectorMemory memory_;
  llvm::Value *first_ = nullptr, *last_ = nullptr;  // problems: of the lanes
};

}  // namespace

int small_linalg_lanes(DType t) { return itemsize(t) == 8 ? 8 : 16; }

bool has_small_linalg(const LinalgAttrs& a) {
  if (a.dtype != DType::f32 && a.dtype != DType::f64) return false;
  if (!SmallLinalg::routine(a.op)) return false;
  if (a.op == LinalgOp::qr && a.flags[0]) return false;  // pivoting
  int64_t elements = 0;
  for (const Dims& list : {a.in_bytes, a.out_bytes})
    for (int64_t bytes : list) {
      if (bytes == 0) return false;
      elements = std::max(elements, bytes / itemsize(a.dtype));
    }
  int64_t size = std::max(a.m, a.n);
  if (a.op == LinalgOp::triangular_solve) size = a.flags[0] ? a.m : a.n;
  return size <= kMaxSize && elements <= kMaxRight;
}

void emit_movers(llvm::Module& m, const TargetSpec& target) {
  for (bool in : {true, false}) {
    emit_mover(m, target, 16, DType::f32, in);
    emit_mover(m, target, 8, DType::f64, in);
    emit_mover(m, target, 8, DType::f32, in);
  }
}

void emit_small_linalg(Builder& b, const TargetSpec& target,
                       const SmallLinalgArgs& args) {
  SmallLinalg(b, target, args).run();
}

}  // namespace cotan::cpu

// Included by scan_vectors.cpp once for each instruction set, inside a
// namespace and a target region of its own; hence no include guard.

namespace {

constexpr int kLanes = 16;

template <class A>
struct Vector {
  typedef A type __attribute__((vector_size(kLanes * sizeof(A))));
};

#define COTAN_LANE(i) ((i) < kShift ? (i) : kLanes + (i) - kShift)

// v op (v shifted up by kShift lanes, filled with the identity).
template <bool kProd, int kShift, class V>
inline __attribute__((always_inline)) void scan_step(const V& fill, V& v) {
  V shifted = __builtin_shufflevector(
      fill, v, COTAN_LANE(0), COTAN_LANE(1), COTAN_LANE(2), COTAN_LANE(3),
      COTAN_LANE(4), COTAN_LANE(5), COTAN_LANE(6), COTAN_LANE(7), COTAN_LANE(8),
      COTAN_LANE(9), COTAN_LANE(10), COTAN_LANE(11), COTAN_LANE(12),
      COTAN_LANE(13), COTAN_LANE(14), COTAN_LANE(15));
  if constexpr (kProd)
    v = shifted * v;
  else
    v = shifted + v;
}

#undef COTAN_LANE

template <bool kProd, class A>
void scan(const A* x, A* y, int64_t n, A* carry, A offset) noexcept {
  using V = typename Vector<A>::type;
  V fill, before, base;
  for (int i = 0; i < kLanes; ++i) {
    fill[i] = scan_identity<kProd, A>();
    before[i] = *carry;
    base[i] = offset;
  }
  for (int64_t i = 0; i < n; i += kLanes) {
    V v = fill;
    int64_t left = n - i;
    if (left >= kLanes)
      __builtin_memcpy(&v, x + i, sizeof v);
    else
      __builtin_memcpy(&v, x + i, size_t(left) * sizeof(A));
    scan_step<kProd, 1>(fill, v);
    scan_step<kProd, 2>(fill, v);
    scan_step<kProd, 4>(fill, v);
    scan_step<kProd, 8>(fill, v);
    if constexpr (kProd)
      v = before * v;
    else
      v = before + v;
    before = __builtin_shufflevector(v, v, 15, 15, 15, 15, 15, 15, 15, 15, 15,
                                     15, 15, 15, 15, 15, 15, 15);
    if (!y) continue;
    if constexpr (kProd)
      v = base * v;
    else
      v = base + v;
    if (left >= kLanes)
      __builtin_memcpy(y + i, &v, sizeof v);
    else
      __builtin_memcpy(y + i, &v, size_t(left) * sizeof(A));
  }
  *carry = before[0];
}

}  // namespace

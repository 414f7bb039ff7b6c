// Control flow through the public C++ surface.
#include <cmath>

#include "api/cotan.h"
#include "testing.h"

namespace cotan::testing {

namespace {

bool near(double got, double want) {
  return std::abs(got - want) <= 1e-5 * std::max(1.0, std::abs(want));
}

}  // namespace

TEST(scan_carries_and_stacks) {
  Array xs = array<float>({1, 2, 3, 4});
  auto run = [](const Array& w, const Array& xs) {
    return scan(
        [&](const Array& c, const Array& x) {
          Array next = c * w + x;
          return std::pair(next, next * 2);
        },
        Array(0.f) * w, xs);
  };
  auto [last, ys] = jit(run)(Array(0.5f), xs);
  CHECK(near(last.item(), 6.125));
  CHECK_EQ(ys.shape()[0], 4);
  CHECK(near(ys[0].item(), 2));
  // d/dw of ((w + 2) w + 3) w + 4
  auto loss = [&](const Array& w, const Array& xs) { return run(w, xs).first; };
  CHECK(near(jit(grad(loss))(array<float>({0.5f})[0], xs).item(), 5.75));
}

TEST(while_and_cond_choose) {
  auto collatz = [](const Array& n) {
    auto [last, steps] =
        while_loop([](const std::pair<Array, Array>& s) { return s.first > 1; },
                   [](const std::pair<Array, Array>& s) {
                     Array half = (s.first / 2).astype(DType::i32);
                     Array next = cond(
                         equal(half * 2, s.first), [&] { return half; },
                         [&] { return s.first * 3 + 1; });
                     return std::pair(next, s.second + 1);
                   },
                   std::pair(n, Array(0) * n));
    return steps;
  };
  CHECK_EQ(jit(collatz)(array<int32_t>({27})[0]).item(), 111.0);
}

TEST(a_carry_that_changes_its_type_is_an_error) {
  try {
    scan([](const Array& c, const Array&) { return std::pair(c * 1.5, c); },
         array<int32_t>({1})[0], array<float>({1, 2}));
    CHECK(false);
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::type);
    CHECK(e.message().find("[scan] carry 0 goes in as i32[]") == 0);
  }
}

}  // namespace cotan::testing

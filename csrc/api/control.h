// Control flow of C++ callables on Arrays. Part of cotan.h. Carries, rows and
// operands are structures as in transform.h; arrays that a callable captures
// may be traced.
#pragma once

#include "api/transform.h"

namespace cotan {

namespace detail {
// Traces on arrays like these values; `rows`: of their leading axes.
TracedGraph traced_body(FunctionRef f, std::span<const Value> whole,
                        std::span<const Value> rows = {});
Values scan_values(const TracedGraph& body, std::span<const Value> init,
                   std::span<const Value> xs, int64_t length, bool reverse);
Values while_values(const TracedGraph& cond, const TracedGraph& body,
                    std::span<const Value> init);
Values cond_values(const Array& pred, const TracedGraph& on_true,
                   const TracedGraph& on_false, std::span<const Value> x);
int64_t common_length(std::span<const Value> xs);
}  // namespace detail

// f(carry, row) -> pair(carry, y) over the leading axes of xs: the last carry
// and all y, stacked. `reverse`: from the last row to the first.
template <class F, class C, class X>
auto scan(F f, const C& init, const X& xs, bool reverse = false) {
  Values c = detail::flat(init), x = detail::flat(xs);
  using Y = decltype(f(init, xs).second);
  std::optional<Y> like;
  TracedGraph body = detail::traced_body(
      [&](std::span<const Value> v) {
        auto [carry, y] = f(detail::rebuilt(init, v.first(c.size())),
                            detail::rebuilt(xs, v.subspan(c.size())));
        Values out = detail::flat(carry);
        detail::flatten(y, out);
        like = std::move(y);
        return out;
      },
      c, x);
  Values out =
      detail::scan_values(body, c, x, detail::common_length(x), reverse);
  std::span<const Value> all(out);
  return std::pair(detail::rebuilt(init, all.first(c.size())),
                   detail::rebuilt(*like, all.subspan(c.size())));
}

// body(carry) -> carry, while cond(carry) -> bool scalar holds.
template <class P, class F, class C>
C while_loop(P cond, F body, const C& init) {
  Values c = detail::flat(init);
  TracedGraph more = detail::traced_body(
      [&](std::span<const Value> v) {
        return Values{cond(detail::rebuilt(init, v)).value()};
      },
      c);
  TracedGraph step = detail::traced_body(
      [&](std::span<const Value> v) {
        return detail::flat(body(detail::rebuilt(init, v)));
      },
      c);
  return detail::rebuilt(init, detail::while_values(more, step, c));
}

// on_true(x...) if pred (a bool scalar), else on_false(x...).
template <class T, class F, class... A>
auto cond(const Array& pred, T on_true, F on_false, const A&... x) {
  std::tuple<A...> args(x...);
  Values v = detail::flat(args);
  using R = decltype(on_true(x...));
  std::optional<R> like;
  auto branch = [&](auto& f) {
    return detail::traced_body(
        [&](std::span<const Value> w) {
          R out = std::apply(f, detail::rebuilt(args, w));
          Values flat = detail::flat(out);
          like = std::move(out);
          return flat;
        },
        v);
  };
  TracedGraph t = branch(on_true), e = branch(on_false);
  return detail::rebuilt(*like, detail::cond_values(pred, t, e, v));
}

}  // namespace cotan

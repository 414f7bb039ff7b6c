// The transformations of C++ callables on Arrays. Part of cotan.h.
//
// A callable's arguments are Arrays; its result R is an Array or a std::tuple,
// pair, array or vector of such (an output "structure"). Structures are
// flattened to lists of values for the core and put together again here.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "api/cotan.h"
#include "api/program.h"
#include "trace/trace.h"
#include "transforms/transforms.h"

namespace cotan {

// ---- structures

namespace detail {

inline void flatten(const Array& x, Values& out) { out.push_back(x.value()); }
template <class... T>
void flatten(const std::tuple<T...>& t, Values& out);
template <class A, class B>
void flatten(const std::pair<A, B>& p, Values& out);
template <class T, size_t N>
void flatten(const std::array<T, N>& a, Values& out);
template <class T>
void flatten(const std::vector<T>& v, Values& out);

template <class... T>
void flatten(const std::tuple<T...>& t, Values& out) {
  std::apply([&](const auto&... x) { (flatten(x, out), ...); }, t);
}
template <class A, class B>
void flatten(const std::pair<A, B>& p, Values& out) {
  flatten(p.first, out);
  flatten(p.second, out);
}
template <class T, size_t N>
void flatten(const std::array<T, N>& a, Values& out) {
  for (const T& x : a) flatten(x, out);
}
template <class T>
void flatten(const std::vector<T>& v, Values& out) {
  for (const T& x : v) flatten(x, out);
}

// Replaces the Arrays of a structure by the next values.
using Next = const Value*&;
inline void refill(Array& x, Next next) { x = Array(*next++); }
template <class... T>
void refill(std::tuple<T...>& t, Next next);
template <class A, class B>
void refill(std::pair<A, B>& p, Next next);
template <class T, size_t N>
void refill(std::array<T, N>& a, Next next);
template <class T>
void refill(std::vector<T>& v, Next next);

template <class... T>
void refill(std::tuple<T...>& t, Next next) {
  std::apply([&](auto&... x) { (refill(x, next), ...); }, t);
}
template <class A, class B>
void refill(std::pair<A, B>& p, Next next) {
  refill(p.first, next);
  refill(p.second, next);
}
template <class T, size_t N>
void refill(std::array<T, N>& a, Next next) {
  for (T& x : a) refill(x, next);
}
template <class T>
void refill(std::vector<T>& v, Next next) {
  for (T& x : v) refill(x, next);
}

template <class S>
Values flat(const S& s) {
  Values out;
  flatten(s, out);
  return out;
}
template <class S>
S rebuilt(S like, std::span<const Value> values) {
  const Value* next = values.data();
  refill(like, next);
  return like;
}

// Calls f on N arrays given as values; remembers the output's structure.
template <class F, size_t... I>
auto call_flat(F& f, std::span<const Value> x, std::index_sequence<I...>) {
  return f(Array(x[I])...);
}
template <class F, size_t N>
using ResultOf =
    decltype(call_flat(std::declval<F&>(), {}, std::make_index_sequence<N>()));

template <size_t N, class F>
auto flat_function(F& f, std::optional<ResultOf<F, N>>& like) {
  return [&f, &like](std::span<const Value> x) {
    auto out = call_flat(f, x, std::make_index_sequence<N>());
    Values values = flat(out);
    Values none(values.size());  // the structure keeps no tracers alive
    like = rebuilt(std::move(out), none);
    return values;
  };
}

// Throws the TypeErrors that Python's grad has.
void check_gradient_input(const Value& x);
void check_gradient_output(std::span<const Value> out);
// One tangent (cotangent) per primal (output), of its shape and dtype.
void check_tangents(const char* op, const char* what, const char* of,
                    std::span<Value> t, std::span<const Value> x);
// Zeros where the cotangent is null.
Value instantiated(const Value& ct, const Value& like);

// A program and the structure of its output (without arrays).
struct Traced {
  Ref<JitProgram> program;
  std::shared_ptr<const void> like;
};

// The signature cache of a jitted function.
class JitState {
 public:
  std::optional<Traced> find(std::span<const Value> args) const;
  Ref<JitProgram> trace(std::span<const Value> args, FunctionRef f,
                        const char* name) const;
  // What is kept for these arguments: this, unless there is one already.
  Traced keep(std::span<const Value> args, Traced traced);
  Values call(JitProgram& p, std::span<const Value> args);
  size_t size() const;

  JitState();
  ~JitState();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace detail

// ---- jit

// A compiled program for fixed argument types, callable on raw memory: the
// lowest latency there is. Inputs and outputs are dense and row-major; a call
// allocates nothing.
class Compiled {
 public:
  explicit Compiled(Ref<JitProgram> p);
  ~Compiled();
  Compiled(Compiled&&) noexcept;
  void run(const void* const* in, void* const* out) const;
  void run(std::initializer_list<const void*> in,
           std::initializer_list<void*> out) const {
    run(in.begin(), out.begin());
  }
  size_t num_inputs() const;  // arguments; what was closed over is bound
  size_t num_outputs() const;
  const Aval& input(size_t i) const;
  const Aval& output(size_t i) const;
  std::string jaxpr() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
Compiled make_compiled(Ref<JitProgram> p);

template <class F>
class Jitted {
 public:
  explicit Jitted(F f)
      : f_(std::move(f)), state_(std::make_shared<detail::JitState>()) {}

  template <class... A>
  auto operator()(const A&... args) const {
    constexpr size_t n = sizeof...(A);
    using R = detail::ResultOf<F, n>;
    std::array<Value, n> x{Array(args).value()...};
    detail::Traced t = traced<R, n>(x);
    return detail::rebuilt(*static_cast<const R*>(t.like.get()),
                           state_->call(*t.program, x));
  }
  // Ahead of time, for arguments of these shapes and dtypes.
  template <class... A>
  Compiled compile(const A&... args) const {
    constexpr size_t n = sizeof...(A);
    std::array<Value, n> x{Array(args).value()...};
    return make_compiled(traced<detail::ResultOf<F, n>, n>(x).program);
  }
  size_t cache_size() const { return state_->size(); }

 private:
  template <class R, size_t N>
  detail::Traced traced(std::span<const Value> x) const {
    if (auto known = state_->find(x)) return *std::move(known);
    std::optional<R> like;
    auto flat = detail::flat_function<N>(f_, like);
    Ref<JitProgram> p = state_->trace(x, flat, "jit");
    return state_->keep(
        x, {std::move(p), std::make_shared<const R>(std::move(*like))});
  }
  mutable F f_;  // threads may call it at once
  std::shared_ptr<detail::JitState> state_;
};

template <class F>
Jitted<F> jit(F f) {
  return Jitted<F>(std::move(f));
}

// ---- derivatives

// (f(args...), gradient in argument `argnum`).
template <class F>
auto value_and_grad(F f, size_t argnum = 0) {
  return [f = std::move(f), argnum](const auto&... args) mutable {
    constexpr size_t n = sizeof...(args);
    Value x[] = {Array(args).value()...};
    if (argnum >= n)
      throw_value("[grad] argnum ", argnum, " of a function of ", n,
                  " arguments");
    detail::check_gradient_input(x[argnum]);
    std::optional<detail::ResultOf<decltype(f), n>> like;
    auto flat = detail::flat_function<n>(f, like);
    std::vector<bool> nonzero(n, false);
    nonzero[argnum] = true;
    Vjp v = cotan::vjp(FunctionRef(flat), std::span<const Value>(x), nonzero);
    detail::check_gradient_output(v.primals);
    Value one = full({}, 1, v.primals[0].dtype()).value();
    Values ct = v.pullback(std::span(&one, 1));
    return std::pair<Array, Array>(v.primals[0],
                                   detail::instantiated(ct[argnum], x[argnum]));
  };
}

template <class F>
auto grad(F f, size_t argnum = 0) {
  return [g = value_and_grad(std::move(f), argnum)](
             const auto&... args) mutable { return g(args...).second; };
}

// The output of f and its pullback: cotangent -> cotangents of all arguments.
template <class F, class... A>
auto vjp(F f, const A&... args) {
  constexpr size_t n = sizeof...(A);
  Value x[] = {Array(args).value()...};
  std::optional<detail::ResultOf<F, n>> like;
  auto flat = detail::flat_function<n>(f, like);
  Vjp v = cotan::vjp(FunctionRef(flat), std::span<const Value>(x),
                     std::vector<bool>(n, true));
  auto out = detail::rebuilt(*like, v.primals);
  Values primals(x, x + n);
  auto pullback = [v = std::move(v), primals](const auto& ct) {
    Values given = detail::flat(ct);
    detail::check_tangents("vjp", "cotangent", "output", given, v.primals);
    Values cts = v.pullback(given);
    std::array<Array, n> grads;
    for (size_t i = 0; i < n; ++i)
      grads[i] = detail::instantiated(cts[i], primals[i]);
    return grads;
  };
  return std::pair(std::move(out), std::move(pullback));
}

// f and its directional derivative along the tangents.
template <class F, size_t N>
auto jvp(F f, const std::array<Array, N>& primals,
         const std::array<Array, N>& tangents) {
  std::optional<detail::ResultOf<F, N>> like;
  auto flat = detail::flat_function<N>(f, like);
  Values x = detail::flat(primals), t = detail::flat(tangents);
  detail::check_tangents("jvp", "tangent", "primal", t, x);
  Dual d = cotan::jvp(FunctionRef(flat), x, t);
  for (size_t i = 0; i < d.tangents.size(); ++i)
    d.tangents[i] = detail::instantiated(d.tangents[i], d.primals[i]);
  auto out = detail::rebuilt(*like, d.primals);
  auto out_t = detail::rebuilt(*like, d.tangents);
  return std::pair(std::move(out), std::move(out_t));
}

// Maps f over axis axes[i] of argument i (kNotBatched: not mapped); outputs
// are stacked along axis 0. Without axes all arguments map over axis 0.
template <class F>
auto vmap(F f, std::vector<int64_t> axes = {}) {
  return [f = std::move(f), axes](const auto&... args) mutable {
    constexpr size_t n = sizeof...(args);
    Value x[] = {Array(args).value()...};
    std::vector<int64_t> dims =
        axes.empty() ? std::vector<int64_t>(n, 0) : axes;
    int64_t size = -1;
    for (size_t i = 0; i < n && i < dims.size(); ++i) {
      if (dims[i] == kNotBatched) continue;
      if (dims[i] < 0 || dims[i] >= x[i].rank())
        throw_value("[vmap] axis ", dims[i], " is out of range for argument ",
                    i, " of shape ", shape_string(x[i].shape()));
      int64_t d = x[i].shape()[size_t(dims[i])];
      if (size >= 0 && d != size)
        throw_value("[vmap] mapped axes have sizes ", size, " and ", d);
      size = d;
    }
    if (size < 0 || dims.size() != n)
      throw_value("[vmap] needs an axis per argument, one of them mapped");
    std::optional<detail::ResultOf<decltype(f), n>> like;
    auto flat = detail::flat_function<n>(f, like);
    Batched b =
        cotan::vmap(FunctionRef(flat), std::span<const Value>(x), dims, size);
    for (size_t i = 0; i < b.values.size(); ++i)
      b.values[i] = batch_to_front(b.values[i], b.dims[i], size);
    return detail::rebuilt(*like, b.values);
  };
}

}  // namespace cotan

#include "ops/linear_solve.h"

#include <algorithm>

namespace cotan {

using namespace ops;

extern const Primitive linear_solve_p;

namespace {

// Operands: the constants of each function, then b.
struct LinearSolveParams {
  std::vector<JaxprRef> jaxprs;  // matvec, vecmat, solve, transpose_solve
  Dims consts;                   // number of each one's constants
  static constexpr auto fields() {
    return std::tuple{field("jaxprs", &LinearSolveParams::jaxprs),
                      field("const_lengths", &LinearSolveParams::consts)};
  }
};
const LinearSolveParams& P(const Params& p) {
  return p.as<LinearSolveParams>();
}

constexpr size_t kMatvec = 0, kSolve = 2, kFunctions = 4;

size_t first_const(const LinearSolveParams& p, size_t f) {
  size_t n = 0;
  for (size_t i = 0; i < f; ++i) n += size_t(p.consts[i]);
  return n;
}
size_t num_consts(const LinearSolveParams& p) {
  return first_const(p, kFunctions);
}

Avals solve_type(const TypeArgs& a) {
  return P(a.params).jaxprs[kSolve]->out_avals();
}

// The solve as a function of all operands.
JaxprRef solve_inlined(const Params& params) {
  const LinearSolveParams& p = P(params);
  const Jaxpr& solve = *p.jaxprs[kSolve];
  std::vector<NewInput> in;
  for (size_t f = 0; f < kFunctions; ++f)
    for (int64_t i = 0; i < p.consts[f]; ++i) {
      const Jaxpr& j = *p.jaxprs[f];
      in.push_back(f == kSolve
                       ? NewInput{i, {}}
                       : NewInput{-1, j.avals[size_t(j.in[size_t(i)])]});
    }
  for (size_t i = size_t(p.consts[kSolve]); i < solve.in.size(); ++i)
    in.push_back({int64_t(i), {}});
  return rearranged(solve, in, first_n(solve.out.size()));
}

// A x = b: A dx = db - dA x.
Dual solve_jvp(const JvpArgs& a) {
  const LinearSolveParams& p = P(a.params);
  size_t nc = num_consts(p), n = a.x.size() - nc;
  size_t mc = size_t(p.consts[kMatvec]);
  Values y = bind_all(a.self, a.x, a.params);
  Values rhs(a.t.subspan(nc));
  std::vector<bool> nonzero = nonzero_of(a.t.first(mc));
  bool moves = std::find(nonzero.begin(), nonzero.end(), true) != nonzero.end();
  if (moves) {
    nonzero.resize(mc + n, false);
    JvpJaxpr j = jvp_jaxpr(p.jaxprs[kMatvec], nonzero);
    Values in = j.graph.consts;
    in.append(a.x.begin(), a.x.begin() + long(mc));
    in.append(y.begin(), y.begin() + long(n));
    for (const Value& t : a.t.first(mc))
      if (t) in.push_back(t);
    Values out = eval_jaxpr(*j.graph.jaxpr, in);
    for (size_t i = 0, k = n; i < n; ++i) {
      if (!j.nonzero_out[i]) continue;
      const Value& moved = out[k++];
      rhs[i] = rhs[i] ? lax::sub(rhs[i], moved) : lax::neg(moved);
    }
  }
  Dual d{y, Values(y.size())};
  bool any = false;
  for (const Value& v : rhs) any |= bool(v);
  if (!any) return d;
  Values in(a.x.first(nc));
  for (size_t i = 0; i < n; ++i)
    in.push_back(rhs[i] ? rhs[i] : zeros_like(a.x[nc + i]));
  Values t = bind_all(a.self, in, a.params);
  for (size_t i = 0; i < n; ++i) d.tangents[i] = t[i];
  return d;
}

Values solve_transpose(const TransposeArgs& a) {
  const LinearSolveParams& p = P(a.params);
  size_t nc = num_consts(p), n = a.x.size() - nc;
  if (!p.jaxprs[1] || !p.jaxprs[3])
    throw_type(
        "transpose_solve required for backwards mode automatic "
        "differentiation of custom_linear_solve");
  for (size_t i = 0; i < nc; ++i) require_known(a, i);
  LinearSolveParams q;
  Values in;
  for (size_t f : {1, 0, 3, 2}) {
    q.jaxprs.push_back(p.jaxprs[f]);
    q.consts.push_back(p.consts[f]);
    size_t first = first_const(p, f);
    in.append(a.x.begin() + long(first),
              a.x.begin() + long(first) + p.consts[f]);
  }
  for (size_t i = 0; i < n; ++i)
    in.push_back(a.ct[i] ? a.ct[i] : zeros_of(a.avals[nc + i]));
  Values ct = bind_all(a.self, in, q);
  Values result(nc);
  result.append(ct.begin(), ct.begin() + long(n));
  return result;
}

Batched solve_batch(const BatchArgs& a) {
  const LinearSolveParams& p = P(a.params);
  size_t nc = num_consts(p), n = a.x.size() - nc;
  LinearSolveParams q;
  Values in;
  for (size_t f = 0; f < kFunctions; ++f) {
    size_t first = first_const(p, f), count = size_t(p.consts[f]);
    if (!p.jaxprs[f]) {
      q.jaxprs.push_back(nullptr);
      q.consts.push_back(0);
      continue;
    }
    std::vector<bool> batched;
    Values consts;
    for (size_t i = first; i < first + count; ++i) {
      batched.push_back(a.dims[i] != kNotBatched);
      consts.push_back(
          batched.back() ? batch_to_front(a.x[i], a.dims[i], a.size) : a.x[i]);
    }
    batched.resize(count + n, true);
    BatchedJaxpr b =
        batch_jaxpr(p.jaxprs[f], a.axis(), batched,
                    std::vector<bool>(p.jaxprs[f]->out.size(), true));
    in.append(b.graph.consts.begin(), b.graph.consts.end());
    in.append(consts.begin(), consts.end());
    q.jaxprs.push_back(b.graph.jaxpr);
    q.consts.push_back(int64_t(b.graph.consts.size() + count));
  }
  for (size_t i = nc; i < a.x.size(); ++i)
    in.push_back(batch_to_front(a.x[i], a.dims[i], a.size));
  Batched r{bind_all(a.self, in, q), {}};
  r.dims.assign(r.values.size(), 0);
  return r;
}

}  // namespace

constinit const Primitive linear_solve_p = {
    .name = "custom_linear_solve",
    .params = params_of<LinearSolveParams>,
    .type = solve_type,
    .jvp = solve_jvp,
    .transpose = solve_transpose,
    .batch = solve_batch,
    .inlined = solve_inlined,
};
COTAN_REGISTER(linear_solve_p);

Values lax::custom_linear_solve(const LinearSolve& s,
                                std::span<const Value> b) {
  LinearSolveParams p;
  Values x;
  for (const TracedGraph* g :
       {&s.matvec, &s.vecmat, &s.solve, &s.transpose_solve}) {
    p.jaxprs.push_back(g->jaxpr);
    p.consts.push_back(int64_t(g->consts.size()));
    x.append(g->consts.begin(), g->consts.end());
  }
  x.append(b.begin(), b.end());
  return bind_all(linear_solve_p, x, p);
}

}  // namespace cotan

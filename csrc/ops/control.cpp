#include "ops/control.h"

#include <algorithm>
#include <unordered_map>

namespace cotan::ops {

std::vector<bool> nonzero_of(std::span<const Value> tangents) {
  std::vector<bool> flags;
  for (const Value& t : tangents) flags.push_back(bool(t));
  return flags;
}

std::vector<NewInput> same_inputs(size_t n) {
  std::vector<NewInput> in(n);
  for (size_t i = 0; i < n; ++i) in[i].from = int64_t(i);
  return in;
}

std::vector<size_t> first_n(size_t n) {
  std::vector<size_t> v(n);
  for (size_t i = 0; i < n; ++i) v[i] = i;
  return v;
}

void check_operands(const TypeArgs& a, const Jaxpr& j, size_t skip,
                    std::span<const Aval> in) {
  COTAN_CHECK(in.size() + skip == j.in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    const Aval& want = j.avals[size_t(j.in[skip + i])];
    if (!same_layout(want, in[i]))
      throw_type("[", a.self.name, "] operand ", i, " is ", in[i],
                 ", but the body takes ", want);
  }
}

// Rank of the mask at the front: its axes select whole rows.
Value select_rows(const Value& mask, const Value& on_true,
                  const Value& on_false) {
  Value m = mask;
  if (m.rank() < on_true.rank()) {
    Axes dims;
    for (int64_t d = 0; d < m.rank(); ++d) dims.push_back(d);
    m = broadcast_in_dim(m, on_true.shape(), std::move(dims));
  }
  return lax::select(m, on_true, on_false);
}

}  // namespace cotan::ops

namespace cotan::lax {

namespace {

// Which input each output of a jaxpr is unchanged, or -1.
std::vector<int64_t> forwarded(const Jaxpr& j) {
  std::unordered_map<Var, int64_t> input;
  for (size_t i = 0; i < j.in.size(); ++i) input.emplace(j.in[i], int64_t(i));
  std::vector<int64_t> from;
  for (Atom a : j.out) {
    auto it = a.is_var() ? input.find(a.as_var()) : input.end();
    from.push_back(it == input.end() ? -1 : it->second);
  }
  return from;
}

}  // namespace

Values scan(const TracedGraph& body, std::span<const Value> init,
            std::span<const Value> xs, int64_t length, bool reverse,
            int64_t unroll) {
  using ops::Role;
  const Jaxpr& j = *body.jaxpr;
  size_t consts = body.consts.size(), carries = init.size();
  std::vector<int64_t> from = forwarded(j);
  std::vector<ops::Operand> in;
  for (const Value& v : body.consts) in.push_back({Role::constant, v});
  for (size_t i = 0; i < carries; ++i) {
    bool same = from[i] == int64_t(consts + i);
    in.push_back({same ? Role::constant : Role::carry, init[i]});
  }
  for (const Value& v : xs) in.push_back({Role::stream, v});
  Values out(j.out.size());
  std::vector<size_t> kept;
  std::vector<Role> roles;
  for (size_t i = 0; i < out.size(); ++i) {
    bool carry = i < carries;
    if (carry ? from[i] == int64_t(consts + i)
              : from[i] >= int64_t(consts + carries)) {
      out[i] = in[size_t(from[i])].value;
      continue;
    }
    kept.push_back(i);
    roles.push_back(carry ? Role::carry : Role::stream);
  }
  ScanParams like;
  like.length = length;
  like.reverse = reverse;
  like.unroll = unroll;
  JaxprRef rest = kept.size() == out.size()
                      ? body.jaxpr
                      : rearranged(j, ops::same_inputs(j.in.size()), kept);
  if (kept.empty() && rest->effects == kPure) return out;
  Values y = ops::bind_scan(rest, in, roles, like);
  for (size_t k = 0; k < kept.size(); ++k) out[kept[k]] = y[k];
  return out;
}

Values cond(const Value& index, std::span<const TracedGraph> branches,
            std::span<const Value> operands) {
  // An output that is the same input in all branches does not pass through.
  const size_t n = branches[0].jaxpr->out.size();
  std::vector<const ValueObj*> same(n);
  for (size_t b = 0; b < branches.size(); ++b) {
    const TracedGraph& g = branches[b];
    std::vector<int64_t> from = forwarded(*g.jaxpr);
    for (size_t i = 0; i < n; ++i) {
      size_t consts = g.consts.size(), k = size_t(from[i]);
      const ValueObj* v = from[i] < 0  ? nullptr
                          : k < consts ? g.consts[k].get()
                                       : operands[k - consts].get();
      same[i] = b == 0 || same[i] == v ? v : nullptr;
    }
  }
  std::vector<size_t> kept;
  for (size_t i = 0; i < n; ++i)
    if (!same[i]) kept.push_back(i);
  std::vector<TracedGraph> rest(branches.begin(), branches.end());
  uint32_t effects = kPure;
  for (TracedGraph& g : rest) {
    effects |= g.jaxpr->effects;
    if (kept.size() < n)
      g.jaxpr =
          rearranged(*g.jaxpr, ops::same_inputs(g.jaxpr->in.size()), kept);
  }
  Values out(n);
  for (size_t i = 0; i < n; ++i)
    if (same[i]) out[i] = Ref<ValueObj>(const_cast<ValueObj*>(same[i]));
  if (kept.empty() && effects == kPure) return out;
  Values y = ops::bind_cond(index, rest, operands);
  for (size_t k = 0; k < kept.size(); ++k) out[kept[k]] = y[k];
  return out;
}

}  // namespace cotan::lax

#include "ops/composite.h"

#include <cctype>

#include "emit/hlo.h"
#include "ops/rules.h"

namespace cotan {

using namespace ops;

extern const Primitive composite_p;

namespace {

const CompositeParams& P(const Params& p) { return p.as<CompositeParams>(); }

Avals composite_type(const TypeArgs& a) {
  const Jaxpr& j = *P(a.params).jaxpr;
  Avals want = j.in_avals();
  if (want.size() != a.in.size())
    throw_type("[composite] '", P(a.params).name, "' takes ", want.size(),
               " operands, got ", a.in.size());
  for (size_t i = 0; i < want.size(); ++i)
    if (!same_layout(want[i], a.in[i]))
      throw_type("[composite] operand ", i, " of '", P(a.params).name,
                 "' must be ", want[i], ", got ", a.in[i]);
  return j.out_avals();
}

[[noreturn]] void no_rule(const char* which, const char* advice) {
  throw_value(
      which, " rule for composite not implemented. You can use ", advice,
      " to add support. See "
      "https://docs.jax.dev/en/latest/_autosummary/jax.custom_jvp.html");
}

// Whoever knows the name knows the function without a batch axis: what is
// mapped is what the composite is made of.
Batched composite_batch(const BatchArgs& a) {
  std::vector<bool> batched;
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i) {
    batched.push_back(a.dims[i] != kNotBatched);
    x.push_back(batched.back() ? batch_to_front(a.x[i], a.dims[i], a.size)
                               : a.x[i]);
  }
  BatchedJaxpr b = batch_jaxpr(P(a.params).jaxpr, a.axis(), batched);
  Values in = b.graph.consts;
  in.append(x.begin(), x.end());
  Batched r{lax::call(b.graph.jaxpr, in, P(a.params).name), {}};
  for (bool is_batched : b.batched_out)
    r.dims.push_back(is_batched ? 0 : kNotBatched);
  return r;
}

// "namespace.name", as StableHLO wants it.
bool is_operation_name(std::string_view s) {
  size_t part = 0;  // length of the current part
  bool dot = false;
  for (char c : s) {
    if (c == '.') {
      if (part == 0) return false;
      dot = true;
      part = 0;
      continue;
    }
    auto u = static_cast<unsigned char>(c);
    bool first = !dot && part == 0;
    bool ok = first ? std::isalpha(u)
                    : std::isalnum(u) || c == '_' || (dot && c == '$');
    if (!ok) return false;
    ++part;
  }
  return dot && part > 0;
}

HloValues composite_hlo(const HloArgs& a) {
  const CompositeParams& p = P(a.params);
  if (p.jaxpr->effects & kOrderedEffect)  // a decomposition cannot take tokens
    return a.b.call(p.jaxpr, p.name, a.in);
  if (!is_operation_name(p.name))
    throw_value("[composite] '", p.name,
                "' cannot be written as StableHLO: the name must consist of a "
                "namespace, a dot and a name, such as \"my_namespace.my_op\"");
  auto* held = static_cast<const CompositeAttributes*>(p.attributes.get());
  std::string attrs = "{";
  if (std::string text = held ? held->hlo() : ""; !text.empty())
    attrs += cat("composite_attributes = ", text, ", ");
  attrs += cat("decomposition = @", a.b.function(p.jaxpr, p.name));
  if (p.version) attrs += cat(", version = ", p.version, " : i32");
  return a.b.composite(p.name, a.in, a.out, attrs + "}");
}

}  // namespace

constinit const Primitive composite_p = {
    .name = "composite",
    .params = params_of<CompositeParams>,
    .type = composite_type,
    .jvp = [](const JvpArgs&) -> Dual { no_rule("JVP", "`jax.custom_jvp`"); },
    .transpose = [](const TransposeArgs&) -> Values {
      no_rule("Transpose", "`jax.custom_jvp` or `jax.custom_vjp`");
    },
    .batch = composite_batch,
    .inlined = [](const Params& p) { return P(p).jaxpr; },
    .hlo = composite_hlo,
    .effects = [](const Params& p) { return P(p).jaxpr->effects; },
};
COTAN_REGISTER(composite_p);

}  // namespace cotan

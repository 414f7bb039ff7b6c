// Calls of the host program from compiled code: pure_callback, io_callback and
// debug_callback. A callable of values (Python's take its lock themselves)
// runs on the caller's thread, with concrete operands.
#include "ops/callback.h"

#include <cstring>

#include "ops/control.h"

namespace cotan {

using namespace ops;

extern const Primitive pure_callback_p, io_callback_p, debug_callback_p;

namespace {

const CallbackParams& P(const Params& p) { return p.as<CallbackParams>(); }

Values call_host(const CallbackParams& p, std::span<const Value> x) {
  SetTrace scope(eval_trace());
  Values y = static_cast<const Callable&>(*p.callback).call(x);
  if (y.size() != p.out.size())
    throw_runtime("[callback] ", p.callback->describe(), " gave ", y.size(),
                  " results, expected ", p.out.size());
  for (size_t i = 0; i < y.size(); ++i)
    if (!same_layout(y[i].aval(), p.out[i]))
      throw_runtime("[callback] result ", i, " of ", p.callback->describe(),
                    " is ", y[i].aval(), ", expected ", p.out[i]);
  return y;
}

void callback_eval(const EvalArgs& a) {
  Values x;
  for (const HostView& v : a.in) {
    NewArray n = new_array({v.dtype, false, Shape(v.shape)});
    size_t bytes = size_t(n.value.aval().nbytes());
    if (bytes) std::memcpy(n.data, v.data, bytes);
    x.push_back(std::move(n.value));
  }
  Values y = call_host(P(a.params), x);
  for (size_t i = 0; i < y.size(); ++i) {
    size_t bytes = size_t(y[i].aval().nbytes());
    if (bytes) std::memcpy(a.out[i].data, y[i]->host_data(), bytes);
  }
}

Avals callback_type(const TypeArgs& a) {
  const auto& out = P(a.params).out;
  return Avals(out.begin(), out.end());
}

uint32_t callback_effects(const Params& p) {
  return P(p).ordered ? kOrderedEffect : kUnorderedEffect;
}
uint32_t io_effects(const Params& p) { return callback_effects(p) | kIoEffect; }

// One call per element, in order: a scan.
Batched one_by_one(const BatchArgs& a) {
  std::vector<Operand> in;
  Avals rows;
  for (size_t i = 0; i < a.x.size(); ++i) {
    bool batched = a.dims[i] != kNotBatched;
    Value v = batched ? batch_to_front(a.x[i], a.dims[i], a.size) : a.x[i];
    Aval row = v.aval();
    if (batched) row.shape.erase(row.shape.begin());
    rows.push_back(std::move(row));
    in.push_back({batched ? Role::stream : Role::constant, std::move(v)});
  }
  TracedGraph g = trace_to_jaxpr(
      [&](std::span<const Value> x) { return bind_all(a.self, x, a.params); },
      rows);
  COTAN_CHECK(g.consts.empty());
  ScanParams like;
  like.length = a.size;
  std::vector<Role> out(P(a.params).out.size(), Role::stream);
  Batched b{bind_scan(g.jaxpr, in, out, like), {}};
  b.dims.assign(out.size(), 0);
  return b;
}

Batched pure_batch(const BatchArgs& a) {
  CallbackParams p = P(a.params);
  const std::string& how = p.vmap_method;
  if (how.empty())
    throw_not_implemented(
        "vmap is only supported for pure_callback with vmap_method other than "
        "None. Current value: vmap_method=None. Please specify one of "
        "'sequential', 'sequential_unrolled', 'expand_dims', "
        "'broadcast_all' or 'legacy_vectorized'.");
  if (how.starts_with("sequential")) return one_by_one(a);
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i) {
    if (a.dims[i] != kNotBatched)
      x.push_back(batch_to_front(a.x[i], a.dims[i], a.size));
    else if (how == "expand_dims")
      x.push_back(lax::expand_dims(a.x[i], {0}));
    else if (how == "broadcast_all")
      x.push_back(batch_to_front(a.x[i], kNotBatched, a.size));
    else
      x.push_back(a.x[i]);
  }
  for (Aval& t : p.out) t.shape.insert(t.shape.begin(), a.size);
  Batched b{bind_all(a.self, x, p), {}};
  b.dims.assign(p.out.size(), 0);
  return b;
}

Batched io_batch(const BatchArgs& a) {
  if (P(a.params).ordered) throw_value("Cannot `vmap` ordered IO callback.");
  return one_by_one(a);
}

Values callback_impl(const Params& p, std::span<const Value> x) {
  return call_host(P(p), x);
}

}  // namespace

constinit const Primitive pure_callback_p = {
    .name = "pure_callback",
    .flags = kHostCall,
    .params = params_of<CallbackParams>,
    .type = callback_type,
    .eval = callback_eval,
    .jvp = [](const JvpArgs&) -> Dual {
      throw_value(
          "Pure callbacks do not support JVP. Please use "
          "`cotan.custom_jvp` to use callbacks while taking "
          "gradients.");
    },
    .transpose = [](const TransposeArgs&) -> Values {
      throw_value("Pure callbacks do not support transpose.");
    },
    .batch = pure_batch,
    .impl = callback_impl,
};
COTAN_REGISTER(pure_callback_p);

constinit const Primitive io_callback_p = {
    .name = "io_callback",
    .flags = kHostCall,
    .params = params_of<CallbackParams>,
    .type = callback_type,
    .eval = callback_eval,
    .jvp = [](const JvpArgs&) -> Dual {
      throw_value(
          "IO callbacks do not support JVP. Please use "
          "`cotan.custom_jvp` to use callbacks while taking "
          "gradients.");
    },
    .transpose = [](const TransposeArgs&) -> Values {
      throw_value("IO callbacks do not support transpose.");
    },
    .batch = io_batch,
    .impl = callback_impl,
    .effects = io_effects,
};
COTAN_REGISTER(io_callback_p);

constinit const Primitive debug_callback_p = {
    .name = "debug_callback",
    .flags = kHostCall,
    .params = params_of<CallbackParams>,
    .type = callback_type,
    .eval = callback_eval,
    .jvp = [](const JvpArgs& a) -> Dual {
      return {bind_all(a.self, a.x, a.params), {}};
    },
    .batch = one_by_one,
    .impl = callback_impl,
    .effects = callback_effects,
};
COTAN_REGISTER(debug_callback_p);

Values lax::callback(CallbackKind kind, const CallbackParams& p,
                     std::span<const Value> x) {
  const Primitive* prims[] = {&pure_callback_p, &io_callback_p,
                              &debug_callback_p};
  return bind_all(*prims[int(kind)], x, p);
}

}  // namespace cotan

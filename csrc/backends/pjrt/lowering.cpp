#include "backends/pjrt/lowering.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "backends/pjrt/host_calls.h"
#include "backends/pjrt/native_ops.h"
#include "backends/pjrt/scalar_writer.h"
#include "base/error.h"
#include "emit/scalar_body.h"
#include "trace/arith.h"
#include "trace/trace.h"

namespace cotan::pjrt {

namespace {

// Small bodies are written in place: a call would hide more than it saves.
constexpr size_t kInlineEqns = 8;

struct JaxprKey {
  const Jaxpr* jaxpr;
  bool operator<(const JaxprKey& o) const { return jaxpr < o.jaxpr; }
};

class ModuleWriter {
 public:
  // The name of a private function for j.
  std::string function_of(const JaxprRef& j, std::string_view name);
  // The same under this very name, if it is free, for whoever shows it.
  std::string named_function(const JaxprRef& j, std::string_view name);
  std::string functions;  // text of the private ones
  HostCalls* host_calls = nullptr;

 private:
  std::string text_of(const Jaxpr& j);  // what follows the function's name

  struct Named {
    JaxprRef jaxpr;
    std::string wanted, name;
  };
  std::vector<Named> named_;
  std::vector<std::pair<JaxprRef, std::string>> known_;
  std::unordered_multimap<uint64_t, size_t> by_hash_;
  std::map<JaxprKey, size_t> by_address_;
};

class FunctionWriter final : public HloBuilder {
 public:
  explicit FunctionWriter(ModuleWriter& m) : module_(m) {}

  HloValues inline_jaxpr(const Jaxpr& j,
                         std::span<const HloValue> args) override {
    return lower(j, args, nullptr);
  }
  HloValues call(const JaxprRef& j, std::string_view name,
                 std::span<const HloValue> args) override;
  std::string function(const JaxprRef& j, std::string_view name) override {
    return module_.named_function(j, name);
  }
  HloValues arguments(std::span<const Aval> in) {
    HloValues out;
    for (const Aval& a : in) out.push_back(new_argument(a));
    return out;
  }
  HloValues lower(const Jaxpr& j, std::span<const HloValue> args,
                  HloModule* lines);
  void finish(std::span<const HloValue> out) {
    out_ += "    return";
    if (!out.empty()) {
      out_ += ' ';
      append_operands(out);
      out_ += " : ";
      append_types(out);
    }
    out_ += "\n  }\n";
  }

 private:
  HloValues lower_eqn(const HloArgs& a);
  HloValues lower_scalar(const HloArgs& a);
  HloValues lower_reduction(const HloArgs& a);
  HloValues lower_arg_reduction(const HloArgs& a, const Reduction& r);
  template <class F>
  HloValues lower_traced(const HloArgs& a, F f);
  HloValues lower_host_call(const HloArgs& a);

  ModuleWriter& module_;
};

int count_lines(std::string_view s) {
  return int(std::count(s.begin(), s.end(), '\n'));
}

HloValues FunctionWriter::lower(const Jaxpr& j, std::span<const HloValue> args,
                                HloModule* lines) {
  COTAN_CHECK(args.size() == j.in.size());
  std::vector<HloValue> env(j.avals.size());
  for (size_t i = 0; i < args.size(); ++i) env[size_t(j.in[i])] = args[i];
  auto read = [&](Atom a) {
    return a.is_var() ? env[size_t(a.id)]
                      : constant(j.literals[size_t(a.literal_index())]);
  };
  HloValues in;
  Avals types, out;
  int line = 0;
  size_t counted = 0;
  for (const Eqn& e : j.eqns) {
    in.clear();
    types.clear();
    out.clear();
    for (Atom a : e.in) {
      in.push_back(read(a));
      types.push_back(j.aval(a));
    }
    for (Var v : e.out) out.push_back(j.avals[size_t(v)]);
    if (lines) {
      line += count_lines(std::string_view(out_).substr(counted));
      counted = out_.size();
      lines->lines.push_back(
          {line, e.prim->name, e.source ? e.source->describe() : ""});
    }
    HloValues r;
    try {
      r = lower_eqn({*this, *e.prim, e.params, in, types, out});
    } catch (Error& error) {
      if (e.source) error.add_source(e.source->describe());
      throw;
    }
    COTAN_CHECK(r.size() == e.out.size());
    for (size_t i = 0; i < r.size(); ++i) {
      COTAN_CHECK(same_layout(type(r[i]), out[i]));
      env[size_t(e.out[i])] = r[i];
    }
  }
  HloValues results;
  for (Atom a : j.out) results.push_back(read(a));
  return results;
}

HloValues FunctionWriter::lower_eqn(const HloArgs& a) {
  const Primitive& p = a.self;
  HloValues out;
  if (p.flags & kHostCall) return lower_host_call(a);
  // No elements: no operation. XLA refuses some that would have none.
  bool empty = !a.out.empty() && (!p.effects || p.effects(a.params) == kPure);
  for (const Aval& t : a.out) empty &= t.size() == 0;
  if (empty) {
    for (const Aval& t : a.out)
      out.push_back(constant(Literal::from_int(t.dtype, 0), t.shape));
    return out;
  }
  if (computes_wide(p, a.types, a.out)) return lower_traced(a, compute_wide);
  if (p.hlo) return p.hlo(a);
  if (p.scalar) return emit_native(a, &out) ? out : lower_scalar(a);
  LowerArgs lower{a.params, a.types, a.out};
  if (p.concat)
    return {op("concatenate", a.in, a.out[0],
               cat("dimension = ", p.concat(lower), " : i64"))};
  if (p.reduction) return lower_reduction(a);
  if (p.inlined) return call(p.inlined(a.params), p.name, a.in);
  if (p.expand)
    return lower_traced(
        a, [](const Primitive& q, const Params& params,
              std::span<const Value> x) { return q.expand(params, x); });
  throw_not_implemented("[", p.name,
                        "] cannot be written as StableHLO: its record has "
                        "none of hlo, scalar, inlined and expand. It runs on "
                        "the CPU backend only");
}

// A custom call that evaluates the equation on the host. Ordered ones take and
// give the builder's order besides.
HloValues FunctionWriter::lower_host_call(const HloArgs& a) {
  const Primitive& p = a.self;
  if (!module_.host_calls)
    throw_not_implemented(
        "[", p.name, "] cannot be written as StableHLO for this target: only ",
        "plugins whose device is the host, and whose FFI is known, have a way ",
        "to call the host program. Take the callback out of the compiled ",
        "function, or compile it for the CPU: jit(f, device='cpu')");
  uint32_t effects = p.effects ? p.effects(a.params) : kPure;
  bool ordered = effects & kOrderedEffect;
  int64_t number = module_.host_calls->add(
      {&p, a.params, Avals(a.types.begin(), a.types.end()),
       Avals(a.out.begin(), a.out.end())});
  HloValues in(a.in.begin(), a.in.end());
  Avals out(a.out.begin(), a.out.end());
  if (ordered) {
    in.push_back(order());
    out.push_back(type(in.back()));
  }
  // Row-major: the host reads the memory.
  auto layouts = [](std::span<const Aval> types) {
    std::string text = "[";
    for (const Aval& t : types) {
      if (text.size() > 1) text += ", ";
      std::string order;
      for (size_t d = t.shape.size(); d-- > 0;) order += cat(d, d ? ", " : "");
      text += cat("dense<", order.empty() ? "" : cat("[", order, "]"),
                  "> : tensor<", t.shape.size(), "xindex>");
    }
    return text + "]";
  };
  Avals types(a.types.begin(), a.types.end());
  if (ordered) types.push_back(out.back());
  HloValues r =
      ops("custom_call", in, out,
          cat("api_version = 4 : i32, backend_config = {number = ", number,
              " : i64}, call_target_name = \"", kHostCallTarget,
              "\", has_side_effect = ", effects == kPure ? "false" : "true",
              ", operand_layouts = ", layouts(types),
              ", result_layouts = ", layouts(out)));
  if (ordered) {
    set_order(r.back());
    r.pop_back();
  }
  return r;
}

HloValues FunctionWriter::lower_scalar(const HloArgs& a) {
  ScalarWriter e(*this);
  SmallVector<Scalar, 4> x;
  for (HloValue v : a.in) x.push_back(e.of(v));
  SmallVector<DType, 2> types;
  for (const Aval& t : a.out) types.push_back(t.dtype);
  ScalarOuts r = emit_scalar_body(e, a.self, x, a.params, types);
  HloValues out;
  for (size_t i = 0; i < a.out.size(); ++i)
    out.push_back(broadcast_to(e.value(r.s[i]), a.out[i].shape));
  return out;
}

HloValues FunctionWriter::lower_reduction(const HloArgs& a) {
  Reduction r = a.self.reduction({a.params, a.types, a.out});
  if (r.monoid == Monoid::argmax || r.monoid == Monoid::argmin)
    return lower_arg_reduction(a, r);
  if (r.axes.empty()) return {a.in[0]};
  DType t = a.types[0].dtype;
  // 16-bit floats are summed in f32 and rounded once.
  bool sums = r.monoid == Monoid::sum || r.monoid == Monoid::prod;
  if (sums && is_half(t)) t = DType::f32;
  HloValue x = convert(a.in[0], t);
  HloValue init = constant(monoid_identity(r.monoid, t));
  return {convert(reduce(x, init, r.axes, r.monoid), a.out[0].dtype)};
}

// (value, index) pairs; nan wins, ties go to the first.
HloValues FunctionWriter::lower_arg_reduction(const HloArgs& a,
                                              const Reduction& r) {
  bool is_max = r.monoid == Monoid::argmax;
  DType t = a.types[0].dtype, index = a.out[0].dtype;
  HloValue x = a.in[0];
  if (is_half(t)) x = convert(x, t = DType::f32);
  // Counted in a type that holds the axis, then converted as the index is.
  DType wide = itemsize(index) == 8 ? index : DType::i32;
  HloValue in[] = {
      x, iota(wide, a.types[0].shape, r.axes[0]),
      constant(monoid_identity(is_max ? Monoid::max : Monoid::min, t)),
      constant_int(wide, 0)};
  HloRegionOp op =
      begin("reduce", in, cat("dimensions = array<i64: ", r.axes[0], ">"), 2);
  Aval value{t, false, {}}, position{wide, false, {}};
  Aval args[] = {value, position, value, position};
  HloValues v = region(op, args);
  ScalarWriter e(*this);
  Scalar p = e.of(v[0]), q = e.of(v[2]), i = e.of(v[1]), k = e.of(v[3]);
  Scalar take = e.compare(is_max ? CompareOp::gt : CompareOp::lt, p, q);
  Scalar tie = e.eq(p, q);
  if (is_inexact(t)) {
    Scalar np = e.is_nan(p), nq = e.is_nan(q);
    take = e.or_(take, e.and_(np, e.not_(nq)));
    tie = e.or_(tie, e.and_(np, nq));
  }
  take = e.or_(take, e.and_(tie, e.lt(i, k)));
  HloValue results[] = {select(e.value(take), v[0], v[2]),
                        select(e.value(take), v[1], v[3])};
  yield(results);
  Aval out[] = {{t, false, a.out[0].shape}, {wide, false, a.out[0].shape}};
  return {convert(end(op, out)[1], index)};
}

HloValues FunctionWriter::call(const JaxprRef& j, std::string_view name,
                               std::span<const HloValue> args) {
  if (!j) throw_not_implemented("[", name, "] was not staged");
  bool ordered = j->effects & kOrderedEffect;  // that has no place in a call
  if (ordered || j->eqns.size() <= kInlineEqns) return lower(*j, args, nullptr);
  std::string symbol = module_.function_of(j, name);
  HloRegionOp r{new_number(), HloValues(args.begin(), args.end())};
  indent();
  Avals out = j->out_avals();
  begin_results(r.base, out.size());
  out_ += cat("func.call @", symbol, "(");
  append_operands(args);
  out_ += ')';
  return end(r, out);
}

// f(primitive, params, values): other operations.
template <class F>
HloValues FunctionWriter::lower_traced(const HloArgs& a, F f) {
  JaxprRef j = make_jaxpr(
      [&](std::span<const Value> x) { return f(a.self, a.params, x); },
      a.types);
  return call(j, a.self.name, a.in);
}

// ---- functions

std::string symbol(std::string name) {
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])))
    name = "f" + name;
  return name;
}

void append_results(std::string& out, std::span<const Aval> types) {
  if (!types.empty()) out += " -> ";
  if (types.size() > 1) out += '(';
  for (size_t i = 0; i < types.size(); ++i) {
    if (i) out += ", ";
    append_hlo_type(out, types[i]);
  }
  if (types.size() > 1) out += ')';
  out += " {\n";
}

std::string ModuleWriter::function_of(const JaxprRef& j,
                                      std::string_view hint) {
  if (auto it = by_address_.find({j.get()}); it != by_address_.end())
    return known_[it->second].second;
  uint64_t hash = jaxpr_hash(*j);
  auto [first, last] = by_hash_.equal_range(hash);
  for (auto it = first; it != last; ++it)
    if (jaxpr_equal(*known_[it->second].first, *j))
      return known_[it->second].second;
  std::string text = text_of(*j);
  std::string name = cat(symbol(std::string(hint)), "_", known_.size());
  functions += cat("  func.func private @", name, text);
  by_address_[{j.get()}] = known_.size();
  by_hash_.emplace(hash, known_.size());
  known_.emplace_back(j, name);
  return name;
}

std::string ModuleWriter::named_function(const JaxprRef& j,
                                         std::string_view wanted) {
  for (const Named& n : named_)
    if (n.wanted == wanted && jaxpr_equal(*n.jaxpr, *j)) return n.name;
  std::string text = text_of(*j), name(wanted);
  auto taken = [&] {
    for (const Named& n : named_)
      if (n.name == name) return true;
    return false;
  };
  for (int i = 0; taken(); ++i) name = cat(wanted, "_", i);
  functions += cat("  func.func private @", name, text);
  named_.push_back({j, std::string(wanted), name});
  return name;
}

// Callees come first in the text; a jaxpr cannot contain itself.
std::string ModuleWriter::text_of(const Jaxpr& j) {
  FunctionWriter f(*this);
  Avals in = j.in_avals();
  HloValues args = f.arguments(in);
  HloValues out = f.lower(j, args, nullptr);
  f.finish(out);
  std::string head = "(";
  for (size_t i = 0; i < in.size(); ++i) {
    head += cat(i ? ", " : "", "%arg", i, ": ");
    append_hlo_type(head, in[i]);
  }
  head += ')';
  append_results(head, j.out_avals());
  return head + f.text();
}

// Which donated input an output may take over: the first of its type.
std::vector<int> find_aliases(std::span<const Aval> in,
                              std::span<const Aval> out,
                              const std::vector<bool>& donated,
                              const Jaxpr& j) {
  std::vector<int> aliases(out.size(), -1);
  std::vector<bool> used(in.size(), false);
  for (size_t k = 0; k < out.size(); ++k) {
    for (size_t i = 0; i < donated.size() && aliases[k] < 0; ++i) {
      if (!donated[i] || used[i] || !same_layout(in[i], out[k])) continue;
      // An argument that is also a result keeps its own place.
      if (std::find(j.out.begin(), j.out.end(), Atom::var(j.in[i])) !=
              j.out.end() &&
          !(j.out[k] == Atom::var(j.in[i])))
        continue;
      aliases[k] = int(i);
      used[i] = true;
    }
  }
  return aliases;
}

}  // namespace

std::string HloModule::origin(int line) const {
  const Line* found = nullptr;
  for (const Line& l : lines)
    if (l.line <= line) found = &l;
  if (!found) return "";
  std::string out = cat("[", found->op, "]");
  if (!found->source.empty()) out += cat(" at ", found->source);
  return out;
}

HloModule lower_to_stablehlo(const Jaxpr& j, const LowerOptions& options) {
  HloModule m;
  ModuleWriter writer;
  writer.host_calls = options.host_calls;
  FunctionWriter f(writer);
  Avals in = j.in_avals(), out = j.out_avals();
  m.aliases = find_aliases(in, out, options.donated, j);
  HloValues args = f.arguments(in);
  HloValues results = f.lower(j, args, &m);
  f.finish(results);
  std::string head =
      cat("module @", symbol(options.name), " {\n  func.func public @main(");
  for (size_t i = 0; i < in.size(); ++i) {
    head += cat(i ? ", " : "", "%arg", i, ": ");
    append_hlo_type(head, in[i]);
    if (i >= options.donated.size() || !options.donated[i]) continue;
    auto alias = std::find(m.aliases.begin(), m.aliases.end(), int(i));
    head += alias == m.aliases.end()
                ? std::string(" {jax.buffer_donor = true}")
                : cat(" {tf.aliasing_output = ", alias - m.aliases.begin(),
                      " : i32}");
  }
  head += ')';
  append_results(head, out);
  int first = count_lines(head) + 1;
  for (HloModule::Line& l : m.lines) l.line += first;
  m.text = std::move(head);
  m.text += f.text();
  m.text += writer.functions;
  m.text += "}\n";
  return m;
}

}  // namespace cotan::pjrt

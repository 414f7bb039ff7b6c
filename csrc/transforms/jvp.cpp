// Forward mode.
#include "transforms/dual.h"

namespace cotan {

namespace {

class JvpTrace final : public DualTrace {
 public:
  using DualTrace::DualTrace;
  Values process(const Primitive& p, std::span<const Value> x,
                 const Params& params) override {
    Operands o = take_apart(x);
    SetTrace scope(*parent_);
    if (!o.any || p.flags & kNotDifferentiable)
      return parent_->process(p, o.primals, params);
    if (!p.jvp)
      throw_not_implemented("[jvp] primitive '", p.name,
                            "' has no jvp rule: it cannot be differentiated "
                            "in forward mode");
    Dual d = p.jvp({p, params, o.primals, o.tangents});
    return wrap_all(std::move(d.primals), d.tangents);
  }
};

}  // namespace

Dual jvp(FunctionRef f, std::span<const Value> x, std::span<const Value> t) {
  auto trace = make_ref<JvpTrace>(current_trace());
  EndTrace end(*trace);
  Values in;
  for (size_t i = 0; i < x.size(); ++i) in.push_back(trace->wrap(x[i], t[i]));
  Values out;
  {
    SetTrace scope(*trace);
    out = f(in);
  }
  Dual d;
  for (const Value& v : out) {
    d.primals.push_back(trace->primal_of(v));
    d.tangents.push_back(trace->tangent_of(v));
  }
  in.clear();
  out.clear();
  check_leaks(*trace);
  return d;
}

}  // namespace cotan

// Dual numbers: the tracer of jvp and linearize. Internal to transforms/.
#pragma once

#include "transforms/transforms.h"

namespace cotan {

class DualObj final : public ValueObj {
 public:
  DualObj(Value p, Value t, Ref<Trace> trace)
      : ValueObj(ValueKind::dual, p.aval()),
        primal(std::move(p)),
        tangent(std::move(t)),
        source(source_around(primal)),
        trace_(std::move(trace)) {}
  const Value primal, tangent;
  const SourceRef source;
  Trace* trace() const noexcept override { return trace_.get(); }
  const Value* primal_value() const noexcept override { return &primal; }
  const SourceInfo* made_at() const noexcept override {
    return source ? source.get() : primal->made_at();
  }

 private:
  const Ref<Trace> trace_;
};

// What JvpTrace and LinearizeTrace share: taking operands apart and putting
// results together.
class DualTrace : public Trace {
 public:
  explicit DualTrace(Trace& parent) : parent_(&parent) {}

  Value wrap(Value primal, Value tangent) {
    if (!tangent || !is_inexact(primal.dtype())) return primal;
    return make_ref<DualObj>(std::move(primal), std::move(tangent),
                             Ref<Trace>(this));
  }
  Value primal_of(const Value& v) const {
    return v->trace() == this ? v.as<DualObj>().primal : v;
  }
  Value tangent_of(const Value& v) const {
    return v->trace() == this ? v.as<DualObj>().tangent : nullptr;
  }
  Values wrap_all(Values primals, const Values& tangents) {
    for (size_t i = 0; i < primals.size(); ++i)
      primals[i] = wrap(std::move(primals[i]), tangents[i]);
    return primals;
  }

 protected:
  struct Operands {
    Values primals, tangents;
    bool any = false;
  };
  Operands take_apart(std::span<const Value> x) const {
    Operands o;
    for (const Value& v : x) {
      o.primals.push_back(primal_of(v));
      o.tangents.push_back(tangent_of(v));
      o.any |= bool(o.tangents.back());
    }
    return o;
  }
  Ref<Trace> parent_;
};

// Ends a trace when the scope that made it is left, also by an exception.
class EndTrace {
 public:
  explicit EndTrace(Trace& t) : trace_(t) {}
  ~EndTrace() {
    if (trace_.alive()) trace_.end();
  }

 private:
  Trace& trace_;
};

}  // namespace cotan

// Batching: one operation on values with an extra axis.
#include <atomic>

#include "trace/axes.h"
#include "transforms/dual.h"

namespace cotan {

namespace {

Aval without_axis(Aval a, int64_t dim) {
  a.shape.erase(a.shape.begin() + dim);
  return a;
}

class BatchObj final : public ValueObj {
 public:
  BatchObj(Value v, int64_t d, Ref<Trace> trace)
      : ValueObj(ValueKind::batch, without_axis(v.aval(), d)),
        value(std::move(v)),
        dim(d),
        source(source_around(value)),
        trace_(std::move(trace)) {}
  const Value value;
  const int64_t dim;
  const SourceRef source;
  Trace* trace() const noexcept override { return trace_.get(); }
  const SourceInfo* made_at() const noexcept override {
    return source ? source.get() : value->made_at();
  }

 private:
  const Ref<Trace> trace_;
};

uint64_t next_trace_id() {
  static std::atomic<uint64_t> count{0};
  return ++count;
}

// Traces of one id take each other's tracers: the later ones run functions
// that were written inside of the first.
class BatchTrace final : public Trace {
 public:
  BatchTrace(Trace& parent, BatchAxis axis, uint64_t id)
      : parent_(&parent),
        axis_(std::move(axis)),
        id_(id ? id : next_trace_id()) {}

  Value wrap(Value v, int64_t dim) {
    if (dim == kNotBatched) return v;
    return make_ref<BatchObj>(std::move(v), dim, Ref<Trace>(this));
  }
  // Null is a zero or, in the results of a custom rule, a mark.
  std::pair<Value, int64_t> unwrap(const Value& v) const {
    if (!v || v->kind != ValueKind::batch ||
        static_cast<BatchTrace*>(v->trace())->id_ != id_)
      return {v, kNotBatched};
    auto& b = v.as<BatchObj>();
    return {b.value, b.dim};
  }
  Values process(const Primitive& p, std::span<const Value> x,
                 const Params& params) override {
    Values values;
    SmallVector<int64_t, 4> dims;
    bool any = false;
    for (const Value& v : x) {
      auto [value, dim] = unwrap(v);
      any |= dim != kNotBatched;
      values.push_back(std::move(value));
      dims.push_back(dim);
    }
    SetTrace scope(*parent_);
    if (!any && !(p.flags & kHoldsFunctions) &&
        !(axis_.name && uses_axis(p, params, axis_.name)))
      return parent_->process(p, values, params);
    if (!p.batch)
      throw_not_implemented("[vmap] primitive '", p.name,
                            "' has no batch rule");
    Batched b = p.batch({p, params, values, dims, axis_.size, axis_.name, id_});
    for (size_t i = 0; i < b.values.size(); ++i)
      b.values[i] = wrap(std::move(b.values[i]), b.dims[i]);
    return std::move(b.values);
  }

 private:
  Ref<Trace> parent_;
  const BatchAxis axis_;
  const uint64_t id_;
};

}  // namespace

Batched vmap(FunctionRef f, std::span<const Value> x,
             std::span<const int64_t> dims, const BatchAxis& axis,
             uint64_t id) {
  auto trace = make_ref<BatchTrace>(current_trace(), axis, id);
  EndTrace end(*trace);
  Values in;
  for (size_t i = 0; i < x.size(); ++i)
    in.push_back(trace->wrap(x[i], dims[i]));
  Values out;
  {
    SetTrace scope(*trace);
    ExtendAxes names(axis);
    out = f(in);
  }
  Batched b;
  for (const Value& v : out) {
    auto [value, dim] = trace->unwrap(v);
    b.values.push_back(std::move(value));
    b.dims.push_back(dim);
  }
  in.clear();
  out.clear();
  check_leaks(*trace);
  return b;
}

Value batch_to(const Value& x, int64_t dim, int64_t size, int64_t to) {
  if (dim != kNotBatched) return move_axis(x, dim, to);
  Shape shape = x.shape();
  shape.insert(shape.begin() + to, size);
  Axes dims;
  for (int64_t i = 0; i < x.rank(); ++i) dims.push_back(i < to ? i : i + 1);
  return broadcast_in_dim(x, std::move(shape), std::move(dims));
}

}  // namespace cotan

// vmap of custom rules: each function of a rule becomes one with a batch axis.
// Start with BatchedPart.
#include "ops/custom_batch.h"

namespace cotan::ops {

CustomBatch::CustomBatch(const BatchArgs& a, size_t num_consts)
    : axis_(a.axis()), trace_(a.trace), num_consts_(num_consts) {
  for (int64_t d : a.dims) {
    operands_.push_back(d != kNotBatched);
    any_operand_ |= d != kNotBatched;
  }
}

std::vector<bool> CustomBatch::agree(std::vector<bool> found) {
  std::lock_guard lock(mutex_);
  if (recorded_) {
    COTAN_CHECK(found.size() == outputs_.size());
    for (size_t i = 0; i < found.size(); ++i)
      if (found[i] && !outputs_[i])
        throw_not_implemented(
            "[vmap] output ", i, " of a custom rule depends on the named axis ",
            "or on a mapped value that it closes over, that of its function ",
            "does not: make the value an argument");
    return outputs_;
  }
  known_ = true;
  recorded_ = !is_evaluating();
  // A rule that runs later may depend on more than the function did.
  if (recorded_ && any_operand_) found.assign(found.size(), true);
  outputs_ = std::move(found);
  return outputs_;
}

std::vector<bool> CustomBatch::outputs() const {
  std::lock_guard lock(mutex_);
  COTAN_CHECK(known_);
  return outputs_;
}

void CustomBatch::set_residuals(std::vector<bool> batched) {
  std::lock_guard lock(mutex_);
  residuals_ = std::move(batched);
}

std::vector<bool> CustomBatch::residuals() const {
  std::lock_guard lock(mutex_);
  return residuals_;
}

namespace {

std::vector<bool> flags(const Batched& b, size_t first, size_t n) {
  std::vector<bool> out;
  for (size_t i = first; i < first + n; ++i)
    out.push_back(b.dims[i] != kNotBatched);
  return out;
}

class BatchedPart final : public Callable {
 public:
  BatchedPart(CustomPart part, OpaqueRef f, JaxprRef jaxpr,
              Ref<CustomBatch> how)
      : part_(part),
        f_(std::move(f)),
        jaxpr_(std::move(jaxpr)),
        how_(std::move(how)) {}

  Values call(std::span<const Value> x) const override {
    Batched b = run(x);
    switch (part_) {
      case CustomPart::function:
        set_front(b, 0, how_->agree(flags(b, 0, b.values.size())));
        break;
      case CustomPart::jvp: {
        // An output and its tangent are batched together.
        size_t n = b.values.size() / 2;
        std::vector<bool> found = flags(b, 0, n), t = flags(b, n, n);
        for (size_t i = 0; i < n; ++i) found[i] = found[i] || t[i];
        found = how_->agree(std::move(found));
        set_front(b, 0, found);
        set_front(b, n, found);
        break;
      }
      case CustomPart::fwd: {
        // outputs, null, residuals
        size_t n = 0;
        while (n < b.values.size() && b.values[n]) ++n;
        COTAN_CHECK(n < b.values.size());
        set_front(b, 0, how_->agree(flags(b, 0, n)));
        std::vector<bool> kept = flags(b, n + 1, b.values.size() - n - 1);
        set_front(b, n + 1, kept);
        how_->set_residuals(std::move(kept));
        break;
      }
      case CustomPart::bwd:
        add_up(b);
        break;
    }
    return std::move(b.values);
  }

 private:
  // Which of the operands of this part have the axis.
  std::vector<bool> batched(size_t n) const {
    if (part_ == CustomPart::bwd) {
      std::vector<bool> r = how_->residuals(), out = how_->outputs();
      r.insert(r.end(), out.begin(), out.end());
      COTAN_CHECK(r.size() == n);
      return r;
    }
    const std::vector<bool>& all = how_->operands();
    if (part_ == CustomPart::function && n == all.size()) return all;
    // Rules do not see the constants; tangents or marks follow the primals.
    std::vector<bool> once(all.begin() + long(how_->num_consts()), all.end());
    std::vector<bool> r;
    while (r.size() < n) r.insert(r.end(), once.begin(), once.end());
    COTAN_CHECK(r.size() == n);
    return r;
  }

  Batched run(std::span<const Value> x) const {
    std::vector<bool> is = batched(x.size());
    SmallVector<int64_t, 8> dims;
    for (size_t i = 0; i < x.size(); ++i)
      dims.push_back(x[i] && is[i] ? 0 : kNotBatched);
    auto apply = [&](std::span<const Value> v) {
      return jaxpr_ ? eval_jaxpr(*jaxpr_, v)
                    : static_cast<const Callable&>(*f_).call(v);
    };
    return vmap(apply, x, dims, how_->axis(), how_->trace());
  }

  void set_front(Batched& b, size_t first, const std::vector<bool>& is) const {
    for (size_t i = 0; i < is.size(); ++i)
      if (Value& v = b.values[first + i]; v && is[i])
        v = batch_to_front(v, b.dims[first + i], how_->size());
  }

  // The cotangent of an operand without the axis is the sum over it.
  void add_up(Batched& b) const {
    const std::vector<bool>& in = how_->operands();
    size_t skip = how_->num_consts();
    COTAN_CHECK(b.values.size() == in.size() - skip);
    for (size_t i = 0; i < b.values.size(); ++i) {
      Value& v = b.values[i];
      if (!v) continue;
      if (in[skip + i])
        v = batch_to_front(v, b.dims[i], how_->size());
      else if (b.dims[i] != kNotBatched)
        v = lax::reduce_sum(v, {b.dims[i]});
    }
  }

  CustomPart part_;
  OpaqueRef f_;
  JaxprRef jaxpr_;
  Ref<CustomBatch> how_;
};

}  // namespace

OpaqueRef batched_part(CustomPart part, const OpaqueRef& f, JaxprRef jaxpr,
                       Ref<CustomBatch> how) {
  return make_ref<BatchedPart>(part, f, std::move(jaxpr), std::move(how));
}

Values fronts(const BatchArgs& a) {
  Values x;
  for (size_t i = 0; i < a.x.size(); ++i)
    x.push_back(a.dims[i] == kNotBatched
                    ? a.x[i]
                    : batch_to_front(a.x[i], a.dims[i], a.size));
  return x;
}

Batched with_outputs(Values v, const CustomBatch& how) {
  Batched b{std::move(v), {}};
  for (bool is : how.outputs()) b.dims.push_back(is ? 0 : kNotBatched);
  return b;
}

}  // namespace cotan::ops

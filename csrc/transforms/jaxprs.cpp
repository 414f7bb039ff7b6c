// Transformations of jaxprs, made from the transformations of functions.
#include <mutex>
#include <unordered_map>

#include "base/config.h"
#include "transforms/transforms.h"

namespace cotan {

namespace {

bool all_concrete(const TracedGraph& g) {
  for (const Value& v : g.consts)
    if (!v->is_concrete()) return false;
  return true;
}

// Results by (jaxpr object, flags, axis, axes in scope: custom rules see them).
// Holding the jaxpr keeps its address. A result that closes over a live tracer
// is made anew each time.
template <class Result>
class Memo {
 public:
  template <class Make>
  Result get(const JaxprRef& j, std::vector<bool> flags, int64_t n, Make make,
             AxisName name = nullptr) {
    Key key{j, std::move(flags), n, std::move(name), thread_scope()};
    {
      std::lock_guard lock(mutex_);
      if (auto it = map_.find(key); it != map_.end()) return it->second;
    }
    bool reusable = true;
    Result r = make(reusable);
    std::lock_guard lock(mutex_);
    if (map_.size() >= kLimit) map_.clear();
    if (reusable) map_.emplace(std::move(key), r);
    return r;
  }
  void clear() {
    std::lock_guard lock(mutex_);
    map_.clear();
  }

 private:
  static constexpr size_t kLimit = 1024;
  struct Key {
    JaxprRef jaxpr;
    std::vector<bool> flags;
    int64_t n;
    AxisName name;
    uint32_t scope;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& k) const {
      return hash_mix(hash_mix(reinterpret_cast<uint64_t>(k.jaxpr.get()),
                               std::hash<std::vector<bool>>()(k.flags)),
                      uint64_t(k.n));
    }
  };
  std::mutex mutex_;
  std::unordered_map<Key, Result, Hash> map_;
};

Memo<JvpJaxpr> jvp_memo;
Memo<LinearizedJaxpr> linearize_memo;
Memo<TracedGraph> transpose_memo;
Memo<BatchedJaxpr> batch_memo;

// flags of inputs and of outputs in one key; the separator keeps apart
// ({0}, {1}) and ({0, 1}, {}).
std::vector<bool> joined(std::vector<bool> a, const std::vector<bool>& b) {
  if (b.empty()) return a;
  a.push_back(true);
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TracedGraph trace_named(FunctionRef f, const Avals& in, const Jaxpr& like,
                        bool& reusable) {
  TracedGraph g = trace_to_jaxpr(f, in);
  auto copy = make_ref<Jaxpr>(*g.jaxpr);
  copy->name = like.name;
  g.jaxpr = copy;
  reusable = all_concrete(g);
  return g;
}

bool is_forced(const std::vector<bool>& force, size_t i) {
  return !force.empty() && force[i];
}

}  // namespace

void clear_transform_caches() {
  jvp_memo.clear();
  linearize_memo.clear();
  transpose_memo.clear();
  batch_memo.clear();
}

JvpJaxpr jvp_jaxpr(const JaxprRef& j, const std::vector<bool>& nonzero,
                   const std::vector<bool>& instantiate) {
  return jvp_memo.get(j, joined(nonzero, instantiate), 0, [&](bool& reusable) {
    JvpJaxpr r;
    Avals in = j->in_avals();
    size_t n = in.size();
    for (size_t i = 0; i < n; ++i)
      if (nonzero[i]) in.push_back(Aval(in[i]));
    auto dual = [&](std::span<const Value> a) {
      Values x(a.begin(), a.begin() + long(n)), t;
      size_t k = n;
      for (bool nz : nonzero) t.push_back(nz ? a[k++] : nullptr);
      auto run = [&](std::span<const Value> v) { return eval_jaxpr(*j, v); };
      Dual d = jvp(run, x, t);
      Values out = d.primals;
      for (size_t i = 0; i < d.primals.size(); ++i) {
        Value& ti = d.tangents[i];
        if (!ti && is_forced(instantiate, i) &&
            is_inexact(d.primals[i].dtype()))
          ti = zeros_like(d.primals[i]);
        r.nonzero_out.push_back(bool(ti));
        if (ti) out.push_back(ti);
      }
      return out;
    };
    r.graph = trace_named(dual, in, *j, reusable);
    return r;
  });
}

LinearizedJaxpr linearize_jaxpr(const JaxprRef& j,
                                const std::vector<bool>& nonzero,
                                const std::vector<bool>& instantiate) {
  auto make = [&](bool& reusable) {
    LinearizedJaxpr r;
    Linearization l;
    auto forward = [&](std::span<const Value> a) {
      auto run = [&](std::span<const Value> v) { return eval_jaxpr(*j, v); };
      l = linearize(run, a, nonzero, instantiate);
      Values out = std::move(l.primals);
      for (Value& v : l.residuals) out.push_back(std::move(v));
      r.num_residuals = l.residuals.size();
      l.residuals.clear();
      return out;
    };
    r.forward = trace_named(forward, j->in_avals(), *j, reusable);
    r.nonzero_out = l.nonzero_out;
    auto tangent = make_ref<Jaxpr>(*l.tangent);
    tangent->name = j->name;
    std::erase_if(tangent->out, [](Atom a) { return a.is_none(); });
    r.tangent = tangent;
    return r;
  };
  return linearize_memo.get(j, joined(nonzero, instantiate), 0, make);
}

TracedGraph transpose_jaxpr(const JaxprRef& linear, size_t num_known) {
  return transpose_memo.get(
      linear, {}, int64_t(num_known), [&](bool& reusable) {
        Avals in = linear->in_avals();
        Avals types(in.begin(), in.begin() + long(num_known));
        for (Aval& a : linear->out_avals()) types.push_back(std::move(a));
        auto backward = [&](std::span<const Value> a) {
          Values ct =
              backward_pass(*linear, a.first(num_known), a.subspan(num_known));
          for (size_t i = 0; i < ct.size(); ++i)
            if (!ct[i]) ct[i] = zeros_of(in[num_known + i]);
          return ct;
        };
        return trace_named(backward, types, *linear, reusable);
      });
}

BatchedJaxpr batch_jaxpr(const JaxprRef& j, const BatchAxis& axis,
                         const std::vector<bool>& batched,
                         const std::vector<bool>& force) {
  const int64_t size = axis.size;
  auto make = [&](bool& reusable) {
    BatchedJaxpr r;
    Avals in = j->in_avals();
    SmallVector<int64_t, 8> dims;
    for (size_t i = 0; i < in.size(); ++i) {
      dims.push_back(batched[i] ? 0 : kNotBatched);
      if (batched[i]) in[i].shape.insert(in[i].shape.begin(), size);
    }
    auto run_batched = [&](std::span<const Value> a) {
      auto run = [&](std::span<const Value> v) { return eval_jaxpr(*j, v); };
      Batched b = vmap(run, a, dims, axis);
      for (size_t i = 0; i < b.values.size(); ++i) {
        bool is_batched = b.dims[i] != kNotBatched || is_forced(force, i);
        r.batched_out.push_back(is_batched);
        if (is_batched)
          b.values[i] = batch_to_front(b.values[i], b.dims[i], size);
      }
      return b.values;
    };
    r.graph = trace_named(run_batched, in, *j, reusable);
    return r;
  };
  return batch_memo.get(j, joined(batched, force), size, make, axis.name);
}

}  // namespace cotan

// The primitives that move elements by position: slices, windows, padding,
// sorting, running reductions.
#include "jnp/promote.h"
#include "ops/lax.h"
#include "python/core.h"

namespace py = pybind11;

namespace cotan::python {

namespace {

std::vector<Value> to_vector(const Values& v) { return {v.begin(), v.end()}; }

GatherMode mode_from(const std::string& name) {
  if (name == "clip") return GatherMode::clip;
  if (name == "fill") return GatherMode::fill_or_drop;
  if (name == "promise_in_bounds") return GatherMode::promise_in_bounds;
  throw_value("[gather] unknown mode '", name, "'");
}

ScatterKind scatter_from(const std::string& name) {
  constexpr const char* names[] = {"set", "add", "sub", "mul", "min", "max"};
  for (int i = 0; i < 6; ++i)
    if (name == names[i]) return ScatterKind(i);
  throw_value("[scatter] unknown kind '", name, "'");
}

CumulativeKind cumulative_from(const std::string& name) {
  constexpr const char* names[] = {"sum", "prod", "max", "min", "logsumexp"};
  for (int i = 0; i < 5; ++i)
    if (name == names[i]) return CumulativeKind(i);
  throw_value("[cumulative] unknown kind '", name, "'");
}

// A number in the dtype of x, or the default.
std::optional<Literal> fill_from(const std::optional<Value>& fill,
                                 const Value& x) {
  if (!fill) return {};
  Value v = concrete_value(lax::convert(*fill, x.dtype()));
  if (!v || v.rank() != 0)
    throw_value("[gather] fill_value must be a known scalar, got ",
                fill->aval());
  return Literal::from_bytes(x.dtype(), v->host_data());
}

Values starts_from(const Value& x, const std::vector<Value>& starts,
                   bool wrap) {
  if (wrap) return lax::wrap_starts(x.shape(), starts);
  return Values(starts.begin(), starts.end());
}

// Weak scalars follow the operand; other differences are refused.
Value like(const Value& v, const Value& x) {
  if (!v.weak_type() || v.dtype() == x.dtype()) return v;
  Value both[] = {v, x};
  return jnp::result_type(both).dtype == x.dtype() ? lax::convert(v, x.dtype())
                                                   : v;
}

Value pad_by(const Value& x, const Value& fill,
             const std::vector<std::array<int64_t, 3>>& config) {
  std::vector<PadDim> dims;
  for (const auto& c : config) dims.push_back({c[0], c[1], c[2]});
  return lax::pad(x, like(fill, x), std::move(dims));
}

}  // namespace

void bind_lax_index(py::module_& m) {
  m.def("pad", pad_by);
  m.def("concatenate", [](const std::vector<Value>& xs, int64_t dimension) {
    return lax::concatenate(xs, dimension);
  });
  m.def("dynamic_slice", [](const Value& x, const std::vector<Value>& starts,
                            const Dims& sizes, bool wrap) {
    return lax::dynamic_slice(x, starts_from(x, starts, wrap), sizes);
  });
  m.def("dynamic_update_slice",
        [](const Value& x, const Value& update,
           const std::vector<Value>& starts, bool wrap) {
          return lax::dynamic_update_slice(x, like(update, x),
                                           starts_from(x, starts, wrap));
        });
  m.def("gather", [](const Value& x, const Value& indices, const Dims& offset,
                     const Dims& collapsed, const Dims& map,
                     const Dims& operand_batch, const Dims& indices_batch,
                     const Dims& sizes, const std::string& mode, bool sorted,
                     bool unique, const std::optional<Value>& fill) {
    GatherParams p{
        offset, collapsed,       map,    operand_batch, indices_batch,
        sizes,  mode_from(mode), sorted, unique,        fill_from(fill, x)};
    return lax::gather(x, indices, std::move(p));
  });
  m.def("scatter", [](const std::string& kind, const Value& x,
                      const Value& indices, const Value& updates,
                      const Dims& window, const Dims& inserted, const Dims& map,
                      const Dims& operand_batch, const Dims& indices_batch,
                      const std::string& mode, bool sorted, bool unique) {
    ScatterParams p{window,        inserted,        map,    operand_batch,
                    indices_batch, mode_from(mode), sorted, unique};
    return lax::scatter(scatter_from(kind), x, indices, like(updates, x),
                        std::move(p));
  });
  m.def("cumulative", [](const Value& x, const std::string& kind, int64_t axis,
                         bool reverse) {
    return lax::cumulative(x, cumulative_from(kind), axis, reverse);
  });
  m.def("sort", [](const std::vector<Value>& operands, int64_t dimension,
                   bool is_stable, int64_t num_keys) {
    return to_vector(lax::sort(operands, dimension, is_stable, num_keys));
  });
  m.def("top_k", [](const Value& x, int64_t k, int64_t axis) {
    return to_vector(lax::top_k(x, k, axis));
  });
  m.def("reduce_precision", lax::reduce_precision);
}

}  // namespace cotan::python

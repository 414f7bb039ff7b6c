// How operations run on narrow dtypes (int4, float8, ...): operands are
// converted to wide_dtype(), the operation is that of the wide dtypes, results
// are rounded or wrapped back. One place for all primitives; what moves values
// without looking at them works on bytes.
#include "ops/rules.h"
#include "trace/arith.h"
#include "trace/trace.h"

namespace cotan {

bool computes_wide(const Primitive& p, std::span<const Aval> in,
                   std::span<const Aval> out) {
  bool any = false;
  for (const Aval& a : in) any |= is_narrow(a.dtype);
  for (const Aval& a : out) any |= is_narrow(a.dtype);
  if (!any || !p.eval || p.impl || p.inlined || p.control ||
      p.flags & (kSeesHalf | kHostCall | kStageOnly | kMovesValues))
    return false;
  // A view of packed bits has other bytes.
  if (p.view && p.expand) return in[0].nbytes() != out[0].nbytes();
  return !p.view && !p.update && !p.concat;
}

Value ops::wide_indices(const Value& x) {
  return is_narrow(x.dtype()) ? lax::convert(x, DType::i32, x.weak_type()) : x;
}

Values compute_wide(const Primitive& p, const Params& params,
                    std::span<const Value> x) {
  if (p.view) return p.expand(params, x);
  Avals in = avals_of(x);
  Avals out = p.type({p, in, params});
  Values y;
  if (p.reduction) {  // the identity of the wide dtype may not be a value
    Monoid m = p.reduction({params, in, out}).monoid;
    if (x[0].size() == 0 && (m == Monoid::max || m == Monoid::min)) {
      Literal identity = monoid_identity(m, out[0].dtype);
      return {broadcast_in_dim(scalar_value(identity), out[0].shape, {})};
    }
  }
  Values wide;
  for (const Value& v : x)
    wide.push_back(lax::convert(v, wide_dtype(v.dtype()), v.weak_type()));
  y = bind_all(p, wide, params.with_dtypes(wide_dtype));
  COTAN_CHECK(y.size() == out.size());
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = lax::convert(y[i], out[i].dtype, out[i].weak_type);
  return y;
}

}  // namespace cotan

// The primitive record: everything cotan knows about one operation, in one
// place. A rule is a plain function; a null slot means "does not apply", and
// the registry test says which slots must not be null.
//
// Start with `type` (all validation), `eval` (the reference), `jvp`,
// `transpose` (iff linear in an operand) and `batch`. Then exactly one way to
// run fast: scalar, view, update, concat, generate, reduction, dot, kernel,
// control, inlined or expand.
#pragma once

#include <memory>
#include <span>

#include "ir/hlo_fwd.h"
#include "ir/jaxpr.h"
#include "ir/param_source.h"
#include "ir/scalar_fwd.h"
#include "ir/value.h"

namespace cotan {

class GraphTrace;

struct TypeArgs {
  const Primitive& self;
  std::span<const Aval> in;
  const Params& params;
};

// ---- reference evaluation on host memory, row-major
struct HostView {
  DType dtype;
  std::span<const int64_t> shape;
  void* data;
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};
struct EvalArgs {
  const Primitive& self;
  const Params& params;
  std::span<const HostView> in;
  std::span<const HostView> out;  // allocated, of the types that `type` gave
};

// ---- differentiation. A null tangent or cotangent is a symbolic zero.
struct JvpArgs {
  const Primitive& self;
  const Params& params;
  std::span<const Value> x;  // primals
  std::span<const Value> t;  // tangents; at least one is not null
};
struct Dual {
  Values primals, tangents;
};

// What remains of a linearized operation: applied to tangents it gives output
// tangents. Runs under the tangent trace.
class TangentFn {
 public:
  virtual ~TangentFn() = default;
  virtual Values apply(std::span<const Value> tangents) = 0;
};
struct LinearizeArgs {
  const Primitive& self;
  const Params& params;
  std::span<const Value> x;
  std::span<const bool> nonzero;  // which operands have a tangent
};
struct Linearized {
  Values primals;
  std::unique_ptr<TangentFn> tangent;
};

struct TransposeArgs {
  const Primitive& self;
  const Params& params;
  std::span<const Value> ct;    // per output, null: zero
  std::span<const Value> x;     // per operand; null marks the linear ones
  std::span<const Aval> avals;  // of the operands
};

// ---- batching
inline constexpr int64_t kNotBatched = -1;
struct BatchAxis {
  int64_t size;
  AxisName name;  // null: none
  BatchAxis(int64_t s, AxisName n = nullptr) : size(s), name(std::move(n)) {}
};
struct BatchArgs {
  const Primitive& self;
  const Params& params;
  std::span<const Value> x;
  std::span<const int64_t> dims;  // batch axis of each operand, or kNotBatched
  int64_t size;                   // of the batch axis
  AxisName name = nullptr;        // of the batch axis
  uint64_t trace = 0;             // which vmap this is: see vmap()
  BatchAxis axis() const { return {size, name}; }
};
struct Batched {
  Values values;
  SmallVector<int64_t, 4> dims;
};

// ---- running fast
// View: each output element is one operand element (data movement).
// operand_index[d] = (offset + step * output_index[out_dim]) / dilation,
// plus, if `start` names an operand (a rank-0 integer), its value clamped to
// 0 <= value <= max_start (dynamic_slice).
struct ViewDim {
  int64_t out_dim = -1;  // -1: the index is `offset`
  int64_t step = 1;
  int64_t offset = 0;
  int64_t dilation = 1;  // not divisible: outside
  int32_t start = -1;    // operand that holds a run-time start, or -1
  int64_t max_start = 0;
};
struct View {
  SmallVector<ViewDim, 6> dims;  // one per operand dimension
  bool reshape = false;          // instead of dims: same row-major order
  bool guarded = false;          // an index outside the operand reads operand 1
};
struct ViewArgs {
  const Params& params;
  std::span<const Aval> in;
  const Aval& out;
};

enum class Monoid : uint8_t {
  sum,
  prod,
  max,
  min,
  and_,
  or_,
  xor_,
  argmax,
  argmin,
};
std::string_view enum_name(Monoid m);
// What a reduction over nothing gives (not for arg*).
Literal monoid_identity(Monoid m, DType t);
struct Reduction {
  Monoid monoid;
  Axes axes;  // of the operand, ascending
};

// Contraction as in dot_general; output is batch, lhs free, rhs free.
struct Contraction {
  Axes lhs_contract, rhs_contract, lhs_batch, rhs_batch;
};

// A call of a plain C++ kernel of the runtime, found by name.
struct KernelSpec {
  const char* name;
  std::vector<int64_t> attrs;  // layout: ir/kernel_attrs.h
  int64_t scratch_bytes = 0;
};

// Control flow. branch: operand 0 is an i32 index into `cases` (out of range:
// the last), which take the other operands. loop: operands are the constants
// of `cond`, those of `body`, the carries, then the streams, of which body
// sees one row; body gives the carries, then a row of each output stream.
struct Control {
  std::vector<JaxprRef> cases;  // not empty: a branch
  JaxprRef cond, body;          // cond null: `trips` iterations
  int64_t trips = -1;
  bool reverse = false;  // streams are walked from their end
  int32_t cond_consts = 0, body_consts = 0, carries = 0;
};

struct LowerArgs {
  const Params& params;
  std::span<const Aval> in;
  std::span<const Aval> out;
};

// ---- StableHLO
struct HloArgs {
  HloBuilder& b;
  const Primitive& self;
  const Params& params;
  std::span<const HloValue> in;  // types[i] is the aval of in[i]
  std::span<const Aval> types;
  std::span<const Aval> out;
};

enum PrimitiveFlags : uint32_t {
  kNone = 0,
  kCommutative = 1,
  kLinear = 2,    // linear in all operands together (neg, reshape, ...)
  kSeesHalf = 4,  // .scalar takes f16, bf16 and narrow lanes as they are
  kNotDifferentiable = 8,  // output tangents are always zero
  kStageOnly = 16,         // has no meaning outside a jaxpr
  kInPlace = 32,           // .kernel may write output i over operand i
  kHostCall = 64,          // runs by .eval, which calls the host program
  // Its parameters hold functions that may close over tracers of an enclosing
  // vmap: it is batched even if no operand is.
  kHoldsFunctions = 128,
  kMovesValues = 256,  // .kernel gives operands' elements as they are
};

struct Primitive {
  const char* name;
  uint32_t flags = kNone;

  // Parameters from named fields; null: there are none.
  Params (*params)(ParamSource&) = nullptr;
  Avals (*type)(const TypeArgs&);
  void (*eval)(const EvalArgs&) = nullptr;

  Dual (*jvp)(const JvpArgs&) = nullptr;
  Linearized (*linearize)(const LinearizeArgs&) = nullptr;
  Values (*transpose)(const TransposeArgs&) = nullptr;
  Batched (*batch)(const BatchArgs&) = nullptr;
  // Whether it depends on a named axis, so that it is batched even if no
  // operand is. Default: iff a jaxpr in its parameters does.
  bool (*uses_axis)(const Params&, const AxisName&) = nullptr;

  // Elementwise: operands have the output's shape or rank 0.
  ScalarOuts (*scalar)(ScalarEmitter&, Scalars, const Params&) = nullptr;
  View (*view)(const ViewArgs&) = nullptr;
  // The result is operand 0 with operand 1 written over part of it
  // (dynamic_update_slice): dims has one entry per dimension of the result,
  // whose out_dim names a dimension of operand 1. In place where possible.
  View (*update)(const ViewArgs&) = nullptr;
  // The operands one after another along the axis returned (concatenate).
  int64_t (*concat)(const LowerArgs&) = nullptr;
  // An output element from its own index (i64 lanes per output dimension).
  ScalarOuts (*generate)(ScalarEmitter&, Scalars index,
                         const LowerArgs&) = nullptr;
  Reduction (*reduction)(const LowerArgs&) = nullptr;
  Contraction (*dot)(const LowerArgs&) = nullptr;
  KernelSpec (*kernel)(const LowerArgs&) = nullptr;
  Control (*control)(const Params&) = nullptr;
  // The jaxpr that this operation stands for (call, custom_jvp, ...).
  JaxprRef (*inlined)(const Params&) = nullptr;
  // As operations of StableHLO (emit/hlo.h). Without it the backend takes
  // scalar, concat, reduction, dot, inlined or expand.
  HloValues (*hlo)(const HloArgs&) = nullptr;
  // A decomposition into other primitives; always a legal fallback. Beside a
  // kernel: for backends that have none.
  Values (*expand)(const Params&, std::span<const Value>) = nullptr;
  // A cheaper equivalent for operands of these types, or nothing (a scatter of
  // one window needs no kernel call).
  Values (*shortcut)(const Params&, std::span<const Value>) = nullptr;

  // Evaluates a call-like primitive by binding (control flow, custom rules).
  Values (*impl)(const Params&, std::span<const Value>) = nullptr;
  // Called before an equation is recorded: may replace operands and params
  // (custom rules trace their function here).
  void (*stage)(GraphTrace&, Values& operands, Params& params) = nullptr;
  // Simplification: the value an application equals, or null.
  Value (*fold)(const Params&, std::span<const Value>) = nullptr;
  // Dead outputs of a call-like primitive.
  void (*dce)(Eqn&, const std::vector<bool>& used_outputs) = nullptr;
  uint32_t (*effects)(const Params&) = nullptr;
  // "name=value" items of the params as jaxprs print them; default: all.
  std::vector<std::string> (*print)(const Params&) = nullptr;
  // Vector operations per element, for fusion decisions.
  float cost = 1;
};

// ---- registry. COTAN_REGISTER(sin_p) at namespace scope, once.
std::span<const Primitive* const> registry();
const Primitive* find_primitive(std::string_view name);
bool uses_axis(const Primitive& p, const Params& params, const AxisName& name);
bool uses_axis(const Jaxpr& j, const AxisName& name);
struct Register {
  explicit Register(const Primitive& p);
};
#define COTAN_REGISTER(p) \
  static const ::cotan::Register register_##p { p }

}  // namespace cotan

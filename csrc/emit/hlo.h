// HloBuilder: writes the body of a StableHLO function as text, typed SSA value
// by value. The `hlo` rules of primitives use it; backends/pjrt drives it.
// Nothing here knows PJRT or MLIR: strings and avals only.
//
//   HloValue y = b.op("add", {x, x}, b.type(x));
//   HloValue z = b.reduce(y, b.constant(DType::f32, 0), {0}, Monoid::sum);
//
// Operations with regions are written in three steps, the text in order:
//   HloRegionOp r = b.begin("sort", {x}, "dimension = 0 : i64");
//   HloValues args = b.region({scalar, scalar});
//   ... b.yield({less});
//   HloValues out = b.end(r, {type});
// A region may use constants made outside, and for while and case any value.
//
// Types: bool is i1, unsigned integers ui8..., PRNG keys ui64 (word 0 is the
// low half, as in memory) or what has their size, float0 i1.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "emit/scalar.h"
#include "ir/hlo_fwd.h"
#include "ir/jaxpr.h"
#include "ir/primitive.h"

namespace cotan {

// "tensor<2x3xf32>"; throws for what StableHLO cannot hold.
void append_hlo_type(std::string& out, const Aval& a);
std::string hlo_type(const Aval& a);
// "dense<1.0> : tensor<3xf32>", every bit kept.
std::string hlo_splat(const Literal& lit, const Shape& shape);

struct HloRegionOp {
  int32_t base;  // number of the first result
  HloValues in;
  bool first = true;  // no region yet
};

class HloBuilder {
 public:
  virtual ~HloBuilder() = default;

  const Aval& type(HloValue v) const { return values_[size_t(v.id)].aval; }
  DType dtype(HloValue v) const { return type(v).dtype; }
  const Shape& shape(HloValue v) const { return type(v).shape; }

  // ---- constants; equal ones are made once
  HloValue constant(const Literal& lit, const Shape& shape = {});
  HloValue constant(DType t, double v, const Shape& shape = {}) {
    return constant(Literal::from_double(t, v), shape);
  }
  HloValue constant_int(DType t, int64_t v, const Shape& shape = {}) {
    return constant(Literal::from_int(t, v), shape);
  }
  // A vector of integers.
  HloValue constants(DType t, std::span<const int64_t> v);

  // ---- one operation. Names without a dialect are StableHLO's; attrs is
  // what stands between <{ and }>.
  HloValue op(std::string_view name, std::span<const HloValue> in, Aval out,
              std::string_view attrs = {});
  HloValue op(std::string_view name, std::initializer_list<HloValue> in,
              Aval out, std::string_view attrs = {}) {
    return op(name, std::span(in.begin(), in.size()), std::move(out), attrs);
  }
  HloValues ops(std::string_view name, std::span<const HloValue> in,
                std::span<const Aval> out, std::string_view attrs = {});
  // Operands and result of one type, in the short syntax.
  HloValue elementwise(std::string_view name, std::span<const HloValue> in);
  HloValue elementwise(std::string_view name,
                       std::initializer_list<HloValue> in) {
    return elementwise(name, std::span(in.begin(), in.size()));
  }

  // ---- operations with regions
  HloRegionOp begin(std::string_view name, std::span<const HloValue> in,
                    std::string_view attrs, size_t results);
  HloValues region(HloRegionOp& r, std::span<const Aval> args);
  void yield(std::span<const HloValue> results);
  HloValues end(const HloRegionOp& r, std::span<const Aval> out);

  // ---- helpers
  HloValue compare(CompareOp op, HloValue x, HloValue y);
  // Half `i` of a key of four words, which is a complex number here, as bits.
  HloValue half_key(HloValue x, int i, Aval as);
  HloValue select(HloValue mask, HloValue on_true, HloValue on_false) {
    return op("select", {mask, on_true, on_false}, type(on_true));
  }
  HloValue broadcast(HloValue x, const Shape& shape, const Axes& dims);
  // x where it has that shape, else a rank-0 x everywhere.
  HloValue broadcast_to(HloValue x, const Shape& shape);
  HloValue reshape(HloValue x, const Shape& shape);
  HloValue transpose(HloValue x, const Axes& permutation);
  HloValue convert(HloValue x, DType to);
  HloValue iota(DType t, const Shape& shape, int64_t dimension);
  // The region of a reduction is a function of two scalars.
  HloValue reduce(HloValue x, HloValue init, const Axes& axes, Monoid m);
  HloValue combine(Monoid m, HloValue x, HloValue y);

  // ---- jaxprs: the equations of j on these values, at this place (in a
  // region, or in the function). For control flow: the rule of `while` opens a
  // region, inlines its jaxpr and yields.
  virtual HloValues inline_jaxpr(const Jaxpr& j,
                                 std::span<const HloValue> args) = 0;
  // The same as a call of a private function, written once for equal jaxprs;
  // small ones are inlined.
  virtual HloValues call(const JaxprRef& j, std::string_view name,
                         std::span<const HloValue> args) = 0;

  // A private function of j alone and its symbol: `name` where that is free.
  virtual std::string function(const JaxprRef& j, std::string_view name) = 0;
  // An operation that a compiler may know by `name`; attrs in braces.
  HloValues composite(std::string_view name, std::span<const HloValue> in,
                      std::span<const Aval> out, std::string_view attrs);

  // ---- order. A value that calls of the host take and give where they keep
  // their order. Control flow carries it when its jaxprs have such calls.
  HloValue order() {
    if (order_.id < 0) order_ = constant_int(DType::i32, 0);
    return order_;
  }
  void set_order(HloValue v) { order_ = v; }

  std::string& text() { return out_; }

 protected:
  HloValue new_value(Aval a, int32_t base, int32_t index = -1);
  HloValue new_argument(Aval a);
  void append_name(HloValue v);
  void append_operands(std::span<const HloValue> in);
  void append_types(std::span<const HloValue> in);
  // "%3:2 = " of an operation with n results.
  void begin_results(int32_t base, size_t n);
  void indent() { out_.append(size_t(depth_) * 2, ' '); }
  int32_t new_number() { return next_++; }

  std::string out_;
  int depth_ = 2;

 private:
  struct Info {
    Aval aval;
    int32_t number;  // of the operation, or of the argument
    int32_t index;   // among several results; -1: the only one, -2: argument
  };
  std::deque<Info> values_;  // references stay valid
  HloValue order_;
  int32_t next_ = 0, next_argument_ = 0;
  // Constants that may be used here. Those made in a region end with it:
  // scoped_ names them, marks_ has where each open region begins there.
  std::unordered_map<std::string, HloValue> constants_;
  std::vector<std::string> scoped_;
  std::vector<size_t> marks_;
};

}  // namespace cotan

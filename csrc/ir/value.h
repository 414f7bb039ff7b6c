// Value: the handle of everything a traced program computes with. It points
// to an immutable ValueObj: a concrete array (runtime/array.h), a scalar
// constant (ScalarObj, here) or a tracer (trace/). A null Value stands for a
// symbolic zero wherever a tangent or cotangent is expected.
#pragma once

#include "base/ref.h"
#include "ir/aval.h"
#include "ir/literal.h"

namespace cotan {

class Trace;
class SourceInfo;

enum class ValueKind : uint8_t { scalar, array, graph, dual, batch, opaque };

class ValueObj : public RefCounted {
 public:
  ValueObj(ValueKind k, Aval a) : aval(std::move(a)), kind(k) {}

  const Aval aval;
  const ValueKind kind;

  bool is_concrete() const noexcept {
    return kind == ValueKind::scalar || kind == ValueKind::array;
  }
  // The trace a tracer belongs to; null for concrete values.
  virtual Trace* trace() const noexcept { return nullptr; }
  // Row-major elements of a concrete value in host memory, else null.
  // Throws if the value was donated.
  virtual const void* host_data() const { return nullptr; }
  // The value under a dual number, else null.
  virtual const class Value* primal_value() const noexcept { return nullptr; }
  // Where a tracer was made, if that is known.
  virtual const SourceInfo* made_at() const noexcept { return nullptr; }
};

class Value {
 public:
  Value() = default;
  Value(std::nullptr_t) {}
  template <class T>
    requires std::is_base_of_v<ValueObj, T>
  Value(Ref<T> r) : obj_(std::move(r)) {}

  explicit operator bool() const noexcept { return bool(obj_); }
  bool operator==(std::nullptr_t) const noexcept { return !obj_; }
  ValueObj* get() const noexcept { return obj_.get(); }
  ValueObj* operator->() const noexcept { return obj_.get(); }
  template <class T>
  T& as() const noexcept {
    return static_cast<T&>(*obj_);
  }
  [[nodiscard]] ValueObj* detach() noexcept { return obj_.detach(); }
  static Value adopt(ValueObj* p) noexcept {
    Value v;
    v.obj_ = Ref<ValueObj>::adopt(p);
    return v;
  }

  const Aval& aval() const noexcept { return obj_->aval; }
  const Shape& shape() const noexcept { return obj_->aval.shape; }
  DType dtype() const noexcept { return obj_->aval.dtype; }
  bool weak_type() const noexcept { return obj_->aval.weak_type; }
  int64_t rank() const noexcept { return obj_->aval.rank(); }
  int64_t size() const { return obj_->aval.size(); }

 private:
  Ref<ValueObj> obj_;
};

using Values = SmallVector<Value, 4>;

// A rank-0 constant that needs no buffer.
class ScalarObj final : public ValueObj {
 public:
  explicit ScalarObj(const Literal& lit)
      : ValueObj(ValueKind::scalar, lit.aval()), literal(lit) {}
  const Literal literal;
  const void* host_data() const override { return literal.bytes; }
};

inline Value scalar_value(const Literal& lit) {
  return make_ref<ScalarObj>(lit);
}
inline Value scalar_value(DType t, double v, bool weak = false) {
  return scalar_value(Literal::from_double(t, v, weak));
}

Avals avals_of(std::span<const Value> values);

}  // namespace cotan

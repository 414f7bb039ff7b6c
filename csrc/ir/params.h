// Typed parameters of equations. A params type is a plain struct with one
// list of its fields; equality, hashing, printing, serialisation and what
// Python sees all derive from that list:
//
//   struct TransposeParams {
//     Axes perm;
//     static constexpr auto fields() {
//       return std::tuple{field("permutation", &TransposeParams::perm)};
//     }
//   };
//
// A field may be: bool, an integer, double, std::string, DType, Dims, an enum
// with enum_name(E) found by ADL, Literal, Aval, Jaxpr, std::vector or
// std::optional of those, a struct with fields(), or Ref<const Opaque>.
#pragma once

#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/ref.h"
#include "ir/aval.h"
#include "ir/literal.h"

namespace cotan {

struct Jaxpr;
using JaxprRef = Ref<const Jaxpr>;
bool jaxpr_equal(const Jaxpr& a, const Jaxpr& b);  // structural
uint64_t jaxpr_hash(const Jaxpr& j);

template <class C, class T>
struct Field {
  const char* name;
  T C::* member;
};
template <class C, class T>
constexpr Field<C, T> field(const char* name, T C::* member) {
  return {name, member};
}

template <class P>
concept HasFields = requires { P::fields(); };

// Something the IR carries but does not understand (a user's callable).
// Equal iff the same object, unless overridden.
class Opaque : public RefCounted {
 public:
  virtual bool equals(const Opaque& o) const { return this == &o; }
  virtual uint64_t hash() const { return reinterpret_cast<uint64_t>(this); }
  virtual std::string describe() const { return "<opaque>"; }
};
using OpaqueRef = Ref<const Opaque>;

// Receives fields one by one: printers, serialisers and the Python bindings
// implement it.
class ParamVisitor {
 public:
  virtual ~ParamVisitor() = default;
  virtual void on_field(const char* name) = 0;  // precedes its value
  virtual void on_none() = 0;
  virtual void on_bool(bool) = 0;
  virtual void on_int(int64_t) = 0;
  virtual void on_double(double) = 0;
  virtual void on_string(std::string_view) = 0;
  virtual void on_enum(std::string_view name, int64_t value) = 0;
  virtual void on_dtype(DType) = 0;
  virtual void on_dims(const Dims&) = 0;
  virtual void on_literal(const Literal&) = 0;
  virtual void on_aval(const Aval&) = 0;
  virtual void on_jaxpr(const JaxprRef&) = 0;
  virtual void on_opaque(const OpaqueRef&) = 0;
  virtual void begin_list(size_t n) = 0;
  virtual void end_list() = 0;
  virtual void begin_struct() = 0;
  virtual void end_struct() = 0;
};

// Looks at a few kinds of fields only.
class PartialVisitor : public ParamVisitor {
 public:
  void on_field(const char*) override {}
  void on_none() override {}
  void on_bool(bool) override {}
  void on_int(int64_t) override {}
  void on_double(double) override {}
  void on_string(std::string_view) override {}
  void on_enum(std::string_view, int64_t) override {}
  void on_dtype(DType) override {}
  void on_dims(const Dims&) override {}
  void on_literal(const Literal&) override {}
  void on_aval(const Aval&) override {}
  void on_jaxpr(const JaxprRef&) override {}
  void on_opaque(const OpaqueRef&) override {}
  void begin_list(size_t) override {}
  void end_list() override {}
  void begin_struct() override {}
  void end_struct() override {}
};

// The name of a mapped axis (vmap's axis_name). There is one object per name:
// names are equal iff they are the same object.
class AxisNameObj : public Opaque {
 public:
  virtual std::string text() const = 0;  // without quotes
};
using AxisName = Ref<const AxisNameObj>;
// The name that is a string.
AxisName axis_name(std::string_view text);

namespace detail {

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

template <class T>
bool field_equal(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, JaxprRef>) {
    return a == b || (a && b && jaxpr_equal(*a, *b));
  } else if constexpr (std::is_convertible_v<T, OpaqueRef>) {
    return a == b || (a && b && a->equals(*b));
  } else if constexpr (HasFields<T>) {
    return std::apply(
        [&](auto... f) {
          return (field_equal(a.*(f.member), b.*(f.member)) && ...);
        },
        T::fields());
  } else if constexpr (is_vector<T>::value) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
      if (!field_equal(a[i], b[i])) return false;
    return true;
  } else if constexpr (is_optional<T>::value) {
    return a.has_value() == b.has_value() && (!a || field_equal(*a, *b));
  } else if constexpr (std::is_same_v<T, double>) {
    return std::memcmp(&a, &b, sizeof a) == 0;  // nan equals itself
  } else {
    return a == b;
  }
}

template <class T>
uint64_t field_hash(uint64_t seed, const T& v) {
  if constexpr (std::is_same_v<T, JaxprRef>) {
    return hash_mix(seed, v ? jaxpr_hash(*v) : 0);
  } else if constexpr (std::is_convertible_v<T, OpaqueRef>) {
    return hash_mix(seed, v ? v->hash() : 0);
  } else if constexpr (HasFields<T>) {
    std::apply(
        [&](auto... f) { ((seed = field_hash(seed, v.*(f.member))), ...); },
        T::fields());
    return seed;
  } else if constexpr (is_vector<T>::value) {
    for (const auto& item : v) seed = field_hash(seed, item);
    return hash_mix(seed, v.size());
  } else if constexpr (is_optional<T>::value) {
    return v ? field_hash(seed, *v) : hash_mix(seed, 0);
  } else if constexpr (std::is_same_v<T, Dims>) {
    for (int64_t d : v) seed = hash_mix(seed, uint64_t(d));
    return hash_mix(seed, v.size());
  } else if constexpr (std::is_same_v<T, double>) {
    return hash_mix(seed, std::bit_cast<uint64_t>(v));
  } else if constexpr (std::is_same_v<T, std::string>) {
    return hash_bytes(seed, v);
  } else if constexpr (std::is_same_v<T, Literal> || std::is_same_v<T, Aval>) {
    return v.hash(seed);
  } else {
    return hash_mix(seed, uint64_t(v));
  }
}

template <class T>
void field_visit(ParamVisitor& to, const T& v) {
  if constexpr (std::is_same_v<T, JaxprRef>)
    to.on_jaxpr(v);
  else if constexpr (std::is_convertible_v<T, OpaqueRef>)
    to.on_opaque(v);
  else if constexpr (std::is_same_v<T, Dims>)
    to.on_dims(v);
  else if constexpr (std::is_same_v<T, DType>)
    to.on_dtype(v);
  else if constexpr (std::is_same_v<T, Literal>)
    to.on_literal(v);
  else if constexpr (std::is_same_v<T, Aval>)
    to.on_aval(v);
  else if constexpr (std::is_same_v<T, std::string>)
    to.on_string(v);
  else if constexpr (std::is_same_v<T, bool>)
    to.on_bool(v);
  else if constexpr (std::is_same_v<T, double>)
    to.on_double(v);
  else if constexpr (std::is_enum_v<T>)
    to.on_enum(enum_name(v), int64_t(v));
  else if constexpr (std::is_integral_v<T>)
    to.on_int(int64_t(v));
  else if constexpr (is_optional<T>::value) {
    if (v)
      field_visit(to, *v);
    else
      to.on_none();
  } else if constexpr (is_vector<T>::value) {
    to.begin_list(v.size());
    for (const auto& item : v) field_visit(to, item);
    to.end_list();
  } else {
    static_assert(HasFields<T>, "not a params field type");
    to.begin_struct();
    std::apply(
        [&](auto... f) {
          ((to.on_field(f.name), field_visit(to, v.*(f.member))), ...);
        },
        T::fields());
    to.end_struct();
  }
}

// Replaces every dtype among the fields.
using DTypeMap = DType (*)(DType);
template <class T>
void field_map(DTypeMap f, T& v) {
  if constexpr (std::is_same_v<T, DType>)
    v = f(v);
  else if constexpr (std::is_same_v<T, std::optional<DType>>)
    v = v ? std::optional(f(*v)) : v;
}
template <class T>
constexpr bool has_dtype =
    std::is_same_v<T, DType> || std::is_same_v<T, std::optional<DType>>;

}  // namespace detail

class ParamsBase : public RefCounted {
 public:
  virtual const void* tag() const noexcept = 0;  // identifies the C++ type
  virtual bool equals(const ParamsBase& o) const = 0;
  virtual uint64_t hash() const = 0;
  virtual void visit(ParamVisitor& to) const = 0;  // fields in list order
  // With f applied to the fields that are dtypes.
  virtual Ref<const ParamsBase> with_dtypes(detail::DTypeMap f) const = 0;
};

template <HasFields P>
class ParamsBox final : public ParamsBase {
 public:
  explicit ParamsBox(P v) : value(std::move(v)) {}
  const P value;
  static inline const char type_tag = 0;
  const void* tag() const noexcept override { return &type_tag; }
  bool equals(const ParamsBase& o) const override {
    return o.tag() == tag() &&
           detail::field_equal(value, static_cast<const ParamsBox&>(o).value);
  }
  uint64_t hash() const override { return detail::field_hash(0, value); }
  void visit(ParamVisitor& to) const override {
    std::apply(
        [&](auto... f) {
          ((to.on_field(f.name), detail::field_visit(to, value.*(f.member))),
           ...);
        },
        P::fields());
  }
  Ref<const ParamsBase> with_dtypes(detail::DTypeMap f) const override {
    return std::apply(
        [&](auto... field) -> Ref<const ParamsBase> {
          if constexpr ((detail::has_dtype<
                             std::decay_t<decltype(value.*(field.member))>> ||
                         ...)) {
            P copy = value;
            (detail::field_map(f, copy.*(field.member)), ...);
            return make_ref<ParamsBox>(std::move(copy));
          }
          return Ref<const ParamsBase>(this);
        },
        P::fields());
  }
};

class Params {
 public:
  Params() = default;  // no parameters
  template <HasFields P>
  Params(P value) : p_(make_ref<ParamsBox<P>>(std::move(value))) {}
  explicit Params(Ref<const ParamsBase> p) : p_(std::move(p)) {}

  template <HasFields P>
  const P& as() const {
    COTAN_CHECK(p_ && p_->tag() == &ParamsBox<P>::type_tag);
    return static_cast<const ParamsBox<P>&>(*p_).value;
  }
  template <HasFields P>
  const P* get_if() const {
    if (!p_ || p_->tag() != &ParamsBox<P>::type_tag) return nullptr;
    return &static_cast<const ParamsBox<P>&>(*p_).value;
  }
  explicit operator bool() const { return bool(p_); }
  const ParamsBase* get() const { return p_.get(); }
  bool operator==(const Params& o) const {
    return p_ == o.p_ || (p_ && o.p_ && p_->equals(*o.p_));
  }
  uint64_t hash() const { return p_ ? p_->hash() : 0; }
  Params with_dtypes(DType (*f)(DType)) const {
    return p_ ? Params(p_->with_dtypes(f)) : *this;
  }
  void visit(ParamVisitor& to) const {
    if (p_) p_->visit(to);
  }

 private:
  Ref<const ParamsBase> p_;
};

}  // namespace cotan

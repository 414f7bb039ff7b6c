// Params from named fields: the inverse of Params::visit, for programs that
// bind a primitive by name (Python's `eqn.primitive.bind(*args, **params)`).
#pragma once

#include "ir/params.h"

namespace cotan {

// One value at a time is current. Its kinds are those of ParamVisitor.
class ParamSource {
 public:
  virtual ~ParamSource() = default;
  // Makes a field of the current struct current; false: it keeps its default.
  virtual bool open_field(const char* name) = 0;
  // Makes an item of the current list current.
  virtual void open_item(size_t i) = 0;
  virtual void close() = 0;  // back to the struct or list
  virtual size_t list_size() = 0;
  virtual bool is_none() = 0;
  virtual bool to_bool() = 0;
  virtual int64_t to_int() = 0;
  virtual double to_double() = 0;
  virtual std::string to_text() = 0;
  virtual int64_t to_enum() = 0;
  virtual DType to_dtype() = 0;
  virtual Literal to_literal() = 0;
  virtual Aval to_aval() = 0;
  virtual JaxprRef to_jaxpr() = 0;    // null for none
  virtual OpaqueRef to_opaque() = 0;  // null for none
  virtual AxisName to_axis_name() = 0;
};

namespace detail {

template <class T>
void field_read(ParamSource& from, T& v);

template <HasFields P>
void fields_read(ParamSource& from, P& p) {
  auto read = [&](auto f) {
    if (!from.open_field(f.name)) return;
    field_read(from, p.*(f.member));
    from.close();
  };
  std::apply([&](auto... f) { (read(f), ...); }, P::fields());
}

template <class T>
void field_read(ParamSource& from, T& v) {
  if constexpr (std::is_same_v<T, JaxprRef>) {
    v = from.to_jaxpr();
  } else if constexpr (std::is_same_v<T, OpaqueRef>) {
    v = from.to_opaque();
  } else if constexpr (std::is_same_v<T, AxisName>) {
    v = from.to_axis_name();
  } else if constexpr (std::is_same_v<T, DType>) {
    v = from.to_dtype();
  } else if constexpr (std::is_same_v<T, Literal>) {
    v = from.to_literal();
  } else if constexpr (std::is_same_v<T, Aval>) {
    v = from.to_aval();
  } else if constexpr (std::is_same_v<T, std::string>) {
    v = from.is_none() ? std::string() : from.to_text();
  } else if constexpr (std::is_same_v<T, bool>) {
    v = from.to_bool();
  } else if constexpr (std::is_same_v<T, double>) {
    v = from.to_double();
  } else if constexpr (std::is_enum_v<T>) {
    v = T(from.to_enum());
  } else if constexpr (std::is_integral_v<T>) {
    v = T(from.to_int());
  } else if constexpr (is_optional<T>::value) {
    if (from.is_none())
      v.reset();
    else
      field_read(from, v.emplace());
  } else if constexpr (is_vector<T>::value || std::is_same_v<T, Dims>) {
    size_t n = from.list_size();
    v.clear();
    for (size_t i = 0; i < n; ++i) {
      typename T::value_type item{};
      from.open_item(i);
      field_read(from, item);
      from.close();
      v.push_back(std::move(item));
    }
  } else {
    fields_read(from, v);
  }
}

}  // namespace detail

// The slot `params` of a primitive whose parameters are a P.
template <HasFields P>
Params params_of(ParamSource& from) {
  P p{};
  detail::fields_read(from, p);
  return p;
}

}  // namespace cotan

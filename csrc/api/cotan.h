// cotan from C++: arrays, NumPy's operations, and the transformations of
// functions on arrays. Everything nests as in Python.
//
//   #include <cotan/cotan.h>
//   using cotan::Array;
//
//   auto loss = [](const Array& w, const Array& x, const Array& y) {
//     return cotan::mean(cotan::square(cotan::matmul(x, w) - y));
//   };
//   auto step = cotan::jit(cotan::grad(loss));   // traced and compiled once
//   Array g = step(w, x, y);                     // gradient in w
//
// Functions take Arrays and give an Array, or a std::tuple, pair, array or
// vector of such. Errors are cotan::Error, with the texts that Python shows.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "base/error.h"
#include "ir/value.h"

namespace cotan {

// An immutable array, or a stand-in for one while a function is traced.
class Array {
 public:
  Array() = default;  // no array
  Array(Value v) : value_(std::move(v)) {}
  // Scalars are weakly typed: they take the dtype of what they meet.
  Array(double x);
  Array(float x) : Array(double(x)) {}
  Array(int x);
  Array(int64_t x);

  bool empty() const noexcept { return !value_; }  // no array
  // These throw ValueError where there is no array, as all operations do.
  const Value& value() const {
    if (!value_) [[unlikely]]
      throw_value("[array] an Array that was never set: there is no array");
    return value_;
  }
  const Shape& shape() const { return value().shape(); }
  DType dtype() const { return value().dtype(); }
  int64_t ndim() const { return value().rank(); }
  int64_t size() const { return value().size(); }

  // Elements in row-major order; throws TypeError if T is not the dtype and
  // UnexpectedTracerError while tracing.
  template <class T>
  std::vector<T> to_vector() const {
    const T* p = static_cast<const T*>(host(dtype_of<T>::value));
    return {p, p + size()};
  }
  template <class T>
  const T* data() const {
    return static_cast<const T*>(host(dtype_of<T>::value));
  }
  // The number in an array of one element, converted.
  double item() const;
  std::string to_string() const;

  Array astype(DType t) const;
  Array reshape(Shape shape) const;   // one dimension may be -1
  Array T() const;                    // axes reversed
  Array operator[](int64_t i) const;  // along the first axis; -1 is the last

 private:
  const void* host(DType want) const;
  Value value_;
};

// ---- making arrays. Host memory is copied.
template <class T>
Array array(const T* data, const Shape& shape);
template <class T>
Array array(const std::vector<T>& data) {
  return array(data.data(), Shape{int64_t(data.size())});
}
template <class T>
Array array(std::initializer_list<T> data) {
  return array(data.begin(), Shape{int64_t(data.size())});
}
Array array_from(const void* data, DType t, const Shape& shape);
template <class T>
Array array(const T* data, const Shape& shape) {
  return array_from(data, dtype_of<T>::value, shape);
}
Array zeros(const Shape& shape, DType t = DType::f32);
Array ones(const Shape& shape, DType t = DType::f32);
Array full(const Shape& shape, double fill, DType t = DType::f32);
Array arange(int64_t n, DType t = DType::i32);

// ---- elementwise, with NumPy's broadcasting and JAX's promotion
Array operator+(const Array& x, const Array& y);
Array operator-(const Array& x, const Array& y);
Array operator*(const Array& x, const Array& y);
Array operator/(const Array& x, const Array& y);
Array operator-(const Array& x);
Array operator<(const Array& x, const Array& y);
Array operator<=(const Array& x, const Array& y);
Array operator>(const Array& x, const Array& y);
Array operator>=(const Array& x, const Array& y);
Array equal(const Array& x, const Array& y);
Array exp(const Array& x);
Array log(const Array& x);
Array log1p(const Array& x);
Array sin(const Array& x);
Array cos(const Array& x);
Array tanh(const Array& x);
Array sqrt(const Array& x);
Array square(const Array& x);
Array abs(const Array& x);
Array sigmoid(const Array& x);
Array relu(const Array& x);
Array power(const Array& x, const Array& y);
Array maximum(const Array& x, const Array& y);
Array minimum(const Array& x, const Array& y);
Array where(const Array& cond, const Array& x, const Array& y);
Array stop_gradient(const Array& x);

// ---- products and reductions. No axes: over all of them.
Array matmul(const Array& x, const Array& y);
Array sum(const Array& x, Axes axes = {}, bool keepdims = false);
Array mean(const Array& x, Axes axes = {}, bool keepdims = false);
Array max(const Array& x, Axes axes = {}, bool keepdims = false);
Array min(const Array& x, Axes axes = {}, bool keepdims = false);
Array argmax(const Array& x, int64_t axis = -1);
Array concatenate(const std::vector<Array>& xs, int64_t axis = 0);
Array transpose(const Array& x, Axes perm);

}  // namespace cotan

#include "api/control.h"    // scan, while_loop, cond
#include "api/transform.h"  // jit, grad, value_and_grad, vjp, jvp, vmap

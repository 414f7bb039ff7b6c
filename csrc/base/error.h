// The one place that throws. Every user-visible failure is an Error with a
// kind (which the Python layer maps to an exception class) and a message of
// the form "[op] what was wrong, got ...; what to do". Broken invariants are
// COTAN_CHECKs.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include "base/strings.h"

namespace cotan {

enum class ErrorKind : uint8_t {
  type,
  value,
  index,
  not_implemented,
  runtime,
  overflow,
  memory,
  interrupted,
  internal,
  type_promotion,              // ValueError: no implicit promotion path
  tracer_bool,                 // TracerBoolConversionError
  concretization,              // ConcretizationTypeError
  tracer_integer,              // TracerIntegerConversionError
  tracer_array,                // TracerArrayConversionError
  unexpected_tracer,           // UnexpectedTracerError
  non_concrete_boolean_index,  // NonConcreteBooleanIndexError
  floating_point,              // debug_nans
  name,                        // NameError: an unbound axis name
};

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message)
      : kind_(kind), message_(std::move(message)) {}
  ErrorKind kind() const noexcept { return kind_; }
  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& message() const noexcept { return message_; }
  // Appends the user's source line once; inner frames win.
  void add_source(std::string_view where);
  const std::string& source() const noexcept { return source_; }

 private:
  ErrorKind kind_;
  std::string message_;
  std::string source_;
};

[[noreturn]] void throw_error(ErrorKind kind, std::string message);

// throw_type("[add] got ", a, " and ", b): the parts are concatenated.
template <class... Parts>
[[noreturn]] void throw_type(const Parts&... parts) {
  throw_error(ErrorKind::type, cat(parts...));
}
template <class... Parts>
[[noreturn]] void throw_value(const Parts&... parts) {
  throw_error(ErrorKind::value, cat(parts...));
}
template <class... Parts>
[[noreturn]] void throw_index(const Parts&... parts) {
  throw_error(ErrorKind::index, cat(parts...));
}
template <class... Parts>
[[noreturn]] void throw_not_implemented(const Parts&... parts) {
  throw_error(ErrorKind::not_implemented, cat(parts...));
}
template <class... Parts>
[[noreturn]] void throw_runtime(const Parts&... parts) {
  throw_error(ErrorKind::runtime, cat(parts...));
}

[[noreturn]] void check_failed(const char* file, int line, const char* what);

#define COTAN_CHECK(cond)                               \
  do {                                                  \
    if (!(cond)) [[unlikely]]                           \
      ::cotan::check_failed(__FILE__, __LINE__, #cond); \
  } while (0)

}  // namespace cotan

// A small harness for tests that only C++ can write.
//
//   TEST(ref_counts) {
//     CHECK(x->count() == 1);
//     CHECK_EQ(cat(1, ", ", 2), "1, 2");
//     CHECK_THROWS(ErrorKind::value, num_elements(shape), "too large");
//   }
//
// Each TEST is one case of tests/test_cpp.py, which runs it in a process of
// its own under ASan and UBSan. A failed check ends its test.
#pragma once

#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace cotan::testing {

struct Test {
  const char* name;
  void (*body)();
};
std::vector<Test>& tests();

struct Failure {
  std::string what;
};
[[noreturn]] inline void fail(const char* file, int line, std::string what) {
  throw Failure{cat(file, ":", line, ": ", what)};
}

struct Register {
  Register(const char* name, void (*body)()) {
    tests().push_back({name, body});
  }
};

template <class T>
std::string show(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return cat(int64_t(value));
  } else if constexpr (requires(std::string& s) { append_to(s, value); }) {
    return cat(value);
  } else {
    return "a value";
  }
}

// Integers compare by value, whatever their signs and widths.
template <class A, class B>
bool same(const A& a, const B& b) {
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B> &&
                !std::is_same_v<A, B>) {
    return std::cmp_equal(a, b);
  } else {
    return a == b;
  }
}

template <class A, class B>
void check_equal(const char* file, int line, const char* text, const A& a,
                 const B& b) {
  if (!same(a, b)) {
    fail(file, line, cat(text, ": got ", show(a), " and ", show(b)));
  }
}

template <class Body>
void check_throws(const char* file, int line, ErrorKind kind, Body body,
                  const char* message) {
  try {
    body();
  } catch (const Error& error) {
    if (error.kind() != kind) {
      fail(file, line, cat("another kind of error: ", error.what()));
    }
    if (!std::strstr(error.what(), message)) {
      fail(file, line, cat("another message: ", error.what()));
    }
    return;
  }
  fail(file, line, cat("nothing was thrown; expected: ", message));
}

}  // namespace cotan::testing

#define TEST(name)                                                             \
  static void test_##name();                                                   \
  static const ::cotan::testing::Register register_##name{#name, test_##name}; \
  static void test_##name()

#define CHECK(condition)                                      \
  do {                                                        \
    if (!(condition)) {                                       \
      ::cotan::testing::fail(__FILE__, __LINE__, #condition); \
    }                                                         \
  } while (false)

#define CHECK_EQ(a, b) \
  ::cotan::testing::check_equal(__FILE__, __LINE__, #a " == " #b, a, b)

#define CHECK_THROWS(kind, expression, message) \
  ::cotan::testing::check_throws(               \
      __FILE__, __LINE__, kind, [&] { (void)(expression); }, message)

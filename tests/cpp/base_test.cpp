// csrc/base: strings, errors, reference counts, small vectors.
#include "base/ref.h"
#include "base/small_vector.h"
#include "testing.h"

namespace cotan {

TEST(cat_numbers) {
  CHECK_EQ(cat("x", 1, ", ", 2.0, ", ", -0.5), "x1, 2.0, -0.5");
  CHECK_EQ(cat(1e30), "1e+30");
  CHECK_EQ(cat(1.0 / 0.0, " ", -1.0 / 0.0), "inf -inf");
}

TEST(error_kind_and_source) {
  CHECK_THROWS(ErrorKind::value, throw_value("[op] got ", 3), "[op] got 3");
  Error error(ErrorKind::type, "no");
  error.add_source("inner.py:1");
  error.add_source("outer.py:2");
  CHECK_EQ(error.source(), "inner.py:1");
}

TEST(small_vector_grows_and_moves) {
  SmallVector<std::string, 2> v;
  for (int i = 0; i < 20; ++i) v.push_back(cat("number ", i));
  SmallVector<std::string, 2> copy = v, moved = std::move(v);
  CHECK_EQ(copy.size(), size_t(20));
  CHECK(copy == moved);
  CHECK_EQ(moved[19], "number 19");
}

}  // namespace cotan

// Every primitive has the rules that it must have: a missing rule is found
// here, not by a user.
#include <set>

#include "ir/primitive.h"
#include "testing.h"

namespace cotan {

namespace {

int fast_ways(const Primitive& p) {
  return bool(p.scalar) + bool(p.view) + bool(p.update) + bool(p.concat) +
         bool(p.generate) + bool(p.reduction) + bool(p.dot) + bool(p.kernel) +
         bool(p.control) + bool(p.inlined) + bool(p.expand) +
         bool(p.flags & kHostCall);
}

// Empty, or what is missing.
std::string fault(const Primitive& p) {
  if (!p.type) return "no type rule";
  if (!p.eval && !p.impl && !p.inlined && !p.expand)
    return "no way to evaluate it (eval, impl, inlined or expand)";
  bool differentiable = !(p.flags & kNotDifferentiable);
  if (differentiable && !p.jvp && !p.linearize)
    return "neither jvp nor linearize, and not kNotDifferentiable";
  if (!differentiable && (p.jvp || p.transpose))
    return "derivative rules, but kNotDifferentiable";
  if (p.flags & kLinear && !p.transpose) return "linear, but no transpose";
  if (!p.batch) return "no batch rule";
  // What only exists while tracing is gone before lowering.
  // A dot may also expand, for dtypes that no matrix kernel takes, and so may
  // a kernel, for backends that have none, and a view, for packed bits.
  int ways = fast_ways(p) - ((p.dot || p.kernel || p.view) && p.expand);
  if (p.flags & kStageOnly ? ways > 1 : ways != 1)
    return cat(ways, " ways to run fast; there must be exactly one");
  return "";
}

}  // namespace

TEST(primitives_have_their_rules) {
  std::string faults;
  for (const Primitive* p : registry())
    if (std::string f = fault(*p); !f.empty())
      faults += cat("\n  ", p->name, ": ", f);
  if (!faults.empty()) testing::fail(__FILE__, __LINE__, faults);
  CHECK(registry().size() > 50);
}

TEST(primitives_have_distinct_names) {
  std::set<std::string_view> names;
  for (const Primitive* p : registry()) {
    CHECK(names.insert(p->name).second);
    CHECK(find_primitive(p->name) == p);
  }
}

TEST(a_missing_rule_is_found) {
  Primitive p = *find_primitive("sort");
  CHECK(fault(p).empty());
  p.batch = nullptr;
  CHECK_EQ(fault(p), "no batch rule");
  p = *find_primitive("neg");
  p.transpose = nullptr;
  CHECK_EQ(fault(p), "linear, but no transpose");
}

}  // namespace cotan

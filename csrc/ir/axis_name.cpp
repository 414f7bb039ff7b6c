// Names of mapped axes, and who uses them.
#include <map>
#include <mutex>

#include "ir/primitive.h"

namespace cotan {

namespace {

class TextAxisName final : public AxisNameObj {
 public:
  explicit TextAxisName(std::string_view text) : text_(text) {}
  std::string text() const override { return text_; }
  std::string describe() const override { return cat("'", text_, "'"); }

 private:
  std::string text_;
};

class AxisFinder final : public PartialVisitor {
 public:
  explicit AxisFinder(const AxisName& name) : name_(name) {}
  void on_jaxpr(const JaxprRef& j) override {
    found = found || (j && uses_axis(*j, name_));
  }
  bool found = false;

 private:
  const AxisName& name_;
};

}  // namespace

AxisName axis_name(std::string_view text) {
  static std::mutex mutex;
  static std::map<std::string, AxisName, std::less<>> names;
  std::lock_guard lock(mutex);
  auto it = names.find(text);
  if (it == names.end())
    it = names.emplace(text, make_ref<const TextAxisName>(text)).first;
  return it->second;
}

bool uses_axis(const Primitive& p, const Params& params, const AxisName& name) {
  if (p.uses_axis) return p.uses_axis(params, name);
  AxisFinder finder(name);
  params.visit(finder);
  return finder.found;
}

bool uses_axis(const Jaxpr& j, const AxisName& name) {
  for (const Eqn& e : j.eqns)
    if (uses_axis(*e.prim, e.params, name)) return true;
  return false;
}

}  // namespace cotan

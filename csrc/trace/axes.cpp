#include "trace/axes.h"

#include <map>
#include <mutex>
#include <tuple>

#include "base/config.h"

namespace cotan {

namespace {

struct Frame {
  AxisName name;
  int64_t size;
};
thread_local std::vector<Frame> frames;

// One number per environment, for keys of caches. Environments are few: they
// are kept, and with them the names.
uint32_t extended(uint32_t scope, const Frame& f) {
  static std::mutex mutex;
  static std::map<std::tuple<uint32_t, const AxisNameObj*, int64_t>, uint32_t>
      numbers;
  static std::vector<AxisName> kept;
  std::lock_guard lock(mutex);
  auto [it, fresh] =
      numbers.try_emplace({scope, f.name.get(), f.size}, numbers.size() + 1);
  if (fresh) kept.push_back(f.name);
  return it->second;
}

}  // namespace

ExtendAxes::ExtendAxes(const BatchAxis& axis)
    : before_(thread_scope()), named_(bool(axis.name)) {
  if (!named_) return;
  frames.push_back({axis.name, axis.size});
  set_thread_scope(extended(before_, frames.back()));
}

ExtendAxes::~ExtendAxes() {
  if (!named_) return;
  frames.pop_back();
  set_thread_scope(before_);
}

int64_t find_axis(const AxisName& name) {
  for (auto f = frames.rbegin(); f != frames.rend(); ++f)
    if (f->name == name) return f->size;
  return -1;
}

int64_t axis_size(const AxisName& name) {
  int64_t size = find_axis(name);
  if (size < 0)
    throw_error(ErrorKind::name,
                cat("unbound axis name: ", name ? name->text() : "None"));
  return size;
}

std::vector<AxisName> axes_in_scope() {
  std::vector<AxisName> out;
  for (const Frame& f : frames) out.push_back(f.name);
  return out;
}

void throw_unbound(const AxisName& name, const char* op) {
  throw_error(ErrorKind::name, cat("Found an unbound axis name: ", name->text(),
                                   ". To fix this, please call ", op,
                                   " under a vmap with this axis_name."));
}

}  // namespace cotan

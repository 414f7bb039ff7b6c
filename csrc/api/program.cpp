#include "api/program.h"

#include <algorithm>
#include <cmath>

#include "api/backend.h"
#include "base/config.h"
#include "ops/lax.h"

namespace cotan {

CompileStats& compile_counters() {
  static CompileStats stats;
  return stats;
}

namespace {

BlockingHooks blocking_hooks;

class Blocking {
 public:
  explicit Blocking(bool on)
      : state_(on && blocking_hooks.enter ? blocking_hooks.enter() : nullptr) {}
  ~Blocking() {
    if (state_) blocking_hooks.leave(state_);
  }
  Blocking(const Blocking&) = delete;
  Blocking& operator=(const Blocking&) = delete;

 private:
  void* state_;
};

// Touches enough memory that other threads should get a turn meanwhile.
bool is_long_running(const Jaxpr& j) {
  constexpr int64_t kBytes = 1 << 16;
  int64_t bytes = 0;
  for (const Aval& a : j.avals) bytes += std::min(a.nbytes(), kBytes);
  return bytes >= kBytes;
}

}  // namespace

void set_blocking_hooks(BlockingHooks hooks) noexcept {
  blocking_hooks = hooks;
}

JitProgram::JitProgram(TracedGraph graph, std::vector<bool> donated,
                       std::string name)
    : graph_(std::move(graph)),
      donated_(std::move(donated)),
      name_(std::move(name)) {}

const Executable& JitProgram::executable() {
  if (Executable* e = ready_.load(std::memory_order_acquire)) return *e;
  Blocking blocking(true);  // before the lock, which may be held for long
  std::lock_guard lock(mutex_);
  if (executable_) return *executable_;
  std::vector<bool> donated(graph_.consts.size(), false);
  donated.insert(donated.end(), donated_.begin(), donated_.end());
  donated.resize(graph_.jaxpr->in.size(), false);
  Ref<Executable> e = compile(graph_.jaxpr, donated);
  for (const Value& v : graph_.consts) const_buffers_.push_back(buffer_of(v));
  executable_ = std::move(e);
  long_running_ = is_long_running(*graph_.jaxpr);
  ++compile_counters().programs;
  ready_.store(executable_.get(), std::memory_order_release);
  return *executable_;
}

Values JitProgram::run(std::span<const Value> args) {
  const Executable& e = executable();
  SmallVector<Buffer*, 32> in;
  SmallVector<Ref<Buffer>, 4> made;  // buffers of scalar constants
  for (const auto& b : const_buffers_) in.push_back(b.get());
  for (const Value& v : args) {
    if (v->kind == ValueKind::array) [[likely]] {
      in.push_back(v.as<ArrayObj>().buffer.get());
    } else {
      made.push_back(buffer_of(v));
      in.push_back(made.back().get());
    }
  }
  std::span<const OutputSpec> specs = e.outputs();
  SmallVector<Ref<Buffer>, 32> out(specs.size());
  {
    Blocking blocking(long_running_);
    execute(e, in, out);
  }
  Values results;
  results.reserve(specs.size());
  for (size_t i = 0; i < specs.size(); ++i)
    results.push_back(make_ref<ArrayObj>(specs[i].aval, std::move(out[i])));
  if (config().debug_nans || config().debug_infs) [[unlikely]]
    for (const Value& v : results) check_special(name_.c_str(), v);
  return results;
}

Values JitProgram::apply(std::span<const Value> args) {
  bool concrete = is_evaluating();
  for (const Value& v : args) concrete &= v->is_concrete();
  for (const Value& v : graph_.consts) concrete &= v->is_concrete();
  if (concrete) return run(args);
  Values x = graph_.consts;
  x.append(args.begin(), args.end());
  return lax::call(graph_.jaxpr, x, name_);
}

void check_special(const char* what, const Value& v) {
  if (!is_inexact(v.dtype())) return;
  const void* data = v->host_data();
  int64_t n = v.size();
  bool nan = false, inf = false;
  visit_dtype(v.dtype(), [&]<class T>() {
    auto look = [&](double x) {
      nan |= std::isnan(x);
      inf |= std::isinf(x);
    };
    for (int64_t i = 0; i < n; ++i) {
      const T& x = static_cast<const T*>(data)[i];
      if constexpr (std::is_same_v<T, f16_t> || std::is_same_v<T, bf16_t>) {
        look(to_float(x));
      } else if constexpr (std::is_floating_point_v<T>) {
        look(double(x));
      } else if constexpr (is_complex(dtype_of<T>::value)) {
        look(double(x.real()));
        look(double(x.imag()));
      }
    }
  });
  if (nan && config().debug_nans)
    throw_error(ErrorKind::floating_point,
                cat("invalid value (nan) encountered in ", what));
  if (inf && config().debug_infs)
    throw_error(ErrorKind::floating_point,
                cat("invalid value (inf) encountered in ", what));
}

}  // namespace cotan

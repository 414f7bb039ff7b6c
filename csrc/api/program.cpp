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

bool is_long_running(const Jaxpr& j);

// A loop of many or of unknown length, or one that holds such work.
bool loops_long(const Eqn& e) {
  constexpr int64_t kTrips = 1000;
  if (e.prim->inlined) {
    JaxprRef inner = e.prim->inlined(e.params);
    return inner && is_long_running(*inner);
  }
  if (!e.prim->control) return false;
  Control c = e.prim->control(e.params);
  for (const JaxprRef& j : c.cases)
    if (is_long_running(*j)) return true;
  return c.body && (c.cond || c.trips >= kTrips || is_long_running(*c.body));
}

// Touches enough memory, or loops for so long, that other threads should get a
// turn meanwhile.
bool is_long_running(const Jaxpr& j) {
  constexpr int64_t kBytes = 1 << 16;
  for (const Eqn& e : j.eqns)
    if (loops_long(e)) return true;
  int64_t bytes = 0;
  for (const Aval& a : j.avals) bytes += std::min(a.nbytes(), kBytes);
  return bytes >= kBytes;
}

}  // namespace

JitProgram::JitProgram(TracedGraph graph, std::vector<bool> donated,
                       std::string name, Device* device, bool inlined)
    : graph_(std::move(graph)),
      donated_(std::move(donated)),
      name_(std::move(name)),
      device_(device),
      inlined_(inlined) {}

std::vector<bool> JitProgram::all_donated() const {
  std::vector<bool> donated(graph_.consts.size(), false);
  donated.insert(donated.end(), donated_.begin(), donated_.end());
  donated.resize(graph_.jaxpr->in.size(), false);
  return donated;
}

const Executable& JitProgram::executable() {
  if (Executable* e = ready_.load(std::memory_order_acquire)) return *e;
  Blocking blocking(true);  // before the lock, which may be held for long
  std::lock_guard lock(mutex_);
  if (executable_) return *executable_;
  Ref<Executable> e = compile(graph_.jaxpr, all_donated());
  for (const Value& v : graph_.consts)
    const_buffers_.push_back(buffer_on(v, cpu_device()));
  executable_ = std::move(e);
  long_running_ = is_long_running(*graph_.jaxpr);
  ++compile_counters().programs;
  ready_.store(executable_.get(), std::memory_order_release);
  return *executable_;
}

const JitProgram::Placed* JitProgram::find_placed(Device* device) const {
  const Placed* p = placed_ready_.load(std::memory_order_acquire);
  while (p && p->device != device) p = p->next.get();
  return p;
}

const JitProgram::Placed& JitProgram::placed_on(Device* device) {
  if (const Placed* p = find_placed(device)) return *p;
  Blocking blocking(true);
  std::lock_guard lock(mutex_);
  if (const Placed* p = find_placed(device)) return *p;
  auto p = std::make_unique<Placed>();
  p->device = device;
  p->executable = compile(graph_.jaxpr, all_donated(), device, name_);
  for (const Value& v : graph_.consts)
    p->consts.push_back(buffer_on(v, device));
  p->out = graph_.jaxpr->out_avals();
  ++compile_counters().programs;
  p->next = std::move(placed_);
  placed_ = std::move(p);
  placed_ready_.store(placed_.get(), std::memory_order_release);
  return *placed_;
}

const Executable& JitProgram::executable_on(Device* device) {
  if (!device) device = device_ ? device_ : placement(graph_.consts);
  return device->is_cpu() ? executable() : *placed_on(device).executable;
}

Values JitProgram::run_placed(std::span<const Value> args, Device* device) {
  const Executable* e;
  const Avals* types = nullptr;
  SmallVector<Buffer*, 32> in;
  SmallVector<Ref<Buffer>, 4> moved;
  auto push = [&](const Value& v) {
    if (v->kind == ValueKind::array) {
      Buffer* b = v.as<ArrayObj>().buffer.get();
      if (b->device() == device) return in.push_back(b);
    }
    moved.push_back(buffer_on(v, device));
    in.push_back(moved.back().get());
  };
  if (device->is_cpu()) {
    e = &executable();
    for (const auto& b : const_buffers_) in.push_back(b.get());
  } else {
    const Placed& p = placed_on(device);
    e = p.executable.get();
    types = &p.out;
    for (const auto& b : p.consts) in.push_back(b.get());
  }
  for (const Value& v : args) push(v);
  std::span<const OutputSpec> specs = e->outputs();
  SmallVector<Ref<Buffer>, 32> out(specs.size());
  {
    Blocking blocking(!device->is_cpu() || long_running_);
    execute(*e, in, out);
  }
  // What was donated from elsewhere is gone as well.
  for (size_t i = 0; i < args.size() && i < donated_.size(); ++i)
    if (donated_[i] && args[i]->kind == ValueKind::array)
      if (Buffer* b = args[i].as<ArrayObj>().buffer.get(); !b->is_deleted())
        b->mark_deleted();
  bool committed =
      device_ || any_committed(args) || any_committed(graph_.consts);
  Values results;
  results.reserve(specs.size());
  for (size_t i = 0; i < specs.size(); ++i)
    results.push_back(make_ref<ArrayObj>(types ? (*types)[i] : specs[i].aval,
                                         std::move(out[i]), committed));
  if (config().debug_nans || config().debug_infs) [[unlikely]]
    check_results(*this, args, results);
  return results;
}

Values JitProgram::run(std::span<const Value> args) {
  if (placement_matters()) [[unlikely]] {
    Device* device = device_;
    if (!device && graph_.consts.empty()) {
      device = placement(args);
    } else if (!device) {
      Values all = graph_.consts;
      all.append(args.begin(), args.end());
      device = placement(all);
    }
    return run_placed(args, device);
  }
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
    check_results(*this, args, results);
  return results;
}

Values JitProgram::apply(std::span<const Value> args) {
  bool concrete = is_evaluating();
  for (const Value& v : args) concrete &= v->is_concrete();
  for (const Value& v : graph_.consts) concrete &= v->is_concrete();
  if (concrete) return run(args);
  Values x = graph_.consts;
  x.append(args.begin(), args.end());
  if (inlined_) return eval_jaxpr(*graph_.jaxpr, x);
  return lax::call(graph_.jaxpr, x, name_);
}

void check_special(const char* what, const Value& v) {
  if (!is_inexact(v.dtype())) return;
  if (is_narrow(v.dtype()))
    return check_special(what, lax::convert(v, DType::f32));
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

namespace {

bool is_special(const Value& v) {
  try {
    check_special("", v);
  } catch (const Error&) {
    return true;
  }
  return false;
}

// Runs the operations one by one until one of them makes a nan or infinity.
Values find_special(const Jaxpr& j, std::span<const Value> in) {
  std::vector<Value> env(j.avals.size());
  for (size_t i = 0; i < in.size(); ++i) env[size_t(j.in[i])] = in[i];
  auto read = [&](Atom a) -> Value {
    if (a.is_none()) return nullptr;
    if (a.is_var()) return env[size_t(a.id)];
    return scalar_value(j.literals[size_t(a.literal_index())]);
  };
  for (const Eqn& e : j.eqns) {
    Values x, y;
    for (Atom a : e.in) x.push_back(read(a));
    if (e.prim->inlined) {
      y = find_special(*e.prim->inlined(e.params), x);
    } else {
      try {
        y = bind_all(*e.prim, x, e.params);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::floating_point || !e.source) throw;
        throw_error(error.kind(),
                    cat(error.what(), ", at ", e.source->describe()));
      }
    }
    for (size_t i = 0; i < y.size(); ++i)
      env[size_t(e.out[i])] = std::move(y[i]);
  }
  Values out;
  for (Atom a : j.out) out.push_back(read(a));
  return out;
}

}  // namespace

void check_results(const JitProgram& p, std::span<const Value> args,
                   const Values& results) {
  std::string found;
  for (const Value& v : results) {
    try {
      check_special(p.name().c_str(), v);
    } catch (const Error& e) {
      found = e.what();
      break;
    }
  }
  if (found.empty()) return;
  // One operation, such as a loop, as a program: that is the operation.
  const std::vector<Eqn>& eqns = p.jaxpr().eqns;
  if (eqns.size() == 1 && p.name() == eqns[0].prim->name)
    throw_error(ErrorKind::floating_point, found);
  Values in = p.graph().consts;
  in.append(args.begin(), args.end());
  for (const Value& v : in)
    if (v->kind == ValueKind::array && v.as<ArrayObj>().buffer->is_deleted())
      throw_error(ErrorKind::floating_point,
                  found +
                      "; which operation made it is not known, since an "
                      "argument was donated");
  std::string_view where = "but the de-optimized function did not produce it: ";
  for (size_t i = 0; i < in.size(); ++i)
    if (is_special(in[i]))
      throw_error(ErrorKind::floating_point,
                  i < p.graph().consts.size()
                      ? cat(found, ", ", where, "it is in a value that ",
                            p.name(), " closes over")
                      : cat(found, ", ", where, "it is in the input, leaf ",
                            i - p.graph().consts.size()));
  SetTrace scope(eval_trace());
  find_special(p.jaxpr(), in);
  bool literal = false;
  for (const Literal& l : p.jaxpr().literals)
    literal |= is_special(scalar_value(l));
  throw_error(ErrorKind::floating_point,
              cat(found, ", ", where,
                  literal ? "it is a literal of the program"
                          : "its operations give finite values one by one"));
}

}  // namespace cotan

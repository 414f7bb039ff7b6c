// Devices of PJRT plugins, transfers, StableHLO text, and programs compiled
// ahead of time.
#include "backends/pjrt/pjrt.h"
#include "backends/pjrt/topology.h"
#include "emit/hlo.h"
#include "python/core.h"
#include "runtime/device.h"

namespace py = pybind11;

namespace cotan::python {

namespace {

using pjrt::PluginValue;
using pjrt::PluginValues;

PluginValue plugin_value(const std::string& name, const py::handle& v) {
  if (py::isinstance<py::bool_>(v)) return py::cast<bool>(v);
  if (py::isinstance<py::int_>(v)) return py::cast<int64_t>(v);
  if (py::isinstance<py::float_>(v)) return py::cast<float>(v);
  if (py::isinstance<py::str>(v)) return py::cast<std::string>(v);
  if (py::isinstance<py::sequence>(v)) return py::cast<std::vector<int64_t>>(v);
  throw_type("[pjrt] option '", name,
             "' must be a bool, an int, a float, a string or a list of ints, ",
             "got ", std::string(py::str(py::type::handle_of(v))));
}

PluginValues plugin_values(const py::dict& d) {
  PluginValues out;
  for (auto [key, value] : d) {
    auto name = py::cast<std::string>(key);
    out[name] = plugin_value(name, value);
  }
  return out;
}

py::dict dict_of(const PluginValues& values) {
  py::dict out;
  for (const auto& [name, value] : values)
    out[py::str(name)] = std::visit(
        [](const auto& v) -> py::object { return py::cast(v); }, value);
  return out;
}

py::object device_object(Device* d) {
  return py::cast(d, py::return_value_policy::reference);
}

JitProgram& program_of(const py::capsule& c) {
  return *static_cast<JitProgram*>(
      PyCapsule_GetPointer(c.ptr(), "cotan.program"));
}

std::vector<bool> donations(JitProgram& p) { return p.all_donated(); }

py::dict dict_of(const pjrt::ProgramFacts& f) {
  py::dict out;
  out["cost"] = dict_of(f.cost);
  out["memory"] = f.memory;
  out["code_bytes"] = f.code_bytes;
  out["fingerprint"] = py::bytes(f.fingerprint);
  return out;
}

py::tuple optimized(const std::string& code, const std::string& format) {
  return py::make_tuple(py::bytes(code), format);
}

py::list aval_list(std::span<const Aval> avals) {
  py::list out;
  for (const Aval& a : avals)
    out.append(py::make_tuple(std::string(dtype_name(a.dtype)), a.shape));
  return out;
}

void bind_transfers(py::module_& m) {
  m.def("device_put", [](const Value& v, Device* d) {
    Value x = concrete_value(v);
    if (!x) return v;  // a tracer stays: where it runs is decided outside
    py::gil_scoped_release release;
    return put_on(x, d);
  });
  m.def("device_of", [](const Value& v) {
    Value x = concrete_value(v);
    return device_object(x ? device_of(x) : default_device());
  });
  m.def("is_committed", [](const Value& v) {
    return v->kind == ValueKind::array && v.as<ArrayObj>().committed;
  });
  m.def("set_default_device", [](const py::object& d) {
    set_default_device(d.is_none() ? nullptr : py::cast<Device*>(d));
  });
  m.def("set_thread_device", [](const py::object& d) -> py::object {
    Device* before =
        set_thread_device(d.is_none() ? nullptr : py::cast<Device*>(d));
    if (!before) return py::none();
    return device_object(before);
  });
  m.def("get_default_device", [] { return device_object(default_device()); });
  m.def("device_address",
        [](Device* d) { return reinterpret_cast<uintptr_t>(d); });
  m.def("device_memories", [](Device* d) { return d->memory_kinds(); });
  m.def("device_attributes",
        [](Device* d) { return dict_of(pjrt::device_attributes(d)); });
  m.def("wait", [](const Value& v) {
    if (v->kind != ValueKind::array) return;
    const Buffer& b = *v.as<ArrayObj>().buffer;
    if (b.is_deleted()) v.as<ArrayObj>().throw_deleted();
    if (b.device()->is_cpu()) return;
    py::gil_scoped_release release;
    b.device()->wait(b.data());
  });
  m.def("is_ready", [](const Value& v) {
    if (v->kind != ValueKind::array) return true;
    const Buffer& b = *v.as<ArrayObj>().buffer;
    return b.is_deleted() || b.device()->is_ready(b.data());
  });
}

void bind_plugins(py::module_& m) {
  m.def("pjrt_load", [](const std::string& platform, const std::string& path,
                        const py::dict& options) {
    PluginValues values = plugin_values(options);
    std::span<Device* const> devices;
    {
      py::gil_scoped_release release;
      devices = pjrt::load_devices(platform, path, values);
    }
    py::list out;
    for (Device* d : devices) out.append(device_object(d));
    return out;
  });
  m.def("pjrt_platform", [](const std::string& platform) {
    pjrt::PlatformFacts f = pjrt::platform_facts(platform);
    py::dict out;
    out["path"] = f.path;
    out["plugin_platform"] = f.plugin_platform;
    out["version"] = f.version;
    out["pjrt_api"] = cat("0.", f.minor_version);
    out["attributes"] = dict_of(f.attributes);
    return out;
  });
  m.def("pjrt_stats", [] {
    pjrt::PjrtStats s = pjrt::stats();
    return py::make_tuple(s.compiled, s.hits);
  });
  m.def("pjrt_clear_programs", pjrt::clear_programs);
  m.def("is_pjrt_device", pjrt::is_pjrt_device);
  m.def("hlo_type", [](const py::object& dtype, const Dims& shape) {
    return cotan::hlo_type(
        {dtype_from(dtype), false, Shape(shape.begin(), shape.end())});
  });
  m.def("check_stablehlo",
        [](const std::string& text) { pjrt::check_module_text(text); });
}

void bind_programs(py::module_& m) {
  m.def("program_stablehlo", [](const py::capsule& c) {
    JitProgram& p = program_of(c);
    return pjrt::lower_to_stablehlo(p.jaxpr(),
                                    {"jit_" + p.name(), donations(p)})
        .text;
  });
  m.def("program_facts", [](const py::capsule& c, Device* d) {
    const Executable& e = program_of(c).executable_on(d);
    return dict_of(pjrt::facts_of(e));
  });
  m.def("program_optimized", [](const py::capsule& c, Device* d) {
    std::string format;
    std::string code =
        pjrt::optimized_of(program_of(c).executable_on(d), &format);
    return optimized(code, format);
  });
  m.def("program_serialize", [](const py::capsule& c, Device* d) {
    return py::bytes(pjrt::serialize_program(program_of(c).executable_on(d)));
  });
  m.def("program_avals", [](const py::capsule& c) {
    JitProgram& p = program_of(c);
    return py::make_tuple(aval_list(p.jaxpr().in_avals()),
                          aval_list(p.jaxpr().out_avals()), donations(p));
  });
  m.def("program_consts", [](const py::capsule& c) {
    py::list out;
    for (const Value& v : program_of(c).graph().consts)
      out.append(py::reinterpret_steal<py::object>(wrap_value(v)));
    return out;
  });
}

// A deserialized program: takes and gives Arrays on its device.
class LoadedProgram {
 public:
  LoadedProgram(Ref<Executable> e) : e_(std::move(e)) {}
  py::list call(const std::vector<Value>& args) {
    if (args.size() != e_->inputs().size())
      throw_type("[call] a program of ", e_->inputs().size(),
                 " inputs was given ", args.size());
    std::vector<Ref<Buffer>> held;
    std::vector<Buffer*> in;
    for (size_t i = 0; i < args.size(); ++i) {
      if (!same_layout(args[i].aval(), e_->inputs()[i].aval))
        throw_type("[call] input ", i, " is ", args[i].aval(),
                   ", the program was compiled for ", e_->inputs()[i].aval);
      held.push_back(buffer_on(args[i], e_->device()));
      in.push_back(held.back().get());
    }
    std::vector<Ref<Buffer>> results(e_->outputs().size());
    {
      py::gil_scoped_release release;
      execute(*e_, in, results);
    }
    py::list out;
    for (size_t i = 0; i < results.size(); ++i)
      out.append(
          py::reinterpret_steal<py::object>(wrap_value(make_ref<ArrayObj>(
              e_->outputs()[i].aval, std::move(results[i]), true))));
    return out;
  }

 private:
  Ref<Executable> e_;
};

Aval aval_from(const py::handle& item) {
  auto t = py::cast<py::tuple>(item);
  return {dtype_from(t[0]), false, Shape(py::cast<Dims>(t[1]))};
}

void bind_loading(py::module_& m) {
  py::class_<LoadedProgram>(m, "LoadedProgram")
      .def("__call__", &LoadedProgram::call);
  m.def("pjrt_load_program",
        [](Device* d, const py::bytes& bytes, const py::list& in,
           const py::list& out, const std::vector<bool>& donated) {
          std::vector<InputSpec> inputs;
          std::vector<OutputSpec> outputs;
          for (auto a : in)
            inputs.push_back({aval_from(a), donated[inputs.size()]});
          for (auto a : out) outputs.push_back({aval_from(a)});
          return LoadedProgram(pjrt::load_program(d, bytes, std::move(inputs),
                                                  std::move(outputs)));
        });
}

// pybind11 holds these by value of a Ref.
struct TopologyHandle {
  Ref<pjrt::Topology> t;
};
struct AotHandle {
  Ref<pjrt::AotProgram> p;
};

void bind_topologies(py::module_& m) {
  py::class_<AotHandle>(m, "AotProgram")
      .def("facts", [](const AotHandle& a) { return dict_of(a.p->facts()); })
      .def("serialize",
           [](const AotHandle& a) { return py::bytes(a.p->serialize()); })
      .def("optimized",
           [](const AotHandle& a) {
             std::string format, code = a.p->optimized(&format);
             return optimized(code, format);
           })
      .def("outputs",
           [](const AotHandle& a) { return aval_list(a.p->outputs()); });
  py::class_<TopologyHandle>(m, "TopologyHandle")
      .def(py::init([](const std::string& path, const std::string& name,
                       const py::dict& options) {
        PluginValues values = plugin_values(options);
        py::gil_scoped_release release;
        return TopologyHandle{pjrt::Topology::make(path, name, values)};
      }))
      .def_property_readonly(
          "platform", [](const TopologyHandle& t) { return t.t->platform(); })
      .def_property_readonly(
          "version", [](const TopologyHandle& t) { return t.t->version(); })
      .def_property_readonly(
          "attributes",
          [](const TopologyHandle& t) { return dict_of(t.t->attributes()); })
      .def_property_readonly(
          "devices",
          [](const TopologyHandle& t) {
            py::list out;
            for (const auto& d : t.t->devices())
              out.append(py::make_tuple(d.id, d.kind, dict_of(d.attributes)));
            return out;
          })
      .def("serialize",
           [](const TopologyHandle& t) { return py::bytes(t.t->serialize()); })
      .def("compile", [](const TopologyHandle& t, const std::string& text,
                         const py::dict& flags) {
        pjrt::CompileSettings settings;
        settings.flags = plugin_values(flags);
        py::gil_scoped_release release;
        return AotHandle{t.t->compile(text, settings)};
      });
}

}  // namespace

void bind_pjrt(py::module_& m) {
  bind_transfers(m);
  bind_plugins(m);
  bind_programs(m);
  bind_loading(m);
  bind_topologies(m);
}

}  // namespace cotan::python

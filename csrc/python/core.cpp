// The module cotan._core: everything Python calls less than once per
// operation. Each part registers itself from its own core_*.cpp.
#include "python/core.h"

#include "api/backend.h"
#include "base/config.h"
#include "jnp/promote.h"
#include "ops/lax.h"
#include "python/dlpack.h"
#include "runtime/device.h"
#include "transforms/transforms.h"

using cotan::ValueObj;
#include "_dispatch_api.h"  // generated: names ValueObj unqualified

namespace py = pybind11;
using namespace cotan;
using namespace cotan::python;

namespace {

// ---- settings

constexpr const char* kPromotion[] = {"standard", "strict"};
constexpr const char* kRank[] = {"allow", "warn", "raise"};
constexpr const char* kPrng[] = {"threefry2x32", "threefry4x32", "philox2x32",
                                 "philox4x32",   "rbg",          "unsafe_rbg"};
constexpr const char* kPrecision[] = {"", "default", "high", "highest",
                                      "other"};

// f(field) for a flag or number, f(field, names) for a choice.
template <class C, class F>
auto with_field(C& c, const std::string& name, F&& f) {
  if (name == "x64") return f(c.x64);
  if (name == "promotion") return f(c.promotion, kPromotion);
  if (name == "rank_promotion") return f(c.rank_promotion, kRank);
  if (name == "debug_nans") return f(c.debug_nans);
  if (name == "debug_infs") return f(c.debug_infs);
  if (name == "checking_leaks") return f(c.checking_leaks);
  if (name == "threefry_partitionable") return f(c.threefry_partitionable);
  if (name == "disable_jit") return f(c.disable_jit);
  if (name == "check_static_indices") return f(c.check_static_indices);
  if (name == "default_prng_impl") return f(c.default_prng_impl, kPrng);
  if (name == "matmul_precision") return f(c.matmul_precision, kPrecision);
  if (name == "user_context") return f(c.user_context);
  throw py::key_error(name);
}

struct GetField {
  py::object operator()(bool flag) { return py::bool_(flag); }
  py::object operator()(uint16_t number) { return py::int_(number); }
  template <class E, size_t N>
  py::object operator()(E value, const char* const (&names)[N]) {
    return py::str(names[int(value)]);
  }
};

struct SetField {
  const py::object& value;
  template <class T>
  void operator()(T& field) {
    field = py::cast<T>(value);
  }
  template <class E, size_t N>
  void operator()(E& field, const char* const (&names)[N]) {
    std::string text = py::cast<std::string>(value);
    for (size_t i = 0; i < N; ++i)
      if (text == names[i]) field = E(i);
  }
};

py::object get_field(const Config& c, const std::string& name) {
  return with_field(c, name, GetField{});
}
void set_field(Config& c, const std::string& name, const py::object& value) {
  with_field(c, name, SetField{value});
}

// A thread's own settings; the capsule given to Python is what was there
// before, for restore_config.
struct ThreadConfig {
  const Config* previous;
  Config own;
};

void bind_settings(py::module_& m) {
  m.def("get_config",
        [](const std::string& name) { return get_field(config(), name); });
  // Equal where the settings and named axes that traces depend on are.
  m.def("config_key", [] { return config_key(); });
  // The process's, not that of an active context manager.
  m.def("get_global_config", [](const std::string& name) {
    const Config* mine = set_thread_config(nullptr);
    py::object value = get_field(config(), name);
    set_thread_config(mine);
    return value;
  });
  py::class_<ThreadConfig>(m, "_ThreadConfig");
  m.def("set_config",
        [](const std::string& name, const py::object& value,
           bool thread) -> py::object {
          if (!thread) {
            // The process's settings, not those of an active context manager.
            const Config* mine = set_thread_config(nullptr);
            Config c = config();
            set_field(c, name, value);
            set_global_config(c);
            set_thread_config(mine);
            return py::none();
          }
          auto t = std::make_unique<ThreadConfig>();
          t->own = config();
          set_field(t->own, name, value);
          t->previous = set_thread_config(&t->own);
          return py::cast(std::move(t));
        });
  m.def("restore_config",
        [](ThreadConfig& t) { set_thread_config(t.previous); });
}

// ---- dtypes

py::object dtype_object(DType t) {
  if (is_key(t))
    return py::module_::import("cotan.dtypes")
        .attr("key_dtype_of")(std::string(dtype_name(t)));
  return py::reinterpret_steal<py::object>(numpy_dtype(t));
}

// A dtype, or a Python scalar type as a weak type.
jnp::TypeAndWeak type_of_object(const py::object& x) {
  PyObject* p = x.ptr();
  if (p == reinterpret_cast<PyObject*>(&PyLong_Type))
    return {jnp::default_int(), true};
  if (p == reinterpret_cast<PyObject*>(&PyFloat_Type))
    return {jnp::default_float(), true};
  if (p == reinterpret_cast<PyObject*>(&PyComplex_Type))
    return {jnp::default_complex(), true};
  if (p == reinterpret_cast<PyObject*>(&PyBool_Type))
    return {DType::bool_, false};
  bool is_type = PyType_Check(p) || PyUnicode_Check(p);
  if (!is_type && is_array_like(p)) {
    Aval a = aval_of_python(p);
    return {a.dtype, a.weak_type};
  }
  if (!is_type && py::hasattr(x, "shape") && py::hasattr(x, "dtype"))
    return {dtype_from(x.attr("dtype")), false};
  return {dtype_from(x), false};
}

void bind_dtypes(py::module_& m) {
  m.def(
      "dtype", [](const py::object& x) { return dtype_object(dtype_from(x)); },
      "np.dtype of anything that names one.");
  m.def("canonical_dtype", [](const py::object& x) {
    return dtype_object(jnp::canonical(dtype_from(x)));
  });
  m.def("short_dtype", [](const py::object& x) {
    return std::string(dtype_short(dtype_from(x)));
  });
  m.def("promote_types", [](const py::object& a, const py::object& b) {
    return dtype_object(jnp::join_dtypes(type_of_object(a), type_of_object(b)));
  });
  m.def("result_type", [](const py::tuple& args) {
    auto canonical_type = [](jnp::TypeAndWeak t) {
      t.dtype = jnp::canonical(t.dtype);
      return t;
    };
    jnp::TypeAndWeak t = canonical_type(type_of_object(args[0]));
    for (size_t i = 1; i < args.size(); ++i)
      t = jnp::join(t, canonical_type(type_of_object(args[i])));
    return py::make_tuple(dtype_object(t.dtype), t.weak);
  });
}

// ---- devices

void bind_devices(py::module_& m) {
  py::class_<Device, std::unique_ptr<Device, py::nodelete>>(m, "Device")
      .def_property_readonly("platform", &Device::platform)
      .def_property_readonly("id", &Device::id)
      .def_property_readonly("device_kind", &Device::kind)
      .def_property_readonly("process_index", [](const Device&) { return 0; })
      .def("__repr__",
           [](const Device& d) {
             std::string p = d.platform();
             if (p.find(':') != p.npos)
               return cat("PjrtDevice(platform='", p, "', id=", d.id(), ")");
             if (!p.empty()) p[0] = char(std::toupper(p[0]));
             return cat(p, "Device(id=", d.id(), ")");
           })
      .def("__str__", [](const Device& d) { return d.name(); })
      .def("__eq__",
           [](const Device& a, const py::object& b) {
             return py::isinstance<Device>(b) && &a == py::cast<Device*>(b);
           })
      .def(
          "__hash__",
          [](const Device& d) { return reinterpret_cast<Py_ssize_t>(&d) >> 4; })
      .def("memory_stats", [](const Device& d) {
        MemoryStats s = d.memory();
        py::dict out;
        out["bytes_in_use"] = s.bytes_in_use;
        out["peak_bytes_in_use"] = s.peak_bytes;
        out["bytes_cached"] = s.bytes_cached;
        out["num_allocs"] = s.allocations;
        if (!d.is_cpu() && s.cache_limit) out["bytes_limit"] = s.cache_limit;
        return out;
      });
  auto list = [](const py::object& backend) {
    py::list out;
    std::string platform =
        backend.is_none() ? "" : py::cast<std::string>(backend);
    for (Device* d : devices(platform))
      out.append(py::cast(d, py::return_value_policy::reference));
    if (out.empty())
      throw_runtime("Unknown backend: '", platform,
                    "' requested, but no platforms that are instances of it "
                    "are present.");
    return out;
  };
  m.def("devices", list, py::arg("backend") = py::none());
  m.def("local_devices", list, py::arg("backend") = py::none());
  auto count = [list](const py::object& b) { return list(b).size(); };
  m.def("device_count", count, py::arg("backend") = py::none());
  m.def("local_device_count", count, py::arg("backend") = py::none());
  m.def("default_backend", [] { return default_device()->platform(); });
}

// ---- counters

void bind_counters(py::module_& m) {
  m.def("counters", [] {
    const CompileStats& c = compile_counters();
    py::dict out;
    out["traces"] = c.traces;
    out["programs"] = c.programs;
    out["allocations"] = cpu_device()->memory().allocations;
    CodeStats s = code_stats();
    out["program_hits"] = s.program_hits;
    out["kernels"] = s.kernels;
    out["kernel_hits"] = s.kernel_hits;
    out["eager_kernels"] = s.eager_kernels;
    out["code_bytes"] = s.code_bytes;
    out["compile_ns"] = s.compile_ns;
    return out;
  });
  m.def("clear_caches", [] {
    clear_transform_caches();
    clear_control_programs();
  });
}

// ---- for tests

void bind_testing(py::module_& m) {
  m.def("set_interpret", set_interpreting,
        "Runs the reference rules instead of compiled code, or not; returns "
        "what was set before.");
  m.def(
      "primitives",
      [] {
        py::dict out;
        for (const Primitive* p : registry())
          out[p->name] = !(p->flags & kNotDifferentiable);
        return out;
      },
      "Every registered primitive, by name: is it differentiable?");
  m.def("copy", lax::copy);
  m.def("threefry2x32",
        [](const Value& k0, const Value& k1, const Value& c0, const Value& c1) {
          Values v = lax::threefry2x32(k0, k1, c0, c1);
          return py::make_tuple(v[0], v[1]);
        });
}

}  // namespace

namespace cotan::python {

DType dtype_from(const py::handle& x) {
  return dtype_or_key_from_python(x.ptr());
}

}  // namespace cotan::python

PYBIND11_MODULE(_core, m) {
  if (import_cotan___dispatch() < 0) throw py::error_already_set();
  initialize(wrap_value_object, unwrap_value_object, false);
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const Error&) {
      translate_exception();
    } catch (const PythonError& e) {
      e.restore();
    }
  });
  m.doc() = "cotan's core, bound with pybind11.";
  m.attr("__version__") = COTAN_VERSION;
  m.def("set_error_classes",
        [](const py::dict& classes) { set_error_classes(classes.ptr()); });
  // value, versioned protocol, was copied -> capsule
  m.def("dlpack_export", [](const Value& v, bool versioned, bool copied) {
    return py::reinterpret_steal<py::object>(
        dlpack_export(v, versioned, copied));
  });
  // capsule -> (value, was copied)
  m.def("dlpack_import", [](const py::object& capsule) {
    bool copied = false;
    Value v = dlpack_import(capsule.ptr(), &copied);
    return py::make_tuple(v, copied);
  });
  bind_settings(m);
  bind_dtypes(m);
  bind_devices(m);
  bind_counters(m);
  bind_testing(m);
  bind_lax(m);
  bind_numpy(m);
  bind_indexing(m);
  bind_lax_index(m);
  bind_nn(m);
  bind_random(m);
  bind_linalg(m);
  bind_pjrt(m);
  bind_windows(m);
}

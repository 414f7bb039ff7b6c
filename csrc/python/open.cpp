#include "python/open.h"

#include <vector>

#include "python/axes.h"
#include "python/gil.h"
#include "python/params_dict.h"
#include "transforms/transforms.h"

namespace cotan::python {

namespace {

OpenHooks hooks{};
PyObject* functions = nullptr;

PyObject* number(int64_t n) { return checked(PyLong_FromLongLong(n)); }

// list[i] for i < n, from new references.
template <class F>
PyObject* list_of(size_t n, F item) {
  Owned list(checked(PyList_New(Py_ssize_t(n))));
  for (size_t i = 0; i < n; ++i)
    PyList_SET_ITEM(list.get(), Py_ssize_t(i), item(i));
  return list.release();
}

PyObject* atom_number(Atom a) {
  return a.is_none() ? Py_NewRef(Py_None) : number(a.id);
}

PyObject* literal_object(const Literal& l) {
  return wrap_value(scalar_value(l));
}

PyObject* describe_eqn(const Eqn& e) {
  Owned params(params_dict(e.params));
  Owned in(
      list_of(e.in.size(), [&](size_t i) { return atom_number(e.in[i]); }));
  Owned out(list_of(e.out.size(), [&](size_t i) { return number(e.out[i]); }));
  Owned source(e.source ? text(e.source->describe()) : Py_NewRef(Py_None));
  unsigned effects = e.prim->effects ? e.prim->effects(e.params) : kPure;
  return checked(Py_BuildValue(
      "(KOOOOI)", static_cast<unsigned long long>(primitive_address(e.prim)),
      params.get(), in.get(), out.get(), source.get(), effects));
}

}  // namespace

void set_open_hooks(const OpenHooks& h, PyObject* f) {
  hooks = h;
  Py_INCREF(f);
  Py_XSETREF(functions, f);
}
const OpenHooks& open_hooks() { return hooks; }

PyObject* open_function(const char* name) {
  PyObject* f = functions ? PyDict_GetItemString(functions, name) : nullptr;
  COTAN_CHECK(f);
  return f;
}

PyObject* aval_triple(const Aval& a) {
  Owned shape(checked(PyTuple_New(Py_ssize_t(a.shape.size()))));
  for (size_t i = 0; i < a.shape.size(); ++i)
    PyTuple_SET_ITEM(shape.get(), Py_ssize_t(i), number(a.shape[i]));
  Owned dtype(checked(hooks.dtype(a.dtype)));
  return checked(Py_BuildValue("(OOO)", dtype.get(), shape.get(),
                               a.weak_type ? Py_True : Py_False));
}

PyObject* describe_jaxpr(const Jaxpr& j) {
  Owned types(list_of(j.avals.size(),
                      [&](size_t i) { return aval_triple(j.avals[i]); }));
  Owned literals(list_of(j.literals.size(), [&](size_t i) {
    return literal_object(j.literals[i]);
  }));
  Owned in(list_of(j.in.size(), [&](size_t i) { return number(j.in[i]); }));
  Owned out(
      list_of(j.out.size(), [&](size_t i) { return atom_number(j.out[i]); }));
  Owned eqns(list_of(j.eqns.size(),
                     [&](size_t i) { return describe_eqn(j.eqns[i]); }));
  return checked(Py_BuildValue("(OOOOO)", types.get(), literals.get(), in.get(),
                               out.get(), eqns.get()));
}

// ---- primitives

PrimitiveRef primitive_named(const std::string& name) {
  return find_primitive(name);
}

bool primitive_has(PrimitiveRef p, const std::string& slot) {
  if (slot == "jvp") return p->jvp || p->linearize;
  if (slot == "transpose") return p->transpose;
  if (slot == "batch") return p->batch;
  if (slot == "params") return p->params;
  return false;
}

namespace {

// Parameters of a primitive defined in Python: a dict.
class PythonParams final : public Opaque {
 public:
  explicit PythonParams(PyObject* dict) : dict_(dict) { Py_INCREF(dict); }
  ~PythonParams() override { drop(dict_); }
  PyObject* dict() const { return dict_; }
  bool equals(const Opaque& o) const override {
    auto* other = dynamic_cast<const PythonParams*>(&o);
    return other && (other->dict_ == dict_ ||
                     ask("params_equal", dict_, other->dict_) == Py_True);
  }
  uint64_t hash() const override {
    Gil gil;
    Owned h(ask_object("params_hash", dict_, nullptr));
    return uint64_t(PyLong_AsLongLong(h.get()));
  }
  std::string describe() const override {
    Gil gil;
    Owned s(ask_object("params_text", dict_, nullptr));
    const char* utf8 = PyUnicode_AsUTF8(s.get());
    return utf8 ? utf8 : "";
  }

 private:
  static PyObject* ask_object(const char* what, PyObject* a, PyObject* b) {
    return checked(
        PyObject_CallFunctionObjArgs(open_function(what), a, b, nullptr));
  }
  static PyObject* ask(const char* what, PyObject* a, PyObject* b) {
    Gil gil;
    PyObject* r = ask_object(what, a, b);
    Py_DECREF(r);  // True and False stay
    return r;
  }
  PyObject* dict_;
};

PyObject* dict_of(const OpaqueRef& params) {
  return static_cast<const PythonParams&>(*params).dict();
}

// Calls the methods of a Primitive that apply the rules registered for it.
class PythonRules final : public UserRules {
 public:
  explicit PythonRules(PyObject* owner) : owner_(owner) { Py_INCREF(owner); }
  ~PythonRules() override { drop(owner_); }

  Avals type(std::span<const Aval> in, const OpaqueRef& params) const override {
    Gil gil;
    Owned types(
        list_of(in.size(), [&](size_t i) { return aval_triple(in[i]); }));
    Owned r(call("_apply_type", "OO", types.get(), dict_of(params)));
    Avals out;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(r.get()); ++i)
      out.push_back(aval_from_triple(PyList_GET_ITEM(r.get(), i)));
    return out;
  }
  Values impl(std::span<const Value> x,
              const OpaqueRef& params) const override {
    return values("_apply_impl", x, params);
  }
  Values expand(std::span<const Value> x,
                const OpaqueRef& params) const override {
    return values("_apply_lowering", x, params);
  }
  Dual jvp(std::span<const Value> x, std::span<const Value> t,
           const OpaqueRef& params) const override {
    Gil gil;
    Owned primals(list_from_values(x)), tangents(list_from_values(t));
    Owned r(call("_apply_jvp", "OOO", primals.get(), tangents.get(),
                 dict_of(params)));
    return {values_from_sequence(PyTuple_GET_ITEM(r.get(), 0)),
            values_from_sequence(PyTuple_GET_ITEM(r.get(), 1))};
  }
  Values transpose(const TransposeArgs& a,
                   const OpaqueRef& params) const override {
    Gil gil;
    Owned cts(list_from_values(a.ct)), x(list_from_values(a.x));
    Owned types(list_of(a.avals.size(),
                        [&](size_t i) { return aval_triple(a.avals[i]); }));
    Owned r(call("_apply_transpose", "OOOO", cts.get(), x.get(), types.get(),
                 dict_of(params)));
    return values_from_sequence(r.get());
  }
  Batched batch(const BatchArgs& a, const OpaqueRef& params) const override {
    Gil gil;
    Owned x(list_from_values(a.x));
    Owned dims(
        list_of(a.dims.size(), [&](size_t i) { return number(a.dims[i]); }));
    Owned name(a.name ? axis_name_object(*a.name) : Py_NewRef(Py_None));
    Owned r(call("_apply_batch", "OOLOO", x.get(), dims.get(),
                 static_cast<long long>(a.size), name.get(), dict_of(params)));
    Batched b{values_from_sequence(PyTuple_GET_ITEM(r.get(), 0)), {}};
    PyObject* out = PyTuple_GET_ITEM(r.get(), 1);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(out); ++i)
      b.dims.push_back(PyLong_AsLongLong(PyList_GET_ITEM(out, i)));
    return b;
  }
  bool uses_axis(const OpaqueRef& params, const AxisName& name) const override {
    Gil gil;
    Owned n(axis_name_object(*name));
    Owned r(call("_uses_axis", "OO", n.get(), dict_of(params)));
    return r.get() == Py_True;
  }

 private:
  template <class... A>
  PyObject* call(const char* method, const char* format, A... args) const {
    return checked(PyObject_CallMethod(owner_, method, format, args...));
  }
  Values values(const char* method, std::span<const Value> x,
                const OpaqueRef& params) const {
    Gil gil;
    Owned in(list_from_values(x));
    Owned r(call(method, "OO", in.get(), dict_of(params)));
    return values_from_sequence(r.get());
  }
  PyObject* owner_;
};

class PythonAttributes final : public CompositeAttributes {
 public:
  explicit PythonAttributes(PyObject* x) : x_(x) { Py_INCREF(x); }
  ~PythonAttributes() override { drop(x_); }
  PyObject* object() const { return x_; }
  bool equals(const Opaque& o) const override {
    auto* other = dynamic_cast<const PythonAttributes*>(&o);
    if (!other) return false;
    Gil gil;
    int r = PyObject_RichCompareBool(x_, other->x_, Py_EQ);
    if (r < 0) throw PythonError();
    return r;
  }
  uint64_t hash() const override {
    Gil gil;
    Py_hash_t h = PyObject_Hash(x_);
    if (h == -1) throw PythonError();
    return uint64_t(h);
  }
  std::string describe() const override {
    Gil gil;
    return text(PyObject_Str(x_));
  }
  std::string hlo() const override {
    Gil gil;
    return text(PyObject_CallMethod(x_, "hlo", nullptr));
  }

 private:
  static std::string text(PyObject* made) {
    Owned s(checked(made));
    const char* utf8 = PyUnicode_AsUTF8(s.get());
    if (!utf8) throw PythonError();
    return utf8;
  }
  PyObject* x_;
};

}  // namespace

OpaqueRef python_attributes(PyObject* x) {
  return make_ref<PythonAttributes>(x);
}

PyObject* attributes_object(const OpaqueRef& o) {
  auto* held = dynamic_cast<const PythonAttributes*>(o.get());
  return held ? held->object() : nullptr;
}

OpaqueRef python_rules(PyObject* owner) { return make_ref<PythonRules>(owner); }

PyObject* user_params_dict(const UserParams& p) {
  return PyDict_Copy(dict_of(p.values));
}

Values bind_named(PrimitiveRef p, const OpaqueRef& rules, const Values& x,
                  PyObject* params) {
  if (rules) return bind_user(*p, x, {rules, make_ref<PythonParams>(params)});
  return bind_all(*p, x, params_from_dict(*p, params));
}

}  // namespace cotan::python

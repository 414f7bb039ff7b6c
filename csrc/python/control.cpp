#include "python/control.h"

#include "python/gil.h"
#include "python/open.h"

namespace cotan::python {

namespace {

class PythonPolicy final : public SavePolicy {
 public:
  explicit PythonPolicy(PyObject* f) : f_(f) { Py_INCREF(f); }
  ~PythonPolicy() override { drop(f_); }
  bool saves(const Eqn& e, std::span<const Aval> in) const override {
    Gil gil;
    Owned params(params_dict(e.params));
    Owned operands(checked(PyList_New(Py_ssize_t(in.size()))));
    for (size_t i = 0; i < in.size(); ++i)
      PyList_SET_ITEM(operands.get(), Py_ssize_t(i), aval_triple(in[i]));
    PyObject* r = checked(PyObject_CallFunction(
        f_, "KOO", static_cast<unsigned long long>(primitive_address(e.prim)),
        operands.get(), params.get()));
    int truth = PyObject_IsTrue(r);
    Py_DECREF(r);
    if (truth < 0) throw PythonError();
    return truth;
  }
  bool equals(const Opaque& o) const override {
    auto* other = dynamic_cast<const PythonPolicy*>(&o);
    return other && other->f_ == f_;
  }
  uint64_t hash() const override { return reinterpret_cast<uint64_t>(f_); }
  std::string describe() const override {
    Gil gil;
    PyObject* s = PyObject_Str(f_);
    const char* utf8 = s ? PyUnicode_AsUTF8(s) : nullptr;
    std::string out = utf8 ? utf8 : "<policy>";
    Py_XDECREF(s);
    PyErr_Clear();
    return out;
  }

 private:
  PyObject* f_;
};

}  // namespace

Values run_checkpoint(const TracedGraph& g, const Values& x, bool prevent_cse,
                      PyObject* policy) {
  OpaqueRef p;
  if (policy != Py_None) p = make_ref<PythonPolicy>(policy);
  Values args = g.consts;
  args.append(x.begin(), x.end());
  return lax::checkpoint(g.jaxpr, args, prevent_cse, std::move(p));
}

}  // namespace cotan::python

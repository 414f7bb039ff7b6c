#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_1_23_API_VERSION
#include "python/bridge.h"

#include <numpy/arrayobject.h>

#include <cmath>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/warning.h"
#include "jnp/promote.h"
#include "python/gil.h"

namespace cotan::python {

namespace {

PyObject* (*wrap_hook)(ValueObj*) = nullptr;
ValueObj* (*unwrap_hook)(PyObject*) = nullptr;
PyObject* error_classes = nullptr;
// NumPy's numbers of the dtypes of ml_dtypes, -1: it has none; known once it is
// loaded.
int ml_nums[kNumDTypes];
bool ml_known = false;

PyObject* exception_class(ErrorKind kind) {
  static constexpr const char* names[] = {"type",
                                          "value",
                                          "index",
                                          "not_implemented",
                                          "runtime",
                                          "overflow",
                                          "memory",
                                          "interrupted",
                                          "internal",
                                          "type_promotion",
                                          "tracer_bool",
                                          "concretization",
                                          "tracer_integer",
                                          "tracer_array",
                                          "unexpected_tracer",
                                          "non_concrete_boolean_index",
                                          "floating_point",
                                          "name"};
  if (error_classes) {
    if (PyObject* c = PyDict_GetItemString(error_classes, names[int(kind)]))
      return c;
  }
  switch (kind) {
    case ErrorKind::type:
      return PyExc_TypeError;
    case ErrorKind::value:
      return PyExc_ValueError;
    case ErrorKind::index:
      return PyExc_IndexError;
    case ErrorKind::not_implemented:
      return PyExc_NotImplementedError;
    case ErrorKind::overflow:
      return PyExc_OverflowError;
    case ErrorKind::memory:
      return PyExc_MemoryError;
    case ErrorKind::interrupted:
      return PyExc_KeyboardInterrupt;
    case ErrorKind::name:
      return PyExc_NameError;
    default:
      return PyExc_RuntimeError;
  }
}

}  // namespace

namespace {
void drop_object(void* owner) { drop(static_cast<PyObject*>(owner)); }
std::shared_ptr<PyObject> shared(PyObject* p) {
  return {p, [](PyObject* o) {
            if (o) drop(o);
          }};
}
}  // namespace

PythonError::PythonError() {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  type_ = shared(type);
  value_ = shared(value);
  traceback_ = shared(traceback);
}

void PythonError::restore() const {
  if (!type_)
    return PyErr_SetString(PyExc_SystemError, "an error without an exception");
  PyErr_Restore(Py_NewRef(type_.get()), Py_XNewRef(value_.get()),
                Py_XNewRef(traceback_.get()));
}

void set_error_classes(PyObject* dict) {
  Py_INCREF(dict);
  Py_XSETREF(error_classes, dict);
}

void translate_exception() {
  try {
    throw;
  } catch (const PythonError& e) {
    e.restore();
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted && PyErr_Occurred()) return;
    std::string text = e.message();
    if (!e.source().empty()) text += cat("\n  at ", e.source());
    PyErr_SetString(exception_class(e.kind()), text.c_str());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
}

// ---- values

PyObject* wrap_value(Value v) {
  if (!v) Py_RETURN_NONE;
  return checked(wrap_hook(v.detach()));
}

ValueObj* unwrap(PyObject* x) noexcept { return unwrap_hook(x); }

namespace {

Value from_int(PyObject* x) {
  DType t = jnp::default_int();
  int overflow = 0;
  long long v = PyLong_AsLongLongAndOverflow(x, &overflow);
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  bool fits =
      !overflow && (t == DType::i64 || (v >= INT32_MIN && v <= INT32_MAX));
  if (!fits) {
    Owned text(checked(PyObject_Str(x)));
    throw_error(ErrorKind::overflow,
                cat("Python int ", PyUnicode_AsUTF8(text.get()),
                    " too large to convert to ", dtype_name(t)));
  }
  return scalar_value(Literal::from_int(t, v, /*weak=*/true));
}

Value protocol_value(PyObject* x) {
  for (const char* name : {"__cotan_array__", "__jax_array__"}) {
    if (!PyObject_HasAttrString(reinterpret_cast<PyObject*>(Py_TYPE(x)), name))
      continue;
    Owned r(checked(PyObject_CallMethod(x, name, nullptr)));
    return value_from_python(r.get());
  }
  return nullptr;
}

}  // namespace

bool is_array_like(PyObject* x) noexcept {
  if (unwrap(x) || PyFloat_Check(x) || PyLong_Check(x) || PyComplex_Check(x) ||
      PyArray_Check(x) || PyArray_CheckScalar(x))
    return true;
  auto* type = reinterpret_cast<PyObject*>(Py_TYPE(x));
  return PyObject_HasAttrString(type, "__cotan_array__") ||
         PyObject_HasAttrString(type, "__jax_array__");
}

Value value_from_python(PyObject* x, const char* what, int position,
                        bool borrow) {
  if (ValueObj* v = unwrap(x)) return Value(Ref<ValueObj>(v));
  if (PyBool_Check(x))
    return scalar_value(Literal::from_int(DType::bool_, x == Py_True));
  // NumPy's float64 and complex128 are subclasses of Python's: they go first.
  if (PyArray_IsScalar(x, Generic)) {
    Owned a(checked(PyArray_FromScalar(x, nullptr)));
    return value_from_numpy(a.get(), false);
  }
  if (PyFloat_Check(x))
    return scalar_value(jnp::default_float(), PyFloat_AS_DOUBLE(x), true);
  if (PyLong_Check(x)) return from_int(x);
  if (PyComplex_Check(x)) {
    Py_complex c = PyComplex_AsCComplex(x);
    return scalar_value(
        Literal::from_complex(jnp::default_complex(), {c.real, c.imag}, true));
  }
  if (PyArray_Check(x)) return value_from_numpy(x, borrow);
  if (Value v = protocol_value(x)) return v;
  Owned type(checked(PyObject_Str(reinterpret_cast<PyObject*>(Py_TYPE(x)))));
  std::string at = position >= 0 ? cat(" at position ", position) : "";
  throw_type(what, " requires ndarray or scalar arguments, got ",
             PyUnicode_AsUTF8(type.get()), at, ".");
}

Aval aval_of_python(PyObject* x) {
  if (ValueObj* v = unwrap(x)) return v->aval;
  if (PyArray_Check(x)) {
    auto* a = reinterpret_cast<PyArrayObject*>(x);
    DType t = jnp::canonical(
        dtype_from_python(reinterpret_cast<PyObject*>(PyArray_DESCR(a))));
    Shape shape(PyArray_DIMS(a), PyArray_DIMS(a) + PyArray_NDIM(a));
    return {t, false, shape};
  }
  return value_from_python(x).aval();
}

// ---- NumPy

namespace {

struct NumpyType {
  DType dtype;
  int num;
};
constexpr NumpyType kTypes[] = {
    {DType::bool_, NPY_BOOL},   {DType::i8, NPY_INT8},
    {DType::i16, NPY_INT16},    {DType::i32, NPY_INT32},
    {DType::i64, NPY_INT64},    {DType::u8, NPY_UINT8},
    {DType::u16, NPY_UINT16},   {DType::u32, NPY_UINT32},
    {DType::u64, NPY_UINT64},   {DType::f16, NPY_HALF},
    {DType::f32, NPY_FLOAT},    {DType::f64, NPY_DOUBLE},
    {DType::c64, NPY_CFLOAT},   {DType::c128, NPY_CDOUBLE},
    {DType::i64, NPY_LONGLONG}, {DType::u64, NPY_ULONGLONG},
};

constexpr bool is_ml_dtype(DType t) { return t == DType::bf16 || is_narrow(t); }

const int* ml_type_nums() {
  if (ml_known) return ml_nums;
  Owned module(checked(PyImport_ImportModule("ml_dtypes")));
  for (int i = 0; i < kNumDTypes; ++i) {
    ml_nums[i] = -1;
    if (!is_ml_dtype(DType(i))) continue;
    std::string name(dtype_name(DType(i)));
    Owned type(PyObject_GetAttrString(module.get(), name.c_str()));
    if (!type) {  // an older one
      PyErr_Clear();
      continue;
    }
    PyArray_Descr* d = nullptr;
    if (!PyArray_DescrConverter(type.get(), &d)) throw PythonError();
    ml_nums[i] = d->type_num;
    Py_DECREF(d);
  }
  ml_known = true;
  return ml_nums;
}

// The dtype of float0 arrays: a void type of no bytes would be awkward to
// allocate, so as in JAX it is a struct with one empty field.
PyObject* float0_descr() {
  static PyObject* descr = nullptr;
  if (!descr) {
    Owned spec(checked(Py_BuildValue("[(ss)]", "float0", "V0")));
    PyArray_Descr* d = nullptr;
    if (!PyArray_DescrConverter(spec.get(), &d)) throw PythonError();
    descr = reinterpret_cast<PyObject*>(d);
  }
  Py_INCREF(descr);
  return descr;
}

bool dtype_from_descr(PyArray_Descr* d, DType* out) {
  for (const NumpyType& t : kTypes)
    if (t.num == d->type_num) {
      *out = t.dtype;
      return true;
    }
  if (d->type_num == NPY_VOID) {
    *out = DType::float0;
    return PyDataType_HASFIELDS(d) && PyDataType_ELSIZE(d) == 0;
  }
  if (d->type_num < NPY_USERDEF) return false;
  const int* nums = ml_type_nums();
  for (int i = 0; i < kNumDTypes; ++i)
    if (nums[i] == d->type_num) {
      *out = DType(i);
      return true;
    }
  return false;
}

}  // namespace

PyObject* numpy_dtype(DType t) {
  if (is_ml_dtype(t)) {
    int num = ml_type_nums()[int(t)];
    if (num < 0)
      throw_error(ErrorKind::type, cat("dtype ", dtype_name(t),
                                       " needs a newer version of ml_dtypes"));
    return checked(reinterpret_cast<PyObject*>(PyArray_DescrFromType(num)));
  }
  if (t == DType::float0) return float0_descr();
  for (const NumpyType& n : kTypes)
    if (n.dtype == t)
      return checked(reinterpret_cast<PyObject*>(PyArray_DescrFromType(n.num)));
  throw_type("dtype ", dtype_name(t), " has no NumPy equivalent");
}

DType dtype_from_python(PyObject* x) {
  DType t;
  if (PyUnicode_Check(x)) {
    const char* name = PyUnicode_AsUTF8(x);
    if (name && parse_dtype(name, &t)) return t;
  }
  PyArray_Descr* d = nullptr;
  // Scalar classes of cotan.numpy carry their dtype.
  Owned own(PyObject_GetAttrString(x, "dtype"));
  if (!own) PyErr_Clear();
  bool use_own = own && PyArray_DescrCheck(own.get());
  if (!PyArray_DescrConverter(use_own ? own.get() : x, &d)) throw PythonError();
  Owned keep(reinterpret_cast<PyObject*>(d));
  if (!dtype_from_descr(d, &t)) {
    Owned text(checked(PyObject_Str(keep.get())));
    throw_type("dtype ", PyUnicode_AsUTF8(text.get()),
               " is not a valid array type; only arrays of numeric types are "
               "supported.");
  }
  return t;
}

DType dtype_or_key_from_python(PyObject* x) {
  static PyObject* key_type = nullptr;
  if (!key_type) {
    Owned module(checked(PyImport_ImportModule("cotan.dtypes")));
    key_type = checked(PyObject_GetAttrString(module.get(), "KeyDType"));
  }
  if (!PyObject_TypeCheck(x, reinterpret_cast<PyTypeObject*>(key_type)))
    return dtype_from_python(x);
  Owned name(checked(PyObject_GetAttrString(x, "name")));
  return dtype_from_python(name.get());
}

namespace {
// Of at least this many bytes sharing memory is cheaper than copying it.
constexpr size_t kBorrowBytes = 4096;

// A subclass whose data is not all that it means.
void refuse_masked(PyObject* x) {
  if (PyArray_CheckExact(x)) return;
  Owned module(checked(PyImport_ImportModule("numpy.ma")));
  Owned type(checked(PyObject_GetAttrString(module.get(), "MaskedArray")));
  int masked = PyObject_IsInstance(x, type.get());
  if (masked < 0) throw PythonError();
  if (masked)
    throw_value(
        "numpy masked arrays are not supported as direct inputs to cotan "
        "functions. Use arr.filled() to convert the value to a standard numpy "
        "array.");
}

// Memory of x is shared if it has `share_from` bytes.
Value numpy_value(PyObject* x, size_t share_from, bool* copied) {
  refuse_masked(x);
  auto* a = reinterpret_cast<PyArrayObject*>(x);
  DType from;
  if (!dtype_from_descr(PyArray_DESCR(a), &from)) {
    Owned text(
        checked(PyObject_Str(reinterpret_cast<PyObject*>(PyArray_DESCR(a)))));
    throw_type("Dtype ", PyUnicode_AsUTF8(text.get()),
               " is not a valid array type. Only arrays of numeric types are "
               "supported.");
  }
  DType to = jnp::canonical(from);
  Aval aval{to, false,
            Shape(PyArray_DIMS(a), PyArray_DIMS(a) + PyArray_NDIM(a))};
  auto* descr = reinterpret_cast<PyArray_Descr*>(numpy_dtype(to));
  // Aligned, native, C-contiguous and of the target type; copies if not.
  Owned dense(checked(PyArray_FromArray(
      a, descr,
      NPY_ARRAY_CARRAY_RO | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_FORCECAST)));
  auto* d = reinterpret_cast<PyArrayObject*>(dense.get());
  size_t bytes = size_t(aval.nbytes());
  // A cast made a fresh array that nobody else can write to.
  bool fresh = dense.get() != x && PyArray_BASE(d) == nullptr;
  *copied = fresh;
  if (bytes >= (fresh ? kBorrowBytes : share_from)) {
    const void* data = PyArray_DATA(d);
    auto buffer = Buffer::wrap(data, bytes, drop_object, dense.release());
    return make_ref<ArrayObj>(std::move(aval), std::move(buffer));
  }
  *copied = true;
  return make_ref<ArrayObj>(std::move(aval),
                            Buffer::copy_of(PyArray_DATA(d), bytes));
}
}  // namespace

Value value_from_numpy(PyObject* x, bool borrow) {
  bool copied;
  return numpy_value(x, borrow ? kBorrowBytes : SIZE_MAX, &copied);
}
Value value_sharing_numpy(PyObject* x, bool* copied) {
  return numpy_value(x, 0, copied);
}

namespace {
void drop_value(PyObject* capsule) {
  static_cast<ValueObj*>(PyCapsule_GetPointer(capsule, "cotan.value"))
      ->release();
}
}  // namespace

PyObject* numpy_view(const Value& v) {
  const void* data = v->host_data();
  if (!data && v.size() > 0)
    throw_not_implemented("[numpy] reading device memory directly");
  const Shape& shape = v.shape();
  auto* descr = reinterpret_cast<PyArray_Descr*>(numpy_dtype(v.dtype()));
  Owned a(checked(PyArray_NewFromDescr(&PyArray_Type, descr, int(shape.size()),
                                       const_cast<npy_intp*>(shape.data()),
                                       nullptr, const_cast<void*>(data),
                                       NPY_ARRAY_CARRAY_RO, nullptr)));
  Value keep = v;
  ValueObj* owned = keep.detach();
  PyObject* capsule = PyCapsule_New(owned, "cotan.value", drop_value);
  if (!capsule) {
    owned->release();
    throw PythonError();
  }
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(a.get()),
                            capsule) < 0)
    throw PythonError();
  return a.release();
}

PyObject* python_scalar(const Value& v) {
  Literal lit = Literal::from_bytes(v.dtype(), v->host_data());
  DType t = v.dtype();
  if (t == DType::bool_) return PyBool_FromLong(lit.to_int() != 0);
  if (t == DType::u64)
    return checked(PyLong_FromUnsignedLongLong(uint64_t(lit.to_int())));
  if (is_int(t)) return checked(PyLong_FromLongLong(lit.to_int()));
  if (is_complex(t)) {
    auto c = lit.to_complex();
    return checked(PyComplex_FromDoubles(c.real(), c.imag()));
  }
  return checked(PyFloat_FromDouble(lit.to_double()));
}

// ---- callables

namespace {

class PythonCallable final : public Callable {
 public:
  explicit PythonCallable(PyObject* f) : f_(f) { Py_INCREF(f); }
  ~PythonCallable() override { drop_object(f_); }
  Values call(std::span<const Value> args) const override {
    Gil gil;
    Owned list(list_from_values(args));
    Owned out(checked(PyObject_CallOneArg(f_, list.get())));
    return values_from_sequence(out.get());
  }
  bool equals(const Opaque& o) const override {
    auto* other = dynamic_cast<const PythonCallable*>(&o);
    return other && other->f_ == f_;
  }
  uint64_t hash() const override { return reinterpret_cast<uint64_t>(f_); }
  std::string describe() const override {
    Owned name(PyObject_GetAttrString(f_, "__name__"));
    if (name && PyUnicode_Check(name.get()))
      return PyUnicode_AsUTF8(name.get());
    PyErr_Clear();
    return "<callable>";
  }

 private:
  PyObject* f_;
};

}  // namespace

CallableRef python_callable(PyObject* f) { return make_ref<PythonCallable>(f); }

PyObject* list_from_values(std::span<const Value> values) {
  Owned list(checked(PyList_New(Py_ssize_t(values.size()))));
  for (size_t i = 0; i < values.size(); ++i)
    PyList_SET_ITEM(list.get(), Py_ssize_t(i), wrap_value(values[i]));
  return list.release();
}

Values values_from_sequence(PyObject* sequence) {
  Owned fast(checked(PySequence_Fast(sequence, "expected a sequence")));
  Py_ssize_t n = PySequence_Fast_GET_SIZE(fast.get());
  Values out;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* x = PySequence_Fast_GET_ITEM(fast.get(), i);
    out.push_back(x == Py_None ? Value() : value_from_python(x));
  }
  return out;
}

// ---- source lines

namespace {

std::vector<std::string> internal_folders;

class PythonSource final : public SourceInfo {
 public:
  PythonSource(PyCodeObject* code, int lasti) : code_(code), lasti_(lasti) {}
  ~PythonSource() override { drop_object(code_); }
  std::string describe() const override {
    Gil gil;
    int line = PyCode_Addr2Line(code_, lasti_);
    std::string out = cat(PyUnicode_AsUTF8(code_->co_filename), ":", line, " (",
                          PyUnicode_AsUTF8(code_->co_name), ")");
    return out;
  }

 private:
  PyCodeObject* code_;
  int lasti_;
};

bool is_internal(PyCodeObject* code) {
  // File names are few objects, shared by all code of a file.
  static std::unordered_map<PyObject*, bool> known;
  auto [it, fresh] = known.try_emplace(code->co_filename, false);
  if (fresh) {
    Py_INCREF(code->co_filename);  // keeps the key's address
    const char* path = PyUnicode_AsUTF8(code->co_filename);
    for (const std::string& folder : internal_folders)
      it->second |= path && std::string_view(path).starts_with(folder);
  }
  return it->second;
}

}  // namespace

void add_internal_folder(const char* path) {
  internal_folders.emplace_back(path);
}

void show_warning(const std::string& text) {
  Gil gil;
  if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 1) < 0) throw PythonError();
}

SourceRef python_source() {
  if (!PyGILState_Check()) return nullptr;
  PyFrameObject* frame = PyEval_GetFrame();
  if (!frame) return nullptr;
  Py_INCREF(frame);
  while (frame) {
    PyCodeObject* code = PyFrame_GetCode(frame);
    if (!is_internal(code)) {
#if PY_VERSION_HEX >= 0x030B0000
      int lasti = PyFrame_GetLasti(frame);
#else
      int lasti = frame->f_lasti * 2;
#endif
      Py_DECREF(frame);
      return make_ref<PythonSource>(code, lasti);
    }
    Py_DECREF(code);
    PyFrameObject* back = PyFrame_GetBack(frame);
    Py_DECREF(frame);
    frame = back;
  }
  return nullptr;
}

void initialize(PyObject* (*wrap)(ValueObj*), ValueObj* (*unwrap_fn)(PyObject*),
                bool install_source_hook) {
  if (PyArray_ImportNumPyAPI() < 0) throw PythonError();
  wrap_hook = wrap;
  unwrap_hook = unwrap_fn;
  if (install_source_hook) set_source_hook(python_source);
  set_warning_hook(show_warning);
}

}  // namespace cotan::python

// x[index] and x.at[index] for Python: an index object becomes jnp::Index.
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "jnp/indexing.h"
#include "python/core.h"
#include "python/fast_args.h"

namespace cotan::python {

namespace {

using jnp::Index;
using jnp::IndexItem;
using Kind = IndexItem::Kind;

std::string repr(PyObject* x) {
  PyObject* r = PyObject_Repr(x);
  if (!r) {
    PyErr_Clear();
    return "?";
  }
  const char* s = PyUnicode_AsUTF8(r);
  std::string out = s ? s : "?";
  Py_DECREF(r);
  return out;
}

int64_t saturated(PyObject* integer) {
  int overflow = 0;
  long long v = PyLong_AsLongLongAndOverflow(integer, &overflow);
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return overflow > 0 ? INT64_MAX : overflow < 0 ? INT64_MIN / 2 : v;
}

int64_t slice_entry(PyObject* x, PyObject* slice, size_t position) {
  if (PyLong_Check(x)) return saturated(x);
  if (ValueObj* v = unwrap(x)) {
    Value known = concrete_value(Value(Ref<ValueObj>(v)));
    if (!known)
      throw_index("Slice entries must be static integers. Got ", repr(slice),
                  " at position ", position);
  }
  PyObject* i = PyNumber_Index(x);
  if (!i) throw PythonError();
  int64_t out = saturated(i);
  Py_DECREF(i);
  return out;
}

IndexItem parse_slice(PyObject* x, size_t position) {
  auto* s = reinterpret_cast<PySliceObject*>(x);
  IndexItem item;
  if (s->step != Py_None) item.step = slice_entry(s->step, x, position);
  if (item.step == 0) throw_value("slice step cannot be zero");
  item.has_start = s->start != Py_None;
  if (item.has_start) item.start = slice_entry(s->start, x, position);
  item.has_stop = s->stop != Py_None;
  if (item.has_stop) item.stop = slice_entry(s->stop, x, position);
  return item;
}

IndexItem integer_item(int64_t i) {
  IndexItem item;
  item.kind = Kind::integer;
  item.start = i;
  return item;
}

IndexItem parse_array(Value v) {
  IndexItem item;
  if (v.dtype() == DType::bool_) {
    Value known = concrete_value(v);
    if (!known) {
      const SourceInfo* made = v->made_at();
      throw_error(
          ErrorKind::non_concrete_boolean_index,
          cat("Array boolean indices must be concrete; got ",
              short_string(v.aval()),
              ". The shape of the result would depend on the values: use "
              "cotan.numpy.where(mask, x, y), or x.at[...] with integer "
              "indices from cotan.numpy.nonzero(mask, size=n).",
              made ? cat("\nThe mask was made at ", made->describe(), ".")
                   : ""));
    }
    if (v.rank() == 0) {
      item.kind = Kind::scalar;
      item.start = *static_cast<const unsigned char*>(known->host_data()) != 0;
    } else {
      item.kind = Kind::mask;
      item.array = std::move(known);
    }
    return item;
  }
  if (!is_int(v.dtype()))
    throw_type(
        "Indexer must have integer or boolean type, got indexer with type ",
        dtype_name(v.dtype()));
  item.kind = Kind::array;
  // Under un-jitted grad an index is a dual number; only its value matters.
  Value known = concrete_value(v);
  item.array = known ? std::move(known) : std::move(v);
  return item;
}

[[noreturn]] void refuse(PyObject* x) {
  if (PyUnicode_Check(x))
    throw_type("cotan does not support string indexing; got idx=", repr(x));
  if (PyFloat_Check(x) || PyComplex_Check(x))
    throw_type(
        "Indexer must have integer or boolean type, got indexer with type ",
        PyFloat_Check(x) ? "float64" : "complex128");
  throw_index(
      "only integers, slices (`:`), ellipsis (`...`), newaxis (`None`) and "
      "integer or boolean arrays are valid indices. Got ",
      repr(x));
}

// A list inside an index tuple is an array.
Value array_of_sequence(PyObject* x) {
  Py_ssize_t n = PySequence_Size(x);
  if (n < 0) throw PythonError();
  if (n == 0) return new_array(Aval{DType::i32, false, {0}}).value;
  PyObject* module = PyImport_ImportModule("cotan.numpy");
  if (!module) throw PythonError();
  PyObject* a = PyObject_CallMethod(module, "asarray", "O", x);
  Py_DECREF(module);
  if (!a) throw PythonError();
  Value v = value_from_python(a);
  Py_DECREF(a);
  return v;
}

int64_t integer_of(PyObject* x) {
  PyObject* i = PyNumber_Index(x);
  if (!i) throw PythonError();
  int64_t out = saturated(i);
  Py_DECREF(i);
  return out;
}

// cotan.ds(start, size, stride); false for anything else.
bool parse_window(PyObject* x, IndexItem* item) {
  static PyObject* type = nullptr;
  if (!type) {
    PyObject* module = PyImport_ImportModule("cotan._src.indexing");
    if (module) type = PyObject_GetAttrString(module, "Slice");
    Py_XDECREF(module);
    if (!type) throw PythonError();
  }
  if (Py_TYPE(x) != reinterpret_cast<PyTypeObject*>(type)) return false;
  pybind11::handle window(x);
  pybind11::object start = window.attr("start");
  item->kind = Kind::window;
  item->array = value_from_python(start.ptr(), "ds", 0);
  if (item->array.rank() != 0 || !is_int(item->array.dtype()))
    throw_type("the start of cotan.ds is an integer, got ",
               short_string(item->array.aval()));
  item->stop = integer_of(pybind11::object(window.attr("size")).ptr());
  item->step = integer_of(pybind11::object(window.attr("stride")).ptr());
  return true;
}

IndexItem parse_item(PyObject* x, size_t position) {
  IndexItem item;
  if (PyLong_CheckExact(x)) return integer_item(saturated(x));
  if (PySlice_Check(x)) return parse_slice(x, position);
  if (x == Py_None || x == Py_Ellipsis) {
    item.kind = x == Py_None ? Kind::newaxis : Kind::ellipsis;
    return item;
  }
  if (ValueObj* v = unwrap(x)) return parse_array(Value(Ref<ValueObj>(v)));
  if (PyBool_Check(x)) {
    item.kind = Kind::scalar;
    item.start = x == Py_True;
    return item;
  }
  if (PyLong_Check(x)) return integer_item(saturated(x));
  if (PyFloat_Check(x) || PyComplex_Check(x)) refuse(x);
  if (is_array_like(x)) {
    Value v = value_from_python(x, "index", -1);
    if (v.rank() == 0 && is_int(v.dtype()) && v->is_concrete() &&
        PyIndex_Check(x))
      return integer_item(integer_of(x));  // np.int64(3), not cast to 32 bits
    return parse_array(std::move(v));
  }
  if (PyList_Check(x) || PyTuple_Check(x))
    return parse_array(array_of_sequence(x));
  if (PyIndex_Check(x)) return integer_item(integer_of(x));
  if (parse_window(x, &item)) return item;
  refuse(x);
}

[[noreturn]] void refuse_list(PyObject* list) {
  bool nested = false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    PyObject* x = PyList_GET_ITEM(list, i);
    nested |= x == Py_None || x == Py_Ellipsis || PySlice_Check(x) ||
              PyList_Check(x) || PyTuple_Check(x);
  }
  throw_type(
      "Using a non-tuple sequence for multidimensional indexing is not "
      "allowed; use `arr[",
      nested ? "tuple" : "array", "(seq)]` instead of `arr[seq]`.");
}

Index parse_index(PyObject* index) {
  Index out;
  if (PyTuple_Check(index)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(index); ++i)
      out.push_back(parse_item(PyTuple_GET_ITEM(index, i), size_t(i)));
    return out;
  }
  if (PyList_Check(index)) refuse_list(index);
  out.push_back(parse_item(index, 0));
  return out;
}

// None, a string, or an enum member with such a name.
std::optional<GatherMode> parse_mode(PyObject* x, const char* op) {
  if (x == Py_None) return std::nullopt;
  PyObject* text = nullptr;
  if (PyUnicode_Check(x)) {
    Py_INCREF(text = x);
  } else {
    text = PyObject_GetAttrString(x, "name");
    if (!text) PyErr_Clear();
  }
  std::string name;
  if (text && PyUnicode_Check(text)) name = PyUnicode_AsUTF8(text);
  Py_XDECREF(text);
  for (char& c : name) c = char(std::tolower(c));
  if (name == "clip") return GatherMode::clip;
  if (name == "fill" || name == "drop" || name == "fill_or_drop")
    return GatherMode::fill_or_drop;
  if (name == "promise_in_bounds") return GatherMode::promise_in_bounds;
  throw_value("Unknown ", op, " mode ", repr(x));
}

Value item(const Args& a) {
  return jnp::getitem(a.value(0, "getitem"), parse_index(a[1]));
}

// x, index, mode, fill_value, indices_are_sorted, unique_indices, wrap
Value get_at(const Args& a) {
  jnp::IndexOptions o{.mode = parse_mode(a[2], "gather"),
                      .fill = a.optional_value(3, "get"),
                      .indices_are_sorted = a.flag(4),
                      .unique_indices = a.flag(5),
                      .wrap_negative = a.flag(6)};
  return jnp::getitem(a.value(0, "getitem"), parse_index(a[1]), o);
}

void warn_unsafe_cast(const Value& x, const Value& y) {
  if (jnp::join(jnp::type_of(x), jnp::type_of(y)).dtype == x.dtype()) return;
  std::string text = cat(
      "scatter inputs have incompatible types: cannot safely cast value from "
      "dtype=",
      dtype_name(y.dtype()), " to dtype=", dtype_name(x.dtype()),
      ". In future releases this will result in an error.");
  if (PyErr_WarnEx(PyExc_FutureWarning, text.c_str(), 3) < 0)
    throw PythonError();
}

// kind, x, index, y, mode, indices_are_sorted, unique_indices, wrap
Value set_at(const Args& a) {
  std::string_view name = a.text(0);
  auto kind = ScatterKind::set;
  for (int k = 0; k < 6; ++k)
    if (name == enum_name(ScatterKind(k))) kind = ScatterKind(k);
  Value x = a.value(1, "at", 0);
  Value y = a.value(3, "scatter", 1);
  warn_unsafe_cast(x, y);
  jnp::IndexOptions o{.mode = parse_mode(a[4], "scatter"),
                      .fill = {},
                      .indices_are_sorted = a.flag(5),
                      .unique_indices = a.flag(6),
                      .wrap_negative = a.flag(7)};
  return jnp::update_at(kind, x, parse_index(a[2]), y, o);
}

jnp::IndexOptions read_options(const Args& a, size_t mode) {
  return {.mode = parse_mode(a[mode], "gather"),
          .fill = a.optional_value(mode + 1, "take"),
          .indices_are_sorted = a.flag(mode + 2),
          .unique_indices = a.flag(mode + 3),
          .wrap_negative = true};
}

// x, indices, axis, mode, fill_value, indices_are_sorted, unique_indices
Value take(const Args& a) {
  return jnp::take(a.value(0, "take"), a.value(1, "take"), a.integer(2),
                   read_options(a, 3));
}
Value take_along_axis(const Args& a) {
  return jnp::take_along_axis(a.value(0, "take_along_axis"),
                              a.value(1, "take_along_axis"), a.integer(2),
                              read_options(a, 3));
}
Value wrap_indices(const Args& a) {
  return jnp::wrap_indices(a.value(0, "index"), a.integer(1));
}
Values nonzero(const Args& a) { return jnp::nonzero(a.value(0, "nonzero")); }

PyMethodDef functions[] = {
    fast<item>("getitem"),
    fast<get_at>("get_at"),
    fast<set_at>("set_at"),
    fast<take>("take"),
    fast<take_along_axis>("take_along_axis"),
    fast<wrap_indices>("wrap_indices"),
    fast<nonzero>("nonzero"),
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void bind_indexing(pybind11::module_& m) {
  if (PyModule_AddFunctions(m.ptr(), functions) < 0)
    throw pybind11::error_already_set();
}

}  // namespace cotan::python

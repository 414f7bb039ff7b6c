#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_1_23_API_VERSION
// The structs are DLPack's ABI (dmlc/dlpack, include/dlpack/dlpack.h).
#include "python/dlpack.h"

#include <numpy/arrayobject.h>

#include <memory>

namespace cotan::python {

namespace {

struct DlDevice {
  int32_t type, id;
};
struct DlDType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DlTensor {
  void* data;
  DlDevice device;
  int32_t ndim;
  DlDType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major
  uint64_t byte_offset;
};
struct DlManaged {
  DlTensor tensor;
  void* context;
  void (*deleter)(DlManaged*);
};
struct DlManagedVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(DlManagedVersioned*);
  uint64_t flags;
  DlTensor tensor;
};
static_assert(sizeof(DlTensor) == 48 && sizeof(DlManaged) == 64 &&
              sizeof(DlManagedVersioned) == 80);

constexpr int32_t kCpu = 1;
constexpr uint64_t kReadOnly = 1, kCopied = 2;
enum Code : uint8_t {
  kInt,
  kUInt,
  kFloat,
  kOpaque,
  kBfloat,
  kComplex,
  kBool,
  kFloat8E3M4,
  kFloat8E4M3,
  kFloat8E4M3B11FNUZ,
  kFloat8E4M3FN,
  kFloat8E4M3FNUZ,
  kFloat8E5M2,
  kFloat8E5M2FNUZ,
  kFloat8E8M0FNU,
};

constexpr const char *kName = "dltensor", *kUsed = "used_dltensor",
                     *kNameVersioned = "dltensor_versioned",
                     *kUsedVersioned = "used_dltensor_versioned";

DlDType dl_dtype(DType t) {
  auto bits = uint8_t(8 * itemsize(t));
  if (t == DType::bool_) return {kBool, 8, 1};
  if (t == DType::bf16) return {kBfloat, 16, 1};
  // Of less than a byte: packed there, a value a byte here.
  if (t >= DType::f8_e3m4 && t <= DType::f8_e8m0fnu)
    return {uint8_t(kFloat8E3M4 + int(t) - int(DType::f8_e3m4)), 8, 1};
  if (is_narrow(t))
    throw_error(ErrorKind::type, cat("[dlpack] dtype ", dtype_name(t),
                                     " has no DLPack equivalent: there, values "
                                     "of less than a byte are packed"));
  if (is_signed_int(t)) return {kInt, bits, 1};
  if (is_unsigned_int(t)) return {kUInt, bits, 1};
  if (is_float(t)) return {kFloat, bits, 1};
  if (is_complex(t)) return {kComplex, bits, 1};
  throw_error(ErrorKind::type, cat("[dlpack] dtype ", dtype_name(t),
                                   " has no DLPack equivalent"));
}

DType dtype_of(const DlDType& d) {
  constexpr DType all[] = {
      DType::bool_,       DType::i8,          DType::i16,
      DType::i32,         DType::i64,         DType::u8,
      DType::u16,         DType::u32,         DType::u64,
      DType::f16,         DType::f32,         DType::f64,
      DType::bf16,        DType::c64,         DType::c128,
      DType::f8_e3m4,     DType::f8_e4m3,     DType::f8_e4m3b11fnuz,
      DType::f8_e4m3fn,   DType::f8_e4m3fnuz, DType::f8_e5m2,
      DType::f8_e5m2fnuz, DType::f8_e8m0fnu};
  for (DType t : all) {
    DlDType known = dl_dtype(t);
    if (known.code == d.code && known.bits == d.bits && d.lanes == 1) return t;
  }
  throw_type("[from_dlpack] unsupported dtype: code ", int(d.code), ", ",
             int(d.bits), " bits, ", int(d.lanes), " lanes");
}

// ---- export

// What a capsule owns: the value, and the dimensions that the tensor points to.
template <class Managed>
struct Exported {
  Managed managed{};
  Value value;
  Dims shape, strides;
};

template <class Managed>
void release_export(Managed* m) {
  delete static_cast<Exported<Managed>*>(m->context);
}

template <class Managed>
void drop_capsule(PyObject* capsule) {
  const char* name =
      std::is_same_v<Managed, DlManaged> ? kName : kNameVersioned;
  if (!PyCapsule_IsValid(capsule, name)) return;  // a consumer took it
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
  if (m->deleter) m->deleter(m);
}

template <class Managed>
PyObject* export_as(const Value& v, const char* name, uint64_t flags) {
  auto e = std::make_unique<Exported<Managed>>();
  e->value = v;
  e->shape = Dims(v.shape().begin(), v.shape().end());
  e->strides = e->shape;
  int64_t stride = 1;
  for (size_t d = e->shape.size(); d-- > 0;) {
    e->strides[d] = stride;
    stride *= e->shape[d];
  }
  Managed& m = e->managed;
  m.context = e.get();
  m.deleter = release_export<Managed>;
  if constexpr (std::is_same_v<Managed, DlManagedVersioned>) {
    m.major = 1;
    m.minor = 0;
    m.flags = flags;
  }
  m.tensor = {.data = const_cast<void*>(v->host_data()),
              .device = {kCpu, 0},
              .ndim = int32_t(e->shape.size()),
              .dtype = dl_dtype(v.dtype()),
              .shape = e->shape.data(),
              .strides = e->strides.data(),
              .byte_offset = 0};
  PyObject* capsule = PyCapsule_New(&m, name, drop_capsule<Managed>);
  if (!capsule) throw PythonError();
  e.release();
  return capsule;
}

// ---- import

// Keeps a foreign tensor while an array uses its memory.
template <class Managed>
void drop_foreign(PyObject* owner) {
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(owner, "cotan.dlpack"));
  if (m && m->deleter) m->deleter(m);
}

// A NumPy array on the tensor; `owner` (stolen) frees it.
PyObject* numpy_on(const DlTensor& t, PyObject* owner) {
  if (PyArray_ImportNumPyAPI() < 0) throw PythonError();  // of this file
  auto* descr =
      reinterpret_cast<PyArray_Descr*>(numpy_dtype(dtype_of(t.dtype)));
  int64_t bytes = itemsize(dtype_of(t.dtype));
  Dims shape(t.shape, t.shape + t.ndim), strides = shape;
  for (int32_t d = 0; t.strides && d < t.ndim; ++d)
    strides[size_t(d)] = t.strides[d] * bytes;
  void* data = static_cast<char*>(t.data) + t.byte_offset;
  static char nothing[16];
  if (!t.data) data = nothing;  // NumPy would allocate
  PyObject* a = PyArray_NewFromDescr(&PyArray_Type, descr, t.ndim, shape.data(),
                                     t.strides ? strides.data() : nullptr, data,
                                     0, nullptr);
  if (!a) {
    Py_DECREF(owner);
    throw PythonError();
  }
  // Sets ALIGNED and CONTIGUOUS as the memory is.
  PyArray_UpdateFlags(
      reinterpret_cast<PyArrayObject*>(a),
      NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS | NPY_ARRAY_ALIGNED);
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(a), owner) < 0) {
    Py_DECREF(a);
    throw PythonError();
  }
  return a;
}

template <class Managed>
Value import_as(PyObject* capsule, const char* name, const char* used,
                bool* copied) {
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
  if (!m) throw PythonError();
  if constexpr (std::is_same_v<Managed, DlManagedVersioned>)
    if (m->major != 1)
      throw_error(ErrorKind::runtime, cat("[from_dlpack] DLPack version ",
                                          m->major, " is not supported"));
  const DlTensor& t = m->tensor;
  if (t.device.type != kCpu)
    throw_value(
        "[from_dlpack] only CPU memory can be shared, got a tensor on "
        "device type ",
        t.device.type);
  dtype_of(t.dtype);  // refuses before anything is taken
  PyObject* owner = PyCapsule_New(m, "cotan.dlpack", drop_foreign<Managed>);
  if (!owner) throw PythonError();
  if (PyCapsule_SetName(capsule, used) < 0) {
    PyCapsule_SetDestructor(owner, nullptr);
    Py_DECREF(owner);
    throw PythonError();
  }
  PyObject* a = numpy_on(t, owner);
  struct Release {
    PyObject* a;
    ~Release() { Py_DECREF(a); }
  } release{a};
  return value_sharing_numpy(a, copied);
}

}  // namespace

PyObject* dlpack_export(const Value& v, bool versioned, bool copied) {
  Value x = concrete_value(v);
  if (!x) throw_type("[dlpack] a traced value has no memory");
  if (!x->host_data() && x.size() > 0)
    throw_not_implemented("[dlpack] reading device memory");
  if (!versioned) return export_as<DlManaged>(x, kName, 0);
  uint64_t flags = kReadOnly | (copied ? kCopied : 0);
  return export_as<DlManagedVersioned>(x, kNameVersioned, flags);
}

Value dlpack_import(PyObject* capsule, bool* copied) {
  if (PyCapsule_IsValid(capsule, kNameVersioned))
    return import_as<DlManagedVersioned>(capsule, kNameVersioned,
                                         kUsedVersioned, copied);
  if (PyCapsule_IsValid(capsule, kName))
    return import_as<DlManaged>(capsule, kName, kUsed, copied);
  throw_value("[from_dlpack] expected a DLPack capsule that was not used yet");
}

}  // namespace cotan::python

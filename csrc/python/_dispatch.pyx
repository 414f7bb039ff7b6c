# cython: language_level=3, binding=False, embedsignature=False
# cython: boundscheck=False, wraparound=False
"""The hot path of cotan: Array and its operators, and the jitted call.

Nothing here knows an operation's rules: operators call csrc/jnp, jit calls
csrc/api, transformations call csrc/transforms. What is not hot is Python: the
package registers its functions with `set_implementation`, and methods of
Array look them up by name.

Start with Array below; jit.pxi has JittedFunction, transforms.pxi the
transformations of functions on flat lists of arrays.
"""
cimport cython
from cpython.exc cimport PyErr_SetObject
from cpython.object cimport (PyObject, PyTypeObject, Py_EQ, Py_NE, Py_LT,
                             Py_LE, Py_GT, Py_GE)
from cpython.ref cimport Py_INCREF, Py_DECREF, Py_XDECREF
from libc.stdint cimport int64_t, uint64_t, uint32_t, uint8_t, uintptr_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool
from libcpp.string cimport string
from libcpp.vector cimport vector
from libcpp.memory cimport unique_ptr

include "declarations.pxi"

cdef dict _implementation = {}


def set_implementation(dict functions):
    """Registers the Python functions behind Array's methods, by name."""
    _implementation.update(functions)


cdef inline object _impl(str name):
    return _implementation[name]


@cython.freelist(64)
cdef class Array:
    """An immutable array, or a tracer that stands for one.

    Not constructed directly: see `cotan.numpy.array`.
    """
    cdef ValueObj* obj
    cdef object __weakref__
    __array_priority__ = 100

    def __cinit__(self):
        self.obj = NULL

    def __init__(self, *args, **kwargs):
        raise TypeError("Array has no constructor; use cotan.numpy.array")

    def __dealloc__(self):
        if self.obj is not NULL:
            self.obj.release()

    # ---- attributes
    @property
    def shape(self):
        cdef const Shape* s = &self.obj.aval.shape
        cdef Py_ssize_t i
        if s.size() == 1:
            return (s.data()[0],)
        if s.size() == 2:
            return (s.data()[0], s.data()[1])
        return tuple([s.data()[i] for i in range(<Py_ssize_t>s.size())])

    @property
    def dtype(self):
        return dtype_object(self.obj.aval.dtype)

    @property
    def ndim(self):
        return <Py_ssize_t>self.obj.aval.shape.size()

    @property
    def size(self):
        return num_elements_of(self.obj)

    @property
    def weak_type(self):
        return self.obj.aval.weak_type

    @property
    def itemsize(self):
        return item_size(self.obj.aval.dtype)

    @property
    def nbytes(self):
        return num_elements_of(self.obj) * item_size(self.obj.aval.dtype)

    @property
    def is_fully_addressable(self):
        return True

    def __getattr__(self, name):
        method = _implementation.get(name)
        if method is None or name[0] == "_":
            return _implementation["missing_attribute"](self, name)
        if type(method) is property:
            return (<object>method).fget(self)
        return _bind_method(method, self)

    # ---- conversions to Python and NumPy
    def __bool__(self):
        return concrete_scalar(self, "bool")

    def __int__(self):
        return concrete_scalar(self, "int")

    def __float__(self):
        return concrete_scalar(self, "float")

    def __complex__(self):
        return concrete_scalar(self, "complex")

    def __index__(self):
        return concrete_scalar(self, "index")

    # No __hash__: comparisons are elementwise, so arrays are not hashable.

    def __array__(self, dtype=None, copy=None):
        return _impl("to_numpy")(self, dtype, copy)

    def __len__(self):
        if self.obj.aval.shape.size() == 0:
            raise TypeError("len() of unsized object")
        return self.obj.aval.shape.data()[0]

    def __iter__(self):
        return _impl("iterate")(self)

    def __contains__(self, x):
        return _impl("contains")(self, x)

    def __repr__(self):
        return _impl("repr")(self)

    def __str__(self):
        return _impl("str")(self)

    def __format__(self, spec):
        return _impl("format")(self, spec)

    def __reduce__(self):
        return _impl("reduce")(self)

    def __copy__(self):
        return _impl("shallow_copy")(self)

    def __deepcopy__(self, memo):
        return _impl("deepcopy")(self, memo)

    def __dlpack__(self, **kwargs):
        return _impl("dlpack")(self, **kwargs)

    def __dlpack_device__(self):
        return _impl("dlpack_device")(self)

    def __array_namespace__(self, *, api_version=None):
        return _impl("array_namespace")(self, api_version)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        fill_buffer(self, buffer, flags)

    def __releasebuffer__(self, Py_buffer* buffer):
        pass

    # ---- indexing
    def __getitem__(self, index):
        return _impl("getitem")(self, index)

    def __setitem__(self, index, value):
        raise TypeError(
            "cotan arrays are immutable and do not support in-place item "
            "assignment. Instead of x[idx] = y, use x = x.at[idx].set(y), "
            "which returns a new array.")

    def __delitem__(self, index):
        raise TypeError("cotan arrays are immutable: items cannot be deleted")

    # ---- operators
    def __neg__(self):
        return wrap(apply_unary(jnp_negative, self.obj))

    def __pos__(self):
        return self

    def __abs__(self):
        return wrap(apply_unary(jnp_absolute, self.obj))

    def __invert__(self):
        return wrap(apply_unary(jnp_invert, self.obj))

    def __add__(self, other):
        return binary(jnp_add, self, other)

    def __radd__(self, other):
        return reflected(jnp_add, self, other)

    def __sub__(self, other):
        return binary(jnp_subtract, self, other)

    def __rsub__(self, other):
        return reflected(jnp_subtract, self, other)

    def __mul__(self, other):
        return binary(jnp_multiply, self, other)

    def __rmul__(self, other):
        return reflected(jnp_multiply, self, other)

    def __truediv__(self, other):
        return binary(jnp_true_divide, self, other)

    def __rtruediv__(self, other):
        return reflected(jnp_true_divide, self, other)

    def __floordiv__(self, other):
        return binary(jnp_floor_divide, self, other)

    def __rfloordiv__(self, other):
        return reflected(jnp_floor_divide, self, other)

    def __mod__(self, other):
        return binary(jnp_remainder, self, other)

    def __rmod__(self, other):
        return reflected(jnp_remainder, self, other)

    def __divmod__(self, other):
        q = binary(jnp_floor_divide, self, other)
        if q is NotImplemented:
            return q
        return q, binary(jnp_remainder, self, other)

    def __rdivmod__(self, other):
        q = reflected(jnp_floor_divide, self, other)
        if q is NotImplemented:
            return q
        return q, reflected(jnp_remainder, self, other)

    def __pow__(self, other, modulo):
        if modulo is not None:
            return NotImplemented
        if type(other) is int:
            return wrap(integer_power(self.obj, other))
        return binary(jnp_power, self, other)

    def __rpow__(self, other, modulo):
        return reflected(jnp_power, self, other)

    def __matmul__(self, other):
        return binary(jnp_matmul, self, other)

    def __rmatmul__(self, other):
        return reflected(jnp_matmul, self, other)

    def __and__(self, other):
        return binary(jnp_bitwise_and, self, other)

    def __rand__(self, other):
        return reflected(jnp_bitwise_and, self, other)

    def __or__(self, other):
        return binary(jnp_bitwise_or, self, other)

    def __ror__(self, other):
        return reflected(jnp_bitwise_or, self, other)

    def __xor__(self, other):
        return binary(jnp_bitwise_xor, self, other)

    def __rxor__(self, other):
        return reflected(jnp_bitwise_xor, self, other)

    def __lshift__(self, other):
        return binary(jnp_left_shift, self, other)

    def __rlshift__(self, other):
        return reflected(jnp_left_shift, self, other)

    def __rshift__(self, other):
        return binary(jnp_right_shift, self, other)

    def __rrshift__(self, other):
        return reflected(jnp_right_shift, self, other)

    def __round__(self, ndigits=None):
        return _impl("round_builtin")(self, ndigits)

    def __richcmp__(self, other, int op):
        if op == Py_EQ:
            return binary(jnp_equal, self, other)
        if op == Py_NE:
            return binary(jnp_not_equal, self, other)
        if op == Py_LT:
            return binary(jnp_less, self, other)
        if op == Py_LE:
            return binary(jnp_less_equal, self, other)
        if op == Py_GT:
            return binary(jnp_greater, self, other)
        return binary(jnp_greater_equal, self, other)


cdef class Tracer(Array):
    """Stands for an array while a function is traced."""


@cython.final
cdef class _Method:
    """A Python function bound to an Array."""
    cdef object function
    cdef object target

    def __call__(self, *args, **kwargs):
        return self.function(self.target, *args, **kwargs)

    @property
    def __self__(self):
        return self.target

    @property
    def __func__(self):
        return self.function

    @property
    def __name__(self):
        return self.function.__name__

    @property
    def __doc__(self):
        return self.function.__doc__

    @property
    def __wrapped__(self):
        return self.function


cdef object _bind_method(object function, Array target):
    cdef _Method m = _Method.__new__(_Method)
    m.function = function
    m.target = target
    return m


# ---- values in and out

cdef api object wrap_value_object(ValueObj* v):
    """Steals v."""
    cdef Array a
    if v.is_concrete():
        a = Array.__new__(Array)
    else:
        a = Tracer.__new__(Tracer)
    a.obj = v
    return a


cdef api ValueObj* unwrap_value_object(object x) noexcept:
    """Borrows; null for other objects."""
    if isinstance(x, Array):
        return (<Array>x).obj
    return NULL


cdef inline object wrap(ValueObj* v):
    return wrap_value_object(v)


cdef inline object wrap_steal(Value v):
    if v.get() is NULL:
        return None
    return wrap_value_object(v.detach())


cdef object binary(BinaryFn f, Array self, object other):
    cdef Value v
    if type(other) is Array or type(other) is Tracer:
        return wrap(apply_binary(f, self.obj, (<Array>other).obj))
    if not is_array_like(<PyObject*>other):
        return _refused(other)
    v = value_from_python(<PyObject*>other, "binary operator", -1, False)
    return wrap(apply_binary(f, self.obj, v.get()))


cdef object reflected(BinaryFn f, Array self, object other):
    cdef Value v
    if not is_array_like(<PyObject*>other):
        return _refused(other)
    v = value_from_python(<PyObject*>other, "binary operator", -1, False)
    return wrap(apply_binary(f, v.get(), self.obj))


cdef object _refused(object other):
    # Sequences are refused at once: NumPy would take them, JAX does not. A
    # class of their kind may have operators of its own.
    if type(other) in (list, tuple):
        raise TypeError(
            f"unsupported operand: a {type(other).__name__} is not an array; "
            "use cotan.numpy.asarray")
    return NotImplemented


cdef object concrete_scalar(Array self, str kind):
    cdef Value v = concrete_value(value_ref(self.obj))
    if v.get() is NULL:
        return _impl("abstract_conversion")(self, kind)
    return _impl("concrete_conversion")(self, kind, wrap_steal(v))


cdef list _dtype_objects = [None] * 64


cdef object dtype_object(DType t):
    cdef object d = _dtype_objects[<int>t]
    if d is None:
        if is_key(t):
            d = _impl("key_dtype")((<bytes>dtype_name(t).data()).decode())
        else:
            d = <object>numpy_dtype(t)
            Py_DECREF(d)  # numpy_dtype gave a new reference
        _dtype_objects[<int>t] = d
    return d


cdef int fill_buffer(Array self, Py_buffer* buffer, int flags) except -1:
    if isinstance(self, Tracer):
        raise BufferError("a traced array has no memory")
    array = to_numpy(self)
    import_buffer(array, buffer, flags)
    return 0


# ---- functions for the Python layer

def to_numpy(x):
    """A read-only NumPy array on the memory of a concrete Array."""
    cdef Value v = value_from_python(<PyObject*>x, "to_numpy", -1, False)
    v = concrete_value(v)
    if v.get() is NULL:
        return _impl("abstract_conversion")(x, "array")
    cdef PyObject* a = numpy_view(v)
    result = <object>a
    Py_DECREF(result)
    return result


def to_array(x):
    """An Array from an Array, Python scalar, NumPy array or scalar."""
    if isinstance(x, Array):
        return x
    return wrap_steal(
        at_home(value_from_python(<PyObject*>x, "array", -1, False)))


def is_array(x):
    """Whether `to_array` accepts x."""
    return is_array_like(<PyObject*>x)


def python_scalar_of(Array x):
    """The Python number in a concrete rank-0 Array."""
    cdef PyObject* r = python_scalar(concrete_value(value_ref(x.obj)))
    result = <object>r
    Py_DECREF(result)
    return result


def is_concrete(Array x):
    """Whether x holds data (a tracer may, under un-jitted grad)."""
    cdef Value v = concrete_value(value_ref(x.obj))
    return v.get() is not NULL


def concrete_or_none(Array x):
    """The concrete Array behind x, or None."""
    return wrap_steal(concrete_value(value_ref(x.obj)))


def aval_of(x):
    """(dtype, shape, weak_type) that x has as an array."""
    cdef Aval a = aval_of_python(<PyObject*>x)
    return (dtype_object(a.dtype), dims_tuple(a.shape), a.weak_type)


def trace_source(Array x):
    """The user's line where a tracer was made, or None."""
    cdef string s = source_of(x.obj)
    return s.decode() if s.size() else None


def trace_description(Array x):
    """(kind of tracer, is its trace alive)."""
    return (<bytes>tracer_kind(x.obj)).decode(), tracer_alive(x.obj)


def set_error_classes(dict classes):
    set_error_classes_object(<PyObject*>classes)


def add_internal_folder(str path):
    add_internal_folder_path(path.encode())


def delete_buffer(Array x):
    delete_buffer_of(x.obj)


def is_deleted(Array x):
    return buffer_is_deleted(x.obj)


def buffer_pointer(Array x):
    return buffer_address(x.obj)


def is_evaluating():
    """No trace is active: operations run at once."""
    return evaluating()


def trace_identity():
    """A number that is equal while the same trace is current."""
    return 0 if evaluating() else <size_t>&current_trace()


cdef class EvaluateNow:
    """Within a `with` block, operations on concrete arrays run at once."""
    cdef SetTrace* scope

    def __enter__(self):
        self.scope = new SetTrace(eval_trace())

    def __exit__(self, *error):
        del self.scope
        self.scope = NULL


cdef object dims_tuple(const Shape& s):
    cdef Py_ssize_t i
    return tuple([s.data()[i] for i in range(<Py_ssize_t>s.size())])


cdef Dims dims_from(object sequence) except *:
    cdef Dims d
    for n in sequence:
        d.push_back(n)
    return d


include "ufunc.pxi"
include "transforms.pxi"
include "open.pxi"
include "control.pxi"
include "jit.pxi"


cdef PyObject* _wrap_hook(ValueObj* v) except NULL:
    result = wrap_value_object(v)
    Py_INCREF(result)
    return <PyObject*>result


cdef ValueObj* _unwrap_hook(PyObject* x) noexcept:
    return unwrap_value_object(<object>x)


initialize_bridge(_wrap_hook, _unwrap_hook, True)

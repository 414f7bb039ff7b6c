# Elementwise functions as callables: one vector call, no Python frame.

cdef extern from "python/ufunc_table.h" namespace "cotan::python":
    cppclass UfuncEntry:
        const char* name
        const char* doc
        UnaryFn unary
        BinaryFn binary
    size_t num_ufuncs()
    const UfuncEntry& ufunc_entry(size_t)


from cpython.object cimport PyObject_GenericSetAttr


# Those of cotan.lax that take a request for accuracy.
cdef frozenset _WITH_ACCURACY = frozenset([
    "cbrt", "cos", "exp", "exp2", "expm1", "log", "log1p", "logistic",
    "rsqrt", "sin", "sqrt", "tan", "tanh"])


cdef frozenset _READ_ONLY = frozenset(["identity", "nargs", "nin", "nout"])


cdef class Ufunc:
    """An elementwise function of one or two arrays.

    Operands follow NumPy's broadcasting and JAX's type promotion (members of
    `cotan.lax` require equal dtypes). Instances are made by the library.
    """
    cdef void* vectorcall
    cdef UnaryFn unary
    cdef BinaryFn binary_fn
    cdef dict __dict__
    cdef str label
    cdef bytes what

    def __repr__(self):
        return f"<function {self.label}>"

    @property
    def __signature__(self):
        import inspect
        kind = (inspect.Parameter.POSITIONAL_ONLY
                if self.__module__ == "cotan.numpy"
                else inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return inspect.Signature(
            [inspect.Parameter(n, kind) for n in self.operands()] +
            [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None)
             for n in self.options()])

    def operands(self):
        if self.unary is not NULL:
            return ("x",)
        if self.what == b"lax.nextafter":
            return ("x1", "x2")
        return ("x", "y")

    def options(self):
        """Keyword arguments besides the operands."""
        if self.__module__ != "cotan.lax":
            return ()
        if self.label == "mul":
            return ("out_dtype",)
        return ("accuracy",) if self.label in _WITH_ACCURACY else ()

    def __reduce__(self):
        return self.label

    def called(self, str name):
        """The same function under another name."""
        cdef Ufunc u = Ufunc.__new__(Ufunc)
        u.vectorcall, u.unary, u.binary_fn = (
            self.vectorcall, self.unary, self.binary_fn)
        u.label, u.what = name, name.encode()
        (<object>u).__name__ = (<object>u).__qualname__ = name
        (<object>u).__module__ = self.__module__
        (<object>u).__doc__ = self.__doc__
        return u

    def __getattr__(self, name):
        # NumPy's methods (reduce, at, ...) are written in Python.
        if name.startswith("_") or self.__module__ != "cotan.numpy":
            raise AttributeError(f"{self!r} has no attribute {name!r}")
        from cotan.numpy.vectorizing import method_of
        return method_of(self, name)

    def __setattr__(self, name, value):
        if name in _READ_ONLY and self.__module__ == "cotan.numpy":
            raise AttributeError(f"attribute {name!r} of {self!r} is read-only")
        PyObject_GenericSetAttr(self, name, value)

    def __get__(self, instance, owner):
        # As Python functions do: an attribute of a class is a method.
        if instance is None:
            return self
        return _UfuncMethod(self, instance)


class _UfuncMethod:
    def __init__(self, function, instance):
        self.__func__, self.__self__ = function, instance

    def __call__(self, *args):
        return self.__func__(self.__self__, *args)


cdef PyObject* ufunc_call(PyObject* self_, PyObject** args, size_t nargsf,
                          PyObject* kwnames) except NULL:
    cdef Ufunc self = <Ufunc>self_
    cdef size_t n = nargsf & ~(<size_t>1 << (8 * sizeof(size_t) - 1))
    cdef size_t want = 1 if self.unary is not NULL else 2
    cdef Value x, y
    cdef ValueObj* a
    cdef ValueObj* b
    if n != want or kwnames is not NULL:
        return ufunc_slow(self, args, n, kwnames)
    a = unwrap_value_object(<object>args[0])
    if a is NULL:
        x = value_from_python(args[0], <const char*>self.what, 0, False)
        a = x.get()
    if self.unary is not NULL:
        result = wrap(apply_unary(self.unary, a))
    else:
        b = unwrap_value_object(<object>args[1])
        if b is NULL:
            y = value_from_python(args[1], <const char*>self.what, 1, False)
            b = y.get()
        result = wrap(apply_binary(self.binary_fn, a, b))
    Py_INCREF(result)
    return <PyObject*>result


cdef PyObject* ufunc_slow(Ufunc self, PyObject** args, size_t n,
                          PyObject* kwnames) except NULL:
    """Arity and keyword arguments: x and y; others that are None."""
    cdef size_t i
    cdef list values = [<object>args[i] for i in range(n)]
    cdef dict options = {}
    names = self.operands()
    if kwnames is not NULL:
        for i, key in enumerate(<tuple><object>kwnames):
            value = <object>args[n + i]
            if key in self.options():
                options[key] = value
            elif len(values) < len(names) and key == names[len(values)]:
                values.append(value)
            elif not (key in ("out", "where") and value is None):
                raise TypeError(
                    f"{self.label}() got an unexpected keyword argument "
                    f"'{key}'")
    if len(values) != len(names):
        raise TypeError(
            f"{self.label}() takes {len(names)} positional argument"
            f"{'s' if len(names) > 1 else ''} but {len(values)} "
            f"{'were' if len(values) != 1 else 'was'} given")
    if options:
        from cotan.lax._elementwise import with_keywords
        result = with_keywords(self.label, values, options)
        Py_INCREF(result)
        return <PyObject*>result
    result = self(*values)
    Py_INCREF(result)
    return <PyObject*>result


_NUMPY_OPERANDS = """

Element by element; operands are broadcast and promoted to one dtype.
"""
_LAX_OPERANDS = """

Element by element; operands have equal shapes and dtypes.
"""


def make_ufuncs():
    """All elementwise functions, by name ("numpy.sin", "lax.sin")."""
    cdef size_t i
    cdef Ufunc u
    cdef dict out = {}
    for i in range(num_ufuncs()):
        u = Ufunc.__new__(Ufunc)
        u.vectorcall = <void*>ufunc_call
        u.unary = ufunc_entry(i).unary
        u.binary_fn = ufunc_entry(i).binary
        name = ufunc_entry(i).name.decode()
        module, _, label = name.rpartition(".")
        u.label = label
        u.what = (name if module == "lax" else label).encode()
        (<object>u).__name__ = (<object>u).__qualname__ = label
        (<object>u).__module__ = "cotan." + module
        (<object>u).__doc__ = ufunc_entry(i).doc.decode() + (
            _LAX_OPERANDS if module == "lax" else _NUMPY_OPERANDS)
        out[name] = u
    return out


cdef Ufunc _sample_ufunc = Ufunc.__new__(Ufunc)
enable_vectorcall(<PyTypeObject*>Ufunc,
                  <char*>&_sample_ufunc.vectorcall - <char*><void*>_sample_ufunc)

# Jaxprs and primitives in Python; the classes that programs see are in
# python/cotan/_src/jaxprs.py and primitives.py.

cdef extern from "python/open.h" namespace "cotan::python":
    cppclass OpaqueRef "cotan::OpaqueRef":
        OpaqueRef()
        const OpaqueObj* get()
    cppclass OpaqueObj "cotan::Opaque":
        string describe() except +translate_exception
        bint equals(const OpaqueObj&)
        uint64_t hash()
    cppclass PrimitiveObj "cotan::Primitive":
        pass
    cppclass OpenHooks:
        PyObject* (*dtype)(DType) noexcept
        PyObject* (*jaxpr)(const JaxprRef*) noexcept
        PyObject* (*opaque)(const OpaqueRef*) noexcept
        const JaxprRef* (*as_jaxpr)(PyObject*) noexcept
        const OpaqueRef* (*as_opaque)(PyObject*) noexcept
    void set_open_hooks_object "cotan::python::set_open_hooks"(
        const OpenHooks&, PyObject*)
    PyObject* describe_jaxpr(const JaxprObj&) except +translate_exception
    const PrimitiveObj* primitive_named(const string&)
    uintptr_t primitive_address(const PrimitiveObj*)
    string primitive_name(const PrimitiveObj*)
    bint primitive_has(const PrimitiveObj*, const string&)
    OpaqueRef python_rules(PyObject*)
    OpaqueRef python_attributes(PyObject*)
    PyObject* attributes_object(const OpaqueRef&)
    const PrimitiveObj* new_primitive(const string&)
    Values bind_named(const PrimitiveObj*, const OpaqueRef&, const Values&,
                      PyObject*) except +translate_exception


cdef class Opaque:
    """What a parameter holds that is not data: a callable, a policy."""
    cdef OpaqueRef ref

    def __repr__(self):
        return self.ref.get().describe().decode()

    def __eq__(self, other):
        if not isinstance(other, Opaque):
            return NotImplemented
        return self.ref.get().equals((<Opaque>other).ref.get()[0])

    def __hash__(self):
        return <Py_ssize_t>self.ref.get().hash()

    @staticmethod
    def of_attributes(x):
        """The attributes of a composite, an object with the method hlo()."""
        cdef Opaque r = Opaque.__new__(Opaque)
        r.ref = python_attributes(<PyObject*>x)
        return r

    @property
    def attributes(self):
        """What `of_attributes` took, or None."""
        cdef PyObject* x = attributes_object(self.ref)
        return None if x is NULL else <object>x


cdef class PrimitiveRecord:
    """The record of a primitive: the core's, or one whose rules are the
    methods `_apply_*` of its `owner`."""
    cdef const PrimitiveObj* prim
    cdef OpaqueRef rules

    @staticmethod
    def named(str name):
        """The core's primitive, or None."""
        cdef PrimitiveRecord r = PrimitiveRecord.__new__(PrimitiveRecord)
        r.prim = primitive_named(name.encode())
        return None if r.prim is NULL else r

    @staticmethod
    def define(owner, str name):
        cdef PrimitiveRecord r = PrimitiveRecord.__new__(PrimitiveRecord)
        r.prim = new_primitive(name.encode())
        r.rules = python_rules(<PyObject*>owner)
        return r

    @staticmethod
    def at(uintptr_t address):
        """The record that an equation names."""
        cdef PrimitiveRecord r = PrimitiveRecord.__new__(PrimitiveRecord)
        r.prim = <const PrimitiveObj*>address
        return r

    @property
    def address(self):
        return primitive_address(self.prim)

    @property
    def name(self):
        return primitive_name(self.prim).decode()

    def has(self, str slot):
        return primitive_has(self.prim, slot.encode())

    def bind(self, args, dict params):
        """list of arrays -> list of arrays, under the current trace."""
        return arrays_of(bind_named(self.prim, self.rules, values_of(args),
                                    <PyObject*>params))


def describe(ClosedJaxpr j):
    """The parts of a jaxpr; see describe_jaxpr in csrc/python/open.h."""
    cdef PyObject* d = describe_jaxpr(j.graph.jaxpr.get()[0])
    result = <object>d
    Py_DECREF(result)
    return result


def jaxpr_text(ClosedJaxpr j, size_t num_consts):
    """As printed, the first inputs as constants."""
    return jaxpr_to_string(j.graph.jaxpr.get()[0], num_consts).decode()


def jaxpr_name(ClosedJaxpr j):
    """The name of the traced function."""
    return (<bytes>j.graph.jaxpr.get().name).decode()


def with_consts(ClosedJaxpr j, consts):
    """j with its first inputs set to `consts`."""
    cdef ClosedJaxpr r = ClosedJaxpr.__new__(ClosedJaxpr)
    r.graph.jaxpr = j.graph.jaxpr
    r.graph.consts = values_of(consts)
    return r


# ---- what params_dict.cpp calls; results are new references or borrowed

cdef PyObject* _new_dtype(DType t) noexcept:
    d = dtype_object(t)
    Py_INCREF(d)
    return <PyObject*>d


cdef PyObject* _new_jaxpr(const JaxprRef* j) noexcept:
    cdef ClosedJaxpr c = ClosedJaxpr.__new__(ClosedJaxpr)
    c.graph.jaxpr = j[0]
    Py_INCREF(c)
    return <PyObject*>c


cdef PyObject* _new_opaque(const OpaqueRef* o) noexcept:
    cdef Opaque r = Opaque.__new__(Opaque)
    r.ref = o[0]
    Py_INCREF(r)
    return <PyObject*>r


cdef const JaxprRef* _as_jaxpr(PyObject* x) noexcept:
    try:
        j = <object>x
        if not isinstance(j, ClosedJaxpr):
            j = _impl("close_jaxpr")(j)
        if (<ClosedJaxpr>j).graph.consts.size():
            raise NotImplementedError(
                "[bind] a jaxpr among the parameters has constants: make them "
                "arguments")
        _last_jaxpr[0] = j
        return &(<ClosedJaxpr>j).graph.jaxpr
    except BaseException as e:
        PyErr_SetObject(type(e), e)
        return NULL


cdef const OpaqueRef* _as_opaque(PyObject* x) noexcept:
    if isinstance(<object>x, Opaque):
        return &(<Opaque>x).ref
    PyErr_SetObject(TypeError, "[bind] a callable among the parameters of a "
                    "primitive must come from an equation")
    return NULL


# Keeps what _as_jaxpr made until its caller has copied the reference.
cdef list _last_jaxpr = [None]


def set_open_functions(dict functions):
    cdef OpenHooks hooks
    hooks.dtype = _new_dtype
    hooks.jaxpr = _new_jaxpr
    hooks.opaque = _new_opaque
    hooks.as_jaxpr = _as_jaxpr
    hooks.as_opaque = _as_opaque
    set_open_hooks_object(hooks, <PyObject*>functions)

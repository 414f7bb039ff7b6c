# Transformations of Python functions on flat lists of Arrays. The public
# versions with pytrees are in python/cotan/_src/api.py.

cdef extern from "ir/jaxpr.h" namespace "cotan":
    cppclass JaxprObj "cotan::Jaxpr":
        string name
    cppclass JaxprRef "cotan::JaxprRef":
        JaxprRef()
        const JaxprObj* get()
    string jaxpr_to_string "cotan::to_string"(const JaxprObj&, size_t) \
        except +translate_exception
    bint jaxpr_equal(const JaxprObj&, const JaxprObj&)
    uint64_t jaxpr_hash(const JaxprObj&)

cdef extern from "trace/trace.h" namespace "cotan":
    cppclass TracedGraph:
        TracedGraph()
        JaxprRef jaxpr
        Values consts

cdef extern from "python/transforms.h" namespace "cotan::python":
    cppclass FlatResult:
        Values first
        Values second
    FlatResult flat_jvp(PyObject* f, const Values&, const Values&) \
        except +translate_exception
    cppclass VjpObj "cotan::Vjp":
        VjpObj()
        Values primals
        JaxprRef tangent
        Values residuals
        vector[cbool] nonzero
    VjpObj flat_vjp(PyObject* f, const Values&, const vector[cbool]&) \
        except +translate_exception
    Values run_pullback(const VjpObj&, const Values&) \
        except +translate_exception
    cppclass LinearizationObj "cotan::Linearization":
        LinearizationObj()
        Values primals
        JaxprRef tangent
        Values residuals
        vector[cbool] nonzero_out
    LinearizationObj flat_linearize(PyObject* f, const Values&) \
        except +translate_exception
    Values run_linear(const LinearizationObj&, const Values&) \
        except +translate_exception
    Values flat_vmap(PyObject* f, const Values&, const vector[int64_t]&,
                     int64_t, PyObject* name,
                     vector[int64_t]&) except +translate_exception
    Value move_batch(const Value&, int64_t, int64_t, int64_t) \
        except +translate_exception
    TracedGraph flat_trace(PyObject* f, const vector[Aval]&) \
        except +translate_exception
    TracedGraph flat_trace_under(PyObject* f, const vector[Aval]&,
                                 const vector[PyObject*]&,
                                 const vector[int64_t]&) \
        except +translate_exception
    int64_t size_of_axis(PyObject*) except +translate_exception
    PyObject* names_in_scope() except +translate_exception
    bint jaxpr_uses_axis(const JaxprObj&, PyObject*) \
        except +translate_exception
    Values run_jaxpr(const JaxprObj&, const Values&) \
        except +translate_exception
    Values run_transpose(const JaxprObj&, const Values&, const Values&) \
        except +translate_exception
    Values run_custom_jvp(PyObject*, PyObject*, const Values&, const string&,
                          cbool) except +translate_exception
    Values run_custom_vjp(PyObject*, PyObject*, PyObject*, const Values&,
                          const string&, cbool) except +translate_exception
    Aval make_aval(DType, cbool, const Dims&)
    void avals_of_jaxpr(const JaxprObj&, cbool outputs, vector[Aval]&)
    TracedGraph nested_jaxpr(const JaxprObj&)


cdef list arrays_of(const Values& values):
    cdef PyObject* l = list_from_values(values)
    result = <object>l
    Py_DECREF(result)
    return <list>result


cdef Values values_of(object sequence) except *:
    return values_from_sequence(<PyObject*>sequence)


cdef vector[Aval] avals_from(object sequence) except *:
    """From (dtype, shape, weak_type) triples."""
    cdef vector[Aval] out
    for dtype, shape, weak in sequence:
        out.push_back(make_aval(dtype_code(dtype), weak, dims_from(shape)))
    return out


cdef DType dtype_code(object dtype) except *:
    return dtype_or_key_from_python(<PyObject*>dtype)


cdef list aval_triples(const vector[Aval]& avals):
    cdef size_t i
    return [(dtype_object(avals[i].dtype), dims_tuple(avals[i].shape),
             avals[i].weak_type) for i in range(avals.size())]


cdef class ClosedJaxpr:
    """A jaxpr with the values that the traced function closed over."""
    cdef TracedGraph graph
    cdef object _open
    cdef object __weakref__

    def __init__(self, jaxpr, consts=()):
        cdef ClosedJaxpr lowered = _impl("close_jaxpr")(jaxpr)
        self.graph.jaxpr = lowered.graph.jaxpr
        self.graph.consts = values_of(list(consts))
        self._open = jaxpr

    @property
    def jaxpr(self):
        """The Jaxpr: equations and variables as Python objects."""
        if self._open is None:
            self._open = _impl("open_jaxpr")(self)
        return self._open

    @property
    def eqns(self):
        return self.jaxpr.eqns

    @property
    def effects(self):
        return self.jaxpr.effects

    @property
    def consts(self):
        return arrays_of(self.graph.consts)

    @property
    def literals(self):
        return self.consts

    @property
    def in_avals(self):
        """Types of the arguments, constants left out."""
        return [_impl("shaped_array")(t) for t in self.in_types]

    @property
    def out_avals(self):
        return [_impl("shaped_array")(t) for t in self.out_types]

    @property
    def in_types(self):
        """in_avals as (dtype, shape, weak_type)."""
        cdef vector[Aval] out
        avals_of_jaxpr(self.graph.jaxpr.get()[0], False, out)
        return aval_triples(out)[self.graph.consts.size():]

    @property
    def out_types(self):
        cdef vector[Aval] out
        avals_of_jaxpr(self.graph.jaxpr.get()[0], True, out)
        return aval_triples(out)

    def replace(self, *, jaxpr=None, consts=None):
        """A copy with another jaxpr or other constants."""
        return type(self)(self.jaxpr if jaxpr is None else jaxpr,
                          self.consts if consts is None else consts)

    def map_jaxpr(self, f):
        return self.replace(jaxpr=f(self.jaxpr))

    def eval(self, args, consts=None):
        """Applies the jaxpr to a list of arrays, under the current trace;
        `consts` replaces the values that the function closed over."""
        if consts is None:
            consts = arrays_of(self.graph.consts)
        elif len(consts) != self.graph.consts.size():
            raise ValueError(
                f"[eval_jaxpr] the jaxpr has {self.graph.consts.size()} "
                f"constants, got {len(consts)}")
        return arrays_of(run_jaxpr(
            self.graph.jaxpr.get()[0],
            values_of(list(consts) + list(args))))

    def eval_with(self, consts, args):
        """As eval, with other values for what the function closed over."""
        return arrays_of(run_jaxpr(self.graph.jaxpr.get()[0],
                                   values_of(list(consts) + list(args))))

    def __str__(self):
        return jaxpr_to_string(self.graph.jaxpr.get()[0],
                               self.graph.consts.size()).decode()

    def __repr__(self):
        return str(self)

    def __eq__(self, other):
        if not isinstance(other, ClosedJaxpr):
            return NotImplemented
        return jaxpr_equal(self.graph.jaxpr.get()[0],
                           (<ClosedJaxpr>other).graph.jaxpr.get()[0])

    def __hash__(self):
        return <Py_ssize_t>jaxpr_hash(self.graph.jaxpr.get()[0])


def trace_flat(f, avals):
    """Traces f (list -> list) on (dtype, shape, weak_type) triples."""
    cdef ClosedJaxpr j = ClosedJaxpr.__new__(ClosedJaxpr)
    j.graph = flat_trace(<PyObject*>f, avals_from(avals))
    return j


def trace_flat_under(f, avals, axis_env):
    """As trace_flat, with named axes, pairs (name, size), in scope."""
    cdef ClosedJaxpr j = ClosedJaxpr.__new__(ClosedJaxpr)
    cdef vector[PyObject*] names
    cdef vector[int64_t] sizes
    axis_env = [tuple(pair) for pair in axis_env]
    for pair in axis_env:
        names.push_back(<PyObject*>pair[0])
        sizes.push_back(pair[1])
    j.graph = flat_trace_under(<PyObject*>f, avals_from(avals), names, sizes)
    return j


def axis_size(name):
    """The size of the axis of that name, which is in scope."""
    return size_of_axis(<PyObject*>name)


def axes_in_scope():
    """The names, the innermost last."""
    cdef PyObject* l = names_in_scope()
    result = <object>l
    Py_DECREF(result)
    return result


def uses_axis(ClosedJaxpr j, name):
    """Whether a collective of j is over the axis of that name."""
    return jaxpr_uses_axis(j.graph.jaxpr.get()[0], <PyObject*>name)


def jvp_flat(f, primals, tangents):
    """(outputs, output tangents); None is a zero tangent."""
    cdef FlatResult r = flat_jvp(<PyObject*>f, values_of(primals),
                                 values_of(tangents))
    return arrays_of(r.first), arrays_of(r.second)


cdef class Pullback:
    """Maps output cotangents (None: zero) to argument cotangents."""
    cdef VjpObj vjp

    def __call__(self, cts, residuals):
        cdef VjpObj vjp = self.vjp
        vjp.residuals = values_of(residuals)
        return arrays_of(run_pullback(vjp, values_of(cts)))

    def take_residuals(self):
        """The values that the call needs; this object keeps none."""
        residuals = arrays_of(self.vjp.residuals)
        self.vjp.residuals = Values()
        self.vjp.primals = Values()
        return residuals

    def __eq__(self, other):
        return (isinstance(other, Pullback)
                and self.vjp.nonzero == (<Pullback>other).vjp.nonzero
                and jaxpr_equal(self.vjp.tangent.get()[0],
                                (<Pullback>other).vjp.tangent.get()[0]))

    def __hash__(self):
        return <Py_ssize_t>jaxpr_hash(self.vjp.tangent.get()[0])


def vjp_flat(f, primals, nonzero):
    """(outputs, Pullback, the residuals that its calls take)."""
    cdef vector[cbool] flags
    for nz in nonzero:
        flags.push_back(nz)
    cdef Pullback p = Pullback.__new__(Pullback)
    p.vjp = flat_vjp(<PyObject*>f, values_of(primals), flags)
    out = arrays_of(p.vjp.primals)
    return out, p, p.take_residuals()


cdef class LinearFunction:
    """The linear map that linearize gives: tangents to tangents."""
    cdef LinearizationObj lin

    def __call__(self, tangents, residuals):
        cdef LinearizationObj lin = self.lin
        lin.residuals = values_of(residuals)
        return arrays_of(run_linear(lin, values_of(tangents)))

    def take_residuals(self):
        """The values that the call needs; this object keeps none."""
        residuals = arrays_of(self.lin.residuals)
        self.lin.residuals = Values()
        self.lin.primals = Values()
        return residuals

    def jaxpr(self, residuals):
        cdef ClosedJaxpr j = ClosedJaxpr.__new__(ClosedJaxpr)
        j.graph.jaxpr = self.lin.tangent
        j.graph.consts = values_of(residuals)
        return j

    def __eq__(self, other):
        return (isinstance(other, LinearFunction)
                and self.lin.nonzero_out
                == (<LinearFunction>other).lin.nonzero_out
                and jaxpr_equal(self.lin.tangent.get()[0],
                                (<LinearFunction>other).lin.tangent.get()[0]))

    def __hash__(self):
        return <Py_ssize_t>jaxpr_hash(self.lin.tangent.get()[0])


def linearize_flat(f, primals):
    cdef LinearFunction l = LinearFunction.__new__(LinearFunction)
    l.lin = flat_linearize(<PyObject*>f, values_of(primals))
    out = arrays_of(l.lin.primals)
    return out, l, l.take_residuals()


def transpose_flat(ClosedJaxpr linear, cts, consts=None):
    """Cotangents of the arguments of a linear jaxpr; None is zero. `consts`
    replaces the values that the function closed over."""
    if consts is None:
        consts = linear.consts
    return arrays_of(run_transpose(linear.graph.jaxpr.get()[0],
                                   values_of(consts), values_of(cts)))


def vmap_flat(f, args, dims, int64_t size, name=None):
    """(outputs, their batch axes); -1: not batched."""
    cdef vector[int64_t] d, out_dims
    for n in dims:
        d.push_back(n)
    cdef Values out = flat_vmap(<PyObject*>f, values_of(args), d, size,
                                <PyObject*>name, out_dims)
    return arrays_of(out), list(out_dims)


def move_batch_axis(Array x, int64_t dim, int64_t size, int64_t to):
    """x with its batch axis (-1: none, it is broadcast) at `to`."""
    return wrap_steal(move_batch(value_ref(x.obj), dim, size, to))


def custom_jvp_flat(fun, jvp, args, str name, cbool symbolic_zeros):
    return arrays_of(run_custom_jvp(<PyObject*>fun, <PyObject*>jvp,
                                    values_of(args), name.encode(),
                                    symbolic_zeros))


def custom_vjp_flat(fun, fwd, bwd, args, str name, cbool symbolic_zeros):
    return arrays_of(run_custom_vjp(<PyObject*>fun, <PyObject*>fwd,
                                    <PyObject*>bwd, values_of(args),
                                    name.encode(), symbolic_zeros))

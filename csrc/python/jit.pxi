# JittedFunction: the call path of jit. A call flattens its arguments on the
# stack, builds a signature, compares it in full with the entries of its cache
# and runs the program. The first call with a signature traces the function.
from cotan._pytree cimport (FlatTree, PyTreeDef, TreeDef, flatten_call_into,
                            flatten_into, take_structure, treedef_matches,
                            unflatten_owned)

from cpython.pycapsule cimport PyCapsule_New

cdef extern from "python/hot.h" namespace "cotan::python":
    cppclass Signature:
        Signature()
        void push_back(uint64_t)
    cppclass Arguments "cotan::SmallVector<cotan::ValueObj*, 32>":
        size_t size()
        ValueObj** data()
    cppclass CallFrame:
        CallFrame()
        Signature signature
        Arguments args
        void push(ValueObj*)
        void push_owned(const Value&)
    cppclass ProgramObj "cotan::JitProgram":
        Values run(const Values&) except +translate_exception
        Values apply(const Values&) except +translate_exception
        const TracedGraph& graph()
    cppclass ProgramRef "cotan::Ref<cotan::JitProgram>":
        ProgramRef()
        ProgramObj* get()
    cppclass JitEntry:
        Signature signature
        uint64_t tree_hash
        PyObject* in_tree
        PyObject* static_key
        PyObject* out_tree
        bint single
        ProgramRef program
    cppclass JitCache:
        void clear()
        size_t size()
    JitEntry* jit_find(JitCache&, const Signature&, FlatTree&, PyObject*) \
        except +translate_exception
    JitEntry* jit_add(JitCache&, const Signature&, uint64_t, PyObject* in_tree,
                      PyObject* static_key, PyObject* out_tree,
                      const ProgramRef&)
    ProgramRef make_program(const TracedGraph&, const vector[cbool]&,
                            const string&, uintptr_t, cbool)
    PyObject* run_single(ProgramObj*, const CallFrame&) \
        except +translate_exception
    void run_leaves(ProgramObj*, const CallFrame&, vector[PyObject*]&) \
        except +translate_exception
    void compile_program(ProgramObj*) except +translate_exception
    string program_text(ProgramObj*) except +translate_exception
    cppclass TreeDefAccess:
        TreeDef* (*get)(PyObject*) noexcept
        int (*matches)(FlatTree*, PyObject*) except -1
    void set_treedef_access(TreeDefAccess)
    void count_trace()
    void install_process_hooks()
    bint jit_disabled()


cdef TreeDef* _treedef_of(PyObject* o) noexcept:
    return (<PyTreeDef>o).tree

cdef int _treedef_matches(FlatTree* flat, PyObject* o) except -1:
    return treedef_matches(flat, <PyTreeDef>o)


cdef TreeDefAccess _access
_access.get = _treedef_of
_access.matches = _treedef_matches
set_treedef_access(_access)
install_process_hooks()


cdef class JittedFunction:
    """What `cotan.jit` returns: a callable that compiles on first use."""
    cdef void* vectorcall
    cdef JitCache cache
    cdef readonly object fun
    cdef readonly object options   # of python/cotan/_src/jit.py
    cdef bint plain                # no static or donated arguments
    cdef bytes label
    cdef dict __dict__
    cdef object __weakref__

    def __cinit__(self, *args, **kwargs):
        self.vectorcall = <void*>jit_call

    def __init__(self, fun, options, plain, str name):
        self.fun = fun
        self.options = options
        self.plain = plain
        self.label = name.encode()

    def __get__(self, instance, owner):
        if instance is None:
            return self
        return _implementation["bound_method"](self, instance)

    def __repr__(self):
        return f"<jitted function {self.label.decode()}>"

    def lower(self, *args, **kwargs):
        """Traces for ahead-of-time compilation: `.compile()` gives a program."""
        return _implementation["jit_trace"](self, args, kwargs).lower()

    def trace(self, *args, **kwargs):
        """Traces without compiling; arguments may be ShapeDtypeStructs."""
        return _implementation["jit_trace"](self, args, kwargs)

    def eval_shape(self, *args, **kwargs):
        """Shapes and dtypes of the result; nothing is computed."""
        return _implementation["jit_trace"](self, args, kwargs).out_info

    def clear_cache(self):
        """Forgets all traces and programs of this function."""
        self.cache.clear()

    def _cache_size(self):
        return self.cache.size()

    def _traced(self, tuple args, dict kwargs):
        """(ClosedJaxpr, out_tree, in_tree, JitProgram handle) of a call."""
        return traced_call(self, args, kwargs)


cdef class ProgramHandle:
    """A traced and, on demand, compiled program."""
    cdef ProgramRef program

    @property
    def jaxpr(self):
        cdef ClosedJaxpr j = ClosedJaxpr.__new__(ClosedJaxpr)
        j.graph = self.program.get().graph()
        return j

    def compile(self):
        compile_program(self.program.get())

    def text(self):
        return program_text(self.program.get()).decode()
    def capsule(self):
        """For _core; valid while this handle is."""
        return PyCapsule_New(<void*>self.program.get(), "cotan.program", NULL)

    def run(self, args):
        return arrays_of(self.program.get().apply(values_of(args)))


cdef PyObject* jit_call(PyObject* self_, PyObject** args, size_t nargsf,
                        PyObject* kwnames) except NULL:
    cdef JittedFunction self = <JittedFunction>self_
    cdef size_t n = nargsf & ~(<size_t>1 << (8 * sizeof(size_t) - 1))
    if self.plain and not jit_disabled():
        result = plain_call(self, args, n, kwnames)
    else:
        result = general_call(self, args, n, kwnames)
    Py_INCREF(result)
    return <PyObject*>result


cdef object plain_call(JittedFunction self, PyObject** args, size_t n,
                       PyObject* kwnames):
    cdef FlatTree flat
    cdef PyObject** names = NULL
    cdef size_t nkw = 0
    if kwnames is not NULL:
        nkw = len(<tuple><object>kwnames)
        names = tuple_items(kwnames)
    flatten_call_into(args, n, names, args + n, nkw, &flat)
    return run_flat(self, &flat, None, None)


cdef object run_flat(JittedFunction self, FlatTree* flat, object static_key,
                     object statics):
    """Finds or makes the entry of flattened dynamic arguments and runs it."""
    cdef CallFrame frame
    cdef size_t i
    cdef size_t count = flat.leaves.size()
    cdef PyObject** leaves = flat.leaves.data()
    cdef ValueObj* v
    cdef PyObject* key = NULL
    if static_key is not None:
        key = <PyObject*>static_key
    for i in range(count):
        v = unwrap_value_object(<object>leaves[i])
        if v is not NULL:
            frame.push(v)
        else:
            frame.push_owned(leaf_value(self, flat, i))
    cdef JitEntry* e = jit_find(self.cache, frame.signature, flat[0], key)
    if e is NULL:
        e = trace_entry(self, flat, frame, static_key, statics)
    # The entry may be dropped by a nested call that clears the cache.
    cdef ProgramRef program = e.program
    cdef PyObject* single
    cdef vector[PyObject*] outputs
    if e.single:
        single = run_single(program.get(), frame)
        result = <object>single
        Py_DECREF(result)
        return result
    out_tree = <object>e.out_tree
    run_leaves(program.get(), frame, outputs)
    return unflatten_owned(<PyTreeDef>out_tree, outputs.data())


cdef Value leaf_value(JittedFunction self, FlatTree* flat, size_t i) except *:
    cdef object x = <object>flat.leaves.data()[i]
    if not is_array_like(<PyObject*>x):
        _implementation["bad_argument"](self.fun, x, i)
    return value_from_python(<PyObject*>x, "jit", i, True)


cdef JitEntry* trace_entry(JittedFunction self, FlatTree* flat,
                           CallFrame& frame, object static_key,
                           object statics) except NULL:
    cdef uint64_t tree_hash = flat.hash
    cdef vector[Aval] avals
    cdef size_t i
    cdef vector[cbool] donated
    for i in range(frame.args.size()):
        avals.push_back(frame.args.data()[i].aval)
    in_tree = take_structure(flat)
    state = _implementation["trace_function"](self.fun, self.options, in_tree,
                                              statics)
    cdef TracedGraph graph = flat_trace(<PyObject*>state.flat_function, avals)
    count_trace()
    for d in state.donated(<Py_ssize_t>avals.size()):
        donated.push_back(d)
    cdef ProgramRef program = make_program(graph, donated, self.label,
                                           self.options.device_address,
                                           self.options.inline)
    cdef PyObject* key = NULL
    if static_key is not None:
        key = <PyObject*>static_key
    return jit_add(self.cache, frame.signature, tree_hash, <PyObject*>in_tree, key,
                   <PyObject*>state.out_tree, program)


cdef object general_call(JittedFunction self, PyObject** args, size_t n,
                         PyObject* kwnames):
    """Static arguments are split off in Python; the rest is as above."""
    cdef size_t i
    cdef FlatTree flat
    positional = [<object>args[i] for i in range(n)]
    keywords = {}
    if kwnames is not NULL:
        for i, key in enumerate(<tuple><object>kwnames):
            keywords[key] = <object>args[n + i]
    if jit_disabled():
        return self.fun(*positional, **keywords)
    dynamic, static_key, statics = _implementation["split_static"](
        self.fun, self.options, positional, keywords)
    flatten_into(dynamic, None, &flat)
    return run_flat(self, &flat, static_key, statics)


cdef object traced_call(JittedFunction self, tuple args, dict kwargs):
    cdef FlatTree flat
    cdef ProgramHandle h = ProgramHandle.__new__(ProgramHandle)
    cdef vector[cbool] donated
    dynamic, static_key, statics = _implementation["split_static"](
        self.fun, self.options, list(args), kwargs)
    flatten_into(dynamic, None, &flat)
    cdef size_t i
    leaves = [<object>flat.leaves.data()[i] for i in range(flat.leaves.size())]
    avals = [_implementation["leaf_aval"](x) for x in leaves]
    in_tree = take_structure(&flat)
    state = _implementation["trace_function"](self.fun, self.options, in_tree,
                                              statics)
    cdef TracedGraph graph = flat_trace(<PyObject*>state.flat_function,
                                        avals_from(avals))
    count_trace()
    for d in state.donated(len(leaves)):
        donated.push_back(d)
    h.program = make_program(graph, donated, self.label,
                                           self.options.device_address,
                                           self.options.inline)
    return h, in_tree, state.out_tree


cdef extern from "python/hot.h" namespace "cotan::python":
    PyObject** tuple_items(PyObject*)


cdef JittedFunction _sample_jitted = JittedFunction.__new__(JittedFunction)
enable_vectorcall(
    <PyTypeObject*>JittedFunction,
    <char*>&_sample_jitted.vectorcall - <char*><void*>_sample_jitted)

#Control flow on flat lists of Arrays; the pytrees are in
#python / cotan / lax / _control.py.

cdef extern from "python/control.h" namespace "cotan::python":
    Values run_scan(const TracedGraph&, const Values& init, const Values& xs,
                    int64_t length, cbool reverse, int64_t unroll) \
        except +translate_exception
    Values run_while(const TracedGraph& cond, const TracedGraph& body,
                     const Values& init) except +translate_exception
    Values run_cond(const Value& index, const vector[TracedGraph]& branches,
                    const Values& operands) except +translate_exception
    Values run_linear_solve(const TracedGraph&, const TracedGraph&,
                            const TracedGraph&, const TracedGraph&,
                            const Values& b) except +translate_exception
    Values run_callback(int kind, PyObject* f, const vector[Aval]& out,
                        cbool ordered, const string& vmap_method,
                        const Values&) except +translate_exception
    Values run_barrier(const Values&) except +translate_exception
    Value run_name(const Value&, const string&) except +translate_exception
    Values run_checkpoint(const TracedGraph&, const Values&,
                          cbool prevent_cse, PyObject* policy) \
        except +translate_exception
    cbool concrete_consts(const TracedGraph&)


def scan_flat(ClosedJaxpr body, init, xs, int64_t length, cbool reverse,
              int64_t unroll):
    """The carries, then the stacked outputs."""
    return arrays_of(run_scan(body.graph, values_of(init), values_of(xs),
                              length, reverse, unroll))


def while_flat(ClosedJaxpr cond, ClosedJaxpr body, init):
    return arrays_of(run_while(cond.graph, body.graph, values_of(init)))


def cond_flat(Array index, branches, operands):
    """index: an i32 scalar in range."""
    cdef vector[TracedGraph] graphs
    for b in branches:
        graphs.push_back((<ClosedJaxpr>b).graph)
    return arrays_of(run_cond(value_ref(index.obj), graphs,
                              values_of(operands)))


def is_closed(ClosedJaxpr j):
    """Whether j closes over no tracers: it may be kept for later calls."""
    return concrete_consts(j.graph)


def linear_solve_flat(ClosedJaxpr matvec, vecmat, ClosedJaxpr solve,
                      transpose_solve, b):
    """vecmat and transpose_solve: ClosedJaxpr or None."""
    cdef TracedGraph none
    cdef TracedGraph back = none
    cdef TracedGraph back_solve = none
    if vecmat is not None:
        back = (<ClosedJaxpr>vecmat).graph
    if transpose_solve is not None:
        back_solve = (<ClosedJaxpr>transpose_solve).graph
    return arrays_of(run_linear_solve(matvec.graph, back, solve.graph,
                                      back_solve, values_of(b)))


def callback_flat(int kind, f, out, cbool ordered, str vmap_method, args):
    """kind: 0 pure, 1 io, 2 debug. f: list of Arrays -> list of arrays of the
    types `out` ((dtype, shape, weak_type) triples)."""
    return arrays_of(run_callback(kind, <PyObject*>f, avals_from(out), ordered,
                                  vmap_method.encode(), values_of(args)))


def barrier_flat(args):
    return arrays_of(run_barrier(values_of(args)))


def checkpoint_name(Array x, str name):
    return wrap_steal(run_name(value_ref(x.obj), name.encode()))


def checkpoint_flat(ClosedJaxpr body, args, cbool prevent_cse, policy):
    """policy: None, or (primitive name, avals, params) -> whether its results
    are saved."""
    return arrays_of(run_checkpoint(body.graph, values_of(args), prevent_cse,
                                    <PyObject*>policy))

"""Small parts of the top level beside JAX."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import core, errors

jax = pytest.importorskip("jax")


def both(f):
    """f(api), which must be the same for cotan and JAX."""
    ours, theirs = f(cotan), f(jax)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    return ours


def test_closure_convert():
    def f(api):
        def g(x, y):
            h, values = api.closure_convert(
                lambda z: api.numpy.sin(x) * z + y * 2 + 3, 1.0
            )
            return h(2.0, *values)

        return api.grad(g, (0, 1))(0.5, 1.5)

    both(f)


def test_closure_convert_checks_its_arguments():
    f, values = cotan.closure_convert(lambda x: x + 1, 1.0)
    assert values == []
    with pytest.raises(TypeError, match="same Pytree structure"):
        f((1.0, 2.0))


def test_custom_gradient():
    def one(api):
        @api.custom_gradient
        def f(x):
            y = api.numpy.sin(x)
            return x**2, lambda g: (g * y,)

        value = api.vmap(f)(np.arange(3.0, dtype="f4"))
        return [f(3.0), api.grad(f)(3.0), api.jit(api.grad(f))(2.0), value[1]]

    def two(api):
        @api.custom_gradient
        def f(x, y):
            return x * y, lambda g: (g * y, g * x * 3)

        return api.grad(f, (0, 1))(3.0, 4.0)

    both(one)
    both(two)


def test_ensure_compile_time_eval():
    def f(api):
        @api.jit
        def g(x):
            with api.ensure_compile_time_eval():
                n = int(api.numpy.sum(api.numpy.arange(4)))
            return x * n

        return g(2.0)

    both(f)


def test_fwd_and_bwd():
    def f(api):
        fwd, bwd = api.fwd_and_bwd(lambda x, y: x * y * y, argnums=1)
        value, residuals = fwd(2.0, 3.0)
        return [value, bwd(residuals, 1.0)]

    both(f)


def test_zero_from_primal():
    zeros = cotan.custom_derivatives.zero_from_primal(
        {"a": cnp.ones(2), "b": cnp.arange(2)}
    )
    np.testing.assert_array_equal(zeros["a"], [0.0, 0.0])
    assert zeros["b"].dtype == cotan.float0


def test_classes_of_errors():
    for name in dir(jax.errors):
        theirs = getattr(jax.errors, name)
        if isinstance(theirs, type):
            bases = {c.__name__ for c in theirs.__mro__} - {"_JAXErrorMixin"}
            ours = {c.__name__ for c in getattr(errors, name).__mro__}
            assert bases <= ours, name


def test_core():
    assert core.get_opaque_trace_state() == core.get_opaque_trace_state()
    outside, inside = core.get_opaque_trace_state(), []
    cotan.jit(lambda x: inside.append(core.get_opaque_trace_state()) or x)(1.0)
    assert inside[0] != outside
    assert not core.unsafe_am_i_under_a_jit_DO_NOT_USE()
    jaxpr = cotan.make_jaxpr(lambda x: x + 1)(1.0)
    assert core.eval_jaxpr(jaxpr, jaxpr.consts, 2.0)[0] == 3.0
    with pytest.raises(errors.ConcretizationTypeError, match="for n"):
        cotan.jit(lambda x: core.concrete_or_error(int, x, "for n"))(1)
    assert core.concrete_or_error(int, cnp.int32(3)) == 3


def test_dtypes():
    for name in ("bool", "int8", "uint32", "float16", "float32", "complex64"):
        dtype = np.dtype(name)
        for function in ("itemsize_bits", "scalar_type_of"):
            ours = getattr(cotan.dtypes, function)(dtype)
            assert ours == getattr(jax.dtypes, function)(dtype)
        assert cotan.dlpack.is_supported_dtype(dtype)


def test_settings_are_of_the_thread():
    assert cotan.config.default_matmul_precision is None
    with cotan.default_matmul_precision("highest"):
        assert cotan.config.jax_default_matmul_precision == "highest"
    assert cotan.config.default_matmul_precision is None
    with pytest.raises(ValueError, match="must be one of"):
        with cotan.default_matmul_precision("best"):
            pass


def test_environment():
    text = cotan.print_environment_info(return_string=True)
    assert f"cotan:  {cotan.__version__}" in text
    assert cotan.version.__version__ == cotan.__version__
    assert cotan.process_count() == len(cotan.process_indices()) == 1
    with cotan.named_scope("part"):
        assert cotan.named_scope("f")(lambda: 3)() == 3


def test_api_util():
    for arguments in [((3, 4), (0, 1)), ((1,), ()), ((), (1,)), ((0, 5), (3,))]:
        ours = cotan.api_util.rebase_donate_argnums(*arguments)
        assert ours == jax.api_util.rebase_donate_argnums(*arguments)
    assert cotan.api_util.safe_map(max, [1, 5], [2, 3]) == [2, 5]
    with pytest.raises(ValueError, match="longer"):
        cotan.api_util.safe_map(max, [1], [2, 3])

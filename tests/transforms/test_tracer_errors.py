"""Mistakes with traced values: the right class, what happened, what to do,
and the user's own line."""

import inspect

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import errors


def _next_line():
    """The line after the caller's, as messages show it."""
    frame = inspect.currentframe().f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno + 1}"


def _fails(transformed, error, *args):
    with pytest.raises(error) as info:
        transformed(*args)
    return str(info.value)


ABSTRACT = {
    "jit": cotan.jit,
    "vmap": lambda f: lambda x: cotan.vmap(f)(x[None]),
    "grad-jit": lambda f: lambda x: cotan.grad(cotan.jit(f))(x),
    "make_jaxpr": cotan.make_jaxpr,
    "jit-grad": lambda f: cotan.jit(cotan.grad(f)),
}
abstract = pytest.mark.parametrize("name", ABSTRACT)
X = 3.0


@abstract
def test_bool(name):
    line = []

    def f(x):
        line.append(_next_line())
        y = x * 2
        return y if y > 0 else x

    text = _fails(
        ABSTRACT[name](f), errors.TracerBoolConversionError, cnp.array(X)
    )
    assert "Attempted boolean conversion of traced array with shape" in text
    assert "cotan.numpy.where" in text and "static_argnums" in text
    # The comparison made the value that was asked.
    file, number = line[0].rsplit(":", 1)
    assert f"{file}:{int(number) + 1}" in text


@abstract
@pytest.mark.parametrize("kind", [int, float, complex])
def test_numbers(name, kind):
    line = []

    def f(x):
        line.append(_next_line())
        y = cnp.sin(x)
        return x * kind(y)

    text = _fails(
        ABSTRACT[name](f), errors.ConcretizationTypeError, cnp.array(X)
    )
    assert "Abstract tracer value encountered" in text
    assert f"`{kind.__name__}`" in text and line[0] in text


@abstract
def test_index(name):
    line = []

    def f(x):
        line.append(_next_line())
        n = cnp.sum(x).astype(int)
        return x * [1, 2, 3][n]

    text = _fails(
        ABSTRACT[name](f), errors.TracerIntegerConversionError, cnp.array(X)
    )
    assert "__index__() method was called on traced array" in text
    assert line[0] in text


@abstract
def test_numpy(name):
    line = []

    def f(x):
        line.append(_next_line())
        y = x + 1
        return cnp.asarray(np.asarray(y))

    text = _fails(
        ABSTRACT[name](f), errors.TracerArrayConversionError, cnp.array(X)
    )
    assert "__array__() was called on traced array" in text
    assert "cotan.numpy" in text and line[0] in text


def test_shapes():
    text = _fails(cotan.jit(lambda n: cnp.zeros(n)), TypeError, 3)
    assert "Shapes must be 1D sequences of concrete values" in text
    with pytest.raises(errors.TracerIntegerConversionError):
        cotan.jit(lambda n: list(range(n)))(3)


def test_boolean_mask():
    with pytest.raises(errors.NonConcreteBooleanIndexError) as info:
        cotan.jit(lambda x: x[x > 0])(cnp.arange(3.0))
    assert "test_tracer_errors.py:" in str(info.value)


def test_item_and_tolist():
    uses = {"item": lambda x: (x * 2).item(), "tolist": lambda x: x.tolist()}
    for name, use in uses.items():
        text = _fails(cotan.jit(use), errors.ConcretizationTypeError, X)
        assert f"The {name}() method was called" in text
        assert "test_tracer_errors.py:" in text


def test_the_line_inside_a_loop():
    line = []

    def body(c, a):
        line.append(_next_line())
        y = c + a
        return np.asarray(y), a

    def f(x):
        return cotan.lax.scan(body, x[0], x)[0]

    for run in (f, cotan.jit(f), cotan.grad(f)):
        text = _fails(run, errors.TracerArrayConversionError, cnp.arange(3.0))
        assert line[-1] in text and "(body)" in text


def test_un_jitted_grad_knows_the_values():
    def f(x):
        assert float(x) == 3.0 and bool(x > 0) and int(x) == 3
        assert isinstance(x, cotan.Array)
        return x * float(x)

    assert float(cotan.grad(f)(3.0)) == 3.0


def test_numpy_takes_no_traced_values():
    """It would lose the derivative or the mapped axis without a word."""
    x = cnp.arange(1.0, 4.0)
    for transform in (cotan.grad, cotan.vmap, cotan.jit):
        for f in (
            lambda x: np.sin(x).sum(),
            lambda x: cnp.sin(np.asarray(x)).sum(),
            lambda x: np.add(1.0, x).sum(),
        ):
            with pytest.raises(errors.TracerArrayConversionError):
                transform(f)(x)
    with pytest.raises(BufferError):
        cotan.grad(lambda x: memoryview(x))(1.0)


def test_conversions_of_traced_arrays_that_are_no_scalars():
    x = cnp.arange(3)
    for f in (int, float, complex):
        with pytest.raises(TypeError, match="Only scalar arrays"):
            cotan.jit(f)(x)
    for y in (x, 1.0):
        with pytest.raises(TypeError, match="Only integer scalar arrays"):
            cotan.jit(lambda i: [1, 2][i])(y)
    with pytest.raises(errors.ConcretizationTypeError, match=r"x\.astype"):
        cotan.jit(float)(1.0)


# ---- values that escape


def _leak(transform, *args):
    kept = []
    line = []

    def f(x):
        line.append(_next_line())
        y = cnp.sin(x)
        kept.append(y)
        return x * y

    transform(f)(*args)
    return kept[0], line[0]


LEAKS = {
    "jit": (cotan.jit, X),
    "vmap": (cotan.vmap, np.ones(3)),
    "jvp": (lambda f: lambda x: cotan.jvp(f, (x,), (x,)), cnp.array(X)),
    "make_jaxpr": (cotan.make_jaxpr, X),
    "jit-grad": (lambda f: cotan.jit(cotan.grad(f)), X),
    "grad-jit": (lambda f: cotan.grad(cotan.jit(f)), X),
}


@pytest.mark.parametrize("name", LEAKS)
@pytest.mark.parametrize("use", ["add", "bool", "jit", "numpy", "sin", "repr"])
def test_leaks(name, use):
    kept, line = _leak(*LEAKS[name])
    if use == "repr":
        assert "[" in repr(kept)
        return
    if name == "jvp" and use == "bool":
        # Evaluation went on: the value is known, as in JAX.
        assert bool(kept)
        return
    uses = {
        "add": lambda: kept + 1,
        "bool": lambda: bool(kept),
        "jit": lambda: cotan.jit(lambda x: x + kept)(1.0),
        "numpy": lambda: np.asarray(kept),
        "sin": lambda: cnp.sin(kept),
    }
    with pytest.raises(errors.UnexpectedTracerError) as info:
        uses[use]()
    text = str(info.value)
    assert line in text, text
    assert "escaped" in text or "leak" in text


def test_leaks_out_of_un_jitted_grad_keep_their_value():
    """Evaluation went on: the value is known, only its derivative is gone."""
    kept, _ = _leak(cotan.grad, X)
    try:
        assert float(kept) == pytest.approx(np.sin(X))
    except errors.UnexpectedTracerError as e:
        assert "escaped" in str(e)


def test_leaks_between_levels():
    def outer(x):
        kept = []
        cotan.jit(lambda y: kept.append(y) or y)(x)
        return kept[0] + x

    with pytest.raises(errors.UnexpectedTracerError):
        cotan.grad(outer)(1.0)
    with pytest.raises(errors.UnexpectedTracerError):
        cotan.jit(outer)(1.0)


@pytest.mark.parametrize("name", LEAKS)
def test_leak_checking(name):
    """The leak is found where it happens, not where it is used."""
    transform, x = LEAKS[name]
    with cotan.checking_leaks():
        transform(lambda x: cnp.sin(x) * 2)(x)
        with pytest.raises(errors.UnexpectedTracerError, match="Leaked trace"):
            _leak(transform, x)


def test_state_after_an_error_is_sound():
    """A failed trace leaves no trace active."""

    def f(x):
        raise RuntimeError("mine")

    for transform in (cotan.jit, cotan.grad, cotan.vmap, cotan.make_jaxpr):
        with pytest.raises(RuntimeError, match="mine"):
            transform(f)(cnp.ones(2) if transform is cotan.vmap else 1.0)
        assert float(cnp.sin(1.0)) == pytest.approx(np.sin(1.0))
        assert cotan._dispatch.is_evaluating()


def test_operations_name_their_line():
    """Errors of operations under a trace show where the user called."""
    line = []

    @cotan.jit
    def f(x):
        line.append(_next_line())
        return x @ cnp.ones((4, 4))

    with pytest.raises(TypeError) as info:
        f(cnp.ones((2, 3)))
    # The traceback is the user's own; its last entry in this file is it.
    entries = [e for e in info.traceback if str(e.path) == __file__]
    _, number = line[0].rsplit(":", 1)
    assert entries[-1].lineno + 1 == int(number)


def test_reprs():
    shown = []

    def f(x):
        shown.append(repr(x))
        return x

    with cotan.enable_x64(False):
        cotan.jit(f)(1.0)
        cotan.jit(f)(np.ones(3, "f4"))
    assert shown[0] == "JitTracer(~float32[])"
    assert shown[1] == "JitTracer(float32[3])"
    cotan.vmap(f)(np.ones((2, 3), "f4"))
    assert "f32[3]" in shown[2] or "float32[3]" in shown[2]
    cotan.grad(lambda x: f(x) * 1.0)(2.0)
    assert "2." in shown[3]


def test_classes_are_those_of_jax():
    assert issubclass(
        errors.TracerBoolConversionError, errors.ConcretizationTypeError
    )
    assert issubclass(errors.ConcretizationTypeError, TypeError)
    assert issubclass(errors.TracerIntegerConversionError, TypeError)
    assert issubclass(errors.TracerArrayConversionError, TypeError)
    assert issubclass(errors.NonConcreteBooleanIndexError, IndexError)
    assert issubclass(errors.UnexpectedTracerError, TypeError)

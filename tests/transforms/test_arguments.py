"""Arguments and results of grad, jvp, vjp, vmap and friends: argnums, aux,
pytrees, integers, complex numbers, dtypes, mistakes."""

from typing import NamedTuple

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import dtypes
from tests.transforms.functions import agree, matrix, vector


class Pair(NamedTuple):
    a: object
    b: object


def total(x, y, z):
    return cnp.sum(x * y) + z**2


# ---- argnums and aux


def test_argnums():
    x, y, z = vector(3), vector(3, 1), 3.0
    agree(cotan.grad(total)(x, y, z), y)
    agree(cotan.grad(total, 1)(x, y, z), x)
    agree(cotan.grad(total, -1)(x, y, z), 6.0)
    agree(cotan.grad(total, (2, 0))(x, y, z), (6.0, y))
    agree(cotan.grad(total, [1])(x, y, z), (x,))
    agree(cotan.grad(total, argnums=(0,))(x, y, z=z), (y,))
    assert isinstance(cotan.grad(total, (0, 1))(x, y, z), tuple)
    jac = cotan.jacfwd(lambda x, y: x * y, (0, 1))(x, y)
    agree(jac, (np.diag(y), np.diag(x)))
    agree(cotan.jacrev(lambda x, y: x * y, (0, 1))(x, y), jac)
    h = cotan.hessian(lambda x, y: cnp.sum(x * y), (0, 1))(x, y)
    agree(h, ((np.zeros((3, 3)), np.eye(3)), (np.eye(3), np.zeros((3, 3)))))


def test_keyword_arguments_are_constants():
    agree(cotan.grad(lambda x, *, k: x * k)(2.0, k=5.0), 5.0)
    with pytest.raises(TypeError, match="requires at least 2 positional"):
        cotan.grad(total, 1)(1.0, y=1.0, z=1.0)


def test_aux():
    def f(x):
        return cnp.sum(x**2), {"n": x.shape[0], "y": cnp.sin(x), "s": "text"}

    x = vector(3)
    g, aux = cotan.grad(f, has_aux=True)(x)
    agree(g, 2 * np.asarray(x))
    agree(aux["y"], np.sin(x))
    assert aux["n"] == 3 and aux["s"] == "text"
    assert not isinstance(aux["y"], cotan._dispatch.Tracer)
    (v, aux), g = cotan.value_and_grad(f, has_aux=True)(x)
    agree(v, np.sum(np.asarray(x) ** 2))
    out, pull, aux = cotan.vjp(f, x, has_aux=True)
    agree(pull(1.0)[0], 2 * np.asarray(x))
    out, t, aux = cotan.jvp(f, (x,), (x,), has_aux=True)
    agree(t, 2 * out)
    agree(aux["y"], np.sin(x))
    jac, aux = cotan.jacrev(lambda x: (x**2, x), has_aux=True)(x)
    agree((jac, aux), (np.diag(2 * np.asarray(x)), x))
    jac, aux = cotan.jacfwd(lambda x: (x**2, x), has_aux=True)(x)
    agree((jac, aux), (np.diag(2 * np.asarray(x)), x))

    def arrays_only(x):
        return cnp.sum(x**2), cnp.sin(x)

    g, y = cotan.jit(cotan.grad(arrays_only, has_aux=True))(x)
    agree((g, y), (2 * np.asarray(x), np.sin(x)))
    gg = cotan.grad(
        lambda v: cotan.grad(arrays_only, has_aux=True)(v)[1].sum()
    )(x)
    agree(gg, np.cos(x))
    with pytest.raises(TypeError, match="return a two-element tuple"):
        cotan.grad(lambda x: x, has_aux=True)(1.0)


def test_value_and_grad():
    x = vector(3)
    v, g = cotan.value_and_grad(lambda x: cnp.sum(x**3))(x)
    agree((v, g), (np.sum(np.asarray(x) ** 3), 3 * np.asarray(x) ** 2))
    v, g = cotan.jit(cotan.value_and_grad(total, (0, 2)))(x, x, 2.0)
    agree(g, (x, 4.0))


# ---- pytrees


TREES = {
    "dict": lambda a, b: {"a": a, "b": b},
    "list": lambda a, b: [a, b],
    "nested": lambda a, b: {"x": (a, [None, b])},
    "namedtuple": Pair,
}


@pytest.mark.parametrize("name", TREES)
def test_trees(name):
    make = TREES[name]
    a, b = vector(2), matrix(2, 3)

    def f(tree):
        a, b = cotan.tree.leaves(tree)
        return cnp.sum(a @ b) + cnp.sum(b**2)

    g = cotan.grad(f)(make(a, b))
    assert type(g) is type(make(a, b))
    want = make(
        np.asarray(b).sum(1), np.asarray(a)[:, None] + 2 * np.asarray(b)
    )
    agree(g, want)
    agree(cotan.jit(cotan.grad(f))(make(a, b)), want)
    doubled = cotan.jit(lambda t: cotan.tree.map(lambda x: 2 * x, t))(
        make(a, b)
    )
    assert type(doubled) is type(make(a, b))
    agree(doubled, make(2 * np.asarray(a), 2 * np.asarray(b)))
    _, t = cotan.jvp(f, (make(a, b),), (make(a, b),))
    agree(t, sum(np.sum(x * w) for x, w in _pairs(make(a, b), want)))
    mapped = cotan.vmap(lambda t: cotan.tree.map(cnp.sin, t))(make(a, b))
    agree(mapped, make(np.sin(a), np.sin(b)))


def _pairs(x, y):
    from tests.transforms.functions import leaves

    return zip(leaves(x), leaves(y), strict=True)


def test_trees_of_results():
    def f(x):
        return {"s": cnp.sin(x), "n": [x * 2, None]}

    _, pull = cotan.vjp(f, 1.0)
    agree(pull({"s": 1.0, "n": [1.0, None]})[0], np.cos(1.0) + 2)
    with pytest.raises(ValueError, match="unexpected tree structure"):
        pull({"s": 1.0})
    jac = cotan.jacrev(f)(1.0)
    agree(jac["n"][0], 2.0)
    agree(cotan.jacfwd(f)(1.0), jac)


# ---- dtypes of derivatives


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_gradients_have_the_dtype_of_the_argument(dtype):
    x = cnp.asarray(np.ones(3, dtypes._core.dtype(dtype)))
    g = cotan.grad(lambda x: cnp.sum(cnp.sin(x)))(x)
    assert g.dtype == x.dtype and not g.weak_type
    out, t = cotan.jvp(cnp.sin, (x,), (x,))
    assert out.dtype == t.dtype == x.dtype


def test_mixed_dtypes():
    x = cnp.asarray(np.ones(3, "f4"))
    y = cnp.asarray(np.ones(3, "f8"))
    gx, gy = cotan.grad(lambda x, y: cnp.sum(x * y), (0, 1))(x, y)
    assert (gx.dtype.name, gy.dtype.name) == ("float32", "float64")
    n = cnp.arange(3)
    g = cotan.grad(lambda x: cnp.sum(x * n))(x)
    agree(g, [0, 1, 2])


def test_weak_types_of_derivatives():
    assert cotan.grad(lambda x: x**2)(3.0).weak_type
    assert not cotan.grad(lambda x: x**2)(np.float32(3.0)).weak_type


# ---- integers


def test_integer_arguments():
    def f(x, n):
        return x**2 * n

    with pytest.raises(
        TypeError,
        match=r"grad requires real- or complex-valued inputs .*got int64",
    ):
        cotan.grad(f, 1)(2.0, 3)
    g = cotan.grad(f, 1, allow_int=True)(2.0, 3)
    assert g.dtype == dtypes.float0 and g.shape == ()
    gs = cotan.grad(f, (0, 1), allow_int=True)(2.0, 3)
    agree(gs[0], 12.0)
    assert gs[1].dtype == dtypes.float0
    _, pull = cotan.vjp(f, 2.0, cnp.arange(3))
    x_ct, n_ct = pull(cnp.ones(3))
    agree(x_ct, 12.0)
    assert n_ct.dtype == dtypes.float0 and n_ct.shape == (3,)


def test_integer_tangents():
    def f(x, n):
        return x * n, n + 1

    zero = np.zeros((), dtypes.float0)
    (y, n), (t, tm) = cotan.jvp(f, (2.0, 3), (1.0, zero))
    agree((y, n, t), (6.0, 4, 3.0))
    assert tm.dtype == dtypes.float0
    with pytest.raises(TypeError, match="float0"):
        cotan.jvp(f, (2.0, 3), (1.0, 1))
    with pytest.raises(TypeError, match="float0"):
        cotan.jvp(f, (2.0, 3), (zero, zero))
    _, pull = cotan.vjp(f, 2.0, 3)
    agree(pull((1.0, zero))[0], 3.0)
    _, lin = cotan.linearize(f, 2.0, 3)
    agree(lin(1.0, zero)[0], 3.0)


def test_booleans_and_integers_inside():
    def f(x):
        k = cnp.argsort(x)
        return cnp.sum(x[k] * cnp.arange(3) * (x > 0.5))

    x = cnp.array([0.9, 0.1, 0.7])
    agree(cotan.grad(f)(x), [2.0, 0.0, 0.0])
    agree(cotan.jit(cotan.grad(f))(x), [2.0, 0.0, 0.0])


def test_integer_results():
    with pytest.raises(TypeError, match=r"real-valued outputs .*got int64"):
        cotan.grad(lambda x: cnp.sum(x).astype(int))(vector(3))


# ---- complex numbers


def test_complex_gradients():
    z = cnp.array(1 + 2j)
    agree(cotan.grad(lambda z: cnp.abs(z) ** 2)(z), 2 - 4j)
    agree(cotan.grad(lambda z: cnp.real(z * z))(z), 2 + 4j)
    agree(cotan.grad(lambda z: z**2, holomorphic=True)(z), 2 + 4j)
    agree(cotan.grad(lambda z: cnp.exp(z), holomorphic=True)(z), np.exp(1 + 2j))
    agree(
        cotan.jit(cotan.grad(lambda z: cnp.abs(cnp.sin(z)) ** 2))(z),
        cotan.grad(lambda z: cnp.abs(cnp.sin(z)) ** 2)(z),
    )
    zs = cnp.array([1 + 2j, -0.5j, 3.0])
    agree(
        cotan.vmap(cotan.grad(lambda z: cnp.imag(z) * cnp.real(z)))(zs),
        # d/da - i d/db of ab
        np.imag(zs) - 1j * np.real(zs),
    )
    agree(
        cotan.jacrev(lambda z: z**3, holomorphic=True)(zs),
        np.diag(3 * np.asarray(zs) ** 2),
    )
    agree(
        cotan.jacfwd(lambda z: z**3, holomorphic=True)(zs),
        np.diag(3 * np.asarray(zs) ** 2),
    )


def test_complex_mistakes():
    with pytest.raises(TypeError, match="holomorphic=True"):
        cotan.grad(lambda z: z**2)(1j)
    with pytest.raises(TypeError, match="requires inputs with complex dtype"):
        cotan.grad(lambda z: z**2, holomorphic=True)(1.0)
    with pytest.raises(TypeError, match="requires outputs with complex dtype"):
        cotan.grad(lambda z: cnp.real(z), holomorphic=True)(1j)


# ---- mistakes


def test_scalar_outputs():
    with pytest.raises(
        TypeError,
        match=r"only defined for scalar-output functions. Output had shape: "
        r"\(3,\)",
    ):
        cotan.grad(lambda x: x)(vector(3))
    with pytest.raises(TypeError, match="only defined for scalar-output"):
        cotan.grad(lambda x: (x, x))(1.0)
    with pytest.raises(TypeError, match=r"scalar-output|not a valid"):
        cotan.grad(lambda x: None)(1.0)


def test_results_that_are_no_arrays():
    with pytest.raises(TypeError, match=r"type <class 'str'>.*\['a'\]"):
        cotan.jit(lambda x: {"a": "text"})(1.0)
    with pytest.raises(TypeError, match="not a valid array type"):
        cotan.vjp(lambda x: object(), 1.0)


def test_arguments_that_are_no_arrays():
    for f in (
        cotan.grad(lambda x: x),
        lambda x: cotan.vjp(lambda x: x, x),
        cotan.vmap(lambda x: x),
        cotan.jit(lambda x: x),
    ):
        for bad in ("text", object(), np.array(["a"]), np.array([None])):
            with pytest.raises(TypeError):
                f(bad)


def test_callables():
    for transform in (cotan.grad, cotan.vmap, cotan.jit, cotan.jacfwd):
        with pytest.raises(TypeError, match="Expected a callable value"):
            transform(3)


def test_jvp_mistakes():
    f = cnp.sin
    x = vector(3)
    with pytest.raises(TypeError, match="must be tuples or lists"):
        cotan.jvp(f, x, x)
    with pytest.raises(TypeError, match="same tree structure"):
        cotan.jvp(f, (x,), (x, x))
    with pytest.raises(ValueError, match="different primal and tangent shapes"):
        cotan.jvp(f, (x,), (vector(2),))
    with pytest.raises(TypeError, match="dtypes must be equal"):
        cotan.jvp(f, (x,), (x.astype("float32"),))


def test_vmap_axes():
    x, y = matrix(2, 3), matrix(3, 2, 1)
    add = lambda a, b: a + b  # noqa: E731
    want = np.asarray(x) + np.asarray(y).T
    agree(cotan.vmap(add, (0, 1))(x, y), want)
    agree(cotan.vmap(add, (0, -1))(x, y), want)
    agree(cotan.vmap(add, (0, 1), out_axes=1)(x, y), want.T)
    agree(cotan.vmap(add, (0, 1), out_axes=-1)(x, y), want.T)
    agree(cotan.vmap(add, [0, 1])(x, y), want)
    agree(cotan.vmap(add, (0, None))(x, y[:, 0]), x + np.asarray(y)[:, 0])
    tree = {"a": x, "b": (y, 2.0)}

    def f(t):
        return {"s": t["a"] + t["b"][0] * t["b"][1], "c": t["b"][1]}

    out = cotan.vmap(
        f,
        in_axes=({"a": 0, "b": (1, None)},),
        out_axes={"s": 0, "c": None},
    )(tree)
    agree(out["s"], np.asarray(x) + 2 * np.asarray(y).T)
    agree(out["c"], 2.0)
    # A result that does not depend on the mapped argument is repeated.
    agree(cotan.vmap(lambda a: 1.0)(x), [1.0, 1.0])
    agree(cotan.vmap(lambda a, k: a * k, in_axes=(0, None))(x, 3), 3 * x)
    agree(
        cotan.vmap(lambda a, *, k: a * k)(x, k=cnp.array([1.0, 2.0])),
        np.asarray(x) * [[1.0], [2.0]],
    )
    agree(cotan.vmap(lambda: 1.0, axis_size=3)(), np.ones(3))


def test_vmap_mistakes():
    x = matrix(2, 3)
    f = cotan.vmap(lambda a, b: a + b)
    with pytest.raises(ValueError, match="inconsistent sizes"):
        f(x, matrix(3, 3))
    with pytest.raises(ValueError, match="rank should be at least 1"):
        f(x, 1.0)
    with pytest.raises(ValueError, match=r"len\(in_axes\)=1"):
        cotan.vmap(lambda a, b: a, in_axes=(0,))(x, x)
    with pytest.raises(ValueError, match="at least one non-None"):
        cotan.vmap(lambda a: a, in_axes=None)(x)
    with pytest.raises(ValueError, match="axis 2"):
        cotan.vmap(lambda a: a, in_axes=2)(x)
    with pytest.raises(TypeError, match="in_axes must be an int, None"):
        cotan.vmap(lambda a: a, in_axes="x")
    with pytest.raises(
        ValueError, match=r"out_axes\['b'\], got axis spec None"
    ):
        cotan.vmap(lambda a: {"a": a, "b": a}, out_axes={"a": 0, "b": None})(x)
    with pytest.raises(ValueError, match=r"axis_name=i.* but out_axes is None"):
        cotan.vmap(lambda a: a, out_axes=None, axis_name="i")(x)
    for axes in (True, (True,), {"a": 0}, ("x",), (1.5,)):
        with pytest.raises(TypeError, match="vmap in_axes must be an int"):
            cotan.vmap(lambda a: a, in_axes=axes)
    with pytest.raises(TypeError, match="vmap out_axes must be an int"):
        cotan.vmap(lambda a: a, out_axes=(0, False))
    with pytest.raises(ValueError, match=r"got empty \*args=\(\{\},\)"):
        cotan.vmap(lambda a: a)({})


def test_vmap_names_the_sizes_that_differ():
    def f(a, b, *c):
        return a

    x, y = cnp.zeros((2, 3), "float32"), cnp.zeros(3, "float32")
    head = "vmap got inconsistent sizes for array axes to be mapped:"
    cases = [
        (
            lambda: cotan.vmap(f)(x, [y]),
            "one axis had size 2: axis 0 of argument a of type float32[2,3]",
            "one axis had size 3: axis 0 of argument b[0] of type float32[3]",
        ),
        (
            lambda: cotan.vmap(f, (1, 0, 0))(x, y, x),
            "most axes (2 of them) had size 3, e.g. axis 1 of argument a of "
            "type float32[2,3]",
            "one axis had size 2: axis 0 of argument c of type float32[2,3]",
        ),
        (
            lambda: cotan.vmap(f)(x, b=y),
            "one axis had size 2: axis 0 of argument a of type float32[2,3]",
            "one axis had size 3: axis 0 of kwargs['b'] of type float32[3]",
        ),
        (
            lambda: cotan.vmap(f, (0, None), axis_size=4)(x, abs),
            "the `axis_size` argument was 4",
            "one axis had size 2: axis 0 of argument a of type float32[2,3]",
        ),
    ]
    for call, first, second in cases:
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value) == f"{head}\n  * {first};\n  * {second}"


def test_vmap_passes_objects_that_are_not_mapped():
    x = cnp.arange(3.0)
    f = cotan.vmap(lambda g, x, name: g(x) if name else x, (None, 0, None))
    agree(f(cnp.sin, x, "sin"), np.sin(np.arange(3.0)))
    agree(f({"a": None}.get, x, ""), np.arange(3.0))
    with pytest.raises(TypeError, match="not a valid array type"):
        cotan.vmap(lambda g, x: g(x))(cnp.sin, x)


def test_names_of_wrappers():
    def loss(x):
        """About it."""
        return x

    for transform in (cotan.grad, cotan.value_and_grad, cotan.vmap):
        g = transform(loss)
        assert "loss" in g.__name__ and "About it." in g.__doc__
        assert g.__wrapped__ is loss
    assert cotan.vmap(loss).__doc__.startswith("Vectorized version of loss.")
    assert cotan.jit(loss).__name__ == "loss"
    assert cotan.jit(loss).__doc__ == "About it."
    assert cotan.jit(loss).__wrapped__ is loss


def test_empty_arrays():
    x = cnp.zeros((0, 3))
    agree(cotan.grad(lambda x: cnp.sum(cnp.sin(x)))(x), np.zeros((0, 3)))
    agree(cotan.jit(cnp.sin)(x), np.zeros((0, 3)))
    assert cotan.jacrev(lambda x: x * 2)(cnp.zeros(0)).shape == (0, 0)
    assert cotan.jacfwd(lambda x: x * 2)(cnp.zeros(0)).shape == (0, 0)
    assert cotan.vmap(cnp.sin)(x).shape == (0, 3)


def test_stop_gradient():
    from tests.ops.functions import lax

    f = lambda x: x * lax.stop_gradient(x)  # noqa: E731
    agree(cotan.grad(f)(3.0), 3.0)
    agree(cotan.jvp(f, (3.0,), (1.0,))[1], 3.0)
    agree(cotan.grad(lambda x: lax.stop_gradient(x) * 2.0)(3.0), 0.0)

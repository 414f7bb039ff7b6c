"""Forty conventions of JAX 0.10.2 that are easily got wrong, one test each.

The values are those that JAX gives on a CPU, 64-bit types off unless said.
They stand here as numbers, so that the tests run without JAX.
"""

from __future__ import annotations

import collections
import dataclasses
import warnings

import ml_dtypes
import numpy as np
import pytest

import cotan
import cotan.numpy as jnp
from cotan import lax

INF, NAN = np.inf, np.nan
grad, jit = cotan.grad, cotan.jit


def kind(x):
    return f"{x.dtype}" + ("*" if x.weak_type else "")


def check(got, want, rtol=1e-6):
    np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=rtol)


def fails(error, text, f, *args, **kwargs):
    with pytest.raises(error) as e:
        f(*args, **kwargs)
    assert text in str(e.value), str(e.value)


# ---- dtypes


def test_01_default_dtypes():
    assert kind(jnp.array(1)) == "int32*"
    assert kind(jnp.array(1.0)) == "float32*"
    assert kind(jnp.array(1j)) == "complex64*"
    assert kind(jnp.array([1, 2])) == "int32"
    assert kind(jnp.arange(3)) == "int32"
    assert kind(jnp.full(2, 1.0)) == "float32*"
    assert kind(jnp.asarray(np.float64(1))) == "float32"
    with pytest.warns(UserWarning, match="requested dtype"):
        assert kind(jnp.zeros(2, "float64")) == "float32"
    with cotan.enable_x64(True):
        assert kind(jnp.arange(3)) == "int64"
        assert kind(jnp.array([1.0])) == "float64"


def test_02_python_scalars_do_not_widen():
    assert kind(jnp.int8(1) + 1) == "int8"
    assert kind(jnp.bfloat16(1) + 1.0) == "bfloat16"
    assert kind(jnp.bfloat16(1) + np.float32(1)) == "float32"
    assert kind(jnp.arange(3) + 1.5) == "float32*"
    assert kind(jnp.array(True) + 1) == "int32*"
    wrapped = jnp.arange(3, dtype="uint8") + 300
    assert wrapped.tolist() == [44, 45, 46]


def test_03_the_lattice_is_not_numpys():
    def both(a, b):
        return str(jnp.result_type(a, b))

    assert both("int32", "float16") == "float16"
    assert both("float16", ml_dtypes.bfloat16) == "float32"
    assert both("uint8", "int8") == "int16"
    assert both("uint32", "int32") == "int32"
    assert both(1.0, "int8") == "float32"
    with cotan.enable_x64(True):
        assert both("int64", "float32") == "float32"
        assert both("uint32", "int32") == "int64"
        assert both("uint64", "int64") == "float64"
    with pytest.raises((TypeError, ValueError)):  # 8-bit floats never widen
        both(ml_dtypes.float8_e4m3fn, "float32")


def test_04_weak_types_survive_jit():
    assert kind(jit(lambda x: x)(1)) == "int32*"
    assert kind(jit(lambda x: x)(np.float64(1))) == "float32"
    assert kind(jnp.exp(jnp.array(1))) == "float32*"


def test_05_dtypes_of_reductions():
    x = np.ones(3, "int8")
    assert kind(jnp.sum(x)) == kind(jnp.prod(x)) == "int32"
    assert kind(jnp.sum(x.astype("uint8"))) == "uint32"
    assert kind(jnp.sum(x.astype(bool))) == "int32"
    assert kind(jnp.cumsum(x)) == "int8"
    assert kind(jnp.mean(x)) == "float32"
    assert kind(jnp.mean(x.astype("f2"))) == "float16"
    assert kind(jnp.argmax(x)) == "int32"
    assert jnp.sum(jnp.ones(4096, ml_dtypes.bfloat16)) == 4096
    with cotan.enable_x64(True):
        assert kind(jnp.sum(x)) == "int64"


def test_06_overflow():
    fails(OverflowError, "Python int", jnp.array, 2**31)
    fails(OverflowError, "Python integer 200 out of", jnp.int8, 200)
    assert (jnp.array([127], "int8") + np.int8(1)).tolist() == [-128]


def test_07_integer_division():
    x, y = jnp.array([7, -7]), jnp.array([-2, 2])
    assert (x // y).tolist() == [-4, -4]
    assert (x % y).tolist() == [-1, 1]
    assert lax.div(x, y).tolist() == [-3, -3]
    assert lax.rem(x, y).tolist() == [1, -1]
    five, zero = jnp.array(5), jnp.array(0)
    assert (five // zero, five % zero) == (-2, 0)
    assert (lax.div(five, zero), lax.rem(five, zero)) == (-1, 5)


def test_08_floats_to_integers_saturate():
    x = jnp.array([NAN, INF, -INF, 3e9, -1.7])
    top = 2**31 - 1
    assert x.astype("int32").tolist() == [0, top, -(2**31), top, -1]
    y = jnp.array([NAN, INF, -INF, 300.0, -1.7])
    assert y.astype("uint8").tolist() == [0, 255, 0, 255, 0]
    assert jnp.array(300).astype("uint8") == 44


def test_09_powers_shifts_and_rounding():
    fails(TypeError, "negative powers", lambda: jnp.array(2) ** -1)
    text = str(cotan.make_jaxpr(lambda x: x**3)(1.0))
    assert "integer_pow[y=3]" in text
    assert jnp.array(0.0) ** 0 == 1
    assert jnp.array(1) << 32 == 0 and jnp.array(1) >> 40 == 0
    x = jnp.array([0.5, 1.5, 2.5, -0.5])
    assert jnp.round(x).tolist() == [0, 2, 2, 0]
    assert np.signbit(jnp.sign(jnp.array(-0.0)))
    assert np.isnan(jnp.sign(jnp.array(NAN)))


def test_10_strict_modes():
    x, y = jnp.arange(3), jnp.ones(3)
    with cotan.numpy_dtype_promotion("strict"):
        fails(ValueError, "strict", lambda: x + y)
    with cotan.numpy_rank_promotion("raise"):
        fails(ValueError, "rank", lambda: y + jnp.ones((2, 3)))


# ---- indexing


def test_11_reads_outside_give_the_nearest():
    x = jnp.arange(10.0)
    assert (x[11], x[-11], x[jnp.array(11)]) == (9, 0, 9)
    assert np.isnan(jnp.take(x, 11))
    assert np.isnan(jnp.take_along_axis(x, jnp.array([11]), 0)[0])
    assert jnp.take(jnp.arange(10), 11) == -(2**31)
    assert np.isnan(x.at[jnp.array(11)].get(mode="fill"))


def test_12_writes_outside_are_dropped():
    x, two = jnp.zeros(3), jnp.array([3.0, 4.0])
    assert x.at[jnp.array([5, -11])].set(1.0).tolist() == [0, 0, 0]
    assert x.at[-1].set(1.0).tolist() == [0, 0, 1]
    assert x.at[jnp.array([1, 1])].add(1.0).tolist() == [0, 2, 0]
    assert x.at[jnp.array([1, 1])].set(two).tolist() == [0, 4, 0]
    ids = jnp.array([0, 1, 5, -1])
    assert cotan.ops.segment_sum(jnp.ones(4), ids, 2).tolist() == [1, 1]
    empty = cotan.ops.segment_max(jnp.ones(1), jnp.array([0]), 2)
    assert empty.tolist() == [1, -INF]


def test_13_dynamic_slices_clamp_after_wrapping():
    x = jnp.arange(10)
    assert lax.dynamic_slice(x, (8,), (4,)).tolist() == [6, 7, 8, 9]
    assert lax.dynamic_slice(x, (-3,), (2,)).tolist() == [7, 8]
    y = lax.dynamic_update_slice(x, jnp.array([50, 60]), (9,))
    assert y.tolist() == [*range(8), 50, 60]


def test_14_indices_that_are_refused():
    x = jnp.arange(3.0)
    fails(TypeError, "non-tuple sequence", lambda: x[[0, 1]])
    fails(TypeError, "integer or boolean", lambda: x[1.0])
    with pytest.raises(TypeError):
        x["a"]
    with pytest.raises(IndexError):
        x[0, 0]
    with pytest.raises(TypeError, match="immutable"):
        x[0] = 1


def test_15_masks_and_slices_under_jit():
    x = jnp.arange(3.0)
    error = cotan.errors.NonConcreteBooleanIndexError
    with pytest.raises(error):
        jit(lambda x: x[x > 1])(x)
    with pytest.raises(IndexError):
        jit(lambda x, n: x[:n])(x, 2)
    assert x.at[x > 0].set(5.0).tolist() == [0, 5, 5]
    assert x[x > 0].tolist() == [1, 2]


def test_16_gradients_of_reads_outside():
    v = jnp.arange(3.0)
    assert grad(lambda v: v[5])(v).tolist() == [0, 0, 1]
    i = jnp.array([5])
    assert grad(lambda v: v[i].sum())(v).tolist() == [0, 0, 0]


# ---- gradients


def test_17_slopes_of_abs_and_steps():
    assert grad(jnp.abs)(0.0) == 1
    for f in (jnp.sign, jnp.floor, jnp.round):
        assert grad(f)(0.3) == 0


def test_18_slopes_at_ties():
    assert grad(lambda x: jnp.maximum(x, 0.0))(0.0) == 0.5
    assert grad(jnp.max)(jnp.array([1.0, 2, 2])).tolist() == [0, 0.5, 0.5]
    for x in (0.0, 1.0):
        assert grad(lambda x: jnp.clip(x, 0.0, 1.0))(x) == 0.5
        assert grad(lambda x: lax.clamp(0.0, x, 1.0))(x) == 0

    def windows(x):
        return lax.reduce_window(x, -INF, lax.max, (2,), (2,), "VALID").sum()

    assert grad(windows)(jnp.array([2.0, 2, 1, 3])).tolist() == [1, 0, 0, 1]
    first = grad(lambda x: jnp.sort(x)[0])
    assert first(jnp.array([1.0, 1.0])).tolist() == [1, 0]


def test_19_slopes_at_kinks():
    nn = cotan.nn
    want = {
        (nn.relu, 0.0): 0,
        (nn.relu6, 6.0): 0,
        (nn.leaky_relu, 0.0): 1,
        (nn.gelu, 0.0): 0.5,
        (nn.softplus, 0.0): 0.5,
    }
    for (f, x), slope in want.items():
        assert grad(f)(x) == slope, f


def test_20_slopes_at_singular_points():
    assert grad(jnp.sqrt)(0.0) == grad(jnp.log)(0.0) == INF
    root = grad(lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0))
    assert np.isnan(root(0.0)) and np.isnan(root(-1.0))
    safe = grad(
        lambda x: jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0)
    )
    assert safe(0.0) == 0
    check(grad(jnp.linalg.norm)(jnp.zeros(2)), [NAN, NAN])
    check(grad(jnp.arctan2, (0, 1))(0.0, 0.0), [NAN, NAN])
    check(grad(jnp.hypot, (0, 1))(0.0, 0.0), [0.5, 0.5])
    assert grad(jnp.sinc)(0.0) == 0
    check(grad(cotan.nn.logsumexp)(jnp.array([-INF, -INF])), [NAN, NAN])
    check(grad(jnp.prod)(jnp.array([0.0, 2, 3])), [6, 0, 0])
    check(grad(jnp.linalg.det)(jnp.zeros((2, 2))), np.zeros((2, 2)))


def test_21_slopes_of_powers():
    assert grad(lambda x: x**0)(0.0) == 0
    assert np.isnan(grad(lambda x: x**0.0)(0.0))
    assert grad(lambda x: x**0.5)(0.0) == INF
    slope = grad(lambda x, y: x**y, (0, 1))
    check(slope(0.0, 0.0), [NAN, 0])
    check(slope(0.0, 2.0), [0, 0])
    check(slope(-1.0, 2.0), [-2, NAN])


def test_22_complex_gradients():
    z = 1 + 2j
    check(grad(lambda z: jnp.abs(z) ** 2)(z), 2 - 4j)
    check(grad(lambda z: z**2, holomorphic=True)(z), 2 + 4j)
    with pytest.raises(TypeError):
        grad(lambda z: z**2)(z)


def test_23_integers_are_not_differentiated():
    def f(x):
        return x * 2.0

    fails(TypeError, "real- or complex-valued inputs", grad(f), 1)
    (t,) = cotan.vjp(f, 1)[1](1.0)
    assert t.dtype == cotan.dtypes.float0
    assert grad(f, allow_int=True)(1).dtype == cotan.dtypes.float0
    zero = np.zeros((), cotan.dtypes.float0)
    assert cotan.jvp(f, (1,), (zero,))[1] == 0
    with pytest.raises(TypeError):
        cotan.jvp(f, (1,), (1,))
    with pytest.raises(TypeError):
        cotan.jvp(f, (1.0,), (np.float16(1),))


def test_24_gradients_want_scalars():
    text = "Gradient only defined for scalar-output functions. Output had"
    fails(TypeError, text, grad(jnp.sin), jnp.ones(3))


def test_25_custom_vjp():
    @cotan.custom_vjp
    def f(x, y):
        return x * y

    f.defvjp(lambda x, y: (x * y, x), lambda x, ct: (ct * 7, None))
    assert [float(g) for g in grad(f, (0, 1))(2.0, 3.0)] == [7, 0]
    text = "can't apply forward-mode"
    fails(TypeError, text, cotan.jvp, f, (1.0, 1.0), (1.0, 1.0))
    seen = []

    def g(scale, x):
        return scale * x

    def forward(scale, x):
        seen.append(("forward", scale))
        return scale * x, ()

    def backward(scale, residuals, ct):
        seen.append(("backward", scale))
        return (ct * scale,)

    h = cotan.custom_vjp(g, nondiff_argnums=(0,))
    h.defvjp(forward, backward)
    assert grad(h, 1)(3.0, 2.0) == 3
    assert seen == [("forward", 3.0), ("backward", 3.0)]


def test_26_loops_with_known_bounds_are_scans():
    def cube(x, n=3):
        return lax.fori_loop(0, n, lambda i, y: y * x, jnp.ones(()))

    assert "scan[" in str(cotan.make_jaxpr(cube)(2.0))
    assert grad(cube)(2.0) == 12
    with pytest.raises(ValueError, match="Reverse-mode"):
        jit(lambda x, n: grad(cube)(x, n))(2.0, 3)


# ---- control flow, jit, tracing


def test_27_branches():
    assert lax.cond(3, lambda: 1, lambda: 2) == 1
    with pytest.raises(TypeError):
        lax.cond(True, lambda: 1, lambda: 2.0 + jnp.ones(1, int))
    text = str(
        cotan.make_jaxpr(
            cotan.vmap(lambda p, x: lax.cond(p, jnp.sin, jnp.cos, x))
        )(jnp.array([True]), jnp.ones(1))
    )
    assert all(name in text for name in ("select_n", "sin", "cos"))
    branches = [lambda: 0, lambda: 1, lambda: 2]
    assert lax.switch(7, branches) == 2
    assert lax.switch(-7, branches) == 0


def test_28_carries():
    total, _ = lax.scan(lambda c, x: (c + x, x), 0, jnp.ones(3))
    assert kind(total).startswith("float32") and total == 3
    text = "scan body function carry input and carry output"
    fails(
        TypeError,
        text,
        lambda: lax.scan(lambda c, x: (jnp.ones(2), x), 0.0, jnp.ones(3)),
    )
    last = lax.while_loop(lambda c: c < 2, lambda c: c + jnp.ones(()), 0)
    assert last == 2 and last.dtype == "float32"


def test_29_errors_of_tracers():
    e = cotan.errors
    assert issubclass(e.TracerBoolConversionError, e.ConcretizationTypeError)
    assert issubclass(e.ConcretizationTypeError, TypeError)
    leaked = []
    for error, f in (
        (e.TracerBoolConversionError, lambda x: bool(x)),
        (e.ConcretizationTypeError, lambda x: int(x)),
        (e.ConcretizationTypeError, lambda x: float(x)),
        (e.TracerIntegerConversionError, lambda x: [0, 1][x]),
        (e.TracerArrayConversionError, lambda x: np.array(x)),
        (TypeError, lambda x: jnp.zeros(x)),
    ):
        with pytest.raises(error):
            jit(f)(1)
    jit(lambda x: leaked.append(x) or x)(1.0)
    with pytest.raises(e.UnexpectedTracerError):
        leaked[0] + 1


def test_30_what_retraces():
    traces, counts = [], []

    def f(x, n=None):
        traces.append(x)
        return x

    g = jit(f, static_argnames="n")

    def call(*args, **kwargs):
        g(*args, **kwargs)
        counts.append(len(traces))

    call(1)
    call(2)
    call(1.0)
    call(jnp.int32(1))
    call(jnp.array(1))
    call({"a": 1, "b": 2})
    call({"b": 1, "a": 2})
    call([1])
    call((1,))
    call(1, n=1)
    call(1, n=1.0)
    call(1, n=True)
    call(1, n=1)
    assert counts == [1, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9, 9]


def test_31_arguments_that_jit_refuses():
    text = "Non-hashable static arguments"
    fails(ValueError, text, jit(lambda n: 1, static_argnums=0), [1])
    fails(TypeError, "argument", jit(lambda x: x), "text")
    x = jnp.ones(3)
    jit(lambda x: x + 1, donate_argnums=0)(x)
    fails(
        RuntimeError,
        "Array has been deleted with shape=float32[3].",
        lambda: x + 1,
    )
    calls = []
    f = jit(lambda x: calls.append(1) or x + 1)
    f(1.0), f(2.0)
    assert len(calls) == 1


def test_32_lax_is_strict():
    x = jnp.ones(3)
    text = "lax.add requires arguments to have the same dtypes"
    fails(TypeError, text, lax.add, x, jnp.arange(3))
    assert lax.add(x, 1.0).tolist() == [2, 2, 2]
    text = "incompatible shapes for broadcasting: (3,), (4,)"
    fails(TypeError, text, jnp.add, x, jnp.ones(4))
    with pytest.raises(TypeError):
        jnp.reshape(x, (2,))
    with pytest.raises(TypeError):
        jnp.concatenate([x, jnp.ones((2, 2))])
    with pytest.raises(ValueError):
        cotan.vmap(jnp.add)(x, jnp.ones(4))
    text = "sum requires ndarray or scalar arguments, got <class 'list'>"
    fails(TypeError, text, jnp.sum, [1, 2])


def test_33_text_of_jaxprs():
    jaxpr = cotan.make_jaxpr(lambda x: jnp.sin(x) * 2.0)(jnp.ones(3))
    assert str(jaxpr) == (
        "{ lambda ; a:f32[3]. let b:f32[3] = sin a; "
        "c:f32[3] = mul b 2.0:f32[] in (c,) }"
    )
    text = str(cotan.make_jaxpr(jit(jnp.sin))(1.0))
    assert "jit[" in text and "name=" in text and "jaxpr={ lambda ;" in text


def test_33_shared_jaxprs_print_once():
    shared = jit(lambda x: x + x)
    text = str(cotan.make_jaxpr(lambda x: shared(shared(x)))(jnp.ones(3)))
    assert text.startswith("let ") and text.count("add") == 1


def test_34_repr():
    assert repr(jnp.arange(3)) == "Array([0, 1, 2], dtype=int32)"
    assert repr(jnp.array(1)) == "Array(1, dtype=int32, weak_type=True)"
    assert repr(jnp.zeros((0, 3))) == "Array([], shape=(0, 3), dtype=float32)"
    half = jnp.ones(2, ml_dtypes.bfloat16)
    assert repr(half) == "Array([1, 1], dtype=bfloat16)"
    seen = []
    jit(lambda x: seen.append(repr(x)) or x)(1.0)
    assert seen == ["JitTracer(~float32[])"]
    key = "Array((), dtype=key<fry>) overlaying:\n[0 0]"
    assert repr(cotan.random.key(0)) == key


def test_35_types():
    assert isinstance(jnp.float32, type)
    assert isinstance(jnp.float32(1), cotan.Array)
    assert np.dtype(jnp.float32) == np.float32
    assert jnp.ndarray is cotan.Array
    assert jit(lambda x: isinstance(x, cotan.Array) + x)(0) == 1
    x = jnp.ones(3)
    assert not np.asarray(x).flags.writeable
    for y in (np.float64(2) * x, np.ones(3) + x):
        assert isinstance(y, cotan.Array) and y.dtype == "float32"
    with pytest.raises(TypeError):
        hash(x)
    assert not (x == None)  # noqa: E711
    with pytest.raises(TypeError):
        x + list(range(3))
    assert type(cotan.device_get(jnp.array(1.0))) is np.ndarray


# ---- pytrees


def test_36_leaves():
    tree = cotan.tree
    assert tree.leaves({"b": 1, "a": 2}) == [2, 1]
    ordered = collections.OrderedDict([("b", 1), ("a", 2)])
    assert tree.leaves(ordered) == [1, 2]
    assert tree.leaves([None, 1]) == [1]
    queue = collections.deque([1, 2])
    assert tree.leaves(queue) == [queue]
    text = "Comparator raised exception while sorting pytree dictionary keys."
    fails(ValueError, text, tree.leaves, {1: 1, "a": 2})
    assert list(tree.map(lambda x: x, {"b": 1, "a": 2})) == ["a", "b"]


def test_37_structures():
    tree, util = cotan.tree, cotan.tree_util
    text = "PyTreeDef({'a': None, 'b': [*, (*,)]})"
    assert str(tree.structure({"b": [1, (2,)], "a": None})) == text
    pair = collections.namedtuple("NT", ["x", "y"])
    text = "PyTreeDef(CustomNode(namedtuple[NT], [*, *]))"
    assert str(tree.structure(pair(1, 2))) == text
    assert tree.map(lambda x, y: (x, y), [1], [[2, 3]]) == [(1, [2, 3])]
    ordered = collections.OrderedDict(a=1)
    with pytest.raises(ValueError):
        tree.map(lambda x, y: x, {"a": 1}, ordered)

    @dataclasses.dataclass
    class Point:
        y: int
        x: int

    util.register_dataclass(Point, ["y", "x"], [])
    assert tree.leaves(Point(y=2, x=1)) == [2, 1]
    with pytest.raises(ValueError, match="Duplicate"):
        util.register_dataclass(Point, ["y", "x"], [])
    paths = [k for k, _ in util.tree_leaves_with_path({"a": [0, pair(1, 2)]})]
    assert [util.keystr(k) for k in paths] == [
        "['a'][0]",
        "['a'][1].x",
        "['a'][1].y",
    ]


# ---- random numbers


def test_38_keys_and_bits():
    random = cotan.random
    assert random.PRNGKey(-1).tolist() == [0, 2**32 - 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert random.PRNGKey(2**32 + 5).tolist() == [0, 5]
    with cotan.enable_x64(True):
        assert random.PRNGKey(2**32 + 5).tolist() == [1, 5]
    key, data = random.key(0), random.key_data
    split = [[1797259609, 2579123966], [928981903, 3453687069]]
    assert data(random.split(key)).tolist() == split
    assert data(random.fold_in(key, 1)).tolist() == split[1]
    bits = [4070199207, 4202968722, 1427181096]
    assert random.bits(key, (3,)).tolist() == bits
    assert random.bits(key, (5,))[:3].tolist() == bits
    with cotan.threefry_partitionable(False):
        old = [[4146024105, 967050713], [2718843009, 1272950319]]
        assert data(random.split(key)).tolist() == old


def test_39_samples():
    random, key = cotan.random, cotan.random.key(0)
    uniform = [0.947667, 0.9785799, 0.33229148]
    check(random.uniform(key, (3,)), uniform)
    normal = [1.6226422, 2.0252647, -0.43359444]
    check(random.normal(key, (3,)), normal, 3e-7)
    assert random.randint(key, (5,), 0, 10).tolist() == [9, 0, 2, 3, 1]
    assert random.permutation(key, 5).tolist() == [0, 1, 4, 3, 2]
    assert random.bernoulli(key, 0.5, (5,)).tolist() == [0, 0, 1, 1, 0]
    categorical = random.categorical(key, jnp.zeros(4), shape=(3,))
    assert categorical.tolist() == [1, 3, 2]
    check(random.gamma(key, 2.0, (3,)), [1.5897877, 1.7599413, 1.1290071])


# ---- numerics


def test_40_nothing_raises_on_numerics():
    la = jnp.linalg
    factor = la.cholesky(jnp.array([[1.0, 2], [2, 1]]))
    check(np.isnan(factor), [[True, False], [True, True]])
    assert factor[0, 1] == 0
    check(la.inv(jnp.zeros((2, 2))), [[NAN, NAN], [NAN, INF]])
    check(la.solve(jnp.zeros((2, 2)), jnp.ones(2)), [NAN, INF])
    assert np.isnan(jnp.log(-1.0))
    skew = jnp.array([[2.0, 1], [0, 2]])
    check(la.eigh(skew)[0], [1.5, 2.5])
    assert la.svd(jnp.ones((3, 2)))[0].shape == (3, 3)
    gone = jnp.array([-INF, -INF])
    check(cotan.nn.softmax(gone), [NAN, NAN])
    assert cotan.nn.logsumexp(gone) == -INF
    x = jnp.array([1.0, NAN, 3])
    assert np.isnan(jnp.max(x)) and jnp.argmax(x) == 1
    check(jnp.sort(x), [1, 3, NAN])
    zeros = jnp.sort(jnp.array([0.0, -0.0]))
    assert np.signbit(zeros).tolist() == [False, True]
    check(jnp.unique(jnp.array([NAN, 1.0, NAN])), [1, NAN])
    check(cotan.nn.gelu(1.0), 0.841192)

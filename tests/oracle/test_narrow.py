"""int2 ... uint4, float4 and the float8s against JAX: every value cast to and
from every dtype, every pair of values in arithmetic, promotion, conventions."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

pytest.importorskip("jax")

from tests.narrow import (
    FLOATS,
    INTS,
    NARROW,
    assert_same,
    dtype_of,
    pairs_of,
    values_of,
)
from tests.oracle.both import (
    cnp,
    cotan,
    cotan_lax,
    jax,
    jax_lax,
    jnp,
    run,
    standard_class,
    x64,
)

WIDE = (
    "bool int8 int32 int64 uint8 uint64 float16 bfloat16 float32 float64"
).split()

every = pytest.mark.parametrize("name", NARROW)
every_float = pytest.mark.parametrize("name", FLOATS)


@pytest.fixture(autouse=True)
def _wide_types():
    with x64(True):
        yield


@every
def test_casts_of_every_value(name):
    x = values_of(name)
    for to in (*WIDE, "complex64", *NARROW):
        want = np.asarray(jnp.asarray(x).astype(dtype_of(to)))
        if name == "float4_e2m1fn" and "int" in to:
            i = ml_dtypes.iinfo(want.dtype)  # XLA takes 6 for infinity
            want = np.clip(x.astype("f4"), int(i.min), int(i.max)).astype(
                want.dtype
            )
        got = cnp.asarray(x).astype(to)
        assert_same(got, want, f"{name} to {to}")


def _numbers(name, of):
    """Random ones of all sizes, and what lies between two neighbours."""
    rng = np.random.default_rng(0)
    d = dtype_of(of)
    if d.kind in "iu":
        i = np.iinfo(d)
        random = rng.integers(i.min, i.max, 3000, dtype=d, endpoint=True)
        return np.concatenate([random, np.arange(-300, 300).astype(d)])
    known = values_of(name).astype("f8")
    known = np.sort(known[np.isfinite(known)])
    ties = (known[1:] + known[:-1]) / 2
    random = rng.standard_normal(30000) * 2.0 ** rng.integers(-20, 20, 30000)
    special = (
        "inf -inf nan 0 -0 448 464 480 57344 61440 1e-30 1e38 1e300 -1e300"
    )
    special = np.array([float(v) for v in special.split()])
    with np.errstate(all="ignore"):
        return np.concatenate(
            [
                random,
                ties,
                np.nextafter(ties, np.inf),
                np.nextafter(ties, -np.inf),
                special,
            ]
        ).astype(d)


@every
@pytest.mark.parametrize("of", WIDE)
def test_casts_to_narrow(name, of):
    x = _numbers(name, of)
    if name == "float8_e8m0fnu" and of == "float64":
        x = x[~(abs(x) < 2.0**-120)]  # see below
    want = np.asarray(jnp.asarray(x).astype(dtype_of(name)))
    got = cnp.asarray(x).astype(name)
    assert_same(got, want, f"{of} to {name}")
    before = cotan._core.set_interpret(True)
    try:
        assert_same(
            cnp.asarray(x[-300:]).astype(name), want[-300:], "reference"
        )
    finally:
        cotan._core.set_interpret(before)


# XLA flushes the least values of float8_e8m0fnu, which are subnormal in f32.
BINARY = "add sub mul div rem lt le eq ne".split()
UNARY = "neg sign abs is_finite floor round".split()


@every_float
def test_arithmetic_of_all_pairs(name):
    x, y = pairs_of(name)
    if name == "float8_e8m0fnu":
        normal = abs(x.view("u1") - 127.0) + abs(y.view("u1") - 127.0) < 120
        x, y = x[normal], y[normal]
    for op in BINARY:
        want = getattr(jax_lax, op)(jnp.asarray(x), jnp.asarray(y))
        got = getattr(cotan_lax, op)(x, y)
        assert_same(got, want, f"{op} {name}")
    for op in UNARY:
        want = getattr(jax_lax, op)(jnp.asarray(x))
        assert_same(getattr(cotan_lax, op)(x), want, f"{op} {name}")


INT_BINARY = """add sub mul div rem max min lt eq bitwise_and bitwise_or
bitwise_xor shift_left shift_right_logical shift_right_arithmetic""".split()


@pytest.mark.parametrize("name", INTS)
def test_integer_arithmetic(name):
    x, y = pairs_of(name)
    for op in INT_BINARY:
        want = getattr(jax_lax, op)(jnp.asarray(x), jnp.asarray(y))
        got = getattr(cotan_lax, op)(x, y)
        assert_same(got, want, f"{op} {name}")
    for op in ("neg", "sign", "bitwise_not", "clz"):
        want = getattr(jax_lax, op)(jnp.asarray(x))
        assert_same(getattr(cotan_lax, op)(x), want, f"{op} {name}")


def test_population_count():
    # Of int4, XLA counts other bits.
    x = values_of("int4")
    want = [bin(b).count("1") for b in x.view("u1") & 15]
    np.testing.assert_array_equal(
        cotan_lax.population_count(x).astype("int8"), want
    )


@every_float
def test_nextafter(name):
    if name == "float8_e8m0fnu":  # JAX takes its lowest bit for a sign
        x = values_of(name)[:-1]
        up = cotan_lax.nextafter(x[:-1], np.full_like(x[:-1], 2.0**100))
        i = np.arange(254)
        want = np.where(i < 127 + 100, i + 1, np.maximum(i - 1, 127 + 100))
        want[127 + 100] = 127 + 100
        np.testing.assert_array_equal(np.asarray(up).view("u1"), want)
        return
    x, y = pairs_of(name)
    want = jax_lax.nextafter(jnp.asarray(x), jnp.asarray(y))
    got = np.asarray(cotan_lax.nextafter(x, y))
    if name.endswith("fnuz"):  # JAX reaches -0, which is nan there
        least = x.view("u1") == 0x81
        up = least & (y.astype("f4") > x.astype("f4"))
        assert (got[up].view("u1") == 0).all()
        got, want = got[~up], np.asarray(want)[~up]
    assert_same(got, want, name)


EXPRESSIONS = """
jnp.array([1.5, 2.5, -3.7]).astype(T)
jnp.asarray(np.arange(6).reshape(2, 3), dtype=T)
jnp.arange(5, dtype=T)
jnp.full((2, 2), 2, T)
jnp.ones(3, T) + 1
jnp.ones(3, T) * True
T_(1)
jnp.ones(3, T).sum(dtype='float32')
jnp.max(jnp.arange(4, dtype=T))
jnp.argmax(jnp.arange(4, dtype=T))
jnp.sort(jnp.asarray([3, 1, 2, 0, 1], T))
jnp.argsort(jnp.asarray([3, 1, 2, 0, 1], T))
jnp.where(jnp.array([True, False]), jnp.ones(2, T), jnp.full(2, 3, T))
jnp.concatenate([jnp.ones(2, T), jnp.full(2, 3, T)])
jnp.arange(4, dtype=T)[::-1]
jnp.arange(4, dtype=T)[jnp.array([3, 0, -1])]
jnp.arange(4, dtype=T).at[1].set(3)
jnp.arange(4, dtype=T).at[jnp.array([1, 1])].add(1)
jnp.arange(6, dtype=T).reshape(2, 3).T
jnp.pad(jnp.ones(2, T), 1)
jnp.take(jnp.arange(4, dtype=T), jnp.array([1, 9]), mode='clip')
jnp.arange(4, dtype=T) == jnp.asarray([0, 2, 2, 1], T)
jnp.clip(jnp.arange(4, dtype=T), 1, 2)
jnp.dot(jnp.ones(3, T), jnp.ones(3, T))
jnp.ones((2, 3), T) @ jnp.ones((3, 2), T)
lax.dot(jnp.ones((2, 3), T), jnp.ones((3, 2), T), preferred_element_type=A)
lax.dynamic_slice(jnp.arange(4, dtype=T), (1,), (2,))
lax.dynamic_update_slice(jnp.arange(4, dtype=T), jnp.full(2, 3, T), (1,))
lax.iota(T, 4)
lax.select(jnp.array([True, False]), jnp.ones(2, T), jnp.zeros(2, T))
lax.cumsum(jnp.ones(3, T))
lax.while_loop(lambda c: (c < 3).all(), lambda c: c + 1, jnp.zeros(2, T))
lax.scan(lambda c, x: (c + x, c), jnp.zeros((), T), jnp.ones(3, T))
lax.cond(True, lambda x: x + 1, lambda x: x, jnp.ones(2, T))
jax.vmap(lambda x: x * 2)(jnp.ones((2, 2), T))
jax.jit(lambda x: x.astype('float32') * 2)(jnp.ones(2, T))
jax.device_put(jnp.ones(2, T))
jax.tree.map(lambda x: x, {'a': jnp.ones(2, T)})
jnp.ones(2, T) + jnp.ones(2, 'float32')
jnp.ones(2, T) + jnp.ones(2, 'int8')
jnp.ones(2, T) + 1.5
jnp.ones(2, T) + 1j
jnp.promote_types(T, 'int32')
jnp.result_type(T, 1)
jnp.result_type(T, 1.0)
jnp.ones(2, T) / jnp.ones(2, T)
jnp.isnan(jnp.ones(2, T))
jnp.zeros_like(jnp.ones(2, T))
jnp.stack([jnp.ones(2, T)] * 2)
jnp.unique(jnp.asarray([1, 3, 1], T))
jnp.ones((), T).item()
float(jnp.ones((), T))
int(jnp.ones((), T))
bool(jnp.ones((), T))
jnp.ones(2, T).tolist()
jax.eval_shape(lambda x: x * 2, jnp.ones(2, T))
""".strip().splitlines()

# XLA's CPU compiler ends the process at some uses of what has less than a
# byte: there the standard dtype above it is the oracle.
INSTEAD = {"float4_e2m1fn": "bfloat16", "int4": "int8", "uint4": "uint8"}
PROMOTES = ("'float32'", "'int8'", "1.5", "1j", "promote", "result_type")


@pytest.mark.parametrize(
    "name", [n for n in NARROW if n[-1] != "2" or "_" in n]
)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(name, expression):
    accumulator = "float32" if name in FLOATS else "int32"
    names = {"T": dtype_of(name), "A": accumulator}
    oracle = name
    if name in INSTEAD and not any(p in expression for p in PROMOTES):
        oracle = INSTEAD[name]
    want = run(
        "jax",
        expression.replace("T_", f"jnp.{oracle}"),
        **{**names, "T": dtype_of(oracle)},
    )
    got = run("cotan", expression.replace("T_", f"jnp.{name}"), **names)
    if name == "float8_e8m0fnu" and "cumsum" in expression:
        # JAX starts with 0, which that dtype does not have.
        assert_same(got, np.array([1, 2, 4], dtype_of(name)))
        return
    if isinstance(want, Exception) or isinstance(got, Exception):
        assert isinstance(want, Exception), f"{name}: {got!r}"
        assert isinstance(got, Exception), f"{name}: {want!r}, not {got!r}"
        assert standard_class(want) == standard_class(got)
        assert str(got).split(". ")[1:] == str(want).split(". ")[1:], str(got)
        return
    want, got = jax.tree.leaves(want), cotan.tree.leaves(got)
    for w, g in zip(want, got, strict=True):
        if not hasattr(w, "shape"):
            assert g == w or (g != g and w != w), f"{name}: {g}, not {w}"
            continue
        if isinstance(w, np.dtype):
            assert g == w
            continue
        dtype = w.dtype if w.dtype != dtype_of(oracle) else dtype_of(name)
        assert g.dtype == dtype
        if hasattr(w, "__array__"):
            w_here = np.asarray(w).astype(dtype)
            assert_same(g, w_here, f"{name}: {expression}")
        assert getattr(g, "weak_type", False) == getattr(w, "weak_type", False)


@every
def test_reductions_of_nothing(name):
    x = np.zeros((0, 3), dtype_of(name))
    if name not in INTS:
        want = jax_lax.reduce_max(jnp.asarray(x), axes=(0,))
        if name == "float8_e8m0fnu":  # XLA makes nan of the least value
            want = np.full(3, 2.0**-127, x.dtype)
        assert_same(cotan_lax.reduce_max(x, axes=(0,)), want, name)
        return
    info = ml_dtypes.iinfo(x.dtype)  # XLA's CPU compiler takes those of int8
    for reduce, value in (("max", info.min), ("min", info.max)):
        got = getattr(cotan_lax, f"reduce_{reduce}")(x, axes=(0,))
        np.testing.assert_array_equal(np.asarray(got).astype(int), int(value))


def test_scaled_dot():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((4, 64)).astype(dtype_of("float8_e4m3fn"))
    b = rng.standard_normal((64, 3)).astype(dtype_of("float8_e4m3fn"))
    power = dtype_of("float8_e8m0fnu")
    s = (2.0 ** rng.integers(-3, 3, (4, 2))).astype(power)
    t = (2.0 ** rng.integers(-3, 3, (4, 3))).astype(power)
    for options in (
        {"lhs_scale": s, "rhs_scale": t, "preferred_element_type": "float32"},
        {"rhs_scale": t, "preferred_element_type": "float32"},
        {"lhs_scale": s},
    ):
        want = jax_lax.scaled_dot(
            jnp.asarray(a),
            jnp.asarray(b),
            **{
                k: jnp.asarray(v) if k.endswith("scale") else v
                for k, v in options.items()
            },
        )
        got = cotan_lax.scaled_dot(a, b, **options)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(
            np.asarray(got).astype("f4"),
            np.asarray(want).astype("f4"),
            rtol=1e-2 if want.dtype != "float32" else 1e-5,
            atol=1e-5,
        )
    with pytest.raises(TypeError, match="must be divisible by its scale"):
        cotan_lax.scaled_dot(a, b, rhs_scale=np.ones((3, 3), power))

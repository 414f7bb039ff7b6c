"""Values of elementwise functions, reductions and conversions on every dtype,
special values included, against JAX.

JAX answers for one dtype are computed by one compiled program, once, so that
a case costs what cotan costs.
"""

import functools
import warnings

import numpy as np
import pytest

pytest.importorskip("jax")

from tests.oracle.both import cotan, describe, jax, library_dtype, x64

FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
INTS = "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
DTYPES = ("bool", *INTS, *FLOATS, *COMPLEX)

# Of |cotan - JAX| / |JAX|. JAX computes f16 and bf16 functions in f32 as we
# do, and rounds intermediate results elsewhere.
RTOL = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 3e-6, "float64": 1e-13}
RTOL |= {"complex64": 1e-5, "complex128": 1e-13}

UNARY = """negative absolute sign floor ceil trunc rint exp exp2 expm1 log log2
log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh
arctanh sqrt cbrt square reciprocal isnan isinf isfinite logical_not invert
real imag conj bitwise_count positive angle deg2rad fabs signbit sinc
nan_to_num""".split()
BINARY = """add subtract multiply true_divide floor_divide remainder fmod power
maximum minimum arctan2 hypot logaddexp logaddexp2 equal not_equal less
less_equal greater greater_equal logical_and logical_xor bitwise_and bitwise_xor
left_shift right_shift copysign heaviside nextafter fmax fmin""".split()
REDUCTIONS = """sum prod max min mean var std any all argmax argmin cumsum
cumprod ptp count_nonzero nansum nanmax nanmin nanmean median sort
argsort""".split()

# Differences that stay, and why.
_LOOSE = {
    # JAX's own error: its polynomials lose digits next to zeros and poles.
    "float32": {"tan": 2e-5, "sinc": 2e-5, "cumprod": 1e-5, "prod": 1e-5},
    # JAX's exp2 multiplies by ln 2 in the type of its operand.
    "bfloat16": {"exp2": 0.06},
    **{t: {"exp2": 5e-6} for t in INTS},
    "complex64": dict.fromkeys(UNARY, 1e-4),
    "complex128": dict.fromkeys(UNARY, 1e-12),
}


def unary_operand(name):
    """A little of everything; no subnormals, which XLA flushes."""
    kind = np.dtype(library_dtype(name)).kind
    if name == "bool":
        return np.array([False, True])
    if name in INTS:
        info = np.iinfo(name)
        some = [0, 1, 2, 3, 5, 7, 100, 127, info.max, info.max - 1, info.min]
        some += [-1, -2, -3, -100] if info.min else []
        return np.array(some, name)
    if kind == "c":
        rng = np.random.default_rng(0)
        z = rng.uniform(-2, 2, 24) + 1j * rng.uniform(-2, 2, 24)
        return np.concatenate([z, [1, 1j, 0.5, -0.5 + 0.25j]]).astype(name)
    values = [0.0, -0.0, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 5, 10, 20]
    values += [-0.1, -0.5, -0.75, -1, -1.5, -2.5, -3, -10, np.inf, -np.inf]
    return np.array([*values, np.nan], library_dtype(name))


def binary_operands(name):
    """Pairs of special values."""
    if name == "bool":
        x = np.array([False, True])
    elif name in INTS:
        info = np.iinfo(name)
        x = np.array([0, 1, 2, 3, 7, 100, info.max, info.min], name)
        if info.min:
            x = np.concatenate([x, np.array([-1, -2, -7], name)])
    elif name in COMPLEX:
        x = np.array([1, 1j, 0.5 - 2j, -1.5 + 0.25j, -2 - 1j], name)
    else:
        x = [0.0, -0.0, 0.3, 1, 2, 2.5, 7, -0.3, -1, -2.5]
        x = np.array([*x, np.inf, -np.inf, np.nan], library_dtype(name))
    a, b = np.meshgrid(x, x, indexing="ij")
    return a.ravel(), b.ravel()


def reduction_operand(name):
    rng = np.random.default_rng(1)
    if name == "bool":
        return rng.random((3, 5)) < 0.6
    if name in INTS:
        return rng.integers(0, 100, (3, 5)).astype(name)
    x = rng.uniform(-2, 2, (3, 5))
    if name in COMPLEX:
        return (x + 1j * rng.uniform(-2, 2, (3, 5))).astype(name)
    x[1, 2] = np.nan
    x[2, 1] = x[2, 3]
    return x.astype(library_dtype(name))


def applied(library, function, args):
    f = getattr(library.numpy, function.removesuffix(" rows"))
    return f(*args, axis=1) if function.endswith(" rows") else f(*args)


KNOWN = {
    # NumPy refuses complex arctan2 too: it has no meaning as an angle.
    **{("arctan2", t): "complex arctan2" for t in COMPLEX},
    # JAX tells integers apart before it makes integers of the bools.
    ("fmod", "bool"): "x fmod False is False as for integers",
}


# name of a family: its functions and its operands for a dtype
FAMILIES = {
    "unary": (UNARY, lambda t: (unary_operand(t),)),
    "binary": (BINARY, binary_operands),
    "reduction": (
        [f"{f} rows" for f in REDUCTIONS],
        lambda t: (reduction_operand(t),),
    ),
}


@functools.cache
def jax_answers(family, name):
    """{function: array} of the functions that JAX accepts for the dtype."""
    functions, operands = FAMILIES[family]
    with x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        args = [jax.numpy.asarray(a) for a in operands(name)]
        good = []
        for f in functions:
            try:
                # argmax of complex numbers is refused by the compiler only.
                jax.jit(lambda *a, f=f: applied(jax, f, a)).lower(*args)
                good.append(f)
            except (TypeError, ValueError):
                pass
        out = jax.jit(lambda *a: [applied(jax, f, a) for f in good])(*args)
        return dict(zip(good, out, strict=True))


def same(want, got, rtol):
    assert describe(got) == describe(want)
    a, b = np.asarray(got), np.asarray(want)
    if a.dtype.name == "bfloat16":
        a, b = a.astype("f4"), b.astype("f4")
    if a.dtype.kind in "fc":
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 4)
        return
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize(
    "family, function",
    [(k, f) for k, (functions, _) in FAMILIES.items() for f in functions],
)
def test_function(family, function, name):
    if why := KNOWN.get((function, name)):
        pytest.skip(f"a known difference: {why}")
    want = jax_answers(family, name).get(function)
    with x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        args = [cotan.numpy.asarray(a) for a in FAMILIES[family][1](name)]
        if want is None:
            with pytest.raises((TypeError, ValueError)):
                applied(cotan, function, args)
            return
        got = applied(cotan, function, args)
        plain = function.removesuffix(" rows")
        rtol = RTOL.get(name, 1e-6)
        rtol = max(rtol, _LOOSE.get(name, {}).get(plain, 0))
        if describe(want)[0] in RTOL:
            rtol = max(rtol, RTOL[describe(want)[0]])
        same(want, got, rtol)


# ---- conversions


def convertible(source, target):
    """Values whose conversion is defined: floats beyond an integer's range
    saturate in both libraries, but complex numbers do not have to."""
    return source not in COMPLEX or target in (*COMPLEX, *FLOATS)


@functools.cache
def jax_conversions(source):
    x = unary_operand(source)
    targets = [t for t in DTYPES if convertible(source, t)]
    with x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = jax.jit(lambda x: [x.astype(library_dtype(t)) for t in targets])(
            jax.numpy.asarray(x)
        )
    return dict(zip(targets, out, strict=True))


@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
def test_conversion(source, target):
    if not convertible(source, target):
        pytest.skip("left open")
    want = jax_conversions(source)[target]
    with x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = cotan.numpy.asarray(unary_operand(source))
        same(want, x.astype(library_dtype(target)), 0)
        compiled = cotan.jit(lambda x: x.astype(library_dtype(target)))(x)
        same(want, compiled, 0)

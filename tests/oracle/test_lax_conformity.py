"""Conventions of cotan.lax that are JAX's: what mixed dtypes give, which
keywords there are, and what is refused with which words."""

import ml_dtypes
import numpy as np
import pytest

from tests.oracle import both

X = np.arange(6, dtype="f4").reshape(2, 3) / 4
NAMES = {
    "x": X,
    "n": np.arange(6, dtype="i4").reshape(2, 3) - 3,
    "v": np.arange(5, dtype="f4"),
    # The counter overflows.
    "words": np.array([1, 2**32 - 1, 2**32 - 1, 2**32 - 1], "u4"),
    "bf": ml_dtypes.bfloat16,
}

DTYPES = "float16 bfloat16 float32 int8 int32 uint8 uint32 bool complex64"
VALUES = [
    *(
        f"lax.dot(jnp.arange(3).astype('{a}'), jnp.arange(3).astype('{b}'))"
        for i, a in enumerate(DTYPES.split())
        for b in DTYPES.split()[i::2]
    ),
    "lax.dot(n, np.ones(3, 'i4'), preferred_element_type=np.float32)",
    "jax.jacobian(lambda a, b: lax.dot(a, b).real)(v, v + 1j)",
    "jax.grad(lambda a: lax.dot(a, n[0]))(v[:3])",
    *(
        f"lax.dot({a}, {a}.T, precision={p})"
        for a in ("x", "x.astype('f2')", "jnp.asarray(x, bf)")
        for p in (
            "'F32_F32_F32'",
            "'BF16_BF16_F32'",
            "'DEFAULT'",
            "lax.DotAlgorithmPreset.F16_F16_F16",
        )
    ),
    "lax.dot(x, x.T, precision='F16_F16_F16', "
    "preferred_element_type=np.float32)",
    "lax.broadcast_in_dim(np.arange(3.)[:, None], (2, 3, 4), (1, 0))",
    "lax.broadcast_in_dim(x, (3, 5, 2), (2, 0))",
    "lax.convert_element_type(2 ** 32 + 5, 'int32')",
    "lax.convert_element_type(-1, 'uint8')",
    *(
        f"lax.{f}(x, accuracy=lax.AccuracyMode.HIGHEST)"
        for f in (
            "cbrt cos exp exp2 expm1 log log1p logistic rsqrt sin sqrt tan tanh"
        ).split()
    ),
    "lax.exp(x=x, accuracy=lax.AccuracyMode.DEFAULT)",
    "lax.tanh(x, accuracy=None)",
    *(
        f"lax.dot(jnp.asarray(v, '{a}'), jnp.asarray(v, '{b}'))"
        for a, b in (
            ("float8_e5m2", "float8_e4m3fn"),
            ("float8_e4m3b11fnuz", "float8_e3m4"),
            ("float8_e4m3fn", "float16"),
        )
    ),
    "lax.mul(x, n, out_dtype=np.float32)",
    "lax.mul(x, x, out_dtype=bf)",
    "jax.grad(lambda a: lax.mul(a, n, out_dtype=bf).sum())(x)",
    "lax.nextafter(x1=x, x2=x + 1)",
    "lax.padtype_to_pads(np.array([8, 7]), np.array([3, 3]), "
    "np.array([2, 2]), 'SAME_LOWER')",
    "lax.dynamic_slice(x, (np.int8(1), np.int8(-2)), (1, 2))",
    "lax.dynamic_slice(x, (jnp.int32(-1), jnp.int32(-2)), (1, 2), "
    "allow_negative_indices=[True, False])",
    "lax.dynamic_update_slice(x, x[:1, :1], (jnp.int32(-1), jnp.int32(-2)), "
    "allow_negative_indices=(False, True))",
    *(
        f"lax.rng_bit_generator({k}, {shape}, dtype=np.{t}, "
        f"algorithm=lax.RandomAlgorithm.RNG_{a})"
        for a, k, shape, t in (
            ("DEFAULT", "words", "(5,)", "uint32"),
            ("PHILOX", "words", "(2, 3)", "uint8"),
            ("PHILOX", "words[::-1]", "()", "uint16"),
            ("THREE_FRY", "words", "(3, 5)", "uint32"),
            ("THREE_FRY", "words[::-1]", "(5,)", "uint32"),
            ("THREE_FRY", "words", "(2, 3)", "uint16"),
        )
    ),
    "jax.vmap(lambda k: lax.rng_bit_generator(k, (3,)))("
    "jnp.stack([words, words + 1]))",
    "lax.sign(np.complex64([1e30 - 1e30j, 3e38j, 1e-37, 1e-30 + 1e-30j, 0]))",
    "lax.square(np.complex64([1e30 + 1e30j, 1e19 + 1e19j, 3e38 + 0.1j]))",
    "lax.bitcast_convert_type(jnp.full((2,), 1.0), np.float32)",
    "jnp.abs.__name__, jnp.acos.__name__, jnp.amax.__name__, "
    "jnp.radians.__name__",
    "lax.reduce({'a': v}, {'a': np.float32(1)}, "
    "lambda p, q: {'a': p['a'] * q['a']}, [0])",
]

# Expression, and a part of JAX's message.
ERRORS = """
lax.broadcast_in_dim(v, (5, 5), (0, 1)) ~> length equal to operand ndim
lax.broadcast_in_dim(x, (3,), (0, 1)) ~> equal or higher rank to the operand
lax.broadcast_in_dim(v, (5,), (2,)) ~> must be a subset of output dimensions
lax.broadcast_in_dim(v, (6,), (0,)) ~> dimension sizes must either be 1, or be
lax.broadcast_in_dim(x, (2, 3), (1, 0)) ~> dimension sizes must either be 1
lax.broadcast_in_dim(x[:, :2], (2, 2), (0, 0)) ~> not contain duplicates
lax.broadcast_shapes((-1,)) ~> Only non-negative indices are allowed
lax.broadcast_shapes('hello') ~> Shapes must be 1D sequences
lax.squeeze(x[None], (0, 0)) ~> dimensions are not unique
lax.split(v, [-1]) ~> Sizes passed to split must be nonnegative
lax.split(v, [1, 2]) ~> must be equal to dimension 0 of the operand shape
lax.argmin(x, 0, np.float32) ~> index_dtype must be an integer type
lax.argmax(x[:0], 0, np.int32) ~> require non-empty reduced dimension
lax.argmax(x, 2, np.int32) ~> Invalid axis 2 for operand shape (2, 3)
lax.argmin(x, -1, np.int32) ~> Invalid axis -1 for operand shape (2, 3)
lax.reduce_window(v, 0.0, lax.add, (0,), (1,), 'VALID') ~> must have every element be
lax.reduce_window(v, 0.0, lax.add, (1,), (0,), 'VALID') ~> must have every element be
lax.reduce(n, np.int32(0), lax.add, (0, 0)) ~> duplicate value in 'axes' of reduction
lax.reduce_sum(n, (1, 1)) ~> duplicate value in 'axes' of reduction
lax.reduce({'x': v}, {'x': v}, lambda a, b: a, [0]) ~> non-scalar initial value
jax.eval_shape(lambda a: lax.top_k(a, 9), big) ~> int32 indices, which will
lax.dynamic_slice(x, (np.int32(1), np.int16(2)), (2, 2)) ~> integers of the same
lax.dynamic_update_slice(x, x, (np.int32(1), np.int16(2))) ~> integers of the
lax.scatter(x, n, x[:, :1, None], scatter) ~> Invalid scatter_dims_to_operand_dims mapping
lax.dot(n, n.T, preferred_element_type=np.int8) ~> must not be narrower than
lax.exp(x, out_dtype=bf) ~> unexpected keyword argument 'out_dtype'
lax.Tolerance(-1.0, 0.0, 0) ~> Tolerances must be non-negative
lax.Tolerance() ~> At least one of atol, rtol, or ulps must be set.
lax.rng_bit_generator(words, (2,), dtype=np.float32) ~> float32
lax.conv(x[None, None], x[None, None], [1], 'SAME') ~> window and window_strides
lax.reduce_window(v, np.zeros(1, 'f4'), lax.max, (2,), (1,), 'VALID') ~> expected init_values to be scalars
"""  # noqa: E501


def scope(library):
    lax = both.LIBRARIES[library]["lax"]
    jax = both.LIBRARIES[library]["jax"]
    return {
        **NAMES,
        "big": jax.ShapeDtypeStruct((2**31 + 1,), np.dtype("f4")),
        "scatter": lax.ScatterDimensionNumbers((0, 1), (), (0, 4, 1)),
    }


@pytest.mark.parametrize("expression", VALUES)
def test_values(expression):
    theirs = both.run("jax", expression, **scope("jax"))
    ours = both.run("cotan", expression, **scope("cotan"))
    assert not isinstance(theirs, Exception), theirs
    assert not isinstance(ours, Exception), ours
    both.compare(expression, theirs, ours, 1e-5)


@pytest.mark.parametrize(
    "row",
    [r for r in ERRORS.splitlines() if r],
    ids=lambda r: r.split(" ~>")[0],
)
def test_errors(row):
    expression, part = row.split(" ~> ")
    theirs = both.run("jax", expression, **scope("jax"))
    ours = both.run("cotan", expression, **scope("cotan"))
    assert isinstance(theirs, Exception) and part in str(theirs), theirs
    assert isinstance(ours, Exception), ours
    assert both.standard_class(ours) == both.standard_class(theirs), ours
    assert part in str(ours), ours

"""cotan.lax against JAX, function by function: values, dtypes, weak types,
gradients; jit = eager; and the messages for bad arguments."""

import inspect
import warnings

import numpy as np
import pytest

import cotan
from cotan import lax

jax = pytest.importorskip("jax")

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 4)).astype(np.float32)
B = RNG.standard_normal((3, 4)).astype(np.float32)
V = RNG.standard_normal(6).astype(np.float32)
I = np.array([[3, -1, 7], [0, 2, -5]], np.int32)
U = RNG.uniform(0.1, 0.9, (3, 4)).astype(np.float32)
C = (A + 1j * B).astype(np.complex64)
MASK = A > 0
TIES = np.array([2.0, 1.0, 3.0, 2.0, 3.0, np.nan, 1.0], np.float32)

# name: f(lax) of fixed operands
CASES = {}


def case(f):
    CASES[f.__name__] = f
    return f


ELEMENTWISE = """neg sign floor ceil is_finite exp exp2 expm1 sin cos tan
    atan sinh cosh tanh asinh logistic erf erfc cbrt square abs real imag conj
    lgamma digamma""".split()
POSITIVE = "log log1p asin acos atanh erf_inv sqrt rsqrt reciprocal".split()
BINARY = """add sub mul div rem max min atan2 nextafter eq ne lt le gt ge
    complex""".split()
BITS = "bitwise_and bitwise_or bitwise_xor add sub mul div rem max min".split()

for name in ELEMENTWISE:
    x = C if name in ("real", "imag", "conj") else A
    CASES[name] = lambda m, name=name, x=x: getattr(m, name)(x)
for name in POSITIVE:
    CASES[name] = lambda m, name=name: getattr(m, name)(U)
for name in BINARY:
    CASES[name] = lambda m, name=name: getattr(m, name)(A, B)
for name in BITS:
    CASES[f"int_{name}"] = lambda m, name=name: getattr(m, name)(I, I[::-1])
CASES.update(
    acosh=lambda m: m.acosh(U + 1),
    pow=lambda m: m.pow(U, A),
    integer_pow=lambda m: m.integer_pow(A, 3),
    integer_pow_negative=lambda m: m.integer_pow(U, -2),
    integer_pow_int=lambda m: m.integer_pow(I, 2),
    round=lambda m: m.round(np.array([0.5, 1.5, -2.5, 0.3], np.float32)),
    round_even=lambda m: m.round(
        np.array([0.5, 1.5, -2.5, 0.3], np.float32),
        m.RoundingMethod.TO_NEAREST_EVEN,
    ),
    reduce_precision=lambda m: m.reduce_precision(A, 5, 3),
    bitwise_not=lambda m: m.bitwise_not(I),
    population_count=lambda m: m.population_count(I),
    clz=lambda m: m.clz(I),
    shift_left=lambda m: m.shift_left(I, np.int32(3)),
    shift_right_logical=lambda m: m.shift_right_logical(I, np.int32(1)),
    shift_right_arithmetic=lambda m: m.shift_right_arithmetic(I, np.int32(1)),
    mulhi=lambda m: m.mulhi(I * 2**29, I * 2**28),
    mulhi_unsigned=lambda m: m.mulhi(
        np.array([2**31, 7], np.uint32), np.array([6, 2**30], np.uint32)
    ),
    python_scalar=lambda m: m.add(A, 1.0),
    python_scalar_int=lambda m: m.mul(2, I),
    scalars=lambda m: m.add(1, 2),
    size_one=lambda m: m.add(A, B[:1]),
    sign_int=lambda m: m.sign(I),
    clamp=lambda m: m.clamp(np.float32(-0.5), A, np.float32(0.5)),
    clamp_scalars=lambda m: m.clamp(-0.5, A, 0.5),
    select=lambda m: m.select(MASK, A, B),
    select_scalar=lambda m: m.select(True, A, B),
    select_n=lambda m: m.select_n(
        np.array([0, 2, 1], np.int32), V[:3], V[3:], V[1:4]
    ),
    convert=lambda m: m.convert_element_type(A * 3, np.int32),
    convert_python=lambda m: m.convert_element_type(3, float),
    convert_saturates=lambda m: m.convert_element_type(
        np.array([np.nan, np.inf, -np.inf, 3e9, -1.7], np.float32), np.int32
    ),
    bitcast=lambda m: m.bitcast_convert_type(A, np.uint32),
    bitcast_narrow=lambda m: m.bitcast_convert_type(A, np.uint8),
    bitcast_wide=lambda m: m.bitcast_convert_type(
        np.arange(8, dtype=np.uint8).reshape(2, 4), np.int32
    ),
    full=lambda m: m.full((2, 3), 1.5),
    full_dtype=lambda m: m.full((2,), 3, np.int8),
    full_like=lambda m: m.full_like(A, 2),
    full_like_shape=lambda m: m.full_like(A, 2, np.int16, (2,)),
    iota=lambda m: m.iota(np.int32, 5),
    iota_float=lambda m: m.iota(np.float32, 3),
    broadcasted_iota=lambda m: m.broadcasted_iota(np.int32, (2, 3), 1),
    broadcast=lambda m: m.broadcast(V, (2, 3)),
    broadcast_in_dim=lambda m: m.broadcast_in_dim(V[:4], (3, 4), (1,)),
    broadcast_to_rank=lambda m: m.broadcast_to_rank(V, 3),
    reshape=lambda m: m.reshape(A, (2, 6)),
    reshape_dimensions=lambda m: m.reshape(A, (2, 6), (1, 0)),
    collapse=lambda m: m.collapse(np.ones((2, 3, 4), np.float32), 1),
    squeeze=lambda m: m.squeeze(A[:, None], (1,)),
    squeeze_negative=lambda m: m.squeeze(A[..., None], (-1,)),
    expand_dims=lambda m: m.expand_dims(A, (0, -1)),
    transpose=lambda m: m.transpose(A, (1, 0)),
    rev=lambda m: m.rev(A, (0, 1)),
    tile=lambda m: m.tile(A, (2, 3)),
    pad=lambda m: m.pad(A, np.float32(9), [(1, -1, 0), (0, 2, 1)]),
    pad_scalar=lambda m: m.pad(A, 9.0, [(1, 1, 0), (0, 0, 0)]),
    concatenate=lambda m: m.concatenate([A, B], 1),
    stack=lambda m: m.stack([A, B], 1),
    split=lambda m: m.split(A, (1, 3), 1),
    unstack=lambda m: m.unstack(A, 1),
    slice=lambda m: m.slice(A, (1, 0), (3, 4), (1, 2)),
    slice_in_dim=lambda m: m.slice_in_dim(A, -3, None, 2, 1),
    index_in_dim=lambda m: m.index_in_dim(A, -1, 0, False),
    dynamic_slice=lambda m: m.dynamic_slice(A, (1, -2), (2, 2)),
    dynamic_slice_clamps=lambda m: m.dynamic_slice(V, (8,), (4,)),
    dynamic_slice_vector=lambda m: m.dynamic_slice(
        A, np.array([1, 1], np.int32), (1, 2)
    ),
    dynamic_slice_no_wrap=lambda m: m.dynamic_slice(
        V, (3,), (2,), allow_negative_indices=False
    ),
    dynamic_slice_in_dim=lambda m: m.dynamic_slice_in_dim(A, 1, 2, 1),
    dynamic_index_in_dim=lambda m: m.dynamic_index_in_dim(A, 9, 0, False),
    dynamic_update_slice=lambda m: m.dynamic_update_slice(V, V[:2] + 9, (5,)),
    dynamic_update_slice_in_dim=lambda m: m.dynamic_update_slice_in_dim(
        A, B[:, :2], -2, 1
    ),
    dynamic_update_index_in_dim=lambda m: m.dynamic_update_index_in_dim(
        A, V[:4], 1, 0
    ),
    reduce_sum=lambda m: m.reduce_sum(A, (0,)),
    reduce_prod=lambda m: m.reduce_prod(A, (0, 1)),
    reduce_max=lambda m: m.reduce_max(A, (1,)),
    reduce_min=lambda m: m.reduce_min(A, (1,)),
    reduce_and=lambda m: m.reduce_and(I, (0,)),
    reduce_or=lambda m: m.reduce_or(MASK, (0,)),
    reduce_xor=lambda m: m.reduce_xor(I, (1,)),
    reduce_add=lambda m: m.reduce(A, np.float32(0), m.add, (0,)),
    reduce_from=lambda m: m.reduce(
        A, np.float32(2), lambda a, b: m.mul(a, b), (1,)
    ),
    reduce_lambda=lambda m: m.reduce(I, 100, lambda a, b: m.min(b, a), (0,)),
    argmax=lambda m: m.argmax(TIES, 0, np.int32),
    argmin=lambda m: m.argmin(A, 1, np.uint8),
    cumsum=lambda m: m.cumsum(A, 1),
    cumsum_reverse=lambda m: m.cumsum(A, 0, reverse=True),
    cumprod=lambda m: m.cumprod(A, 1),
    cummax=lambda m: m.cummax(TIES),
    cummin=lambda m: m.cummin(A, 1),
    cumlogsumexp=lambda m: m.cumlogsumexp(A, 1),
    dot=lambda m: m.dot(A, B.T),
    dot_vector=lambda m: m.dot(A, V[:4]),
    dot_int8=lambda m: m.dot(I.astype(np.int8), I.T.astype(np.int8)),
    dot_preferred=lambda m: m.dot(
        I.astype(np.int8), I.T.astype(np.int8), preferred_element_type=np.int32
    ),
    dot_precision=lambda m: m.dot(A, B.T, precision="highest"),
    dot_general=lambda m: m.dot_general(
        np.ones((2, 3, 4), np.float32),
        np.ones((5, 2, 4), np.float32),
        (((2,), (2,)), ((0,), (1,))),
    ),
    batch_matmul=lambda m: m.batch_matmul(
        *map(m.full_like, (np.ones((2, 3, 4)), np.ones((2, 4, 5))), (2.0, 3.0))
    ),
    sort=lambda m: m.sort(TIES),
    sort_dimension=lambda m: m.sort(A, 0),
    sort_several=lambda m: m.sort((I, I[:, ::-1], I + 1), num_keys=2),
    sort_key_val=lambda m: m.sort_key_val(TIES, np.arange(7, dtype=np.int32)),
    top_k=lambda m: m.top_k(TIES, 4),
    top_k_axis=lambda m: m.top_k(A, 2, axis=0),
    top_k_int=lambda m: m.top_k(I, 1),
    associative_scan=lambda m: m.associative_scan(
        lambda a, b: a * b, m.add(V, 0.0)
    ),
    associative_scan_reverse=lambda m: m.associative_scan(
        lambda a, b: (a[0] + b[0], m.max(a[1], b[1])),
        (m.add(A, 0.0), m.add(B, 0.0)),
        reverse=True,
        axis=1,
    ),
    stop_gradient=lambda m: m.stop_gradient({"a": A, "b": (I,)}),
)


@case
def gather_rows(m):
    numbers = m.GatherDimensionNumbers((1,), (0,), (0,))
    return m.gather(A, np.array([[2], [0], [7]], np.int32), numbers, (1, 4))


@case
def gather_clip(m):
    numbers = m.GatherDimensionNumbers((1,), (0,), (0,))
    indices = np.array([[2], [-1], [7]], np.int32)
    return m.gather(A, indices, numbers, (1, 2), mode="clip")


@case
def gather_fill(m):
    numbers = m.GatherDimensionNumbers((), (0,), (0,))
    indices = np.array([[2], [-1], [7]], np.int32)
    return m.gather(V, indices, numbers, (1,), mode="fill", fill_value=-9)


def _scatter(name, **kwargs):
    def f(m):
        numbers = m.ScatterDimensionNumbers((1,), (0,), (0,))
        indices = np.array([[2], [0], [2], [9]], np.int32)
        updates = np.ones((4, 4), np.float32) * 3
        return getattr(m, name)(A, indices, updates, numbers, **kwargs)

    return f


for name in "scatter scatter_add scatter_sub scatter_mul".split():
    CASES[name] = _scatter(name)
for name in "scatter_min scatter_max".split():
    CASES[name] = _scatter(name, mode="clip")


@case
def scatter_apply(m):
    numbers = m.ScatterDimensionNumbers((), (0,), (0,))
    indices = np.array([[1], [4]], np.int32)
    return m.scatter_apply(
        m.add(V, 0.0), indices, m.exp, numbers, update_shape=(2,)
    )


def same(got, want):
    got, want = map(cotan.tree_util.tree_leaves, (got, want))
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        if hasattr(b, "weak_type"):
            assert a.weak_type == b.weak_type
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype and a.shape == b.shape
        if a.dtype.kind in "fc":
            np.testing.assert_allclose(a, b, rtol=3e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", CASES)
def test_matches_jax(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = CASES[name](jax.lax)
    same(CASES[name](lax), want)


@pytest.mark.parametrize("name", CASES)
def test_jit_is_eager(name):
    same(cotan.jit(lambda: CASES[name](lax))(), CASES[name](lax))


# f(module, x) whose gradients must be JAX's, ties and all.
GRADIENTS = {
    "clamp": lambda m, x: m.clamp(np.float32(0), x, np.float32(1)),
    "max": lambda m, x: m.max(x, 0.0),
    "abs": lambda m, x: m.abs(x),
    "reduce_max": lambda m, x: m.reduce_max(x, (0,)),
    "reduce_prod": lambda m, x: m.reduce_prod(x, (0,)),
    "cummax": lambda m, x: m.cummax(x),
    "cumprod": lambda m, x: m.cumprod(x),
    "sort": lambda m, x: m.mul(m.sort(x), np.arange(5, dtype=np.float32)),
    "top_k": lambda m, x: m.mul(m.top_k(x, 2)[0], np.float32([1, 10])),
    "integer_pow": lambda m, x: m.integer_pow(x, 3),
    "logistic": lambda m, x: m.logistic(x),
    "dynamic_slice": lambda m, x: m.dynamic_slice(x, (9,), (2,)),
    "pad": lambda m, x: m.pad(x, 0.0, [(1, -1, 1)]),
    "dot": lambda m, x: m.dot(x, x),
    "associative_scan": lambda m, x: m.associative_scan(m.mul, x),
    "stop_gradient": lambda m, x: m.mul(x, m.stop_gradient(x)),
    "reduce": lambda m, x: m.reduce(x, np.float32(0), m.add, (0,)),
    "select": lambda m, x: m.select(m.gt(x, 0.5), m.sin(x), m.cos(x)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_match_jax(name):
    f = GRADIENTS[name]
    x = np.array([1.0, 0.0, 2.0, 2.0, -0.5], np.float32)

    def total(m):
        def g(x):
            y = f(m, x)
            return m.reduce_sum(m.mul(y, y), tuple(range(y.ndim)))

        return g

    same(cotan.grad(total(lax))(x), jax.grad(total(jax.lax))(x))
    batch = np.stack([x, x[::-1]])
    same(
        cotan.vmap(cotan.grad(total(lax)))(batch),
        jax.vmap(jax.grad(total(jax.lax)))(batch),
    )


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (
            lambda: lax.add(V, V > 0),
            TypeError,
            "requires arguments to have the",
        ),
        (lambda: lax.add(A, V), TypeError, "same number of dimensions"),
        (lambda: lax.add(V[:3], V[:4]), TypeError, "incompatible shapes"),
        (lambda: lax.add(A, [1.0]), TypeError, "lax.add requires ndarray"),
        (lambda: lax.reshape([1], (1,)), TypeError, "ndarray or scalar"),
        (lambda: lax.reshape(A, (5,)), TypeError, "cannot reshape"),
        (lambda: lax.full((2,), A), TypeError, "scalar fill_value"),
        (lambda: lax.full((-1,), 0), TypeError, "non-negative"),
        (lambda: lax.expand_dims(V, (0, 0)), ValueError, "repeated axis"),
        (lambda: lax.squeeze(V, (0,)), ValueError, "not equal to one"),
        (lambda: lax.transpose(V, (1,)), TypeError, "permutation"),
        (lambda: lax.concatenate([], 0), ValueError, "non-empty"),
        (lambda: lax.concatenate([A, V], 0), TypeError, "dimensions"),
        (lambda: lax.dot(V, A), ValueError, "dimension_numbers must be"),
        (lambda: lax.slice(V, (1,), (9,)), TypeError, "do not fit"),
        (lambda: lax.index_in_dim(V, 9), IndexError, "out of bounds"),
        (lambda: lax.top_k(V, 9), ValueError, "no larger than size"),
        (lambda: lax.top_k(V, -1), ValueError, "nonnegative"),
        (lambda: lax.split(V, (1, 2)), ValueError, "Sum of sizes"),
        (lambda: lax.argmax(V, 3, np.int32), ValueError, "Invalid axis 3"),
        (lambda: lax.reduce_sum(V, (0, 0)), ValueError, "duplicate"),
        (lambda: lax.sort(V, 2), ValueError, "out of bounds"),
        (lambda: lax.sort(()), TypeError, "at least one operand"),
        (lambda: lax.dynamic_slice(V, (1, 2), (1,)), ValueError, "must match"),
        (lambda: lax.dynamic_slice(V, (1.0,), (1,)), TypeError, "integers"),
        (lambda: lax.dynamic_slice(V, (1,), (9,)), TypeError, "slice_sizes"),
        (lambda: lax.integer_pow(I, -1), TypeError, "negative powers"),
        (lambda: lax.dot(A, A.T, precision="x"), ValueError, "precision"),
        (
            lambda: lax.reduce((V, A), (1.0, 1.0), lambda a, b: a, (0,)),
            TypeError,
            r"\[reduce\] operands need equal shapes",
        ),
        (
            lambda: lax.after_all(1.0),
            TypeError,
            "Arguments to after_all must be tokens",
        ),
        (lambda: lax.linalg.qr(1.0), TypeError, "rank at least 2"),
        (
            lambda: lax.GatherScatterMode.from_any("nowhere"),
            ValueError,
            "Unknown gather mode",
        ),
    ],
)
def test_errors(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


def test_shapes_must_be_static():
    with pytest.raises(TypeError, match="concrete values of integer type"):
        cotan.jit(lambda n: lax.full((n,), 0))(3)


def test_float64_without_x64_warns():
    with pytest.warns(UserWarning, match="float64 requested in full is not"):
        assert lax.full((2,), 0, np.float64).dtype == np.float32
    with cotan.enable_x64():
        assert lax.full((2,), 0, np.float64).dtype == np.float64


def test_precision():
    assert lax.Precision("highest") is lax.Precision.HIGHEST
    assert lax.Precision(None) is lax.Precision.DEFAULT
    assert repr(lax.Precision.HIGH) == "Precision.HIGH"


def test_every_function_of_jax_is_here():
    missing = {
        name
        for name in dir(jax.lax)
        if not name.startswith("_")
        and inspect.isroutine(getattr(jax.lax, name))
        and not hasattr(lax, name)
    }
    # Cross-device sends and markers of XLA's own compiler.
    assert missing <= {"dce_sink", "precv", "psend", "stage"}


def test_tokens():
    token = lax.create_token()
    assert token.shape == (0,) and token.dtype == bool

    @cotan.jit
    def f(token, x):
        other = lax.create_token()
        return lax.after_all(token, other), 2 * x

    out, y = f(token, 3.0)
    assert out.shape == (0,) and y == 6.0
    assert lax.after_all().shape == (0,)
    j = cotan.make_jaxpr(lambda: lax.after_all(lax.create_token()))()
    assert "optimization_barrier" in str(j)
    slope = cotan.grad(lambda x: f(lax.create_token(), x)[1])(1.0)
    assert slope == 2.0


def test_rng_uniform():
    f = cotan.jit(lambda: lax.rng_uniform(-1.0, 3.0, (1000,)))
    x, y = np.asarray(f()), np.asarray(f())
    assert x.dtype == np.float32 and (x >= -1).all() and (x < 3).all()
    assert abs(x.mean() - 1) < 0.3 and not np.array_equal(x, y)
    i = np.asarray(lax.rng_uniform(np.int32(2), np.int32(5), (200,)))
    assert i.dtype == np.int32 and set(i) == {2, 3, 4}
    with pytest.raises(ValueError, match="identical dtypes"):
        lax.rng_uniform(1, 2.0, (3,))
    with pytest.raises(ValueError, match="must be scalars"):
        lax.rng_uniform(np.zeros(2), np.ones(2), (3,))

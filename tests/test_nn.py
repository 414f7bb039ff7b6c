"""cotan.nn against JAX: values, dtypes, gradients at kinks; initializers."""

import warnings

import numpy as np
import pytest

import cotan
from cotan import nn, random

jax = pytest.importorskip("jax")
pytest.importorskip("jax.flatten_util")

RNG = np.random.default_rng(1)
X = (4 * RNG.standard_normal((3, 5))).astype(np.float32)
KINKS = np.array([-8, -3, -1, -0.0, 0, 1, 3, 6, 8], np.float32)
EXTREME = np.array([-np.inf, -1e30, -90, 90, 1e30, np.inf, np.nan], np.float32)
MASK = np.array([1, 1, 0, 1, 0], bool)

UNARY = """relu relu6 sigmoid log_sigmoid silu swish mish softplus soft_sign
    sparse_plus sparse_sigmoid hard_sigmoid hard_silu hard_swish hard_tanh selu
    gelu elu celu leaky_relu squareplus tanh identity""".split()


def same(got, want, rtol=4e-6, atol=1e-6):
    got, want = map(cotan.tree_util.tree_leaves, (got, want))
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert a.weak_type == b.weak_type
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype and a.shape == b.shape
        wide = np.complex64 if a.dtype.kind == "c" else np.float32
        np.testing.assert_allclose(
            a.astype(wide), b.astype(wide), rtol=rtol, atol=atol
        )


ALL = np.concatenate([X.ravel(), KINKS, EXTREME])


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize(
    "x",
    [ALL, np.arange(-3, 4), 0.5, 2, X.astype(np.float16)],
    ids="floats int float pyint half".split(),
)
def test_values(name, x):
    rtol = 2e-3 if getattr(x, "dtype", None) == np.float16 else 4e-6
    try:
        want = getattr(jax.nn, name)(x)
    except TypeError:
        pytest.skip("JAX takes no integers here")
    f = getattr(nn, name)
    same(f(x), want, rtol, rtol / 4)
    if x is ALL:
        same(cotan.jit(f)(x), want, rtol, rtol / 4)


@pytest.mark.parametrize("name", UNARY)
def test_gradients(name):
    f, g = getattr(nn, name), getattr(jax.nn, name)
    x = np.concatenate([X.ravel(), KINKS])
    same(cotan.vmap(cotan.grad(f))(x), jax.vmap(jax.grad(g))(x))
    same(
        cotan.vmap(cotan.grad(cotan.grad(f)))(X.ravel()),
        jax.vmap(jax.grad(jax.grad(g)))(X.ravel()),
        rtol=2e-5,
        atol=2e-6,
    )


def test_parameters():
    for x in (X, KINKS):
        same(nn.elu(x, 0.5), jax.nn.elu(x, 0.5))
        same(nn.celu(x, 2.0), jax.nn.celu(x, 2.0))
        same(nn.leaky_relu(x, 0.2), jax.nn.leaky_relu(x, 0.2))
        same(nn.squareplus(x, 1), jax.nn.squareplus(x, 1))
        same(nn.gelu(x, False), jax.nn.gelu(x, False))
        same(nn.log1mexp(abs(x) + 0.1), jax.nn.log1mexp(abs(x) + 0.1))
    same(nn.glu(X[:, :4]), jax.nn.glu(X[:, :4]))
    same(nn.glu(X[:2], 0), jax.nn.glu(X[:2], 0))
    with pytest.raises(ValueError, match="divisible by 2"):
        nn.glu(X)


AXES = [-1, 0, (0, 1), None]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("where", [None, MASK])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name, axis, where):
    f, g = getattr(nn, name), getattr(jax.nn, name)
    same(f(X, axis, where), g(X, axis, where))
    rng = np.random.default_rng(3)
    ct = rng.standard_normal(X.shape).astype(np.float32)
    if name == "log_softmax" and where is not None:
        ct = np.where(where, ct, 0)
    got = cotan.vjp(lambda x: f(x, axis, where), X)[1](ct)
    want = jax.vjp(lambda x: g(x, axis, where), X)[1](ct)
    same(got, want)


def test_softmax_conventions():
    low = np.full(2, -np.inf, np.float32)
    assert np.isnan(np.asarray(nn.softmax(low))).all()
    same(
        nn.log_softmax(np.float32([1000, 0])),
        jax.nn.log_softmax(np.float32([1000, 0])),
    )
    same(nn.softmax(np.arange(3)), jax.nn.softmax(np.arange(3)))
    f = cotan.jit(cotan.vmap(cotan.grad(lambda x: nn.softmax(x)[0] ** 2)))
    g = jax.vmap(jax.grad(lambda x: jax.nn.softmax(x)[0] ** 2))
    same(f(X), g(X))
    cotan.test_util.check_grads(
        nn.softmax, (X[0],), order=2, modes=["rev"], rtol=0.02, atol=0.02
    )


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis, keepdims):
    b = np.float32([1, -2, 0, 3, 1])
    for kwargs in (
        {},
        {"b": abs(b)},
        {"b": b, "return_sign": True},
        {"where": MASK},
        {"b": -abs(b)},
    ):
        f = dict(axis=axis, keepdims=keepdims, **kwargs)
        same(nn.logsumexp(X, **f), jax.nn.logsumexp(X, **f))
    same(
        nn.logmeanexp(X, axis, None, keepdims),
        jax.nn.logmeanexp(X, axis, None, keepdims),
    )
    same(
        nn.logmeanexp(X, axis, MASK, keepdims),
        jax.nn.logmeanexp(X, axis, MASK, keepdims),
    )


def test_logsumexp_conventions():
    low = np.full(2, -np.inf, np.float32)
    assert nn.logsumexp(low) == -np.inf
    assert np.isnan(np.asarray(cotan.grad(nn.logsumexp)(low))).all()
    x = np.float32([-np.inf, 0])
    assert np.asarray(cotan.grad(nn.logsumexp)(x)).tolist() == [0, 1]
    z = (X + 1j * X[::-1]).astype(np.complex64)
    same(nn.logsumexp(z, 1), jax.nn.logsumexp(z, 1), rtol=1e-5)


@pytest.mark.parametrize("algorithm", ["fast", "stable"])
@pytest.mark.parametrize("where", [None, MASK])
def test_standardize(algorithm, where):
    kwargs = dict(where=where, algorithm=algorithm)
    same(nn.standardize(X, **kwargs), jax.nn.standardize(X, **kwargs), 2e-5)
    same(
        nn.standardize(X, 0, mean=X[0], variance=2.0),
        jax.nn.standardize(X, 0, mean=X[0], variance=2.0),
    )


def test_one_hot():
    x = np.array([[0, 2], [5, -1]])
    for axis in (-1, 0, 1):
        same(nn.one_hot(x, 3, axis=axis), jax.nn.one_hot(x, 3, axis=axis))
    same(nn.one_hot(x, 3, dtype=np.int8), jax.nn.one_hot(x, 3, dtype=np.int8))
    with pytest.warns(DeprecationWarning, match="should be integer-typed"):
        nn.one_hot(np.float32([1]), 2)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"is_causal": True},
        {"scale": 0.3},
        {"local_window_size": 2},
        {"local_window_size": (1, 3)},
        {"query_seq_lengths": np.array([3, 5], np.int32)},
        {"key_value_seq_lengths": np.array([3, 5], np.int32)},
        {"mask": np.arange(6) % 3 > 0},
        {"bias": np.linspace(-1, 1, 6).astype(np.float32)},
        {"return_residual": True},
    ],
    ids=lambda o: "-".join(o) or "plain",
)
def test_attention(options):
    rng = np.random.default_rng(5)
    q = rng.standard_normal((2, 6, 4, 8)).astype(np.float32)
    k, v = rng.standard_normal((2, 2, 6, 2, 8)).astype(np.float32)
    options = dict(options)
    for name in ("mask", "bias"):
        if name in options:
            options[name] = np.broadcast_to(options[name], (2, 4, 6, 6))
    same(
        nn.dot_product_attention(q, k, v, **options),
        jax.nn.dot_product_attention(q, k, v, **options),
        1e-5,
        2e-6,
    )


# ---- initializers

KEY = 7
RANDOM = """glorot_uniform glorot_normal lecun_uniform lecun_normal he_uniform
    he_normal xavier_uniform kaiming_normal""".split()


def pair():
    return random.key(KEY), jax.random.key(KEY)


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("shape", [(4, 6), (3, 3, 2, 8)])
@pytest.mark.parametrize("dtype", [None, np.complex64])
def test_initializers(name, shape, dtype):
    a, b = pair()
    same(
        getattr(nn.initializers, name)()(a, shape, dtype),
        getattr(jax.nn.initializers, name)()(b, shape, dtype),
        1e-5,
    )


def test_simple_initializers():
    a, b = pair()
    ours, theirs = nn.initializers, jax.nn.initializers
    for name in ("zeros", "ones"):
        same(getattr(ours, name)(a, (2, 3)), getattr(theirs, name)(b, (2, 3)))
    for name in ("uniform", "normal", "truncated_normal"):
        same(
            getattr(ours, name)(0.5)(a, (2, 3)),
            getattr(theirs, name)(0.5)(b, (2, 3)),
            1e-5,
        )
    same(ours.constant(3.0)(a, (2,)), theirs.constant(3.0)(b, (2,)))
    for mode in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg"):
        args = (2.0, mode, "normal", 0, 1)
        same(
            ours.variance_scaling(*args)(a, (4, 6)),
            theirs.variance_scaling(*args)(b, (4, 6)),
            1e-5,
        )


def test_orthogonal():
    a, b = pair()
    ours, theirs = (m.nn.initializers.orthogonal() for m in (cotan, jax))
    same(ours(a, (3, 4)), theirs(b, (3, 4)), 1e-4)


def test_initializer_errors():
    a, _ = pair()
    with pytest.raises(ValueError, match="invalid mode"):
        nn.initializers.variance_scaling(1.0, "x", "normal")(a, (2, 2))
    with pytest.raises(ValueError, match="invalid distribution"):
        nn.initializers.variance_scaling(1.0, "fan_in", "x")(a, (2, 2))
    with pytest.raises(ValueError, match="Must be at least 2D"):
        nn.initializers.lecun_normal()(a, (2,))
    assert isinstance(nn.initializers.zeros, nn.initializers.Initializer)


@pytest.mark.parametrize("name", ["relu", "gelu", "softmax", "logsumexp"])
def test_lists_are_refused(name):
    with pytest.raises(TypeError, match=f"{name} requires ndarray or scalar"):
        getattr(nn, name)([1.0, 2.0])


# ---- scipy.special, ops

SPECIAL = {
    "erf": 1,
    "erfc": 1,
    "erfinv": (0.01, 0.99),
    "expit": 1,
    "digamma": (0.1, 9),
    "gammaln": (0.1, 9),
    "gamma": (-3.4, 5),
    "gammasgn": (-5, 5),
    "logit": (0.01, 0.99),
    "entr": (-1, 3),
    "ndtr": (-12, 12),
    "ndtri": (1e-6, 0.999),
    "log_ndtr": (-30, 12),
    "factorial": (-0.9, 8),
    "i0": (-20, 20),
    "i0e": (-20, 20),
    "i1": (-20, 20),
    "i1e": (-20, 20),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions(name):
    low, high = (-3, 3) if SPECIAL[name] == 1 else SPECIAL[name]
    x = np.linspace(low, high, 101, dtype=np.float32)
    ours = getattr(cotan.scipy.special, name)
    theirs = getattr(jax.scipy.special, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = theirs(x)
        slopes = jax.vmap(jax.grad(theirs))(x)
    # gammaln crosses 0, where JAX's relative error is large.
    same(ours(x), want, 3e-5, 3e-6)
    same(cotan.jit(ours)(x), want, 3e-5, 3e-6)
    same(cotan.vmap(cotan.grad(ours))(x), slopes, 3e-4, 1e-5)


@pytest.mark.parametrize(
    "name, x, y",
    [
        ("xlogy", np.float32([0, 0, 1, 2]), np.float32([0, 3, 0.5, 2])),
        ("xlog1py", np.float32([0, 0, 1, 2]), np.float32([-1, 3, 0.5, 2])),
        ("rel_entr", np.float32([0, 1, 2, -1]), np.float32([0, 0, 3, 1])),
        ("kl_div", np.float32([0, 1, 2, 3]), np.float32([0, 1, 3, 1])),
        ("beta", np.float32([1, 2.5]), np.float32([3, 0.5])),
        ("betaln", np.float32([1, 2.5]), np.float32([3, 0.5])),
        ("boxcox", np.float32([1, 2, 3]), np.float32([0, 0.5, -1])),
        ("boxcox1p", np.float32([1, 2, 3]), np.float32([0, 0.5, -1])),
        ("comb", np.float32([5, 5, 3]), np.float32([2, 6, 3])),
        ("poch", np.float32([2, 3.5]), np.float32([3, 0])),
        ("zeta", np.float32([1.5, 2, 7]), np.float32([1, 0.5, 20])),
        ("polygamma", np.array([0, 1, 2, 5]), np.float32([1, 0.5, 3, 2])),
    ],
)
def test_special_functions_of_two(name, x, y):
    got = getattr(cotan.scipy.special, name)(x, y)
    same(got, getattr(jax.scipy.special, name)(x, y), 1e-5)


def test_multigammaln():
    x = np.float32([3.0, 5.5])
    same(
        cotan.scipy.special.multigammaln(x, 3),
        jax.scipy.special.multigammaln(x, 3),
    )


@pytest.mark.parametrize("kind", ["sum", "prod", "min", "max"])
@pytest.mark.parametrize("bucket_size", [None, 2])
def test_segments(kind, bucket_size):
    data = np.arange(10, dtype=np.float32).reshape(5, 2) - 3
    ids = np.array([0, 2, 7, 0, -1])
    ours = getattr(cotan.ops, f"segment_{kind}")
    theirs = getattr(jax.ops, f"segment_{kind}")
    same(
        ours(data, ids, 4, bucket_size=bucket_size),
        theirs(data, ids, 4, bucket_size=bucket_size),
    )
    same(ours(data[:, 0], ids % 3), theirs(data[:, 0], ids % 3))
    same(
        ours(data.astype(np.int32), ids, 4),
        theirs(data.astype(np.int32), ids, 4),
    )
    with pytest.raises(ValueError, match="non-negative"):
        ours(data, ids, -2)


def test_ravel_pytree():
    tree = {"a": 1.0, "b": (np.arange(3), np.ones((2, 2), np.float32))}
    flat, unravel = cotan.flatten_util.ravel_pytree(tree)
    want, _ = jax.flatten_util.ravel_pytree(tree)
    np.testing.assert_array_equal(flat, want)
    assert flat.dtype == want.dtype
    back = unravel(flat)
    assert back["b"][0].dtype == np.int32 and back["b"][1].shape == (2, 2)
    np.testing.assert_array_equal(back["b"][0], np.arange(3))
    with pytest.raises(ValueError, match="must have shape"):
        unravel(flat[:-1])
    empty, unravel = cotan.flatten_util.ravel_pytree(())
    assert empty.shape == (0,) and unravel(empty) == ()
    jac = cotan.jacrev(
        lambda v: cotan.flatten_util.ravel_pytree({"x": v * 2, "y": v[0]})[0]
    )(np.float32([1, 2]))
    assert np.asarray(jac).tolist() == [[2, 0], [0, 2], [1, 0]]

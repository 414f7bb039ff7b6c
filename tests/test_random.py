"""cotan.random: bit for bit the numbers of the reference and of JAX; samples
of floating-point formulas to a few ULP."""

import math
import pickle

import numpy as np
import pytest

import cotan
from cotan import lax, random
from tests import prng_reference as ref

SEEDS = (0, 42, -1, 2**31, 123456789)


def data(key):
    return np.asarray(random.key_data(key))


# ---- keys


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_are_those_of_the_reference(seed):
    words = ref.seed(seed)
    key = random.key(seed)
    np.testing.assert_array_equal(data(key), words)
    np.testing.assert_array_equal(random.PRNGKey(seed), words)
    np.testing.assert_array_equal(
        data(random.split(key, 5)), ref.split(words, 5)
    )
    np.testing.assert_array_equal(
        data(random.split(key, (2, 3))), ref.split(words, (2, 3))
    )
    np.testing.assert_array_equal(
        data(random.fold_in(key, 7)), ref.fold_in(words, 7)
    )


def test_known_keys():
    key = random.key(0)
    assert data(random.split(key)).tolist() == [
        [1797259609, 2579123966],
        [928981903, 3453687069],
    ]
    assert data(random.fold_in(key, 1)).tolist() == [928981903, 3453687069]
    assert np.asarray(random.PRNGKey(-1)).tolist() == [0, 4294967295]
    assert np.asarray(random.PRNGKey(2**32 + 5)).tolist() == [0, 5]
    with cotan.enable_x64():
        assert np.asarray(random.PRNGKey(2**32 + 5)).tolist() == [1, 5]
        assert np.asarray(random.PRNGKey(-1)).tolist() == [2**32 - 1] * 2
    assert np.asarray(random.PRNGKey(np.int64(-5))).tolist() == [0, 2**32 - 5]


def test_key_type():
    key = random.key(0)
    assert str(key.dtype) == "key<fry>" and key.shape == ()
    assert cotan.dtypes.issubdtype(key.dtype, cotan.dtypes.prng_key)
    assert repr(key) == "Array((), dtype=key<fry>) overlaying:\n[0 0]"
    assert random.key_impl(key) == "threefry2x32"
    assert random.key_dtype() == key.dtype
    again = random.wrap_key_data(random.key_data(key))
    assert again.dtype == key.dtype
    np.testing.assert_array_equal(data(again), data(key))
    assert random.split(key, 3).shape == (3,)


@pytest.mark.parametrize(
    "name, tag, words",
    [
        ("threefry2x32", "fry", 2),
        ("threefry4x32", "fry4", 4),
        ("philox2x32", "phx2", 1),
        ("philox4x32", "phx4", 2),
        ("rbg", "rbg", 4),
        ("unsafe_rbg", "urbg", 4),
    ],
)
def test_generators(name, tag, words):
    key = random.key(3, impl=name)
    dtype = random.key_dtype(name)
    assert key.dtype == dtype and str(dtype) == f"key<{tag}>"
    assert dtype.itemsize == 4 * words and key.nbytes == 4 * words
    assert random.key_impl(key) == name and data(key).shape == (words,)
    assert random.key(3, dtype=dtype).dtype == dtype
    assert (dtype == random.key(0).dtype) == (name == "threefry2x32")
    for again in (
        random.wrap_key_data(data(key), impl=name),
        pickle.loads(pickle.dumps(key)),
        cotan.jit(lambda k: k)(key),
    ):
        assert again.dtype == dtype
        np.testing.assert_array_equal(data(again), data(key))
    samples = np.asarray(random.uniform(key, (10_000,)))
    assert abs(samples.mean() - 0.5) < 0.02 and len(set(samples)) > 9_900
    other = random.uniform(random.fold_in(key, 1), (10_000,))
    assert abs(np.corrcoef(samples, other)[0, 1]) < 0.05


def test_keys_of_four_words_are_moved_by_bits():
    # They are moved as pairs of doubles, some of which are nan or -0.
    words = np.array(
        [
            [0, 0x7FF80000, 0, 0x7FF80001],
            [0, 0x80000000, 0, 0],
            [0, 0, 0, 0],
            [3, 0x7FF00001, 1, 0xFFF80000],
        ],
        np.uint32,
    )
    keys = random.wrap_key_data(words, impl="rbg")
    for function, at in (
        (lambda k: k[::-1], [3, 2, 1, 0]),
        (lambda k: k[np.array([3, 0, 0])], [3, 0, 0]),
        (lambda k: k.at[1].set(k[0]), [0, 0, 2, 3]),
        (lambda k: cotan.numpy.where(k == k[3], k[0], k), [0, 1, 2, 0]),
        (lambda k: lax.scan(lambda c, x: (x, c), k[0], k)[1], [0, 0, 1, 2]),
    ):
        for f in (function, cotan.jit(function)):
            np.testing.assert_array_equal(data(f(keys)), words[at])
    for same in (
        lambda k: k[:, None] == k,
        cotan.jit(lambda k: k[:, None] == k),
    ):
        np.testing.assert_array_equal(same(keys), np.eye(4, dtype=bool))


def test_keys_of_two_generators_do_not_mix():
    fry, rbg = random.key(0), random.key(0, impl="rbg")
    for function in (
        lambda: cotan.numpy.stack([fry, rbg]),
        lambda: cotan.numpy.where(True, fry, rbg),
        lambda: fry == rbg,
    ):
        with pytest.raises(cotan.errors.TypePromotionError, match="key<"):
            function()
    with pytest.raises(TypeError, match=r"uint32\[4\] array"):
        with cotan.default_prng_impl("rbg"):
            random.uniform(random.PRNGKey(0, impl="threefry2x32"))


def test_raw_keys_stay_raw():
    key = random.PRNGKey(3)
    assert random.split(key).shape == (2, 2)
    assert random.fold_in(key, 1).dtype == np.uint32
    np.testing.assert_array_equal(
        random.uniform(key, (3,)), random.uniform(random.key(3), (3,))
    )


def test_traced_keys():
    f = cotan.jit(lambda k: random.uniform(random.split(k)[1], (3,)))
    g = cotan.jit(lambda s: random.key_data(random.key(s)))
    key = random.key(5)
    np.testing.assert_array_equal(
        f(key), random.uniform(random.split(key)[1], (3,))
    )
    np.testing.assert_array_equal(g(-7), data(random.key(-7)))
    keys = random.split(key, 4)
    together = np.asarray(cotan.vmap(lambda k: random.normal(k, (2,)))(keys))
    for i in range(4):
        one = random.normal(random.wrap_key_data(data(keys)[i]), (2,))
        np.testing.assert_array_equal(together[i], one)


# ---- bits, uniforms, integers


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("width", [8, 16, 32])
def test_bits(seed, width):
    got = random.bits(random.key(seed), (7, 3), f"uint{width}")
    np.testing.assert_array_equal(got, ref.bits(ref.seed(seed), (7, 3), width))


def test_bits_are_prefix_stable():
    key = random.key(0)
    assert np.asarray(random.bits(key, (3,))).tolist() == [
        4070199207,
        4202968722,
        1427181096,
    ]
    np.testing.assert_array_equal(
        random.bits(key, (3,)), np.asarray(random.bits(key, (1000,)))[:3]
    )


def test_64_bits():
    with cotan.enable_x64():
        for seed in SEEDS:
            key, words = random.key(seed), ref.seed(seed, x64=True)
            np.testing.assert_array_equal(
                random.bits(key, (9,), "uint64"), ref.bits(words, (9,), 64)
            )
            np.testing.assert_array_equal(
                random.uniform(key, (50,)),
                ref.uniform(words, (50,), np.float64),
            )


@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_and_integers(seed):
    key, words = random.key(seed), ref.seed(seed)
    shape = (1000,)
    np.testing.assert_array_equal(
        random.uniform(key, shape), ref.uniform(words, shape)
    )
    np.testing.assert_array_equal(
        random.bernoulli(key, 0.3, shape),
        ref.uniform(words, shape) < np.float32(0.3),
    )
    np.testing.assert_array_equal(
        random.randint(key, shape, -5, 1000),
        ref.randint(words, shape, -5, 1000),
    )
    np.testing.assert_array_equal(
        random.permutation(key, 1000), ref.permutation(words, 1000)
    )


def test_uniform_bounds_use_one_rounding():
    u = ref.uniform(ref.seed(0), (5000,)).astype(np.float64)
    low, high = np.float32(-1.1), np.float32(2.7)
    want = (u * np.float64(high - low) + low).astype(np.float32)
    got = random.uniform(random.key(0), (5000,), minval=low, maxval=high)
    np.testing.assert_array_equal(got, np.maximum(want, low))


def test_known_samples():
    key = random.key(0)
    close = dict(rtol=2e-6)
    np.testing.assert_allclose(
        random.uniform(key, (3,)), [0.947667, 0.9785799, 0.33229148], **close
    )
    np.testing.assert_allclose(
        random.normal(key, (3,)), [1.6226422, 2.0252647, -0.43359444], **close
    )
    assert random.randint(key, (5,), 0, 10).tolist() == [9, 0, 2, 3, 1]
    assert random.permutation(key, 5).tolist() == [0, 1, 4, 3, 2]
    assert random.bernoulli(key, 0.5, (5,)).tolist() == [0, 0, 1, 1, 0]
    logits = np.zeros(4, np.float32)
    assert random.categorical(key, logits, shape=(3,)).tolist() == [1, 3, 2]


def test_traced_bounds_give_the_same():
    key = random.key(1)
    f = cotan.jit(lambda a, b: random.randint(key, (50,), a, b))
    for low, high in ((0, 10), (-7, 1000), (5, 5), (3, 1), (0, 2**31 - 1)):
        np.testing.assert_array_equal(
            f(low, high), random.randint(key, (50,), low, high)
        )
    g = cotan.jit(lambda a, b: random.uniform(key, (50,), minval=a, maxval=b))
    np.testing.assert_array_equal(
        g(-1.0, 2.0), random.uniform(key, (50,), minval=-1.0, maxval=2.0)
    )


def test_old_layout():
    with cotan.threefry_partitionable(False):
        key = random.key(0)
        assert data(random.split(key)).tolist() == [
            [4146024105, 967050713],
            [2718843009, 1272950319],
        ]
        assert random.uniform(key, (0, 3)).shape == (0, 3)
        keys = cotan.vmap(random.split)(random.split(key, 3))
        assert keys.shape == (3, 2)
        with pytest.raises(ValueError, match="takes a single key"):
            cotan._core.random_split(keys, (2,))


def test_no_retrace_on_the_second_call():
    f = cotan.jit(lambda k: random.normal(k, (4,)))
    f(random.key(0))
    before = cotan.debug.counters()
    f(random.key(1))
    assert cotan.debug.counters()["traces"] == before["traces"]


# ---- formulas


def ulps(got, want):
    """Greatest distance in units in the last place of float32."""
    want = np.asarray(want, np.float64)
    unit = np.spacing(np.abs(want).astype(np.float32)).astype(np.float64)
    return np.max(np.abs(np.asarray(got, np.float64) - want) / unit)


def test_normal_is_accurate():
    scipy_special = pytest.importorskip("scipy.special")
    n = 20000
    low = np.nextafter(np.float32(-1), np.float32(0))
    u = random.uniform(random.key(3), (n,), minval=low, maxval=1.0)
    exact = math.sqrt(2) * scipy_special.erfinv(np.asarray(u, np.float64))
    assert ulps(random.normal(random.key(3), (n,)), exact) <= 3


@pytest.mark.parametrize("seed", (0, 1))
def test_exponential_family_is_accurate(seed):
    key = random.key(seed)
    u = ref.uniform(ref.seed(seed), (5000,)).astype(np.float64)
    assert ulps(random.exponential(key, (5000,)), -np.log1p(-u)) <= 3


def test_normal_dtypes():
    key = random.key(0)
    for dtype in ("float16", "bfloat16", "complex64"):
        x = random.normal(key, (2000,), dtype)
        assert x.dtype.name == dtype
        wide = np.asarray(x).astype(np.complex64)
        assert abs(np.mean(wide)) < 0.1
        assert 0.9 < np.mean(np.abs(wide) ** 2) < 1.1


def test_permutation_of_arrays():
    key = random.key(2)
    x = np.arange(12).reshape(4, 3)
    rows = np.asarray(random.permutation(key, x))
    assert sorted(rows.tolist()) == x.tolist()
    columns = np.asarray(random.permutation(key, x, axis=1))
    assert sorted(columns.T.tolist()) == x.T.tolist()
    mixed = np.asarray(random.permutation(key, x, axis=1, independent=True))
    np.testing.assert_array_equal(np.sort(mixed, 1), x)


def test_choice():
    key = random.key(2)
    x = np.arange(20.0, dtype=np.float32).reshape(5, 4)
    assert random.choice(key, x, (2, 3), axis=1).shape == (5, 2, 3)
    few = random.choice(key, 10, (10,), replace=False)
    assert sorted(few.tolist()) == list(range(10))
    p = np.array([0, 0.5, 0, 0.5, 0], np.float32)
    assert set(random.choice(key, 5, (50,), p=p).tolist()) == {1, 3}
    assert set(random.choice(key, 5, (2,), False, p=p).tolist()) == {1, 3}
    assert random.choice(key, 5, (0,)).shape == (0,)


def test_truncated_normal_stays_inside():
    x = random.truncated_normal(random.key(0), -0.5, 0.25, (10000,))
    assert np.asarray(x).min() > -0.5 and np.asarray(x).max() < 0.25


def test_gradients_through_parameters():
    key = random.key(0)
    g = cotan.grad(
        lambda s: lax.reduce_sum(random.lognormal(key, s, (4,)), (0,))
    )(0.5)
    z = np.asarray(random.normal(key, (4,)))
    np.testing.assert_allclose(g, np.sum(z * np.exp(0.5 * z)), rtol=1e-5)


# ---- errors


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (lambda k: random.uniform(0), TypeError, "unexpected PRNG key type"),
        (lambda k: random.uniform(np.zeros(3)), TypeError, "raw key"),
        (
            lambda k: random.uniform(random.split(k)),
            ValueError,
            "uniform accepts a single key, but was given a key array of shape",
        ),
        (
            lambda k: random.uniform(k, (3,), int),
            ValueError,
            "must be a float dtype",
        ),
        (
            lambda k: random.normal(k, (3,), int),
            ValueError,
            "must be a float or complex dtype",
        ),
        (
            lambda k: random.randint(k, (3,), 0, 1, float),
            TypeError,
            "randint only accepts integer dtypes",
        ),
        (
            lambda k: random.bits(k, (3,), "int32"),
            ValueError,
            "must be an unsigned int dtype",
        ),
        (
            lambda k: random.bernoulli(k, 1),
            TypeError,
            "must have a floating dtype",
        ),
        (lambda k: random.bernoulli(k, 0.5, mode="x"), ValueError, "mode"),
        (lambda k: random.choice(k, 5, 3), TypeError, "must be a sequence"),
        (
            lambda k: random.choice(k, 2, (3,), replace=False),
            ValueError,
            "Cannot take a larger sample",
        ),
        (lambda k: random.permutation(k, 1.5), TypeError, "must be an integer"),
        (
            lambda k: random.permutation(k, [1, 2]),
            TypeError,
            "permutation requires ndarray or scalar arguments",
        ),
        (lambda k: random.PRNGKey(1.5), TypeError, "seed must be an integer"),
        (lambda k: random.PRNGKey(2**64), OverflowError, "too large"),
        (lambda k: random.key(np.arange(2)), TypeError, "a scalar seed"),
        (lambda k: random.key(k), TypeError, "was given a PRNG key"),
        (lambda k: random.key(0, impl="x"), ValueError, "unrecognized PRNG"),
        (lambda k: random.fold_in(k, -1), OverflowError, "out of bounds"),
        (lambda k: random.fold_in(k, np.arange(2)), TypeError, "a scalar"),
        (lambda k: k + 1, TypeError, "does not accept dtypes? key<fry>"),
        (
            lambda k: random.randint(k, (2,), np.arange(3), 5),
            ValueError,
            "Incompatible shapes",
        ),
        (
            lambda k: random.truncated_normal(k, np.zeros(3), 1.0, (2, 1)),
            ValueError,
            "must equal the shape argument",
        ),
        (
            lambda k: cotan.jit(lambda n: random.uniform(k, (n,)))(3),
            TypeError,
            "Shapes must be 1D sequences of concrete values",
        ),
    ],
)
def test_errors(call, kind, text):
    with pytest.raises(kind, match=text):
        call(random.key(0))


# ---- loops

LOOPS = {
    "gamma": lambda r, k: r.gamma(k, 2.0, (50,)),
    "gamma_small": lambda r, k: r.gamma(k, 0.3, (50,)),
    "loggamma": lambda r, k: r.loggamma(k, 0.1, (50,)),
    "beta": lambda r, k: r.beta(k, 1.0, 2.0, (50,)),
    "dirichlet": lambda r, k: r.dirichlet(k, np.float32([1, 2, 0.5]), (20,)),
    "t": lambda r, k: r.t(k, 3.0, (50,)),
    "chisquare": lambda r, k: r.chisquare(k, 3.0, (50,)),
    "f": lambda r, k: r.f(k, 3.0, 5.0, (50,)),
    "generalized_normal": lambda r, k: r.generalized_normal(k, 3.0, (50,)),
    "ball": lambda r, k: r.ball(k, 3, 2, (20,)),
    "poisson": lambda r, k: r.poisson(k, np.float32([0, np.nan, 5, 20, 30])),
    "binomial": lambda r, k: r.binomial(k, 10.0, 0.5, (50,)),
    "binomial_large": lambda r, k: r.binomial(k, 100.0, 0.3, (50,)),
    "multinomial": lambda r, k: r.multinomial(
        k, np.float32(20), np.float32([0.2, 0.3, 0.5])
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_match_jax(name):
    jax = pytest.importorskip("jax")
    got = np.asarray(LOOPS[name](random, random.key(0)))
    want = np.asarray(LOOPS[name](jax.random, jax.random.key(0)))
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=3e-5, atol=1e-6)

"""Arrays of keys, batched samplers and derivatives of samples beside JAX."""

import numpy as np
import pytest

import cotan
from tests.scipy import beside_jax

jax = pytest.importorskip("jax")

KEYS = """
r.key_data(r.split(k, (2, 3)))
r.key_data(r.split(k, 6).reshape(2, 3)[:, 1])
r.key_data(r.split(k, 4)[np.array([2, 0])])
r.key_data(r.split(k, 4)[::2].T)
r.key_data(jnp.concatenate([r.split(k, 2), r.split(k, 3)]))
r.key_data(jnp.stack([k, k])[0])
r.key_data(jnp.where(np.array([True, False]), r.split(k), r.split(k)[::-1]))
r.key_data(jnp.broadcast_to(k, (2, 2)))
r.key_data(jnp.moveaxis(r.split(k, (2, 3)), 0, 1))
r.key_data(jnp.roll(r.split(k, 3), 1))
r.key_data(jnp.repeat(r.split(k, 2), 2))
r.key_data(jnp.expand_dims(r.split(k, 4), 0).squeeze(0).ravel())
r.key_data(r.split(k, 3).at[0].set(k))
r.key_data(lax.dynamic_index_in_dim(r.split(k, 3), 1, 0, False))
r.key_data(lax.select(np.array([True, False]), r.split(k), r.split(k)[::-1]))
r.key_data(jnp.full((2,), k))
r.key_data(jnp.asarray([k, k]))
r.key_data(r.wrap_key_data(np.array([[1, 2], [3, 4]], 'uint32')))
r.key_data(jnp.zeros_like(r.split(k)))
r.key_data(lax.fori_loop(0, 3, lambda i, c: r.fold_in(c, i), k))
r.key_data(lax.cond(True, lambda q: r.split(q)[0], lambda q: q, k))
lax.scan(lambda c, _: (r.split(c)[0], r.uniform(c)), k, length=3)[1]
r.split(k, 3) == r.split(k, 3)
api.vmap(lambda q: r.normal(q))(r.split(k, 3))
api.vmap(lambda q: r.randint(q, (2,), 0, 9))(r.split(k, 3))
api.vmap(lambda q: r.gamma(q, 2.0))(r.split(k, 3))
api.vmap(lambda q: r.permutation(q, 5))(r.split(k, 3))
api.vmap(lambda q: r.binomial(q, 9, 0.4))(r.split(k, 3))
api.vmap(lambda q, a: r.poisson(q, a))(r.split(k, 3), 10 * a)
api.vmap(lambda q: r.key_data(r.split(q)))(r.split(k, 3))
"""

SAMPLES = """
r.gamma(k, a)
r.gamma(k, a, (4, 3))
r.loggamma(k, a)
r.beta(k, a, 2.0)
r.dirichlet(k, a)
r.t(k, a)
r.chisquare(k, a)
r.f(k, a, 4.0)
r.generalized_normal(k, a[2])
r.wald(k, a)
r.truncated_normal(k, -a, 2.0)
r.uniform(k, (3,), minval=-a, maxval=a)
r.multivariate_normal(k, a, np.eye(3, dtype='f4'))
r.categorical(k, jnp.log(a), shape=(7,), mode='high')
r.choice(k, 8, (3,), p=np.arange(8) / 28, mode='low')
r.choice(k, 8, (3,), replace=False, p=np.arange(8) / 28)
r.bernoulli(k, a / 3, mode='high')
r.multinomial(k, 10, a / a.sum(), shape=(2, 3))
"""


@pytest.mark.parametrize("table", [KEYS, SAMPLES], ids=["keys", "samples"])
def test_random(table):
    operands = {"a": np.array([0.3, 1.0, 2.5], "f4")}
    beside_jax.check(
        jax,
        table,
        operands,
        lambda api: {"r": api.random, "k": api.random.key(42)},
        3e-5,
    )


def test_conversion_of_keys_is_refused():
    with pytest.raises(NotImplementedError, match="key_data"):
        cotan.random.key(0).astype("float32")


def test_device_get_leaves_keys():
    key = cotan.random.key(3)
    got, n = cotan.device_get((key, cotan.numpy.ones(2)))
    assert got is key and isinstance(n, np.ndarray)


def test_64_bit_samples():
    """The samplers draw other bits in 64-bit types."""

    def samples(api):
        r, k = api.random, api.random.key(42)
        with api.enable_x64(True):
            return [
                r.uniform(k, (3,), "float64"),
                r.normal(k, (2,), "complex128"),
                r.bits(k, (3,), "uint64"),
                r.randint(k, (5,), 0, 2**40, "int64"),
                r.gamma(k, np.array([0.3, 2.0])),
                r.poisson(k, np.array([3.0, 50.0])),
                r.binomial(k, 10.0, 0.3, (4,)),
                r.categorical(k, np.arange(4.0), shape=(5,)),
                r.truncated_normal(k, -1.0, 1.0, (3,)),
                r.multinomial(k, np.array([3, 9]), np.eye(2) / 2 + 0.25),
                r.dirichlet(k, np.array([[1.0, 2], [3, 4]])),
                r.PRNGKey(2**40 + 1),
            ]

    beside_jax.compare(samples(cotan), samples(jax), 1e-10)

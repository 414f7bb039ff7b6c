"""Keys of every generator beside JAX's: their words, bits and samples, alone,
under vmap and compiled."""

import numpy as np
import pytest

import cotan
from tests.scipy.beside_jax import cases, compare, evaluate, module_names

jax = pytest.importorskip("jax")

GENERATORS = (
    "threefry2x32",
    "threefry4x32",
    "philox2x32",
    "philox4x32",
    "rbg",
    "unsafe_rbg",
)

STATEMENTS = """
r.key_data(k)
r.key_data(r.split(k, 5))
r.key_data(r.split(k, (2, 3)))
r.key_data(r.split(k, 0))
r.key_data(r.fold_in(k, 77))
r.key_data(r.split(k, 4)[::-1])
r.key_data(jnp.where(np.array([1, 0], bool), r.split(k), k))
r.key_data(r.split(k, 3).at[1].set(k))
r.split(k, 3) == r.split(k, 3)[1]
r.bits(k, (7,), 'uint8')
r.bits(k, (3, 5), 'uint16')
r.bits(k, (0, 2))
r.bits(k)
r.uniform(k, (5,))
r.randint(k, (5,), -3, 400)
r.permutation(k, 11)
r.categorical(k, np.zeros(9, 'f4'), shape=(4,))
api.vmap(lambda q: r.bits(q, (3,)))(r.split(k, 4))
api.vmap(api.vmap(lambda q: r.bits(q, (3,))))(r.split(k, (2, 4)))
api.vmap(lambda q: r.key_data(r.split(q, 3)))(r.split(k, 4))
api.vmap(lambda q: r.key_data(r.split(q, 3)), out_axes=1)(r.split(k, 4))
r.key_data(api.vmap(r.fold_in)(r.split(k, 4), np.arange(4)))
r.key_data(api.vmap(r.fold_in, (None, 0))(k, np.arange(4)))
r.key_data(api.vmap(r.fold_in, (0, None))(r.split(k, 4), 3))
api.jit(lambda q: r.uniform(r.split(q)[1], (4,)))(k)
r.key_data(api.jit(lambda q: r.split(q, 3)[::2])(k))
api.jit(lambda q: r.split(q, 3) == q)(k)
lax.scan(lambda c, _: (r.split(c)[0], r.uniform(c)), k, length=4)[1]
r.key_data(lax.cond(True, lambda q: r.split(q)[0], lambda q: q, k))
r.key_data(jnp.full((2,), 7, k.dtype))
"""

WIDE = """
r.bits(k, (6,), 'uint64')
r.uniform(k, (5,))
r.key_data(r.split(k, 3))
"""


def results(api, table, seed, generator):
    key = api.random.key(seed, impl=generator)
    names = module_names(api, r=api.random, k=key)
    return [evaluate(statement, names) for statement, _ in cases(table)]


# One by one: XLA takes minutes for a program of all statements.
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("seed", (0, 2**31 + 5))
def test_keys_and_bits(generator, seed):
    ours, theirs = (
        results(api, STATEMENTS, seed, generator) for api in (cotan, jax)
    )
    for got, want in zip(ours, theirs, strict=True):
        compare(got, want, 0)


@pytest.mark.parametrize("generator", GENERATORS)
def test_64_bits(generator):
    with cotan.enable_x64(), jax.enable_x64(True):
        ours, theirs = (
            results(api, WIDE, 2**40 + 1, generator) for api in (cotan, jax)
        )
    for got, want in zip(ours, theirs, strict=True):
        compare(got, want, 0)


@pytest.mark.parametrize("generator", GENERATORS)
def test_raw_keys_are_the_default_generators(generator):
    def words(api):
        r = api.random
        with api.default_prng_impl(generator):
            key = r.PRNGKey(9)
            compiled = api.jit(lambda: r.uniform(r.PRNGKey(9)))
            return [
                np.asarray(x)
                for x in (key, r.split(key), r.uniform(key, (3,)), compiled())
            ]

    for ours, theirs in zip(words(cotan), words(jax), strict=True):
        np.testing.assert_array_equal(ours, theirs)

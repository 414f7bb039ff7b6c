"""Named axes beside JAX: `body` under a vmap with the name, alone, within jit,
differentiated in and outside of the vmap, and below a second axis."""

import numpy as np
import pytest

from tests.oracle.both import LIBRARIES, compare, run

JAX, COTAN = LIBRARIES["jax"], LIBRARIES["cotan"]

RNG = np.random.RandomState(0)
OPERANDS = {
    "x": RNG.randn(4, 4, 3).astype("f4"),
    "h": RNG.uniform(1, 2, (4, 4, 3)).astype("f2"),
    "n": RNG.randint(-5, 5, (4, 4, 3)).astype("i4"),
    "u": RNG.randint(0, 5, (4, 4, 3)).astype("u1"),
    "m": RNG.randn(4, 4, 3) > 0,
    "c": (RNG.randn(4, 4, 3) + 1j * RNG.randn(4, 4, 3)).astype("c8"),
}
BODIES = """
lax.psum(v, 'i')
lax.psum(v, ('i',))
lax.psum(v, ('i', 0))
lax.psum(v, 0)
lax.psum({'a': v, 'b': (v[0], 3, 2.5)}, 'i')
lax.psum(2, 'i') * v
lax.pmean(v, 'i')
lax.pmean((v, 1), ['i'])
lax.pmax(v, 'i')
lax.pmin(v, 'i')
lax.pmin(v, ('i', 1))
lax.axis_index('i') * v
lax.axis_index(('i',)) + v
lax.axis_size('i') * v
lax.all_gather(v, 'i')
lax.all_gather(v, 'i', axis=1)
lax.all_gather(v, 'i', axis=-1)
lax.all_gather(v, 'i', axis=1, tiled=True)
lax.all_gather(v[0, 0], 'i')
lax.psum_scatter(v, 'i')
lax.psum_scatter(v, 'i', tiled=True)
lax.psum_scatter(v.T, 'i', scatter_dimension=1)
lax.psum_scatter(v.T, 'i', scatter_dimension=1, tiled=True)
lax.all_to_all(v, 'i', 0, 0)
lax.all_to_all(v, 'i', 0, 1)
lax.all_to_all(v.T, 'i', 1, 0)
lax.all_to_all(v, 'i', 0, 1, tiled=True)
lax.all_to_all(v, 'i', 0, 0, tiled=True)
lax.all_to_all(v.T, 'i', 1, 0, tiled=True)
lax.all_to_all(v, 'i', 1, 0)
lax.all_to_all(v, 'i', 1, 0, tiled=True)
lax.pswapaxes(v, 'i', 0)
lax.ppermute(v, 'i', [(0, 1), (1, 2), (2, 3), (3, 0)])
lax.pshuffle(v, 'i', [3, 1, 0, 2])
lax.pshuffle(v, 'i', [3, 1, 0, 0])
jnp.sum(v, axis='i')
jnp.sum(v, axis=('i', 0), keepdims=True)
jnp.sum(v, axis='i', initial=2, where=v > 0)
jnp.max(v, axis='i')
jnp.min(v, axis=(1, 'i'))
jnp.mean(v, axis='i')
jnp.mean(v, axis=('i', 0), where=v > 0)
jnp.var(v, axis='i', ddof=1)
jnp.std(v, axis=('i', -1))
v.mean(axis='i')
jnp.prod(v, axis='i')
jnp.any(v, axis='i')
jax.nn.softmax(v, axis='i')
jax.nn.softmax(v, axis=('i', 1), where=v > 0)
jax.nn.log_softmax(v, axis='i')
jax.nn.logsumexp(v, axis=('i', 0), keepdims=True)
jax.nn.logsumexp(v, axis='i', b=v, return_sign=True)
jax.nn.standardize(v, axis='i')
jax.nn.standardize(v, axis=('i', 0), algorithm='stable')
lax.psum(v, 'k')
lax.psum(1, 'k')
lax.axis_index('k')
lax.axis_size('k')
lax.all_gather(v, 'k')
jnp.sum(v, axis='k')
lax.cond(lax.axis_index('i') > 1, lambda v: lax.psum(v, 'i'), lambda v: -v, v)
lax.scan(lambda c, y: (c + lax.pmean(y, 'i'), lax.psum(c, 'i')), v[0] * 1., v)
lax.fori_loop(0, 3, lambda k, c: lax.pmean(c, 'i') * 1 + c * 1, v * 1.)
lax.map(lambda y: lax.all_gather(y, 'i'), v)
jax.checkpoint(lambda v: lax.psum(v * v, 'i'))(v)
jax.vmap(lambda y: lax.psum(y, 'i') + lax.axis_index('j'), axis_name='j')(v)
jax.vmap(lambda y: lax.psum(y, ('i', 'j')), axis_name='j')(v)
jax.vmap(lambda y: lax.pmax(y, ('j', 'i')), axis_name='j', out_axes=None)(v)
jax.vmap(lambda y: lax.all_gather(y, 'j'), axis_name='j', in_axes=1)(v)
jax.vmap(lambda y: lax.all_gather(y, 'i', axis=1), in_axes=1, out_axes=1)(v)
jax.vmap(lambda y: lax.all_to_all(y[:, None], 'i', 0, 1), in_axes=1)(v)
jax.vmap(lambda y: lax.pshuffle(y, 'i', [1, 0, 3, 2]), in_axes=1)(v)
jax.vmap(lambda y: lax.psum(y, 'i'), axis_name='i')(v)
""".strip().splitlines()
DTYPE_BODIES = """
lax.psum(v, 'i')
lax.pmean(v, 'i')
lax.pmax(v, 'i')
lax.all_gather(v, 'i', axis=1, tiled=True)
lax.psum_scatter(v, 'i')
lax.all_to_all(v, 'i', 0, 1)
lax.pshuffle(v, 'i', [3, 1, 0, 2])
jnp.sum(v, axis='i')
jnp.max(v, axis=('i', 0))
jnp.mean(v, axis='i')
jnp.var(v, axis='i')
""".strip().splitlines()
# As functions of x: JAX's, which it compiles as a whole (faster than one
# operation at a time), and those of cotan that must agree with it.
MAPPED = "jax.vmap(lambda v: BODY, 0, 0, 'i')"
WAYS = {
    MAPPED: [
        MAPPED,
        f"jax.jit({MAPPED})",
        "jax.vmap(jax.jit(lambda v: BODY), 0, 0, 'i')",
    ],
    f"jax.grad(lambda x: total({MAPPED}(x)))": [
        f"jax.grad(lambda x: total({MAPPED}(x)))"
    ],
    "jax.vmap(jax.grad(lambda v: total(BODY)), 0, 0, 'i')": [
        "jax.vmap(jax.grad(lambda v: total(BODY)), 0, 0, 'i')"
    ],
}
# Where cotan has a derivative and JAX has none: of extrema, and within the vmap
# of all_to_all between two dimensions (its transpose has a wrong type).
MORE = ("max", "min", "softmax", "logsumexp", "all_to_all")


def total(library):
    sin, sum_of = library["jnp"].sin, library["jnp"].sum
    leaves = library["jax"].tree.leaves
    return lambda tree: sum(sum_of(sin(y)) for y in leaves(tree))


def check(way, body, x):
    program = way.replace("BODY", body)
    want = run("jax", f"jax.jit({program})(x)", x=x, total=total(JAX))
    for mine in WAYS[way]:
        expression = f"{mine.replace('BODY', body)}(x)"
        got = run("cotan", expression, x=x, total=total(COTAN))
        if isinstance(want, NotImplementedError | AssertionError) or (
            "Expected cotangent type" in str(want)
        ):
            more = "grad" in way and any(part in body for part in MORE)
            assert more or isinstance(got, Exception), f"{expression}: {got}"
        else:
            compare(expression, want, got, rtol=3e-5, atol=1e-5)


@pytest.mark.parametrize("body", BODIES)
def test_floats(body):
    for way in WAYS:
        check(way, body, OPERANDS["x"])


@pytest.mark.parametrize("name", [k for k in OPERANDS if k != "x"])
@pytest.mark.parametrize("body", DTYPE_BODIES)
def test_dtypes(body, name):
    check(MAPPED, body, OPERANDS[name])

"""How programs with calls print: shared and long functions first, by name;
variables of a call like those around it; 80 columns."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import cotan  # noqa: E402


def programs(m):
    jnp, lax, jit = m.numpy, m.lax, m.jit

    def named(x):
        return jnp.cos(x) + 1

    f = jit(lambda x: jnp.sin(x) * 2)
    g = jit(named)
    outer = jit(lambda x: f(x) * 3)
    long = jit(lambda x: x + x * 2 + x * 3 + x * 4 + x * 5 + x * 6 + x * 7)
    composed = lax.composite(lambda x, **_: x * 2, "my.twice", version=1)
    swapped = jit(lambda a, b: (b, a * 2))
    return {
        "shared": lambda x: f(x) + f(x),
        "nested": lambda x: jit(lambda y: f(y) + f(y + 1))(x) + f(x),
        "shared in shared": lambda x: outer(x) + outer(x),
        "two names": lambda x: g(x) * g(x + 1) + f(x) + f(x),
        "composite": lambda x: composed(x, k=(1, "a"), skip=None),
        "loop": lambda x: lax.scan(
            lambda c, _: (f(c) + f(c * 2), None), x, None, length=2
        )[0],
        "long": lambda x: long(x),
        "branches": lambda x: lax.cond(x > 0, f, g, x) + f(x),
        "once": lambda x: g(x),
        "outputs": lambda x: swapped(x, x + 1),
        "unused output": lambda x: swapped(x, x)[1],
        "two shapes": lambda x: f(x) + f(np.ones(3, "float32")),
        "gradient": m.grad(lambda x: f(f(x))),
        "mapped": m.vmap(lambda x: f(x) + f(x), axis_size=3, in_axes=None),
    }


@pytest.mark.parametrize("name", programs(cotan))
def test_text(name):
    got, want = (
        str(m.make_jaxpr(programs(m)[name])(1.0)) for m in (cotan, jax)
    )
    assert got == want


def test_products_name_the_type_of_their_result():
    def products(m):
        jnp, lax = m.numpy, m.lax
        return lambda x, y: (
            jnp.dot(x, x, precision="highest"),
            jnp.einsum("ij,kj->ik", x, x),
            jnp.matmul(x, y),
            x @ x,
            m.grad(lambda x: jnp.sum(x @ y))(x),
            m.vmap(jnp.dot)(x, x),
            lax.dot(x, x),
        )

    x, y = np.ones((3, 3), "float32"), np.ones(3, "float32")
    got, want = (str(m.make_jaxpr(products(m))(x, y)) for m in (cotan, jax))
    assert got == want
    assert got.count("preferred_element_type=float32") == 7

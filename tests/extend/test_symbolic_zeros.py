"""Rules that see which arguments are differentiated and which cotangents are
zero: values, and what the rules are told, as with JAX."""

from __future__ import annotations

import numpy as np
import pytest

from tests.extend.libraries import same

X = np.arange(3, dtype=np.float32)
Y = X + 1


def seen(m, zeros):
    kinds = m.custom_derivatives.SymbolicZero
    return str([(type(c) is kinds, c.shape, str(c.dtype)) for c in zeros])


def with_vjp(m, log):
    """x * y, with ten times the gradient in x; sin y; an integer."""
    zero = m.custom_derivatives.SymbolicZero

    @m.jax.custom_vjp
    def f(x, y, i):
        return x * y, m.jnp.sin(y), i + 1

    def fwd(x, y, i):
        log.append(str([(type(v).__name__, v.perturbed) for v in (x, y, i)]))
        return f(x.value, y.value, i.value), (x.value, y.value)

    def bwd(res, cts):
        log.append(seen(m, cts))
        x, y = res
        a, b, _ = cts
        gx, gy = m.jnp.zeros_like(x), m.jnp.zeros_like(y)
        if type(a) is not zero:
            gx, gy = gx + 10 * a * y, gy + a * x
        if type(b) is not zero:
            gy = gy + b * m.jnp.cos(y)
        return gx, gy, np.zeros((), m.jax.dtypes.float0)

    f.defvjp(fwd, bwd, symbolic_zeros=True)
    return f


def with_jvp(m, log):
    zero = m.custom_derivatives.SymbolicZero

    @m.jax.custom_jvp
    def f(x, y, i):
        return x * y, m.jnp.sin(y), i + 1

    def jvp(primals, tangents):
        log.append(seen(m, tangents))
        x, y, i = primals
        tx, ty, _ = tangents
        t, s = m.jnp.zeros_like(x * y), m.jnp.zeros_like(y)
        if type(tx) is not zero:
            t = t + 10 * tx * y
        if type(ty) is not zero:
            t, s = t + x * ty, s + m.jnp.cos(y) * ty
        out = f(x, y, i)
        return out, (t, s, np.zeros((), m.jax.dtypes.float0))

    f.defjvp(jvp, symbolic_zeros=True)
    return f


USES = {
    "x": lambda m, f: m.jax.grad(lambda x: f(x, Y, 1)[0].sum())(X),
    "second result": lambda m, f: m.jax.grad(lambda y: f(X, y, 1)[1].sum())(Y),
    "both": lambda m, f: m.jax.grad(
        lambda x, y: f(x, y, 1)[0].sum() + f(x, y, 1)[1].sum(), (0, 1)
    )(X, Y),
    "jit": lambda m, f: m.jax.jit(
        m.jax.grad(lambda x: m.jax.jit(f)(x, Y, 1)[0].sum())
    )(X),
    "vmap of grad": lambda m, f: m.jax.vmap(
        m.jax.grad(lambda x, y: f(x, y, 1)[0]), (0, None)
    )(X, 2.0),
    "grad of vmap": lambda m, f: m.jax.grad(
        lambda x: m.jax.vmap(f, (0, 0, None))(x, Y, 1)[0].sum()
    )(X),
    "scan": lambda m, f: m.jax.grad(
        lambda x: m.lax.scan(lambda c, a: (f(c, a, 1)[0], None), x[0], Y)[0]
    )(X),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("make", [with_vjp, with_jvp])
def test_as_jax(make, use):
    def program(m):
        log = []
        out = USES[use](m, make(m, log))
        return [*m.jax.tree.leaves(out), *log]

    same(program)

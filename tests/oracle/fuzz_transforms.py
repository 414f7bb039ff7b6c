"""Transformations of blocks in the programs of fuzz.py."""

from __future__ import annotations

import numpy as np

from tests.oracle.fuzz_block import Block, F, I, Type
from tests.oracle.fuzz_operations import predicate


def _called(b: Block, name, wrap):
    """wrap(m, f)(x) for a block f of one value of the same type."""
    i = b.pick()
    t = b.types[i]
    inner = b.sub([t])
    finish = inner.result(t)

    def run(m, v):
        def f(x):
            return finish(m, inner.run(m, v, x))

        return wrap(m, f, v[i])

    b.add(f"{name} v{i}\n{inner.text()}", t, run)


def jitted(b):
    _called(b, "jit", lambda m, f, x: m.jax.jit(f)(x))


def checkpointed(b):
    _called(b, "checkpoint", lambda m, f, x: m.jax.checkpoint(f)(x))


def gradient(b):
    def grad(m, f, x):
        # Of a weak x a zero is weak or not in JAX, by where it comes from.
        g = m.jax.grad(lambda x: m.jnp.sum(f(x)))(x)
        return m.jnp.tanh(g.astype(F))

    _called(b, "grad", grad)


def pushed(b):
    _called(
        b,
        "jvp",
        lambda m, f, x: m.jnp.tanh(m.jax.jvp(f, (x,), (m.jnp.cos(x),))[1]),
    )


def pulled(b):
    _called(
        b,
        "vjp",
        lambda m, f, x: m.jnp.tanh(
            m.jax.vjp(f, x)[1](m.jnp.cos(x))[0].astype(F)  # as in `gradient`
        ),
    )


def linearized(b):
    _called(
        b,
        "linearize",
        lambda m, f, x: m.jnp.tanh(m.jax.linearize(f, x)[1](m.jnp.sin(x))),
    )


def looped(b):
    n = int(b.rng.integers(0, 4))
    _called(
        b,
        f"fori_loop {n}",
        lambda m, f, x: m.lax.fori_loop(0, n, lambda k, c: f(c) + 0.1 * k, x),
    )


def mapped(b: Block):
    i = b.pick(F, lambda t: len(t.shape) > 0)
    if i is None:
        return
    shape = b.types[i].shape
    axis = int(b.rng.integers(len(shape)))
    row = Type(F, shape[:axis] + shape[axis + 1 :])
    inner = b.sub([row])
    finish = inner.result(row)

    def run(m, v):
        def f(x):
            return finish(m, inner.run(m, v, x))

        return m.jax.vmap(f, axis, axis)(v[i])

    b.add(f"vmap axis={axis} v{i}\n{inner.text()}", b.types[i], run)


def scanned(b: Block):
    i = b.pick(F, lambda t: len(t.shape) > 0)
    c = b.pick()
    if i is None:
        return
    row, carry = Type(F, b.types[i].shape[1:]), b.types[c]
    reverse = bool(b.rng.integers(2))
    inner = b.sub([carry, row])
    new, out = inner.result(carry), inner.result(row)

    def run(m, v):
        def body(x, y):
            values = inner.run(m, v, x, y)
            return new(m, values), out(m, values)

        last, rows = m.lax.scan(body, v[c], v[i], reverse=reverse)
        return rows + m.jnp.mean(last)

    b.add(f"scan {reverse=} v{c} v{i}\n{inner.text()}", b.types[i], run)


def branched(b: Block):
    predicate(b)
    p, i = len(b.types) - 1, b.pick()
    t = b.types[i]
    blocks = [b.sub([t], 3), b.sub([t], 3)]
    ends = [x.result(t) for x in blocks]

    def run(m, v):
        yes, no = (
            lambda x, g=g, e=e: e(m, g.run(m, v, x))
            for g, e in zip(blocks, ends, strict=True)
        )
        return m.lax.cond(v[p], yes, no, v[i])

    texts = "\n".join(x.text() for x in blocks)
    b.add(f"cond v{p} v{i}\n{texts}", t, run)


# ---- the less common ones


def jacobians(b):
    """A function of a few numbers, mapped over the rest."""

    def jac(m, f, x, which):
        def g(t):
            return m.jnp.mean(f(x + t[0]) * m.jnp.cos(t[1] * x)) + t[:1]

        j = getattr(m.jax, which)(g)(m.jnp.array([0.1, 0.2]))
        return m.jnp.tanh(x + j[0, 0] * 0.1 - j[0, 1])

    which = b.choice(["jacfwd", "jacrev"])
    _called(b, which, lambda m, f, x: jac(m, f, x, which))


def second(b):
    """A product with the second derivatives, forward over reverse."""

    def hvp(m, f, x):
        g = m.jax.grad(lambda x: m.jnp.mean(f(x)))
        y = m.jax.jvp(g, (x,), (m.jnp.cos(x),))[1]
        return m.jnp.tanh(y.astype(F))  # as in `gradient`

    _called(b, "hvp", hvp)


def values_too(b):
    def run(m, f, x):
        def g(x, y):
            z = f(x + 0.1 * y)
            return m.jnp.mean(z), {"z": z}

        (value, aux), (a, c) = m.jax.value_and_grad(g, (0, 1), has_aux=True)(
            x, m.jnp.sin(x)
        )
        return aux["z"] + value + m.jnp.tanh(a - c)

    _called(b, "value_and_grad", run)


def while_looped(b):
    n = int(b.rng.integers(0, 4))

    def run(m, f, x):
        def body(c):
            return c[0] + 1, f(c[1]), c[2] * 2

        return m.lax.while_loop(
            lambda c: (c[0] < n) & (c[2] < 6), body, (0, x, 1)
        )[1]

    if b.depth:  # no reverse mode: something around may ask for it

        def run_forward(m, f, x):
            return m.lax.scan(lambda c, _: (f(c), None), x, None, length=n)[0]

        return _called(b, f"scan length={n}", run_forward)
    return _called(b, f"while_loop {n}", run)


def switched(b: Block):
    i, p = b.pick(), b.pick(I, lambda t: t.shape == ())
    if p is None:
        return
    t = b.types[i]
    blocks = [b.sub([t], 2) for _ in range(3)]
    ends = [x.result(t) for x in blocks]

    def run(m, v):
        branches = [
            lambda x, g=g, e=e: e(m, g.run(m, v, x))
            for g, e in zip(blocks, ends, strict=True)
        ]
        return m.lax.switch(v[p], branches, v[i])

    texts = "\n".join(x.text() for x in blocks)
    b.add(f"switch v{p} v{i}\n{texts}", t, run)


def own_pullback(b):
    """A custom rule around the block, which sees values around the rule: JAX
    refuses that for values being differentiated."""
    if b.depth:
        return

    def reverse(m, f, x):
        @m.jax.custom_vjp
        def g(x):
            return f(x)

        g.defvjp(
            lambda x: (f(x), x),
            lambda x, ct: (m.jax.vjp(f, x)[1](ct)[0] * 0.5,),
        )
        return g(x) + m.jnp.tanh(
            m.jax.grad(lambda x: m.jnp.sum(m.jnp.sin(g(x))))(x)
        )

    def forward(m, f, x):
        @m.jax.custom_jvp
        def g(x, scale):
            return f(x) * scale

        @g.defjvp
        def rule(primals, tangents):
            y, t = m.jax.jvp(f, primals[:1], tangents[:1])
            return y * primals[1], t * 0.5 + tangents[1] * y

        return g(x, 2.0)

    rule = b.choice([forward, reverse])
    _called(b, f"custom {rule.__name__}", rule)


def mapped_twice(b: Block):
    """vmap of two operands, one of them perhaps not mapped."""
    i = b.pick(F, lambda t: len(t.shape) > 0)
    if i is None:
        return
    shape = b.types[i].shape
    axis = int(b.rng.integers(len(shape)))
    row = Type(F, shape[:axis] + shape[axis + 1 :])
    j = b.pick(F, lambda t: t.shape == row.shape)
    k = b.pick(I, lambda t: t.shape in ((), (shape[axis],)))
    if None in (j, k):
        return
    whole = b.types[k].shape == ()
    inner = b.sub([row, row, Type(I, ())])
    finish = inner.result(row)

    def run(m, v):
        def f(x, y, n):
            return finish(m, inner.run(m, v, x, y, n))

        g = m.jax.vmap(
            f, in_axes=(axis, None, None if whole else 0), out_axes=-1
        )
        return m.jnp.moveaxis(g(v[i], v[j], v[k]), -1, axis)

    b.add(f"vmap axis={axis} v{i} v{j} v{k}\n{inner.text()}", b.types[i], run)


def counted_scan(b: Block):
    """A scan that carries a tree with a counter and a flag, unrolled."""
    i = b.pick(F, lambda t: len(t.shape) > 0)
    if i is None:
        return
    shape, unroll = b.types[i].shape, int(b.rng.integers(1, 4))
    row = Type(F, shape[1:])
    inner = b.sub([row, row, Type(I, ())])
    finish = inner.result(row)

    def run(m, v):
        def body(c, x):
            y = finish(m, inner.run(m, v, c["x"], x, c["n"]))
            flag = c["flag"] ^ (m.jnp.mean(x) > 0)
            new = {"x": y, "n": c["n"] + flag, "flag": flag}
            return new, (y, c["n"])

        start = {"x": v[i][0] * 0.5, "n": 0, "flag": m.jnp.array(False)}
        last, (ys, ns) = m.lax.scan(body, start, v[i], unroll=unroll)
        ns = ns.reshape(-1, *[1] * (len(shape) - 1))
        return ys + 0.1 * ns + last["n"]

    b.add(f"scan {unroll=} v{i}\n{inner.text()}", b.types[i], run)


def solved(b):
    """The fixed point of a contraction, differentiated implicitly."""

    def run(m, f, x):
        def solve(g, y):
            return m.lax.fori_loop(0, 12, lambda _, y: y - g(y), y)

        def linear(g, y):
            return m.jnp.linalg.solve(m.jax.jacobian(g)(m.jnp.zeros_like(y)), y)

        flat = x.ravel()[:3]
        shift = m.jnp.mean(f(x))
        y = m.lax.custom_root(
            lambda y: y - 0.1 * m.jnp.tanh(y) - flat * 0.5 - shift,
            m.jnp.zeros_like(flat),
            solve,
            linear,
        )
        return x + m.jnp.mean(y)

    i = b.pick(F, lambda t: 0 not in t.shape)
    if i is None:
        return
    _called(b, "custom_root", run)


def transposed(b):
    """The transpose of the linear part of the block."""

    def run(m, f, x):
        _, lin = m.jax.linearize(f, x)
        y = m.jax.linear_transpose(lin, x)(m.jnp.cos(x))[0]
        return m.jnp.tanh(y).astype(np.float64)  # weak or not

    _called(b, "linear_transpose", run)


def saved(b):
    """checkpoint with a policy, differentiated."""

    def run(m, f, x):
        policy = m.jax.checkpoint_policies.dots_saveable
        g = m.jax.checkpoint(f, policy=policy)
        return m.jnp.tanh(m.jax.grad(lambda x: m.jnp.sum(g(x)))(x))

    _called(b, "checkpoint policy", run)


def mapped_gradient(b: Block):
    """vmap of grad of a block."""
    i = b.pick(F, lambda t: len(t.shape) > 0)
    if i is None:
        return
    row = Type(F, b.types[i].shape[1:])
    inner = b.sub([row])
    finish = inner.result(row)

    def run(m, v):
        def f(x):
            return m.jnp.sum(finish(m, inner.run(m, v, x)))

        g = m.jax.vmap(m.jax.jit(m.jax.grad(f)))(v[i])
        return m.jnp.tanh(g.astype(F))

    b.add(f"vmap(jit(grad)) v{i}\n{inner.text()}", b.types[i], run)


TRANSFORMS = [
    jitted,
    checkpointed,
    gradient,
    gradient,
    pushed,
    pulled,
    linearized,
    looped,
    mapped,
    mapped,
    scanned,
    scanned,
    branched,
    jacobians,
    second,
    values_too,
    while_looped,
    switched,
    own_pullback,
    mapped_twice,
    counted_scan,
    solved,
    transposed,
    saved,
    mapped_gradient,
]

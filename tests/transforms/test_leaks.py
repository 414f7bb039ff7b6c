"""What the library keeps of a trace holds no traced values: under
`checking_leaks` nothing of these programs is taken for a leak."""

import gc
import weakref

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from cotan.custom_batching import custom_vmap

with_jvp = cotan.custom_jvp(lambda x: 2 * x)
with_jvp.defjvps(lambda t, out, x: 2 * t)
with_vjp = cotan.custom_vjp(lambda x: 2 * x)
with_vjp.defvjp(lambda x: (2 * x, x), lambda r, g: (2 * g,))
with_fixed = cotan.custom_vjp(lambda n, x: n * x, nondiff_argnums=(0,))
with_fixed.defvjp(lambda n, x: (n * x, x), lambda n, r, g: (n * g,))
with_vmap = custom_vmap(lambda x: 2 * x)
with_vmap.def_vmap(lambda size, batched, x: (2 * x, batched[0]))


def root(x):
    return lax.custom_root(
        lambda z: z * z - x, x, lambda f, z: z, lambda g, y: y / g(1.0)
    )


def solved(x):
    def half(matvec, b):
        return b / 2

    return lax.custom_linear_solve(lambda z: 2 * z, x, half, half)


def shown(x):
    cotan.debug.callback(lambda x, name: None, x, name="x")
    return 2 * x


def called(x):
    like = cotan.ShapeDtypeStruct(x.shape, x.dtype)
    f = cotan.custom_jvp(
        lambda x: cotan.pure_callback(
            lambda x: 2 * np.asarray(x), like, x, vmap_method="sequential"
        )
    )
    f.defjvps(lambda t, out, x: 2 * t)
    return f(x)


PROGRAMS = {
    "custom_jvp": with_jvp,
    "custom_vjp": with_vjp,
    "nondiff": lambda x: with_fixed(2, x),
    "custom_vmap": with_vmap,
    "custom_root": root,
    "custom_linear_solve": solved,
    "checkpoint": cotan.checkpoint(lambda x: 2 * cnp.sin(x)),
    "scan": lambda x: lax.scan(lambda c, y: (c * y, c), x, np.ones(3, x.dtype))[
        0
    ],
    "fori_loop": lambda x: lax.fori_loop(0, 3, lambda i, c: c * x, x),
    "cond": lambda x: lax.cond(x > 0, lambda x: x * x, lambda x: x, x),
    "jit": lambda x: cotan.jit(lambda y: y * x)(x),
    "debug.callback": shown,
    "pure_callback": called,
    "reduce": lambda x: lax.reduce(
        cnp.stack([x, x]), np.zeros((), x.dtype), lambda a, b: a + b, (0,)
    ),
    "gelu": cotan.nn.gelu,
    "vectorize": cnp.vectorize(lambda x: 2 * x),
    "custom_gradient": cotan.custom_gradient(
        lambda x: (2 * x, lambda g: 2 * g)
    ),
}

TRANSFORMS = {
    "jit": cotan.jit,
    "grad": cotan.grad,
    "jit-grad": lambda f: cotan.jit(cotan.grad(f)),
    "vmap": lambda f: lambda x: cotan.vmap(f)(cnp.stack([x, x])),
    "jit-vmap": lambda f: cotan.jit(lambda x: cotan.vmap(f)(cnp.stack([x, x]))),
    "vjp": lambda f: lambda x: cotan.vjp(f, x)[1](f(x)),
    "scan": lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, 2),
    "checkpoint": lambda f: cotan.grad(cotan.checkpoint(f)),
    "make_jaxpr": cotan.make_jaxpr,
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_leaks(program, transform):
    with cotan.checking_leaks():
        TRANSFORMS[transform](PROGRAMS[program])(cnp.asarray(1.5))


def test_real_leaks_are_found():
    kept = []

    def f(x):
        kept.append(2 * x)
        return x

    with cotan.checking_leaks():
        with pytest.raises(cotan.errors.UnexpectedTracerError, match="Leaked"):
            cotan.jit(f)(1.0)


def test_jitted_functions_are_freed_at_once():
    gc.disable()
    try:
        f = cotan.jit(lambda x: x + 1)
        f(1.0)
        f.lower(1.0).compile()
        ref = weakref.ref(f)
        del f
        assert ref() is None
    finally:
        gc.enable()

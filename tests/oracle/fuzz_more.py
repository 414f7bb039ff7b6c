"""Operations of the programs of fuzz.py, the less common ones: special
functions, windows and convolutions, sorting, searching, decompositions, random
numbers, integers of other widths, weak types, custom rules."""

from __future__ import annotations

import numpy as np

from tests.oracle.fuzz_block import Block, F, I, Type

_UNARY = {
    "lgamma": lambda m, x: m.jnp.tanh(m.lax.lgamma(1.2 + x * x)),
    "digamma": lambda m, x: m.jnp.tanh(m.lax.digamma(1.2 + x * x)),
    "erfc": lambda m, x: m.lax.erfc(x),
    "erf_inv": lambda m, x: m.lax.erf_inv(0.9 * m.jnp.tanh(x)),
    "expm1": lambda m, x: m.jnp.expm1(m.jnp.tanh(x)),
    "cbrt": lambda m, x: m.jnp.cbrt(2 + m.jnp.sin(x)),
    "rsqrt": lambda m, x: m.lax.rsqrt(1 + x * x),
    "arcsinh": lambda m, x: m.jnp.arcsinh(x),
    "arctan": lambda m, x: m.jnp.arctan(x),
    "arccosh": lambda m, x: m.jnp.arccosh(1.5 + x * x),
    "arctanh": lambda m, x: m.jnp.arctanh(0.9 * m.jnp.tanh(x)),
    "arcsin": lambda m, x: m.jnp.arcsin(0.9 * m.jnp.tanh(x)),
    "sinc": lambda m, x: m.jnp.sinc(x),
    "i0e": lambda m, x: m.lax.bessel_i0e(x),
    "i1e": lambda m, x: m.lax.bessel_i1e(x),
    "floor": lambda m, x: m.jnp.floor(m.jnp.tanh(x) * 3) * 0.25 + x,
    "round": lambda m, x: m.jnp.round(m.jnp.sin(x) * 3) * 0.25 + x,
    "sign": lambda m, x: m.jnp.sign(x) * m.jnp.tanh(x),
    "mod": lambda m, x: m.jnp.mod(m.jnp.tanh(x), 0.7),
    "fmod": lambda m, x: m.jnp.fmod(m.jnp.tanh(x), 0.7),
    "copysign": lambda m, x: m.jnp.copysign(m.jnp.tanh(x), 0.3 - x),
    "xlogy": lambda m, x: m.jax.scipy.special.xlogy(x, 1 + x * x),
    "ndtr": lambda m, x: m.jax.scipy.special.ndtr(x),
    "entr": lambda m, x: m.jax.scipy.special.entr(m.jax.nn.sigmoid(x)),
    "gelu": lambda m, x: m.jax.nn.gelu(x),
    "elu": lambda m, x: m.jax.nn.elu(x),
    "softplus": lambda m, x: m.jax.nn.softplus(x),
    "leaky_relu": lambda m, x: m.jax.nn.leaky_relu(x),
    "hard_tanh": lambda m, x: m.jax.nn.hard_tanh(x),
    "f4 and back": lambda m, x: (
        m.jnp.maximum(x.astype(np.float32), 0.25) * 2
    ).astype(np.float64),
    "promoted": lambda m, x: x.astype(np.float32) + x.astype(np.float64),
    "barrier": lambda m, x: m.lax.optimization_barrier(m.jnp.sin(x)),
    "polyval": lambda m, x: m.jnp.polyval(
        m.jnp.array([0.5, -1.0, 2.0]), m.jnp.tanh(x)
    ),
    "interp": lambda m, x: m.jnp.interp(
        x, m.jnp.array([-1.0, 0.2, 1.0]), m.jnp.array([0.5, -0.5, 2.0])
    ),
    "select": lambda m, x: m.jnp.select(
        [x > 1, x > 0], [m.jnp.sin(x), x * x * 0.5], 0.1
    ),
    "piecewise": lambda m, x: m.jnp.piecewise(
        x, [x < 0, x >= 0.5], [lambda x: -x, lambda x: m.jnp.sin(x), 0.5]
    ),
}


def unary(b: Block):
    i, name = b.pick(), b.choice(list(_UNARY))
    f = _UNARY[name]
    b.add(f"{name} v{i}", b.types[i], lambda m, v: f(m, v[i]))


def custom_rule(b: Block):
    """A function with a rule that is not its derivative."""
    i, forward = b.pick(), bool(b.rng.integers(2))
    # A rule of its own, but for where JAX drops the rule: second derivatives
    # of a loop.
    factor = 1.5 if b.depth < 2 else 1.0

    def with_jvp(m, x):
        @m.jax.custom_jvp
        def f(x):
            return m.jnp.sin(x)

        @f.defjvp
        def rule(primals, tangents):
            return f(*primals), tangents[0] * m.jnp.cos(primals[0]) * factor

        return f(x)

    def with_vjp(m, x):
        @m.jax.custom_vjp
        def f(x):
            return m.jnp.sin(x)

        f.defvjp(
            lambda x: (m.jnp.sin(x), x),
            lambda x, ct: (ct * m.jnp.cos(x) * 1.5,),
        )
        return f(x)

    # jvp of a custom_vjp is refused: only where nothing is differentiated.
    rule = with_jvp if forward or b.depth else with_vjp
    b.add(f"{rule.__name__} v{i}", b.types[i], lambda m, v: rule(m, v[i]))


def weak(b: Block):
    """Values of weak types, and what they become."""
    i, n = b.pick(), b.pick(I)
    options = [
        (
            f"weak float * v{n}",
            Type(F, b.types[n].shape),
            lambda m, v: m.jnp.array(0.5) * v[n],
        ),
        (
            f"weak int + v{i}",
            b.types[i],
            lambda m, v: m.jnp.array(2) + m.jnp.tanh(v[i]),
        ),
        ("weak exp", Type(F, ()), lambda m, v: m.jnp.exp(m.jnp.array(1))),
        (
            f"full_like v{i}",
            b.types[i],
            lambda m, v: m.jnp.full(v[i].shape, 0.5) * m.jnp.array(3),
        ),
        (
            f"where of scalars v{i}",
            b.types[i],
            lambda m, v: m.jnp.where(v[i] > 0, 1.0, 0.25),
        ),
    ]
    b.add(*b.choice(options))


_NARROW = {
    "int8": lambda m, x: (x.astype(np.int8) * 100 + 60).astype(np.int64),
    "uint8": lambda m, x: (x.astype(np.uint8) - 3).astype(np.int64) % 7,
    "int32": lambda m, x: (x.astype(np.int32) + 1).astype(np.int64) - 2,
    "shift": lambda m, x: (x << 3) >> 1,
    "bits": lambda m, x: m.lax.population_count(x) + m.lax.clz(x) % 5,
    "not": lambda m, x: ~x,
    "divmod": lambda m, x: sum(m.jnp.divmod(x, 3)),
    "lax.rem": lambda m, x: m.lax.rem(x, m.jnp.full(x.shape, 3)),
    "pow": lambda m, x: (x % 4) ** 3,
    "gcd": lambda m, x: m.jnp.gcd(x, 6),
    "clip": lambda m, x: m.jnp.clip(x, -1, 3),
    "cumsum": lambda m, x: m.jnp.cumsum(x.reshape(-1)).reshape(x.shape) % 5,
    "sort": lambda m, x: m.jnp.sort(x.reshape(-1)).reshape(x.shape),
    "uint32": lambda m, x: (
        m.lax.bitcast_convert_type(x.astype(np.int32), np.uint32) % 11
    ).astype(np.int64),
}


def integers(b: Block):
    i, name = b.pick(I), b.choice(list(_NARROW))
    f = _NARROW[name]
    b.add(f"{name} v{i}", b.types[i], lambda m, v: f(m, v[i]))


def counted(b: Block):
    """Integers from floats, of shapes with at least one axis."""
    i = b.pick(F, lambda t: len(t.shape) > 0)
    if i is None:
        return
    shape = b.types[i].shape
    axis = int(b.rng.integers(len(shape)))
    rest = shape[:axis] + shape[axis + 1 :]
    options = [
        ("argsort", shape, lambda m, x: m.jnp.argsort(x, axis)),
        ("argmax", rest, lambda m, x: m.jnp.argmax(x, axis)),
        ("argmin", rest, lambda m, x: m.jnp.argmin(x, axis)),
        ("count", rest, lambda m, x: m.jnp.count_nonzero(x > 0, axis)),
        (
            "searchsorted",
            shape,
            lambda m, x: m.jnp.searchsorted(
                m.jnp.array([-0.5, 0.1, 1.0]), x
            ).astype(int),
        ),
        (
            "nonzero",
            (4,),
            lambda m, x: m.jnp.nonzero(x > 0, size=4, fill_value=1)[axis],
        ),
        (
            "bincount",
            (3,),
            lambda m, x: m.jnp.bincount(
                (m.jnp.sin(x).ravel() > 0).astype(int), length=3
            ),
        ),
        (
            "unique",
            (3,),
            lambda m, x: m.jnp.unique(
                m.jnp.round(m.jnp.tanh(x)), size=3, fill_value=0
            ).astype(int),
        ),
    ]
    name, out, f = b.choice(options)
    b.add(f"{name} v{i} axis={axis}", Type(I, out), lambda m, v: f(m, v[i]))


def arranged(b: Block):
    i = b.pick(F, lambda t: len(t.shape) > 0 and np.prod(t.shape) > 0)
    if i is None:
        return
    shape = b.types[i].shape
    axis, n = int(b.rng.integers(len(shape))), int(np.prod(shape))
    k = shape[axis]
    rest = shape[:axis] + shape[axis + 1 :]
    same = [
        ("cumprod", lambda m, x: m.jnp.cumprod(m.jnp.sin(x), axis)),
        ("cumlogsumexp", lambda m, x: m.lax.cumlogsumexp(m.jnp.sin(x), axis)),
        ("cummin", lambda m, x: m.lax.cummin(x, axis, reverse=True)),
        ("rev", lambda m, x: m.lax.rev(x, (axis,))),
        ("-sort", lambda m, x: -m.jnp.sort(-x, axis)),
        (
            "take_along_axis",
            lambda m, x: m.jnp.take_along_axis(
                x, m.jnp.argsort(m.jnp.cos(x), axis), axis
            ),
        ),
        (
            "sort of two",
            lambda m, x: m.lax.sort(
                (m.jnp.sin(x), x), dimension=axis, num_keys=1
            )[1],
        ),
        (
            "reduce_window max",
            lambda m, x: m.jnp.tanh(
                m.lax.reduce_window(
                    x, -np.inf, m.lax.max, *_window(x, axis), "SAME"
                )
            ),
        ),
        (
            "reduce_window add",
            lambda m, x: m.lax.reduce_window(
                m.jnp.sin(x), 0.0, m.lax.add, *_window(x, axis), "SAME"
            ),
        ),
        (
            "associative_scan",
            lambda m, x: m.lax.associative_scan(
                lambda a, c: a * 0.5 + c, m.jnp.sin(x), axis=axis
            ),
        ),
        (
            "at.multiply",
            lambda m, x: x.at[..., ::2].multiply(0.5).at[0].min(0.3),
        ),
        (
            "swap",
            lambda m, x: m.jnp.moveaxis(m.jnp.moveaxis(x, axis, 0), 0, axis),
        ),
        (
            "map",
            lambda m, x: m.lax.map(lambda r: m.jnp.sin(r) + r.mean(), x),
        ),
        ("fft", lambda m, x: m.jnp.fft.fft(x, axis=axis).real / k),
        ("ifft imag", lambda m, x: m.jnp.fft.ifft(x, axis=axis).imag),
        (
            "irfft",
            lambda m, x: (
                m.jnp.fft.irfft(
                    m.jnp.fft.rfft(x, axis=axis) ** 2, n=k, axis=axis
                )
                / k
            ),
        ),
        ("normalize", lambda m, x: x / (1 + m.jnp.linalg.norm(x))),
    ]
    options = [(name, shape, f) for name, f in same] + [
        ("median", rest, lambda m, x: m.jnp.median(x, axis)),
        ("quantile", rest, lambda m, x: m.jnp.quantile(x, 0.3, axis)),
        ("std", rest, lambda m, x: m.jnp.std(x + m.jnp.sin(x * 3), axis)),
        ("ptp", rest, lambda m, x: m.jnp.ptp(x, axis)),
        ("norm", rest, lambda m, x: m.jnp.linalg.norm(1 + x * x, axis=axis)),
        ("logsumexp", rest, lambda m, x: m.jax.nn.logsumexp(x, axis)),
        ("take -1", rest, lambda m, x: m.jnp.take(x, -1, axis)),
        ("average", rest, lambda m, x: m.jnp.average(x, axis, 1 + x * x)),
        ("nanmax", rest, lambda m, x: m.jnp.nanmax(x, axis)),
        ("squeeze", shape, lambda m, x: m.jnp.squeeze(x[None], 0)),
        ("x[::-1]", shape, lambda m, x: x[::-1]),
        (
            "top_k",
            (*shape[:-1], (shape[-1] + 1) // 2),
            lambda m, x: m.lax.top_k(x, (shape[-1] + 1) // 2)[0],
        ),
        (
            "convolve",
            (n,),
            lambda m, x: (
                m.jnp.convolve(
                    m.jnp.sin(x.ravel()), m.jnp.cos(x.ravel()[:3]), "same"
                )
                if n > 2
                else x.ravel()
            ),
        ),
    ]
    if k > 1:
        cut = (*shape[:axis], k - 1, *shape[axis + 1 :])
        options.append(("diff", cut, lambda m, x: m.jnp.diff(x, axis=axis)))
        options.append(
            ("gradient", shape, lambda m, x: m.jnp.gradient(x, axis=axis))
        )
    if n < 60:
        twice = (*shape[:axis], 2 * k, *shape[axis + 1 :])
        options += [
            ("repeat", twice, lambda m, x: m.jnp.repeat(x, 2, axis)),
            (
                "stack",
                (*shape, 2),
                lambda m, x: m.jnp.stack([x, m.jnp.cos(x)], -1),
            ),
            (
                "lax.pad",
                (*shape[:-1], 2 * shape[-1]),
                lambda m, x: m.lax.pad(
                    x,
                    m.jnp.mean(x),
                    [(0, 0, 0)] * (x.ndim - 1) + [(1, 0, 1)],
                ),
            ),
        ]
    name, out, f = b.choice(options)
    if len(out) > 3:
        return
    b.add(f"{name} v{i} axis={axis}", Type(F, out), lambda m, v: f(m, v[i]))


def _window(x, axis):
    size = [1] * x.ndim
    size[axis] = min(3, x.shape[axis])
    return tuple(size), (1,) * x.ndim


def contracted(b: Block):
    i = b.pick(F, lambda t: len(t.shape) == 2)
    if i is None:
        return
    n, k = b.types[i].shape
    if n * n * k * k > 20000 or n > 8 or k > 8:
        return
    kernel = (min(2, n), min(2, k))
    options = [
        (
            "einsum",
            (n,),
            lambda m, x: m.jnp.einsum("ij,ij->i", m.jnp.sin(x), x),
        ),
        (
            "einsum 3",
            (k, k),
            lambda m, x: m.jnp.tanh(m.jnp.einsum("ij,il,i->jl", x, x, x[:, 0])),
        ),
        (
            "dot_general",
            (n, k, k),
            lambda m, x: m.lax.dot_general(
                m.jnp.sin(x)[:, None],
                m.jnp.cos(x)[:, None],
                (((1,), (1,)), ((0,), (0,))),
            ),
        ),
        ("outer", (n, k), lambda m, x: m.jnp.outer(x[:, 0], m.jnp.sin(x[0]))),
        (
            "conv",
            (n, k),
            lambda m, x: m.lax.conv_general_dilated(
                m.jnp.sin(x)[None, None],
                m.jnp.cos(x[: kernel[0], : kernel[1]])[None, None],
                (1, 1),
                "SAME",
            )[0, 0],
        ),
        (
            "trace",
            (),
            lambda m, x: m.jnp.trace(x) + m.jnp.diag(m.jnp.sin(x)).sum(),
        ),
        ("tril", (n, k), lambda m, x: m.jnp.tril(x, -1) + m.jnp.triu(x, 1)),
        ("rot90", (k, n), lambda m, x: m.jnp.rot90(x)),
    ]
    options += [
        (name, out, lambda m, x, f=f: f(m, _definite(m, x), x))
        for name, out, f in _decompositions(n, k)
    ]
    name, out, f = b.choice(options)
    b.add(f"{name} v{i}", Type(F, out), lambda m, v: f(m, v[i]))


def _definite(m, x):
    """Symmetric, with well separated eigenvalues."""
    y = m.jnp.tanh(x)
    n = x.shape[0]
    return y @ y.T * 0.1 + m.jnp.diag(m.jnp.arange(1.0, n + 1))


def _decompositions(n, k):
    return [
        ("cholesky", (n, n), lambda m, a, x: m.jnp.linalg.cholesky(a)),
        ("solve", (n, k), lambda m, a, x: m.jnp.linalg.solve(a, m.jnp.sin(x))),
        ("inv", (n, n), lambda m, a, x: m.jnp.linalg.inv(a)),
        ("det", (), lambda m, a, x: m.jnp.tanh(m.jnp.linalg.det(a) * 0.01)),
        ("slogdet", (), lambda m, a, x: m.jnp.linalg.slogdet(a)[1]),
        ("eigvalsh", (n,), lambda m, a, x: m.jnp.linalg.eigvalsh(a)),
        ("eigh", (n, n), lambda m, a, x: m.jnp.linalg.eigh(a)[1] ** 2),
        (
            "svd",
            (n,),
            lambda m, a, x: m.jnp.linalg.svd(a, compute_uv=False),
        ),
        ("qr", (n, n), lambda m, a, x: m.jnp.linalg.qr(a)[1]),
        (
            "triangular_solve",
            (n, k),
            lambda m, a, x: m.jax.scipy.linalg.solve_triangular(
                a, m.jnp.cos(x), lower=True
            ),
        ),
        (
            "cho_solve",
            (n, k),
            lambda m, a, x: m.jax.scipy.linalg.cho_solve(
                m.jax.scipy.linalg.cho_factor(a), m.jnp.cos(x)
            ),
        ),
        (
            "matrix_power",
            (n, n),
            lambda m, a, x: m.jnp.tanh(m.jnp.linalg.matrix_power(a, 3)),
        ),
        (
            "expm",
            (n, n),
            lambda m, a, x: m.jax.scipy.linalg.expm(-0.2 * a),
        ),
    ]


def sampled(b: Block):
    """Random numbers from a key that depends on an integer of the program."""
    s = b.pick(I, lambda t: t.shape == ())
    if s is None:
        return

    def key(m, v):
        return m.jax.random.fold_in(m.jax.random.key(7), v[s])

    options = [
        ("uniform", F, (2, 3), lambda m, k: m.jax.random.uniform(k, (2, 3))),
        ("normal", F, (4,), lambda m, k: m.jax.random.normal(k, (4,))),
        (
            "split",
            F,
            (3,),
            lambda m, k: m.jax.vmap(m.jax.random.uniform)(
                m.jax.random.split(k, 3)
            ),
        ),
        (
            "permutation",
            I,
            (5,),
            lambda m, k: m.jax.random.permutation(k, 5),
        ),
        (
            "randint",
            I,
            (3,),
            lambda m, k: m.jax.random.randint(k, (3,), -3, 9),
        ),
        (
            "bernoulli",
            F,
            (4,),
            lambda m, k: m.jax.random.bernoulli(k, 0.4, (4,)) * 0.5,
        ),
        (
            "categorical",
            I,
            (2,),
            lambda m, k: m.jax.random.categorical(
                k, m.jnp.array([0.1, 0.5, 0.3]), shape=(2,)
            ),
        ),
        (
            "exponential",
            F,
            (3,),
            lambda m, k: m.jax.random.exponential(k, (3,)),
        ),
        (
            "key_data",
            I,
            (2,),
            lambda m, k: m.jax.random.key_data(k).astype(np.int64) % 5,
        ),
    ]
    name, dtype, shape, f = b.choice(options)
    b.add(
        f"random.{name} v{s}",
        Type(dtype, shape),
        lambda m, v: f(m, key(m, v)),
    )


def gathered(b: Block):
    """Reads and writes by index of the other kinds."""
    i = b.pick(F, lambda t: len(t.shape) > 0 and t.shape[0] > 0)
    n = b.pick(I, lambda t: len(t.shape) == 1 and t.shape[0] > 0)
    if None in (i, n):
        return
    shape, (rows,) = b.types[i].shape, b.types[n].shape
    k, rest = shape[0], shape[1:]
    options = [
        (
            "get fill",
            (rows, *rest),
            lambda m, x, n: x.at[n].get(mode="fill", fill_value=0.5),
        ),
        ("new axis", (rows, 1, *rest), lambda m, x, n: x[n, None]),
        (
            "segment_sum",
            (3, *rest),
            lambda m, x, n: m.jax.ops.segment_sum(
                m.jnp.sin(x), m.jnp.resize(n, (k,)) % 4, 3
            ),
        ),
        (
            "segment_max",
            (3, *rest),
            lambda m, x, n: m.jnp.maximum(
                m.jax.ops.segment_max(x, m.jnp.resize(n, (k,)) % 3, 3), -2.0
            ),
        ),
        ("at.add rows", shape, lambda m, x, n: x.at[n].add(m.jnp.sin(x[n]))),
        ("at.mul", shape, lambda m, x, n: x.at[n].multiply(0.5, mode="drop")),
        (
            "dynamic_index",
            rest,
            lambda m, x, n: m.lax.dynamic_index_in_dim(x, n[0], keepdims=False),
        ),
        (
            "one_hot",
            (rows, 4),
            lambda m, x, n: m.jax.nn.one_hot(n, 4) * m.jnp.mean(x),
        ),
        (
            "choose",
            (rows,),
            lambda m, x, n: m.jnp.choose(n, [x.mean(), 0.5], mode="clip"),
        ),
        (
            "where of rows",
            (rows, *rest),
            lambda m, x, n: m.jnp.where(
                (n > 1).reshape(-1, *[1] * len(rest)), x[n], 0.25
            ),
        ),
        (
            "put_along_axis",
            shape,
            lambda m, x, n: m.jnp.put_along_axis(
                x,
                m.jnp.argmax(x, 0, keepdims=True),
                0.5,
                axis=0,
                inplace=False,
            ),
        ),
    ]
    name, out, f = b.choice(options)
    if len(out) > 3 or np.prod(out) > 300:
        return
    b.add(f"{name} v{i} v{n}", Type(F, out), lambda m, v: f(m, v[i], v[n]))


OPERATIONS = [
    *[unary] * 3,
    arranged,
    arranged,
    contracted,
    contracted,
    gathered,
    counted,
    integers,
    sampled,
    weak,
    custom_rule,
]

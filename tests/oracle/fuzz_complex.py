"""Operations on complex values in the programs of fuzz.py."""

from __future__ import annotations

import numpy as np

from tests.oracle.fuzz_block import Block, C, F, Type

_UNARY = {
    "exp": lambda m, z: m.jnp.exp(1j * z.real) * (1 + m.jnp.tanh(z.imag)),
    "sin": lambda m, z: m.jnp.sin(m.jnp.tanh(z.real) + 1j * m.jnp.sin(z.imag)),
    "conj": lambda m, z: m.jnp.conj(z) * 0.5,
    "z^2/(1+|z|^2)": lambda m, z: z * z / (1 + m.jnp.abs(z) ** 2),
    "sqrt": lambda m, z: m.jnp.sqrt(z * z.conj() + 1 + 0.5j),
    "log": lambda m, z: m.jnp.log(2 + m.jnp.abs(z) + 1j * z.imag),
    "1/(2+..)": lambda m, z: 1 / (2 + 1j * m.jnp.tanh(z.real)),
    "*1j": lambda m, z: z * 1j,
    "tanh": lambda m, z: m.jnp.tanh(m.jnp.sin(z.real) + 0.5j),
    "power": lambda m, z: (1.5 + m.jnp.tanh(z.real) * 1j) ** 1.5,
    "neg": lambda m, z: -z,
    "cumsum": lambda m, z: (
        m.jnp.cumsum(m.jnp.tanh(z.real) + 1j, 0) if z.ndim else z
    ),
    "fft": lambda m, z: m.jnp.fft.fft(z) / z.shape[-1] if z.ndim else z,
    "ifftn": lambda m, z: m.jnp.fft.ifftn(z) if z.ndim else z,
    "real*": lambda m, z: z.real * m.jnp.conj(z) * 0.1,
    "where": lambda m, z: m.jnp.where(z.real > 0, z, 0.5),
    "integer_pow": lambda m, z: (z / (1 + m.jnp.abs(z) ** 2)) ** 3,
    "softclip": lambda m, z: z / m.jnp.sqrt(1 + z.real**2 + z.imag**2),
}
_TO_REAL = {
    "real": lambda m, z: z.real,
    "imag": lambda m, z: m.jnp.imag(z),
    "|z|^2": lambda m, z: m.jnp.tanh(m.jnp.abs(z) ** 2),
    "abs": lambda m, z: m.jnp.abs(z + (3 + 1j)),
    "angle": lambda m, z: m.jnp.angle(2 + m.jnp.abs(z.real) + 1j * z.imag),
}
_BINARY = {
    "add": lambda m, z, w: z + w,
    "sub": lambda m, z, w: (z - w) * 0.5,
    "mul": lambda m, z, w: z * w / (1 + m.jnp.abs(z * w)),
    "div": lambda m, z, w: z / (3 + m.jnp.tanh(w.real) + 1j),
}


def made(b: Block):
    i, j = b.pick(), b.pick()
    f = b.choice(
        [
            lambda m, x, y: m.lax.complex(x, m.jnp.sin(x)),
            lambda m, x, y: x + 0.5j,
            lambda m, x, y: m.jnp.tanh(x) * m.jnp.exp(1j * m.jnp.mean(y)),
        ]
    )
    b.add(
        f"complex v{i} v{j}",
        Type(C, b.types[i].shape),
        lambda m, v: f(m, v[i], v[j]),
    )


def complexes(b: Block):
    i = b.pick(C)
    if i is None or b.rng.random() < 0.2:
        return made(b)
    if b.rng.random() < 0.35:
        name = b.choice(list(_TO_REAL))
        f = _TO_REAL[name]
        return b.add(
            f"{name} v{i}",
            Type(F, b.types[i].shape),
            lambda m, v: f(m, v[i]),
        )
    j = b.pick(C, lambda t: t.shape == b.types[i].shape)
    if b.rng.random() < 0.35:
        name = b.choice(list(_BINARY))
        g = _BINARY[name]
        return b.add(
            f"{name} v{i} v{j}", b.types[i], lambda m, v: g(m, v[i], v[j])
        )
    if b.rng.random() < 0.2 and len(b.types[i].shape) == 2:
        return decomposed(b, i)
    name = b.choice(list(_UNARY))
    h = _UNARY[name]
    return b.add(f"{name} v{i}", b.types[i], lambda m, v: h(m, v[i]))


def decomposed(b: Block, i):
    """Of a hermitian matrix with well separated eigenvalues."""
    n, k = b.types[i].shape
    if n > 6 or k > 6:
        return None

    def hermitian(m, z):
        y = z / (1 + m.jnp.abs(z) ** 2)
        return y @ y.conj().T * 0.1 + m.jnp.diag(m.jnp.arange(1.0, n + 1))

    options = [
        ("matmul", C, (n, n), lambda m, z: hermitian(m, z) @ hermitian(m, z)),
        (
            "cholesky",
            C,
            (n, n),
            lambda m, z: m.jnp.linalg.cholesky(hermitian(m, z)),
        ),
        (
            "eigvalsh",
            F,
            (n,),
            lambda m, z: m.jnp.linalg.eigvalsh(hermitian(m, z)),
        ),
        (
            "solve",
            C,
            (n, k),
            lambda m, z: m.jnp.linalg.solve(
                hermitian(m, z) + 0.2j, z / (1 + m.jnp.abs(z))
            ),
        ),
        ("svd", F, (n,), lambda m, z: m.jnp.linalg.svdvals(hermitian(m, z))),
        ("det", C, (), lambda m, z: m.jnp.linalg.det(hermitian(m, z)) * 0.01),
        ("inv", C, (n, n), lambda m, z: m.jnp.linalg.inv(hermitian(m, z))),
    ]
    name, dtype, out, f = b.choice(options)
    return b.add(f"{name} v{i}", Type(dtype, out), lambda m, v: f(m, v[i]))


def used(b: Block):
    """Complex numbers inside a real function, differentiable."""
    i = b.pick(F)
    n = np.array([0.5 + 1j, 1 - 0.5j])
    b.add(
        f"|f(v{i})|",
        b.types[i],
        lambda m, v: m.jnp.abs((m.jnp.sin(v[i])[..., None] + n).prod(-1)),
    )


OPERATIONS = [complexes, complexes, used]

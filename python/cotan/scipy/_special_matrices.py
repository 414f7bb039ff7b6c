"""Matrices with names: Toeplitz, Hankel, Hilbert, Pascal, ..."""

from __future__ import annotations

import math
import operator

import numpy as np

from cotan import _core, dtypes
from cotan import numpy as cnp
from cotan.numpy.decompositions import _one_dtype

_operand = _core.np_operand


def _vector(name, x, position=0):
    x = _operand(x, name, position)
    return x.reshape(1) if x.ndim == 0 else x


def _paired(a, b):
    """The same dtype and batch axes for two stacks of vectors."""
    a, b = _one_dtype([a, b])
    batch = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    return [_core.broadcast_to(x, (*batch, x.shape[-1])) for x in (a, b)]


def block_diag(*arrs):
    """The matrices, at most two-dimensional, along a diagonal."""
    arrs = arrs or (cnp.zeros((1, 0)),)
    xs = [_operand(a, "block_diag", i) for i, a in enumerate(arrs)]
    for i, x in enumerate(xs):
        if x.ndim > 2:
            raise ValueError(
                "Arguments to jax.scipy.linalg.block_diag must have at most 2 "
                f"dimensions, got {x} at argument {i}."
            )
    xs = _one_dtype([cnp.atleast_2d(x) for x in xs])
    width, at, rows = sum(x.shape[1] for x in xs), 0, []
    for x in xs:
        rows.append(cnp.pad(x, ((0, 0), (at, width - at - x.shape[1]))))
        at += x.shape[1]
    return cnp.concatenate(rows, axis=0)


def toeplitz(c, r=None):
    """Matrices [..., m, n] with constant diagonals: first column c [..., m],
    first row r [..., n] (default: conj(c)), whose first entry is not read."""
    c = _vector("toeplitz", c)
    r = cnp.conj(c) if r is None else _vector("toeplitz", r, 1)
    c, r = _paired(c, r)
    m, n = c.shape[-1], r.shape[-1]
    if m == 0 or n == 0:
        return cnp.zeros((*c.shape[:-1], m, n), c.dtype)
    line = cnp.concatenate((c[..., ::-1], r[..., 1:]), axis=-1)
    return line[..., m - 1 - np.arange(m)[:, None] + np.arange(n)]


def hankel(c, r=None):
    """Matrices with constant antidiagonals: first column c, last row r
    (default: 0), whose first entry is not read."""
    c = _operand(c, "hankel", 0)
    r = cnp.zeros_like(c) if r is None else _operand(r, "hankel", 1)
    for name, x in (("c", c), ("r", r)):
        if x.ndim == 0:
            raise ValueError(
                f"hankel: {name} must be at least 1-dimensional, got a scalar."
            )
    c, r = _paired(c, r)
    m, n = c.shape[-1], r.shape[-1]
    if m == 0 or n == 0:
        return cnp.zeros((*c.shape[:-1], m, n), c.dtype)
    line = cnp.concatenate((c, r[..., 1:]), axis=-1)
    return line[..., np.arange(m)[:, None] + np.arange(n)]


def circulant(c):
    """Matrices whose columns are c, turned down by one each."""
    c = _vector("circulant", c)
    i = np.arange(c.shape[-1])
    return c[..., (i[:, None] - i) % max(c.shape[-1], 1)]


def _with_first_row(x, row):
    return x.at[..., 0, :].set(row)


def _below_diagonal(v):
    """Matrices with v on the first subdiagonal."""
    n = v.shape[-1] + 1
    i = np.arange(n)
    wide = cnp.pad(v, [(0, 0)] * (v.ndim - 1) + [(0, 1)])
    return cnp.where(i[:, None] == i + 1, wide[..., None, :], 0).astype(v.dtype)


def leslie(f, s):
    """Leslie matrices: fecundities f [..., n], survivals s [..., n - 1]."""
    f, s = _vector("leslie", f), _vector("leslie", s, 1)
    if f.shape[-1] < 2:
        raise ValueError(
            "The length of f along the last axis must be at least 2; got shape "
            f"{f.shape}."
        )
    if s.shape[-1] != f.shape[-1] - 1:
        raise ValueError(
            "Incorrect lengths for f and s. The length of s along the last "
            "axis must be one less than the length of f; got f shape "
            f"{f.shape} and s shape {s.shape}."
        )
    f, s = _paired(f, s)
    return _with_first_row(_below_diagonal(s), f)


def companion(a):
    """Companion matrices of polynomials a [..., n]."""
    a = _core.promote_inexact("companion", [_vector("companion", a)])[0]
    if a.shape[-1] < 2:
        raise ValueError(
            "The length of `a` along the last axis must be at least 2; got "
            f"shape {a.shape}."
        )
    row = -a[..., 1:] / a[..., :1]
    below = _below_diagonal(cnp.ones_like(row[..., 1:]))
    return _with_first_row(below, row)


def fiedler(a):
    """|a[i] - a[j]|."""
    a = _vector("fiedler", a)
    return cnp.abs(a[..., None] - a[..., None, :])


def fiedler_companion(a):
    """Fiedler's pentadiagonal companion matrices of polynomials."""
    a = _core.promote_inexact(
        "fiedler_companion", [_vector("fiedler_companion", a)]
    )[0]
    if a.shape[-1] == 0:
        raise ValueError(
            "fiedler_companion requires the last axis of 'a' to have nonzero "
            f"length, but got an array of shape {a.shape}."
        )
    n = a.shape[-1] - 1
    if n == 0:
        return cnp.zeros((*a.shape[:-1], 0, 0), a.dtype)
    a = a / a[..., :1]
    i, j = np.arange(n)[:, None], np.arange(n)[None, :]
    even, odd = i % 2 == 0, i % 2 == 1
    near = -a[..., np.minimum(i + 1, n)]
    far = -a[..., np.minimum(i + 2, n)]
    one = ((i == 1) & (j == 0)) | ((j == i + 2) & even)
    one |= (j == i - 2) & odd & (i >= 3)
    x = cnp.where((j == i + 1) & even, far, one.astype(a.dtype))
    x = cnp.where((j == i - 1) & even & (i >= 2), near, x)
    return cnp.where((i == 0) & (j == 0), near, x)


def convolution_matrix(a, n: int, mode: str = "full"):
    """Matrices that convolve a [..., m] with vectors of n entries."""
    n = operator.index(n)
    if n <= 0:
        raise ValueError(f"n must be a positive integer; got {n}.")
    a = _operand(a, "convolution_matrix", 0)
    if a.ndim == 0:
        raise ValueError(
            "convolution_matrix: a must be at least 1-dimensional, got a "
            "scalar."
        )
    m = a.shape[-1]
    if m < 1:
        raise ValueError(f"len(a) must be at least 1; got shape {a.shape}.")
    if mode not in ("full", "valid", "same"):
        raise ValueError(
            f"mode must be one of 'full', 'valid', 'same'; got {mode!r}."
        )
    trim = 0 if mode == "full" else min(n, m) - 1
    first = trim if mode == "valid" else trim // 2
    last = m + n - 1 - (trim if mode == "valid" else trim - trim // 2)
    # Entry (i, j) is a[first + i - j].
    at = first + np.arange(last - first)[:, None] - np.arange(n)
    x = a[..., np.clip(at, 0, m - 1)]
    return cnp.where((at >= 0) & (at < m), x, 0).astype(a.dtype)


def hilbert(n: int):
    """1 / (i + j + 1)."""
    i = cnp.arange(n, dtype=float)
    return 1 / (i[:, None] + i[None] + 1)


def invhilbert(n: int):
    """The inverse of the Hilbert matrix."""
    entries = [
        [
            (-1) ** (i + j)
            * (i + j + 1)
            * math.comb(n + i, n - j - 1)
            * math.comb(n + j, n - i - 1)
            * math.comb(i + j, i) ** 2
            for j in range(n)
        ]
        for i in range(n)
    ]
    return cnp.asarray(np.array(entries, float).reshape(n, n), dtype=float)


def _pascal(n, kind, sign, dtype):
    known = ["symmetric", "lower", "upper"]
    kind = "symmetric" if kind is None else kind
    if kind not in known:
        raise ValueError(f"Expected kind to be one of: {known}; got {kind}")
    lower = np.array(
        [
            [
                sign ** (i - j) * math.comb(i, j) if j <= i else 0
                for j in range(n)
            ]
            for i in range(n)
        ],
        object,
    ).reshape(n, n)
    if kind == "symmetric":
        x = lower.T @ lower if sign < 0 else lower @ lower.T
    else:
        x = lower if kind == "lower" else lower.T
    return cnp.asarray(x.astype(float), dtype=dtype)


def pascal(n: int, kind: str | None = None):
    """Binomial coefficients: "symmetric" (None), "lower" or "upper"."""
    return _pascal(n, kind, 1, np.float32)


def invpascal(n: int, kind: str | None = None):
    """The inverse of `pascal`."""
    return _pascal(n, kind, -1, float)


def helmert(n: int, full: bool = False):
    """Helmert's orthogonal matrix, without its first row unless `full`."""
    n = operator.index(n)
    if n < 1:
        raise ValueError(f"n must be a positive integer; got {n}.")
    i, j = np.arange(1, n)[:, None], np.arange(n)[None, :]
    scale = np.sqrt(i * (i + 1.0))
    h = np.where(j < i, 1 / scale, np.where(j == i, -i / scale, 0.0))
    if full:
        h = np.concatenate([np.full((1, n), 1 / math.sqrt(n)), h])
    return cnp.asarray(h, dtype=float)


def hadamard(n: int, dtype=int):
    """Sylvester's Hadamard matrix, n a power of 2."""
    n = operator.index(n)
    if n < 1 or n & (n - 1):
        raise ValueError(f"n must be a positive power of 2; got {n}.")
    h = np.ones((1, 1), int)
    while len(h) < n:
        h = np.block([[h, h], [h, -h]])
    return cnp.asarray(h, dtype=dtype)


def dft(n: int, scale: str | None = None, *, dtype=None):
    """The matrix of the discrete Fourier transform; scale "sqrtn" makes it
    unitary, "n" divides by n."""
    if scale not in (None, "sqrtn", "n"):
        raise ValueError(f"scale must be None, 'sqrtn', or 'n'; got {scale!r}.")
    dtype = _core.canonical_dtype(complex if dtype is None else dtype)
    if not dtypes.issubdtype(dtype, np.complexfloating):
        raise ValueError(
            f"dtype must be a complex floating-point type; got {dtype}."
        )
    i = np.arange(n)
    w = np.exp(-2j * np.pi * (i[:, None] * i % max(n, 1)) / max(n, 1))
    w = w / {None: 1, "sqrtn": math.sqrt(n), "n": n}[scale] if n else w
    return cnp.asarray(w, dtype=dtype)

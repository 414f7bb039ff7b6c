"""expm, sqrtm, funm, rsf2csf and the Sylvester equation.

Loops over the dimensions of a matrix are unrolled while tracing, over one row
or column at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cotan import _dispatch, lax
from cotan import numpy as cnp
from cotan._src import api
from cotan._src.settings import numpy_rank_promotion
from cotan.lax import linalg as lax_linalg
from cotan.numpy import decompositions, linalg
from cotan.numpy.vectorizing import vectorize

_inexact = decompositions._inexact

# Coefficients of the Pade approximants of exp, Higham (2005), and the 1-norms
# up to which each is accurate to the last bit.
_PADE = {
    3: (120.0, 60.0, 12.0, 1.0),
    5: (30240.0, 15120.0, 3360.0, 420.0, 30.0, 1.0),
    7: (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0),
    13: (
        64764752532480000.0,
        32382376266240000.0,
        7771770303897600.0,
        1187353796428800.0,
        129060195264000.0,
        10559470521600.0,
        670442572800.0,
        33522128640.0,
        1323241920.0,
        40840800.0,
        960960.0,
        16380.0,
        182.0,
        1.0,
    ),
}
_LARGEST = {7: 3.925724783138660, 13: 5.371920351148152}


def _square(name, a):
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(
            f"Expected {name} to be a (batched) square matrix, got "
            f"{name}.shape={a.shape}."
        )
    return a


def _pade(a, degree):
    """Numerator and denominator of the approximant of exp(a)."""
    b = _PADE[degree]
    eye = cnp.eye(a.shape[-1], dtype=a.dtype)
    even = [eye, a @ a]
    while len(even) < min(degree, 7) // 2 + 1:
        even.append(even[-1] @ even[1])

    def combination(start, stop):
        terms = [
            b[i] * even[(i - start % 2) // 2] for i in range(start, stop, 2)
        ]
        return sum(terms[1:], terms[0])

    if degree < 13:
        odd, u = combination(0, degree), combination(1, degree + 1)
    else:
        high_u = b[13] * even[3] + b[11] * even[2] + b[9] * even[1]
        high_v = b[12] * even[3] + b[10] * even[2] + b[8] * even[1]
        u = even[3] @ high_u + combination(1, 8)
        odd = even[3] @ high_v + combination(0, 7)
    u = a @ u
    return u + odd, odd - u


def expm(A, *, upper_triangular: bool = False, max_squarings: int = 16):
    """The exponential of square matrices, by scaling and squaring.

    Args:
      A: matrices [..., n, n]; upper_triangular says that they are.
      max_squarings: matrices that need more give nan.
    """
    a = _square("A", _inexact("expm", A))
    degree = 13 if a.dtype in (np.float64, np.complex128) else 7
    size = (
        cnp.abs(a).sum(-2).max(-1) if a.shape[-1] else cnp.zeros(a.shape[:-2])
    )
    ratio = cnp.maximum(size / _LARGEST[degree], np.float32(1e-30))
    squarings = cnp.maximum(0, cnp.floor(cnp.log2(ratio)) + 1)
    squarings = squarings[..., None, None].astype(size.dtype)
    p, q = _pade(a / cnp.exp2(squarings).astype(a.dtype), degree)
    if upper_triangular:
        r = lax_linalg.triangular_solve(q, p, left_side=True)
    else:
        r = linalg.solve(q, p)
    for i in range(int(max_squarings)):
        more = squarings > i
        # What is squared once too often must not overflow: its derivative
        # would be nan.
        x = cnp.where(more, r, 0)
        r = cnp.where(more, x @ x, r)
    return cnp.where(squarings > max_squarings, np.nan, r).astype(a.dtype)


def expm_frechet(A, E, *, method: str | None = None, compute_expm: bool = True):
    """(expm(A), its derivative in the direction E), or the derivative."""
    a, e = _inexact("expm_frechet", A, E)
    for name, x in (("A", a), ("E", e)):
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise ValueError(
                f"expected {name} to be a (batched) square matrix, got "
                f"{name}.shape={x.shape}"
            )
    if a.shape != e.shape:
        raise ValueError(
            "expected A and E to be the same shape, got "
            f"A.shape={a.shape} E.shape={e.shape}"
        )
    y, t = api.jvp(expm, (a,), (e,))
    return (y, t) if compute_expm else t


# ---- by way of the Schur form


def _adjoint(x):
    return cnp.conj(x.mT)


def _complex_schur(a):
    t, z = lax_linalg.schur(a)
    if t.dtype.kind != "c":
        return rsf2csf(t, z)
    return t, z


def rsf2csf(T, Z, check_finite: bool = True):
    """The complex Schur form of a real one."""
    t, z = _inexact("rsf2csf", T, Z)
    for name, x in (("Z", z), ("T", t)):
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise ValueError(f"Input '{name}' must be square.")
    if t.shape[-2:] != z.shape[-2:]:
        raise ValueError(
            f"Input array shapes must match: Z: {z.shape} vs. T: {t.shape}"
        )
    dtype = np.result_type(t.dtype, np.complex64)
    eps = float(np.finfo(t.dtype).eps)
    convert = vectorize(
        lambda t, z: _triangular(t, z, eps),
        signature="(n,n),(n,n)->(n,n),(n,n)",
    )
    with numpy_rank_promotion("allow"):  # one may have batch axes alone
        return convert(t.astype(dtype), z.astype(dtype))


def _triangular(t, z, eps):
    """Rotates what stands below the diagonal of t away, from the bottom."""
    n = t.shape[0]
    if n < 2:
        return t, z
    index = cnp.arange(n)

    def rotate(k, tz):
        t, z = tz
        m = n - 1 - k
        _, (c, d) = block = lax.dynamic_slice(t, (m - 1, m - 1), (2, 2))
        mu = cnp.linalg.eigvals(block)[0] - d
        r = cnp.linalg.norm(cnp.stack([mu, c])).astype(t.dtype)
        cs, sn = mu / r, c / r
        g = cnp.stack([cnp.stack([cnp.conj(cs), sn]), cnp.stack([-sn, cs])])

        def turned(x, where, axis):
            """Rows (columns) m - 1 and m of x turned by g (its adjoint)."""
            start, size = [0, 0], list(x.shape)
            start[axis], size[axis] = m - 1, 2
            old = lax.dynamic_slice(x, start, size)
            new = g @ old if axis == 0 else old @ _adjoint(g)
            return lax.dynamic_update_slice(
                x, cnp.where(where, new, old), start
            )

        t = turned(t, (index >= m - 1)[None], 0)
        t = turned(t, (index <= m)[:, None], 1)
        return t, turned(z, True, 1)

    def step(k, tz):
        m = n - 1 - k
        t, z = tz
        small = cnp.abs(t[m - 1, m - 1]) + cnp.abs(t[m, m])
        t, z = lax.cond(
            cnp.abs(t[m, m - 1]) > eps * small,
            lambda tz: rotate(k, tz),
            lambda tz: tz,
            (t, z),
        )
        return t.at[m, m - 1].set(0), z

    return lax.fori_loop(0, n - 1, step, (t, z))


def _sqrtm_triangular(t):
    """Square root of an upper triangular matrix, diagonal by diagonal."""
    n = t.shape[0]
    d = cnp.sqrt(cnp.diag(t))
    u = cnp.diag(d)
    for k in range(1, n):
        i = np.arange(n - k)
        # s[i] = sum of u[i, l] u[l, i + k] for i < l < i + k
        rows = u[i]
        columns = u[:, i + k].T
        inside = (np.arange(n)[None] > i[:, None]) & (
            np.arange(n)[None] < (i + k)[:, None]
        )
        s = cnp.where(inside, rows * columns, 0).sum(1)
        rest = t[i, i + k] - s
        value = cnp.where(rest == 0, 0, rest / (d[i] + d[i + k]))
        u = u.at[i, i + k].set(value)
    return u


def sqrtm(A, blocksize: int = 1):
    """The principal square root of a matrix, complex."""
    a = _inexact("sqrtm", A)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"Expected A to be a square matrix, got {a.shape}")
    if blocksize > 1:
        raise NotImplementedError("Blocked version is not implemented yet.")
    t, z = _complex_schur(a)
    return z @ _sqrtm_triangular(t) @ _adjoint(z)


def funm(A, func: Callable, disp: bool = True):
    """A function of a matrix, func acting on numbers, by the Schur-Parlett
    recurrence; with disp=False also an estimate of the relative error."""
    a = _dispatch.to_array(A)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError("expected square array_like input")
    a = _inexact("funm", a)
    n = a.shape[0]
    t, z = _complex_schur(a)
    f = cnp.diag(func(cnp.diag(t))).astype(t.dtype)
    smallest = cnp.abs(t[0, 0])
    for k in range(1, n):
        i = np.arange(n - k)
        j = i + k
        between = (np.arange(n)[None] > i[:, None]) & (
            np.arange(n)[None] < j[:, None]
        )
        s = t[i, j] * (f[j, j] - f[i, i])
        mixed = t[i] * f[:, j].T - f[i] * t[:, j].T
        s = s + cnp.where(between, mixed, 0).sum(1)
        gap = t[j, j] - t[i, i]
        f = f.at[i, j].set(
            cnp.where(gap == 0, s, s / cnp.where(gap == 0, 1, gap))
        )
        smallest = cnp.minimum(smallest, cnp.abs(gap).min())
    f = z @ f @ _adjoint(z)
    if disp:
        return f
    tol = float(np.finfo(a.dtype).eps)
    smallest = cnp.where(smallest == 0, tol, smallest)
    norm = linalg.norm(cnp.triu(t, 1), 1)
    err = cnp.minimum(1.0, cnp.maximum(tol, (tol / smallest) * norm))
    bad = ~cnp.isfinite(cnp.abs(f)).all()
    return f, cnp.where(bad, np.inf, err)


def _sylvester(a, b, c, method, tol):
    m, n = c.shape
    if method == "schur":
        r, u = _complex_schur(a)
        s, v = _complex_schur(b)
        f = _adjoint(u) @ c.astype(u.dtype) @ v
        eye = cnp.eye(m, dtype=r.dtype)
        columns: list = []
        for k in range(n):
            rhs = f[:, k]
            if columns:
                rhs = rhs - cnp.stack(columns, 1) @ s[:k, k]
            columns.append(
                lax_linalg.triangular_solve(
                    r + s[k, k] * eye, rhs, left_side=True
                )
            )
        x = u @ cnp.stack(columns, 1) @ _adjoint(v)
        wa, wb = cnp.diag(r), cnp.diag(s)
    else:
        wa, va = decompositions.eig(a)
        wb, vb = decompositions.eig(b)
        f = linalg.solve(va, c.astype(va.dtype)) @ vb
        x = va @ (f / (wa[:, None] + wb[None])) @ linalg.inv(vb)
    if c.dtype.kind != "c":
        x = x.real.astype(c.dtype)
    singular = (cnp.abs(wa[:, None] + wb[None]) < tol).any()
    return cnp.where(singular, np.nan, x).astype(c.dtype)


def solve_sylvester(A, B, C, *, method: str = "schur", tol: float = 1e-8):
    """X with A X + X B = C, full of nan if A and -B have an eigenvalue in
    common.

    Args:
      A: [..., m, m]; B: [..., n, n]; C: [..., m, n].
      method: "schur" or "eigen".
    """
    a, b, c = _inexact("solve_sylvester", A, B, C)
    m, n = c.shape[-2:]
    if a.shape[-2:] != (m, m) or b.shape[-2:] != (n, n):
        raise ValueError(
            "Incompatible shapes for Sylvester equation:\n"
            f"A: {a.shape}\nB: {b.shape}\nC: {c.shape}"
        )
    if method not in ("schur", "eigen"):
        raise ValueError(
            f"Unrecognized method {method}. The two valid methods are either "
            '"schur" or "eigen".'
        )
    solve = vectorize(
        lambda a, b, c: _sylvester(a, b, c, method, tol),
        signature="(m,m),(n,n),(m,n)->(m,n)",
    )
    return solve(a, b, c)

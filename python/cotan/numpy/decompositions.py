"""Decompositions, determinants and linear systems; `cotan.numpy.linalg` has
the rest and all the names."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from cotan import _core
from cotan._src.avals import keeps_weak
from cotan._src.custom import custom_jvp
from cotan.lax import linalg as lax_linalg
from cotan.numpy import creation, elementwise, indexing, reductions, shaping
from cotan.numpy import sorting as _sorting
from cotan.numpy.elementwise import absolute, conj, real

_operand = _core.np_operand
_where = _core.where


class EighResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class EigResult(NamedTuple):
    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    U: Any
    S: Any
    Vh: Any


def _inexact(name, *xs):
    """The operands in one inexact dtype, in their own shapes."""
    out = [
        _core.promote_inexact(name, [_operand(x, name, i)])[0]
        for i, x in enumerate(xs)
    ]
    if len(out) == 1:
        return out[0]
    return _one_dtype(out)


def _one_dtype(xs):
    dtype = _core.result_type(tuple(xs))[0]
    return [_core.convert(x, dtype, False) for x in xs]


def _adjoint(x):
    return conj(x.mT)


def _symmetrize(x):
    return (x + _adjoint(x)) / 2


def _is_complex(x) -> bool:
    return x.dtype.kind == "c"


def _eps(x) -> float:
    return float(np.finfo(x.dtype).eps)


# ---- decompositions


def cholesky(a, *, upper: bool = False, symmetrize_input: bool = True):
    """The lower triangular L with L L^H = a, or its adjoint if `upper`;
    full of nan where a is not positive definite."""
    a = _inexact("cholesky", a)
    factor = lax_linalg.cholesky(a, symmetrize_input=symmetrize_input)
    return _adjoint(factor) if upper else factor


def qr(a, mode: str = "reduced"):
    """QR decomposition of matrices [..., m, n].

    mode: "reduced" (Q [..., m, k], k = min(m, n)), "complete" (Q [..., m, m]),
    "r" (R alone) or "raw" (Householder reflectors as LAPACK gives them).
    """
    a = _inexact("qr", a)
    if mode == "raw":
        a, taus = lax_linalg.geqrf(a)
        return QRResult(a.mT, taus)
    if mode not in ("reduced", "r", "full", "complete"):
        raise ValueError(f"Unsupported QR decomposition mode '{mode}'")
    q, r = lax_linalg.qr(a, full_matrices=mode == "complete")
    return r if mode == "r" else QRResult(q, r)


def svd(
    a,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    subset_by_index: tuple[int, int] | None = None,
):
    """Singular value decomposition: a = U diag(S) Vh, S descending.

    Args:
      a: matrices [..., m, n]; hermitian: a is Hermitian, so eigh serves.
    """
    a = _inexact("svd", a)
    if hermitian:
        return _hermitian_svd(a, compute_uv, subset_by_index)
    out = lax_linalg.svd(
        a,
        full_matrices=full_matrices,
        compute_uv=compute_uv,
        subset_by_index=subset_by_index,
    )
    return SVDResult(*out) if compute_uv else out


def _hermitian_svd(a, compute_uv, subset):
    v, w = lax_linalg.eigh(a, subset_by_index=subset)
    s = absolute(w)
    if not compute_uv:
        return _sorting.sort(s)[..., ::-1]
    order = _sorting.argsort(s, axis=-1)[..., ::-1]
    s = _sorting_take(s, order)
    sign = _sorting_take(elementwise.sign(w), order)
    u = indexing.take_along_axis(v, order[..., None, :], axis=-1)
    return SVDResult(u, s, _adjoint(u * sign[..., None, :].astype(u.dtype)))


def _sorting_take(x, order):
    return indexing.take_along_axis(x, order, axis=-1)


def svdvals(x, /):
    """Singular values, descending."""
    return svd(x, compute_uv=False, hermitian=False)


def eig(a):
    """Eigenvalues and right eigenvectors of general matrices, complex."""
    w, v = lax_linalg.eig(_inexact("eig", a), compute_left_eigenvectors=False)
    return EigResult(w, v)


def eigvals(a):
    """Eigenvalues of general matrices, complex."""
    return lax_linalg.eig(
        _inexact("eigvals", a),
        compute_left_eigenvectors=False,
        compute_right_eigenvectors=False,
    )[0]


def eigh(a, UPLO: str | None = None, symmetrize_input: bool = True):
    """Eigenvalues, ascending, and eigenvectors of Hermitian matrices, from
    the triangle UPLO ("L" or "U")."""
    a = _inexact("eigh", _operand(a, "eigh", 0))
    if UPLO not in (None, "L", "U"):
        raise ValueError(f"UPLO must be one of None, 'L', or 'U', got {UPLO}")
    v, w = lax_linalg.eigh(
        a, lower=UPLO != "U", symmetrize_input=symmetrize_input
    )
    return EighResult(w, v)


def eigvalsh(a, UPLO: str | None = "L", *, symmetrize_input: bool = True):
    """Eigenvalues of Hermitian matrices, ascending."""
    return eigh(a, UPLO, symmetrize_input=symmetrize_input)[0]


# ---- determinants


def _flag_parity(flags):
    return reductions.count_nonzero(flags, axis=-1)


def _pivot_parity(pivots):
    places = _core.iota(pivots.dtype, pivots.shape, pivots.ndim - 1)
    return _flag_parity(pivots != places)


def _one_like(x, value):
    return creation.asarray(value, dtype=x.dtype)


def _det_entries(a):
    return a[..., 0, 0], a[..., 0, 1], a[..., 1, 0], a[..., 1, 1]


def _slogdet_value(a):
    n = a.shape[-1]
    if n in (1, 2):
        if n == 1:
            det = a[..., 0, 0]
        else:
            x00, x01, x10, x11 = _det_entries(a)
            det = x00 * x11 - x01 * x10
        return elementwise.sign(det), elementwise.log(absolute(det))
    lu, pivots, _ = lax_linalg.lu(a)
    d = indexing.diagonal(lu, 0, -2, -1)
    zero = reductions.any(d == 0, axis=-1)
    parity = _pivot_parity(pivots)
    if _is_complex(a):
        sign = reductions.prod(d / absolute(d).astype(d.dtype), axis=-1)
    else:
        sign = _one_like(a, 1)
        parity = parity + _flag_parity(d < 0)
    sign = sign * (1 - 2 * (parity % 2)).astype(a.dtype)
    sign = _where(zero, _one_like(a, 0), sign)
    size = absolute(d)
    logdet = reductions.sum(elementwise.log(size), axis=-1)
    return sign, _where(zero, _one_like(size, -math.inf), logdet)


_slogdet = custom_jvp(_slogdet_value)


def _slogdet_jvp(primals, tangents):
    (x,), (g,) = primals, tangents
    sign, ans = _slogdet(x)
    n = x.shape[-1]
    if n == 1:
        d = g[..., 0, 0] / x[..., 0, 0]
    elif n == 2:
        x00, x01, x10, x11 = _det_entries(x)
        g00, g01, g10, g11 = _det_entries(g)
        d = g00 * x11 - g01 * x10 - g10 * x01 + g11 * x00
        d = d / (x00 * x11 - x01 * x10)
    else:
        d = indexing.trace(solve(x, g), 0, -1, -2)
    if _is_complex(x):
        sign_dot = (d - real(d).astype(d.dtype)) * sign
        return (sign, ans), (sign_dot, real(d))
    return (sign, ans), (creation.zeros_like(sign), d)


_slogdet.defjvp(_slogdet_jvp)


@custom_jvp
def _slogdet_qr(a):
    if _is_complex(a):
        raise NotImplementedError(
            "slogdet method='qr' not implemented for complex inputs"
        )
    n = a.shape[-1]
    r, taus = lax_linalg.geqrf(a)
    d = indexing.diagonal(r, 0, -2, -1)
    logdet = reductions.sum(elementwise.log(absolute(d)), axis=-1)
    # Every reflector that reflects has determinant -1.
    flips = _flag_parity(taus[..., : n - 1] != 0)
    sign = reductions.prod(elementwise.sign(d), axis=-1)
    return sign * (1 - 2 * (flips % 2)).astype(sign.dtype), logdet


@_slogdet_qr.defjvp
def _slogdet_qr_jvp(primals, tangents):
    (x,), (g,) = primals, tangents
    sign, ans = _slogdet_qr(x)
    d = indexing.trace(solve(x, g), 0, -1, -2)
    return (sign, ans), (creation.zeros_like(sign), d)


def slogdet(a, *, method: str | None = None):
    """Sign (or phase) and logarithm of the absolute value of determinants;
    (0, -inf) for singular matrices. method: "lu" (None) or "qr"."""
    a = _inexact("slogdet", a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(
            f"Argument to slogdet() must have shape [..., n, n], got {a.shape}"
        )
    if method not in (None, "lu", "qr"):
        raise ValueError(
            f"Unknown slogdet method '{method}'. Supported methods are 'lu' "
            "(`None`), and 'qr'."
        )
    return SlogdetResult(*(_slogdet_qr(a) if method == "qr" else _slogdet(a)))


def _cofactor_solve(a, b):
    """(det a, adj(a) b): finite also where a has rank n - 1."""
    if a.shape[-1] == 1:
        return a[..., 0, 0], b
    lu, pivots, permutation = lax_linalg.lu(a)
    d = indexing.diagonal(lu, 0, -2, -1)
    sign = (1 - 2 * (_pivot_parity(pivots) % 2)).astype(a.dtype)
    # The last entry is the determinant, the one before it lacks u_nn.
    partial = _core.cumulative(d, "prod", d.ndim - 1, False) * sign[..., None]
    lu = lu.at[..., -1, -1].set(1.0 / partial[..., -2])
    ones = creation.ones(b.shape[:-1], b.dtype)
    probe = lax_linalg.triangular_solve(lu, ones, left_side=True)
    bad = reductions.any(~elementwise.isfinite(probe), axis=-1)[..., None, None]
    zero = creation.zeros_like(b)
    x = _where(bad, zero, b)
    x = indexing.take_along_axis(x, permutation[..., None], axis=-2)
    x = lax_linalg.triangular_solve(
        lu, x, left_side=True, lower=True, unit_diagonal=True
    )
    x = shaping.concatenate(
        (x[..., :-1, :] * partial[..., -1, None, None], x[..., -1:, :]), axis=-2
    )
    x = lax_linalg.triangular_solve(lu, x, left_side=True)
    return partial[..., -1], _where(bad, zero, x)


@custom_jvp
def _det(a):
    sign, logdet = slogdet(a)
    return sign * elementwise.exp(logdet).astype(sign.dtype)


@_det.defjvp
def _det_jvp(primals, tangents):
    y, z = _cofactor_solve(primals[0], tangents[0])
    return y, indexing.trace(z, 0, -1, -2)


def det(a):
    """Determinants of square matrices."""
    a = _inexact("det", a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(
            f"Argument to _det() must have shape [..., n, n], got {a.shape}"
        )
    n = a.shape[-1]
    if n == 2:
        x00, x01, x10, x11 = _det_entries(a)
        return x00 * x11 - x01 * x10
    if n == 3:
        (p, q, r), (s, t, u), (v, w, x) = (
            [a[..., i, j] for j in range(3)] for i in range(3)
        )
        return (
            p * t * x
            + q * u * v
            + r * s * w
            - r * t * v
            - p * u * w
            - (q * s * x)
        )
    return _det(a)


# ---- linear systems


@keeps_weak(2)
def solve(a, b):
    """x with a x = b.

    Args:
      a: square matrices [..., m, m].
      b: [m], or [..., m, k] that broadcasts with a.
    """
    a, b = _inexact("solve", a, b)
    if a.ndim < 2:
        raise ValueError(
            f"left hand array must be at least two dimensional; got {a.shape=}"
        )
    if (
        b.ndim > 1
        and a.ndim == b.ndim + 1
        and a.shape[-1] == b.shape[-1]
        and a.shape[-1] != b.shape[-2]
    ):
        raise ValueError(
            f"Invalid shapes for solve: {a.shape}, {b.shape}. Prior to JAX "
            "v0.5.0, this would have been treated as a batched 1-dimensional "
            "solve. To recover this behavior, use solve(a, b[..., None])"
            ".squeeze(-1)."
        )
    vector = b.ndim == 1
    if vector:
        b = b[:, None]
    if a.shape[-1] != a.shape[-2] or (b.ndim and b.shape[-2] != a.shape[-1]):
        raise ValueError(
            "The arguments to solve must have shapes a=[..., m, m] and "
            f"b=[..., m, k] or b=[..., m]; got a={a.shape} and "
            f"b={b.shape[:-1] if vector else b.shape}"
        )
    a, b = lax_linalg._broadcast_batch((a, 2), (b, 2))
    x = lax_linalg._solve(a, b)
    return x[..., 0] if vector else x


def inv(a):
    """Inverses of square matrices; inf or nan if singular."""
    a = _operand(a, "inv", 0)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(
            f"Argument to inv must have shape [..., n, n], got {a.shape}."
        )
    a = _inexact("inv", a)
    eye = _core.np_diagonal_mask(*a.shape[-2:], 0, a.dtype, False)
    return solve(a, _core.broadcast_to(eye, a.shape))


def _pinv_value(a, rtol, hermitian):
    m, n = a.shape[-2:]
    if m == 0 or n == 0:
        return creation.zeros((*a.shape[:-2], n, m), a.dtype)
    if rtol is None:
        rtol = 10.0 * max(m, n) * _eps(a)
    u, s, vh = svd(conj(a), full_matrices=False, hermitian=hermitian)
    rtol = creation.asarray(rtol, dtype=s.dtype)[..., None]
    s = _where(s > rtol * s[..., :1], s, _one_like(s, math.inf))
    return vh.mT @ (u.mT / s[..., None].astype(u.dtype))


def pinv(a, rtol=None, hermitian: bool = False, *, rcond=None):
    """Moore-Penrose pseudo-inverses; singular values up to rtol times the
    largest count as zero (default: 10 max(m, n) eps)."""
    if rcond is not None:
        if rtol is not None:
            raise ValueError(
                "pinv: only one of rtol and rcond may be specified."
            )
        rtol = rcond
    a = _inexact("pinv", a)

    @custom_jvp
    def value(a):
        return _pinv_value(a, rtol, hermitian)

    @value.defjvp
    def jvp(primals, tangents):
        (a,), (t,) = primals, tangents
        p = value(a)
        if hermitian:
            a, t = _symmetrize(a), _symmetrize(t)
        # Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973), 413-432.
        m, n = a.shape[-2:]
        ph, th = _adjoint(p), _adjoint(t)
        if m >= n:
            x, y = (p @ ph) @ th, (th @ ph) @ p
            d = -(p @ t) @ p + x - (x @ a) @ p + y - (p @ a) @ y
        else:
            x, y = p @ (ph @ th), th @ (ph @ p)
            d = -p @ (t @ p) + x - x @ (a @ p) + y - p @ (a @ y)
        return p, d

    return value(a)


def lstsq(a, b, rcond: float | None = None, *, numpy_resid: bool = False):
    """Least squares: (x, residuals, rank, singular values of a).

    Args:
      a: matrix [m, n]; b: [m] or [m, k].
      rcond: smaller singular values, relative to the largest, count as zero.
      numpy_resid: no residuals where NumPy gives none; not under jit.
    """
    a, b = _inexact("lstsq", a, b)
    if a.shape[:1] != b.shape[:1]:
        raise ValueError("Leading dimensions of input arrays must match")
    vector = b.ndim == 1
    if vector:
        b = b[:, None]
    if a.ndim != 2:
        raise TypeError(
            f"{a.ndim}-dimensional array given. Array must be two-dimensional"
        )
    if b.ndim != 2:
        raise TypeError(
            f"{b.ndim}-dimensional array given. Array must be one or "
            "two-dimensional"
        )
    m, n = a.shape
    if a.size == 0:
        s = creation.zeros(0, a.dtype)
        rank = creation.asarray(0, dtype=int)
        x = creation.zeros((n, *b.shape[1:]), a.dtype)
    else:
        u, s, vt = svd(a, full_matrices=False)
        if rcond is None:
            rcond = _eps(a) * max(n, m)
        else:
            rcond = _where(
                _core.np_operand(rcond, "lstsq", 2) < 0, _eps(a), rcond
            )
        mask = (s > 0) & (s >= creation.asarray(rcond, dtype=s.dtype) * s[0])
        rank = mask.sum()
        safe = _where(mask, s, _one_like(s, 1)).astype(a.dtype)
        inverse = _where(mask, 1 / safe, _one_like(safe, 0))[:, None]
        x = conj(vt).T @ (inverse * (conj(u).T @ b))
    if numpy_resid and (rank < n or m <= n):
        resid = creation.asarray([])
    else:
        d = b - a @ x
        resid = reductions.sum(real(d * conj(d)), axis=0)
    return x.ravel() if vector else x, resid, rank, s


def matrix_rank(M, rtol=None, *, hermitian: bool = False, tol=None):
    """How many singular values exceed rtol (default: max(m, n) eps times the
    largest)."""
    M = _operand(M, "matrix_rank", 0)
    if tol is not None:
        if rtol is not None:
            raise ValueError(
                "matrix_rank: only one of tol or rtol may be specified."
            )
        rtol = tol
    M = _inexact("matrix_rank", M)
    if M.ndim < 2:
        return reductions.any(M != 0).astype(np.int32)
    s = svd(M, full_matrices=False, compute_uv=False, hermitian=hermitian)
    if rtol is None:
        rtol = s.max(-1) * (max(M.shape[-2:]) * _eps(s))
    rtol = _operand(rtol, "matrix_rank", 1)[..., None]
    return reductions.sum(s > rtol, axis=-1)


@keeps_weak(1)
def cond(x, p=None):
    """Condition numbers in the norm p (None: 2)."""
    from cotan.numpy import linalg

    x = _inexact("cond", x)
    if x.ndim < 2:
        raise ValueError(
            f"jnp.linalg.cond: input array must be at least 2D; got {x.shape=}"
        )
    if x.shape[-1] == 0 or x.shape[-2] == 0:
        raise ValueError(
            f"jnp.linalg.cond: input array must not be empty; got {x.shape=}"
        )
    if p is None or p in (2, -2):
        s = svd(x, compute_uv=False)
        out = s[..., 0] / s[..., -1] if p != -2 else s[..., -1] / s[..., 0]
    else:
        if x.shape[-1] != x.shape[-2]:
            raise ValueError(
                f"jnp.linalg.cond: for {p=}, array must be square; got "
                f"{x.shape=}"
            )
        axes = (-2, -1)
        out = linalg.norm(x, ord=p, axis=axes) * linalg.norm(
            inv(x), ord=p, axis=axes
        )
    # A matrix without nan has a condition number, if an infinite one.
    clean = ~reductions.any(elementwise.isnan(x), axis=(-2, -1))
    return _where(elementwise.isnan(out) & clean, _one_like(out, math.inf), out)


def tensorinv(a, ind: int = 2):
    """The inverse of a tensor as a map from its last axes to its first
    `ind`."""
    a = _operand(a, "tensorinv", 0)
    ind = int(ind)
    if ind <= 0:
        raise ValueError(f"ind must be a positive integer; got {ind=}")
    rows, cols = math.prod(a.shape[:ind]), math.prod(a.shape[ind:])
    if rows != cols:
        raise ValueError(
            "jnp.linalg.tensorinv: product of dimensions of first and last "
            f"axes must match, got {a.shape} with {ind=}"
        )
    return inv(a.reshape(rows, cols)).reshape(*a.shape[ind:], *a.shape[:ind])


@keeps_weak(2)
def tensorsolve(a, b, axes: tuple[int, ...] | None = None):
    """x with tensordot(a, x, x.ndim) = b."""
    a, b = _operand(a, "tensorsolve", 0), _operand(b, "tensorsolve", 1)
    if axes is not None:
        a = shaping.moveaxis(a, axes, range(a.ndim - len(axes), a.ndim))
    shape = a.shape[b.ndim :]
    if a.shape[: b.ndim] != b.shape:
        raise ValueError(
            "After moving axes to end, leading shape of a must match shape of "
            f"b. got a.shape={a.shape}, b.shape={b.shape}"
        )
    if b.size != math.prod(shape):
        raise ValueError(
            "Input arrays must have prod(a.shape[:b.ndim]) == "
            f"prod(a.shape[b.ndim:]), got a.shape={a.shape}, b.ndim={b.ndim}."
        )
    flat = a.reshape(b.size, math.prod(shape))
    return solve(flat, b.ravel()).reshape(shape)

"""numpy.linalg, scipy.linalg and lax.linalg against JAX: names, signatures,
values, dtypes and, where LAPACK leaves nothing open, gradients."""

from __future__ import annotations

import inspect
import zlib

import jax
import jax.lax.linalg
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
import cotan.scipy.linalg
from cotan.lax import linalg as lax_linalg

MODULES = {
    "numpy": (cnp.linalg, jnp.linalg),
    "scipy": (cotan.scipy.linalg, jax.scipy.linalg),
    "lax": (lax_linalg, jax.lax.linalg),
}


def _parameters(f):
    return [
        (p.name, p.kind, p.default)
        for p in inspect.signature(f).parameters.values()
    ]


@pytest.mark.parametrize("where", MODULES)
def test_names_and_signatures(where):
    ours, theirs = MODULES[where]
    for name in dir(theirs):
        f = getattr(theirs, name)
        if name.startswith("_") or not inspect.isfunction(f):
            continue
        assert hasattr(ours, name), name
        assert _parameters(getattr(ours, name)) == _parameters(f), name


def _matrix(rng, *shape, dtype="f8"):
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


# name -> (module, arguments); a: any, h: positive definite; a number is a
# shape of random entries.
CASES = {
    "numpy": {
        "cholesky": ["h"],
        "cond": [(4, 4)],
        "det": [(3, 5, 5)],
        "eigh": ["h"],
        "eigvals": [(4, 4)],
        "eigvalsh": ["h"],
        "inv": [(3, 4, 4)],
        "lstsq": [(5, 3), (5, 2)],
        "matrix_rank": [(5, 3)],
        "pinv": [(5, 3)],
        "qr": [(5, 3)],
        "slogdet": [(3, 4, 4)],
        "solve": [(3, 4, 4), (4, 2)],
        "svd": [(3, 5)],
        "svdvals": [(2, 3, 5)],
        "tensorinv": [(2, 2, 4)],
        "tensorsolve": [(2, 3, 6), (2, 3)],
        "eig": [(4, 4)],
        "norm": [(3, 4)],
    },
    "scipy": {
        "block_diag": [(2, 3), (4,), (1, 1)],
        "cholesky": ["h"],
        "circulant": [(2, 4)],
        "companion": [(2, 4)],
        "det": [(4, 4)],
        "eigh": ["h"],
        "expm": [(3, 4, 4)],
        "expm_frechet": [(4, 4), (4, 4)],
        "fiedler": [(4,)],
        "fiedler_companion": [(2, 6)],
        "hankel": [(3,), (4,)],
        "hessenberg": [(4, 4)],
        "inv": [(4, 4)],
        "leslie": [(4,), (3,)],
        "lu": [(4, 3)],
        "lu_factor": [(4, 4)],
        "polar": [(5, 3)],
        "qr": [(5, 3)],
        "solve": [(4, 4), (4,)],
        "solve_sylvester": [(4, 4), (3, 3), (4, 3)],
        "solve_triangular": [(4, 4), (4, 2)],
        "sqrtm": ["h"],
        "svd": [(3, 5)],
        "toeplitz": [(2, 3), (4,)],
    },
}
GRADIENTS = {
    "numpy": "cholesky det eigvals eigvalsh inv pinv slogdet solve svdvals norm"
    " lstsq tensorsolve".split(),
    "scipy": "cholesky det expm inv solve solve_triangular toeplitz lu".split(),
}
SCALE = {"f4": 2e-4, "c16": 1e-10}


def _arguments(name, specs, dtype):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    out = []
    for s in specs:
        if s == "h":
            a = _matrix(rng, 4, 4, dtype=dtype)
            out.append((a @ a.conj().T + np.eye(4)).astype(dtype))
        else:
            out.append(_matrix(rng, *s, dtype=dtype))
    return out


def _leaves(x):
    return list(x) if isinstance(x, (tuple, list)) else [x]


def _compare(got, want, tol, what):
    got, want = _leaves(got), _leaves(want)
    assert len(got) == len(want), what
    for g, w in zip(got, want, strict=True):
        g, w = np.asarray(g), np.asarray(w)
        assert (g.shape, g.dtype) == (w.shape, w.dtype), what
        scale = (
            max(1.0, np.abs(w).max(initial=0)) if w.dtype.kind in "fc" else 1
        )
        np.testing.assert_allclose(
            g, w, rtol=tol, atol=tol * scale, err_msg=what
        )


@pytest.fixture(autouse=True)
def _x64():
    with cotan.enable_x64(), jax.enable_x64(True):
        yield


@pytest.mark.parametrize(
    ("where", "name"), [(w, n) for w, names in CASES.items() for n in names]
)
def test_values(where, name):
    ours, theirs = (getattr(m, name) for m in MODULES[where])
    for dtype, tol in SCALE.items():
        args = _arguments(name, CASES[where][name], dtype)
        want = theirs(*args)
        _compare(ours(*args), want, tol, f"{name} {dtype}")
        _compare(cotan.jit(ours)(*args), want, tol, f"jit {name} {dtype}")


def _total(f, np_):
    def g(*args):
        parts = [
            (np_.real(y) ** 2).sum() + (np_.imag(y) * 0.5).sum()
            for y in _leaves(f(*args))
            if y.dtype.kind in "fc"
        ]
        return sum(parts)

    return g


@pytest.mark.parametrize(
    ("where", "name"), [(w, n) for w, names in GRADIENTS.items() for n in names]
)
def test_gradients(where, name):
    ours, theirs = (getattr(m, name) for m in MODULES[where])
    args = _arguments(name, CASES[where][name], "c16")
    if name == "lstsq":  # its singular vectors' phases make JAX's nan
        args = [x.real for x in args]
    argnums = tuple(range(len(args)))
    want = jax.grad(_total(theirs, jnp), argnums)(*args)
    got = cotan.grad(_total(ours, cnp), argnums)(*args)
    _compare(got, want, 1e-8, name)


def test_what_cannot_be_solved_is_nan():
    bad = np.array([[1.0, 2.0], [2.0, 1.0]])
    assert np.isnan(np.asarray(cnp.linalg.cholesky(bad))[1]).all()
    nan = np.full((3, 3), np.nan)
    for f in (cnp.linalg.eigvals, cnp.linalg.eigvalsh, cnp.linalg.svdvals):
        assert np.isnan(np.asarray(f(nan))).all()
    assert not np.isfinite(np.asarray(cnp.linalg.inv(np.ones((2, 2))))).any()
    assert float(cnp.linalg.det(np.ones((4, 4)))) == 0.0
    sign, log = cnp.linalg.slogdet(np.zeros((3, 3)))
    assert (float(sign), float(log)) == (0.0, -np.inf)
    # and the gradient of det is finite there
    a = np.ones((4, 4))
    g = cotan.grad(cnp.linalg.det)(a)
    np.testing.assert_allclose(g, jax.grad(jnp.linalg.det)(a), atol=1e-12)


def test_derivatives_that_do_not_exist_say_so():
    x = np.eye(3) + np.arange(9.0).reshape(3, 3)
    with pytest.raises(NotImplementedError, match="eigenvectors"):
        cotan.jvp(cnp.linalg.eig, (x,), (x,))
    with pytest.raises(NotImplementedError, match="full matrices"):
        cotan.jvp(cnp.linalg.svd, (x[:2],), (x[:2],))
    with pytest.raises(NotImplementedError, match="schur"):
        cotan.jvp(lax_linalg.schur, (x,), (x,))


def test_many_small_problems_use_all_threads_with_the_same_bits():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2000, 9, 9))  # up to 8: vectors across the batch
    want = np.stack([np.linalg.inv(x) for x in a])
    np.testing.assert_allclose(cnp.linalg.inv(a), want, rtol=1e-6, atol=1e-8)
    one = np.stack([np.asarray(cnp.linalg.inv(x)) for x in a[:5]])
    np.testing.assert_array_equal(np.asarray(cnp.linalg.inv(a))[:5], one)


def test_empty_matrices():
    for shape in ((0, 0), (2, 0, 0), (0, 3, 3)):
        a = np.zeros(shape)
        for name in ("cholesky", "inv", "eigvalsh", "eigvals", "svdvals"):
            got = np.asarray(getattr(cnp.linalg, name)(a))
            want = np.asarray(getattr(np.linalg, name)(a))
            assert got.shape == want.shape, name
    u, s, vh = cnp.linalg.svd(np.zeros((3, 0)))
    assert (u.shape, s.shape, vh.shape) == ((3, 3), (0,), (0, 0))
    np.testing.assert_array_equal(u, np.eye(3))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e5m2"])
def test_matrices_of_narrow_floats(dtype):
    x = cnp.eye(3, dtype=dtype)
    for f in (
        cnp.linalg.qr,
        cnp.linalg.svd,
        cnp.linalg.inv,
        lax_linalg.cholesky,
        lax_linalg.eigh,
        lax_linalg.schur,
    ):
        with pytest.raises(
            NotImplementedError, match=f"Unsupported dtype {dtype}"
        ):
            f(x)
    with pytest.raises(ValueError, match=f"RFFT input .* got {dtype}"):
        cotan.lax.fft(x, "rfft", (3,))


def test_matrices_of_integers():
    x = np.array([[2, 1], [1, 2]], "i4")
    for name in ("cholesky", "eigh"):
        f = getattr(lax_linalg, name)
        for got, want in zip(
            cotan.tree.leaves(f(x)),
            cotan.tree.leaves(f(x.astype("f4"))),
            strict=True,
        ):
            assert got.dtype == want.dtype == "float32"
            np.testing.assert_allclose(got, want, rtol=1e-6)
        with pytest.raises(TypeError, match="does not accept dtype int32"):
            f(x, symmetrize_input=False)

"""Spherical harmonics."""

from __future__ import annotations

import numpy as np

import cotan.numpy as cnp
from cotan import core, lax


def _legendre(n, m, theta, n_max: int):
    """The associated Legendre functions of cos(theta), with the norm of the
    harmonics: up the diagonal to degree m, then up in degree to n (Press et
    al., Numerical Recipes, 3rd edition, 6.7.9 to 6.7.11)."""
    x, s = cnp.cos(theta), cnp.sin(theta)
    s = cnp.where(s < 0, -s, s)  # sqrt(1 - x^2), at any angle
    m_float = m.astype(x.dtype)

    def degree(l, state):
        below, p = state
        l_float = lax.convert_element_type(l, x.dtype)
        diagonal = -cnp.sqrt((2 * l_float + 1) / (2 * l_float)) * s * p
        free = l > m
        gap = cnp.where(free, l_float**2 - m_float**2, 1.0)
        last = cnp.where(free, (l_float - 1) ** 2 - m_float**2, 0.0)
        last = last / (4 * (l_float - 1) ** 2 - 1)
        next_p = cnp.sqrt((4 * l_float**2 - 1) / gap) * (
            x * p - cnp.sqrt(last) * below
        )
        active = l <= n
        new = cnp.where(free, next_p, diagonal)
        below = cnp.where(active, cnp.where(free, p, 0.0), below)
        return below, cnp.where(active, new, p)

    start = cnp.full_like(x, 0.5 / np.sqrt(np.pi))
    return lax.fori_loop(1, n_max + 1, degree, (cnp.zeros_like(x), start))[1]


def sph_harm_y(n, m, theta, phi, diff_n=None, n_max=None):
    """The spherical harmonics of degree n and order m, |m| <= n.

    Args:
      n, m: vectors of integers.
      theta: the polar angle in [0, pi], a vector.
      phi: the azimuth in [0, 2 pi], a vector.
      diff_n: None; derivatives are those of the library.
      n_max: the largest n (None: found in `n`, which must be concrete).

    Returns a complex vector.
    """
    if diff_n is not None:
        raise NotImplementedError(
            "The 'diff_n' argument to jax.scipy.special.sph_harm_y is not "
            "supported."
        )
    if cnp.isscalar(theta):
        theta = cnp.array([theta])
    message = (
        "The `n_max` argument of `jnp.scipy.special.sph_harm` must be "
        "statically specified to use `sph_harm` within JAX transformations."
    )
    if n_max is None:
        n_max = np.max(core.concrete_or_error(np.asarray, n, message))
    n_max = core.concrete_or_error(int, n_max, message)
    n, m, theta, phi = (cnp.asarray(a) for a in (n, m, theta, phi))
    order = cnp.abs(m)
    legendre = _legendre(cnp.minimum(n, n_max), order, theta, n_max)
    angle = order.astype(phi.dtype) * phi
    harmonics = lax.complex(
        legendre * cnp.cos(angle), legendre * cnp.sin(angle)
    )
    conjugate = cnp.conj(harmonics)
    mirrored = cnp.where(order % 2 == 1, -conjugate, conjugate)
    return cnp.where(m < 0, mirrored, harmonics)

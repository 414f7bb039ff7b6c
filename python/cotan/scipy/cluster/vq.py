"""Vector quantisation."""

from __future__ import annotations

import cotan.numpy as cnp
from cotan.scipy.stats._common import cast_inexact

__all__ = ["vq"]


def vq(obs, code_book, check_finite=True):
    """The nearest code of each observation [m, n] among codes [k, n]: their
    indices [m] and the distances [m]."""
    del check_finite
    obs, codes = cast_inexact(obs, code_book)
    if obs.ndim != codes.ndim:
        raise ValueError("Observation and code_book should have the same rank")
    if obs.ndim == 1:
        obs, codes = obs[:, None], codes[:, None]
    if obs.ndim != 2:
        raise ValueError("ndim different than 1 or 2 are not supported")
    # [m, k]
    distance = cnp.linalg.norm(obs[:, None, :] - codes[None, :, :], axis=-1)
    code = cnp.argmin(distance, axis=-1)
    nearest = cnp.take_along_axis(distance, code[:, None], axis=-1)
    return code, nearest[:, 0]

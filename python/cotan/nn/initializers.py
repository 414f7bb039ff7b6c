"""Initial values of parameters: functions (key, shape, dtype) -> array, as in
`jax.nn.initializers`."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import numpy as np

from cotan import _core, dtypes, lax, random
from cotan.lax._types import canonical_shape

__all__ = [
    "Initializer",
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]


@runtime_checkable
class Initializer(Protocol):
    """A function of a key, a shape and a dtype."""

    def __call__(self, key, shape, dtype=None, out_sharding=None):
        raise NotImplementedError


def _dtype(dtype):
    return _core.canonical_dtype(float if dtype is None else dtype)


def _scalar(x, dtype):
    return _core.full((), x, dtype, False)


def zeros(key, shape, dtype=None, out_sharding=None):
    """Zeros."""
    return _core.full(canonical_shape(shape), 0, _dtype(dtype), False)


def ones(key, shape, dtype=None, out_sharding=None):
    """Ones."""
    return _core.full(canonical_shape(shape), 1, _dtype(dtype), False)


def constant(value, dtype=None) -> Initializer:
    """`value` everywhere (or an array that broadcasts to the shape)."""

    def init(key, shape, dtype=dtype, out_sharding=None):
        x = _core.convert(value, _dtype(dtype), False)
        return _core.broadcast_to(x, canonical_shape(shape))

    return init


def uniform(scale=1e-2, dtype=None) -> Initializer:
    """Uniform in [0, scale)."""

    def init(key, shape, dtype=dtype, out_sharding=None):
        dtype = _dtype(dtype)
        return random.uniform(key, shape, dtype) * _scalar(scale, dtype)

    return init


def normal(stddev=1e-2, dtype=None) -> Initializer:
    """Normal with this standard deviation."""

    def init(key, shape, dtype=dtype, out_sharding=None):
        dtype = _dtype(dtype)
        return random.normal(key, shape, dtype) * _scalar(stddev, dtype)

    return init


def truncated_normal(
    stddev=1e-2, dtype=None, lower=-2.0, upper=2.0
) -> Initializer:
    """stddev times a standard normal truncated to [lower, upper]."""

    def init(key, shape, dtype=dtype, out_sharding=None):
        dtype = _dtype(dtype)
        x = random.truncated_normal(
            key, lower, upper, canonical_shape(shape), dtype
        )
        return x * _scalar(stddev, dtype)

    return init


def _size(shape, axes) -> int:
    if isinstance(axes, int):
        return shape[axes]
    return math.prod(shape[i] for i in axes)


def _compute_fans(shape, in_axis=-2, out_axis=-1, batch_axis=()):
    """(inputs, outputs) of each unit; other axes are a receptive field."""
    if isinstance(in_axis, int) and in_axis == -2 and len(shape) <= 1:
        raise ValueError(
            "Can't compute input and output sizes of a "
            f"{len(shape)}-dimensional weights tensor with default in_axis. "
            "Must be at least 2D or specify in_axis explicitly."
        )
    n_in, n_out = _size(shape, in_axis), _size(shape, out_axis)
    field = math.prod(shape) / n_in / n_out / _size(shape, batch_axis)
    return n_in * field, n_out * field


def _complex_parts(key, shape, dtype):
    """Two uniforms, the second as an angle; and the real dtype."""
    real = np.zeros(0, dtype).real.dtype
    radius_key, angle_key = random.split(key)
    u = random.uniform(radius_key, shape, real)
    angle = random.uniform(angle_key, shape, real) * (2 * np.pi)
    return u, angle


def _polar(radius, angle):
    return lax.complex(radius * lax.cos(angle), radius * lax.sin(angle))


def variance_scaling(
    scale,
    mode: str,
    distribution: str,
    in_axis=-2,
    out_axis=-1,
    batch_axis=(),
    dtype=None,
) -> Initializer:
    """Random values with variance scale / n.

    Args:
      scale: positive float.
      mode: what n is: "fan_in" (inputs of a unit), "fan_out", "fan_avg" or
        "fan_geo_avg" (their means).
      distribution: "truncated_normal" (to two standard deviations), "normal"
        or "uniform".
      in_axis, out_axis, batch_axis: which axes of the shape are inputs,
        outputs and neither.
      dtype: of the result, unless the call gives another.
    """

    def init(key, shape, dtype=dtype, out_sharding=None):
        shape = canonical_shape(shape)
        dtype = _dtype(dtype)
        fan_in, fan_out = _compute_fans(shape, in_axis, out_axis, batch_axis)
        modes = {
            "fan_in": fan_in,
            "fan_out": fan_out,
            "fan_avg": (fan_in + fan_out) / 2,
            "fan_geo_avg": (fan_in * fan_out) ** 0.5,
        }
        if mode not in modes:
            raise ValueError(
                f"invalid mode for variance scaling initializer: {mode}"
            )
        variance = scale / modes[mode]
        is_real = dtypes.issubdtype(dtype, np.floating)
        if distribution == "truncated_normal":
            if is_real:
                # The standard deviation of a normal truncated to [-2, 2].
                stddev = math.sqrt(variance) / 0.87962566103423978
                x = random.truncated_normal(key, -2, 2, shape, dtype)
                return x * _scalar(stddev, dtype)
            u, angle = _complex_parts(key, shape, dtype)
            radius = lax.sqrt(-lax.log1p((math.exp(-4.0) - 1) * u))
            x = _polar(radius, angle)
            return x * _scalar(math.sqrt(variance) / 0.95311164380491208, dtype)
        if distribution == "normal":
            x = random.normal(key, shape, dtype)
            return x * _scalar(math.sqrt(variance), dtype)
        if distribution == "uniform":
            if is_real:
                x = random.uniform(key, shape, dtype, -1)
                return x * _scalar(math.sqrt(3 * variance), dtype)
            u, angle = _complex_parts(key, shape, dtype)
            x = _polar(lax.sqrt(2 * u), angle)
            return x * _scalar(math.sqrt(variance), dtype)
        raise ValueError(
            "invalid distribution for variance scaling initializer: "
            f"{distribution}"
        )

    return init


def _named(name, scale, mode, distribution, what):
    def make(in_axis=-2, out_axis=-1, batch_axis=(), dtype=None):
        return variance_scaling(
            scale, mode, distribution, in_axis, out_axis, batch_axis, dtype
        )

    make.__name__ = make.__qualname__ = name
    make.__doc__ = (
        f"{what}: variance_scaling({scale}, {mode!r}, {distribution!r})."
    )
    return make


glorot_uniform = xavier_uniform = _named(
    "glorot_uniform", 1.0, "fan_avg", "uniform", "Glorot and Bengio 2010"
)
glorot_normal = xavier_normal = _named(
    "glorot_normal", 1.0, "fan_avg", "truncated_normal", "Glorot and Bengio"
)
lecun_uniform = _named(
    "lecun_uniform", 1.0, "fan_in", "uniform", "LeCun et al. 1998"
)
lecun_normal = _named(
    "lecun_normal", 1.0, "fan_in", "truncated_normal", "LeCun et al. 1998"
)
he_uniform = kaiming_uniform = _named(
    "he_uniform", 2.0, "fan_in", "uniform", "He et al. 2015"
)
he_normal = kaiming_normal = _named(
    "he_normal", 2.0, "fan_in", "truncated_normal", "He et al. 2015"
)


def orthogonal(scale=1.0, column_axis: int = -1, dtype=None) -> Initializer:
    """Random orthogonal matrices (the other axes flattened), times scale."""

    def init(key, shape, dtype=dtype, out_sharding=None):
        dtype, shape = _dtype(dtype), canonical_shape(shape)
        if len(shape) < 2:
            raise ValueError(
                "orthogonal initializer requires at least a 2D shape"
            )
        if 0 in shape:
            return zeros(key, shape, dtype)
        axis = column_axis % len(shape)
        columns = shape[axis]
        rows = math.prod(shape) // columns
        q = random.orthogonal(key, rows, (), dtype, columns)
        rest = (*shape[:axis], *shape[axis + 1 :])
        q = _core.reshape(q, (*rest, columns))
        order = list(range(len(rest)))
        order.insert(axis, len(rest))
        return _scalar(scale, dtype) * _core.transpose(q, order)

    return init


def delta_orthogonal(
    scale=1.0, column_axis: int = -1, dtype=None
) -> Initializer:
    """Convolution kernels [..., in, out] that are an orthogonal matrix at the
    centre and 0 elsewhere (Xiao et al. 2018)."""

    def init(key, shape, dtype=dtype, out_sharding=None):
        dtype, shape = _dtype(dtype), canonical_shape(shape)
        if len(shape) not in (3, 4, 5):
            raise ValueError(
                "Delta orthogonal initializer requires a 3D, 4D or 5D shape."
            )
        if shape[-1] < shape[-2]:
            raise ValueError("`fan_in` must be less or equal than `fan_out`. ")
        matrix = orthogonal(scale, column_axis, dtype)(key, shape[-2:])
        window = _core.expand_dims(matrix, range(len(shape) - 2))
        centre = [(n - 1) // 2 for n in shape[:-2]] + [0, 0]
        return lax.dynamic_update_slice(
            zeros(key, shape, dtype), window, centre
        )

    return init

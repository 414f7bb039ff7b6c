"""Elementwise activations. Those of one argument are C++ (csrc/jnp/nn.h)."""

from __future__ import annotations

from cotan import _core, _dispatch, lax
from cotan.lax._types import canonical_axis

_functions = {
    name.removeprefix("nn."): function
    for name, function in _dispatch.make_ufuncs().items()
    if name.startswith("nn.")
}
_DOCS = {
    "relu": "max(x, 0); derivative 0 at 0.",
    "relu6": "min(max(x, 0), 6); derivative 0 at 0 and 6.",
    "sigmoid": "1 / (1 + exp(-x)).",
    "log_sigmoid": "log(sigmoid(x)), accurate for all x.",
    "silu": "x * sigmoid(x); also called swish.",
    "mish": "x * tanh(softplus(x)).",
    "softplus": "log(1 + exp(x)); derivative sigmoid(x).",
    "soft_sign": "x / (|x| + 1).",
    "sparse_plus": "0 up to -1, (x + 1)^2 / 4 up to 1, x beyond.",
    "sparse_sigmoid": "0 up to -1, (x + 1) / 2 up to 1, 1 beyond.",
    "hard_sigmoid": "relu6(x + 3) / 6.",
    "hard_silu": "x * hard_sigmoid(x); also called hard_swish.",
    "hard_tanh": "x limited to [-1, 1]; derivative 1 at both ends.",
    "selu": "elu scaled so that activations normalise themselves.",
    "log1mexp": "log(1 - exp(-x)) for x > 0, accurate for all of them.",
}
for _name, _doc in _DOCS.items():
    _functions[_name].__doc__ = _doc

relu = _functions["relu"]
relu6 = _functions["relu6"]
sigmoid = _functions["sigmoid"]
log_sigmoid = _functions["log_sigmoid"]
silu = swish = _functions["silu"]
mish = _functions["mish"]
softplus = _functions["softplus"]
soft_sign = _functions["soft_sign"]
sparse_plus = _functions["sparse_plus"]
sparse_sigmoid = _functions["sparse_sigmoid"]
hard_sigmoid = _functions["hard_sigmoid"]
hard_silu = hard_swish = _functions["hard_silu"]
hard_tanh = _functions["hard_tanh"]
selu = _functions["selu"]
log1mexp = _functions["log1mexp"]
_gelu = _functions["gelu"]
_gelu_exact = _functions["gelu_exact"]
_elu = _functions["elu"]
_celu = _functions["celu"]
_leaky_relu = _functions["leaky_relu"]
_squareplus = _functions["squareplus"]

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "identity",
    "leaky_relu",
    "log1mexp",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softplus",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "swish",
    "tanh",
]


def identity(x):
    """x, as an array."""
    return _dispatch.to_array(x)


def tanh(x, /):
    """The hyperbolic tangent."""
    (x,) = _core.promote_inexact("tanh", [x])
    return lax.tanh(x)


def elu(x, alpha=1.0):
    """x where positive, else alpha * (exp(x) - 1)."""
    return _elu(x, alpha)


def celu(x, alpha=1.0):
    """max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)."""
    return _celu(x, alpha)


def leaky_relu(x, negative_slope=1e-2):
    """x where not negative, else negative_slope * x; derivative 1 at 0."""
    return _leaky_relu(x, negative_slope)


def squareplus(x, b=4):
    """(x + sqrt(x^2 + b)) / 2."""
    return _squareplus(x, b)


def gelu(x, approximate: bool = True):
    """x times the normal distribution function of x; `approximate` uses a
    formula with tanh (error 5e-4)."""
    return _gelu(x) if approximate else _gelu_exact(x)


def glu(x, axis: int = -1):
    """The first half of x along `axis` times the sigmoid of the second."""
    x = _dispatch.to_array(x)
    axis = canonical_axis(axis, x.ndim)
    n = x.shape[axis]
    if n % 2:
        raise ValueError(f"[glu] axis size must be divisible by 2, got {n}")
    first = _core.slice_axis(x, axis, 0, n // 2)
    second = _core.slice_axis(x, axis, n // 2, n)
    return first * sigmoid(second)

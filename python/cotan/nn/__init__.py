"""Activations and normalisations of neural networks, as in `jax.nn`.

Gradients at kinks follow JAX: 0 at 0 for relu and relu6, 1 for leaky_relu,
1/2 for softplus and gelu.

>>> cotan.grad(cotan.nn.relu)(0.0)
Array(0., dtype=float32, weak_type=True)
"""

from cotan._src import absent
from cotan.nn import _activations, _normalise, initializers
from cotan.nn._activations import *  # noqa: F403
from cotan.nn._normalise import *  # noqa: F403

__all__ = ["initializers", *_activations.__all__, *_normalise.__all__]


def __getattr__(name):
    raise absent.error(__name__, name)

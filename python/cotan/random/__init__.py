"""Random numbers from explicit keys, the same as those of `jax.random`.

A key is used once: `split` it for more. Integers, bits and uniforms agree
with JAX bit for bit; others differ from it in the last digits, where cotan's
functions are more accurate.

>>> key = cotan.random.key(0)
>>> key, sub = cotan.random.split(key)
>>> cotan.random.randint(sub, (3,), 0, 10)
Array([...], dtype=int32)
"""

from cotan._src import absent
from cotan.random import _basic, _distributions, _keys, _loops
from cotan.random._basic import *  # noqa: F403
from cotan.random._distributions import *  # noqa: F403
from cotan.random._keys import *  # noqa: F403
from cotan.random._loops import *  # noqa: F403

__all__ = [
    *_basic.__all__,
    *_distributions.__all__,
    *_keys.__all__,
    *_loops.__all__,
]


def __getattr__(name):
    raise absent.error(__name__, name)

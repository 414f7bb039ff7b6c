"""The operations that everything is built of, close to the hardware: no
implicit promotion or broadcasting (except of scalars), static shapes.

The functions follow `jax.lax` in names, signatures and conventions.
`cotan.numpy` has the interface that is easier to use.

>>> from cotan import lax
>>> lax.dot(cnp.ones((2, 3)), cnp.ones(3))
Array([3., 3.], dtype=float32)
"""

from cotan._src import absent
from cotan.lax import (
    _elementwise,
    _missing,
    _reduce,
    _scan,
    _shape,
    _slicing,
    linalg,
)
from cotan.lax._elementwise import *  # noqa: F403
from cotan.lax._elementwise import broadcast_shapes
from cotan.lax._missing import *  # noqa: F403
from cotan.lax._reduce import *  # noqa: F403
from cotan.lax._scan import *  # noqa: F403
from cotan.lax._shape import *  # noqa: F403
from cotan.lax._slicing import *  # noqa: F403
from cotan.lax._types import (
    AccuracyMode,
    ConvDimensionNumbers,
    DotAlgorithm,
    DotAlgorithmPreset,
    FftType,
    GatherDimensionNumbers,
    GatherScatterMode,
    Precision,
    RaggedDotDimensionNumbers,
    RandomAlgorithm,
    RoundingMethod,
    ScatterDimensionNumbers,
    Tolerance,
)

__all__ = [
    "AccuracyMode",
    "ConvDimensionNumbers",
    "DotAlgorithm",
    "DotAlgorithmPreset",
    "FftType",
    "GatherDimensionNumbers",
    "GatherScatterMode",
    "Precision",
    "RaggedDotDimensionNumbers",
    "RandomAlgorithm",
    "RoundingMethod",
    "ScatterDimensionNumbers",
    "Tolerance",
    "broadcast_shapes",
    "linalg",
    *_elementwise.__all__,
    *_missing.__all__,
    *_reduce.__all__,
    *_scan.__all__,
    *_shape.__all__,
    *_slicing.__all__,
]


def __getattr__(name):
    raise absent.error(__name__, name)

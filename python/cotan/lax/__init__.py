"""The operations that everything is built of, close to the hardware: no
implicit promotion or broadcasting (except of scalars), static shapes.

The functions follow `jax.lax` in names, signatures and conventions.
`cotan.numpy` has the interface that is easier to use.

>>> from cotan import lax
>>> lax.dot(cnp.ones((2, 3)), cnp.ones(3))
Array([3., 3.], dtype=float32)
"""

from cotan._src import absent, primitives
from cotan.lax import (
    _composite,
    _control,
    _convolution,
    _elementwise,
    _fft,
    _missing,
    _parallel,
    _ragged,
    _random,
    _reduce,
    _scaled,
    _scan,
    _shape,
    _slicing,
    _solves,
    _special,
    _windows,
    linalg,
)
from cotan.lax._composite import *  # noqa: F403
from cotan.lax._control import *  # noqa: F403
from cotan.lax._convolution import *  # noqa: F403
from cotan.lax._elementwise import *  # noqa: F403
from cotan.lax._elementwise import broadcast_shapes
from cotan.lax._fft import *  # noqa: F403
from cotan.lax._missing import *  # noqa: F403
from cotan.lax._parallel import *  # noqa: F403
from cotan.lax._ragged import *  # noqa: F403
from cotan.lax._random import *  # noqa: F403
from cotan.lax._reduce import *  # noqa: F403
from cotan.lax._scaled import *  # noqa: F403
from cotan.lax._scan import *  # noqa: F403
from cotan.lax._shape import *  # noqa: F403
from cotan.lax._slicing import *  # noqa: F403
from cotan.lax._solves import *  # noqa: F403
from cotan.lax._special import *  # noqa: F403
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
from cotan.lax._windows import *  # noqa: F403

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
    *_convolution.__all__,
    *_composite.__all__,
    *_control.__all__,
    *_elementwise.__all__,
    *_fft.__all__,
    *_missing.__all__,
    *_parallel.__all__,
    *_ragged.__all__,
    *_random.__all__,
    *_scaled.__all__,
    *_reduce.__all__,
    *_scan.__all__,
    *_shape.__all__,
    *_slicing.__all__,
    *_windows.__all__,
    *_special.__all__,
    *_solves.__all__,
]


def __getattr__(name):
    found = primitives.primitive_variable(name)
    if found is None:
        raise absent.error(__name__, name)
    return found

"""Arguments of `cotan.lax`: enumerations, dimension numbers, and the checks
that shapes, axes and dtypes go through.
"""

from __future__ import annotations

import dataclasses
import enum
import operator
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cotan import _core, _dispatch, dtypes


class RoundingMethod(enum.IntEnum):
    """Where `lax.round` takes numbers half-way between two integers."""

    AWAY_FROM_ZERO = 0
    TO_NEAREST_EVEN = 1


class AccuracyMode(enum.Enum):
    """Accepted by elementwise functions for compatibility; cotan has one
    implementation of each, the accurate one."""

    HIGHEST = 1
    DEFAULT = 2


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """An accuracy that is asked for; see AccuracyMode."""

    atol: float = 0.0
    rtol: float = 0.0
    ulps: int = 0

    def __post_init__(self):
        given = (self.atol, self.rtol, self.ulps)
        if any(t < 0 for t in given):
            raise ValueError(f"Tolerances must be non-negative, got {given}.")
        if not any(given):
            raise ValueError("At least one of atol, rtol, or ulps must be set.")


class FftType(enum.IntEnum):
    FFT = 0
    IFFT = 1
    RFFT = 2
    IRFFT = 3


class RandomAlgorithm(enum.IntEnum):
    RNG_DEFAULT = 0
    RNG_THREE_FRY = 1
    RNG_PHILOX = 2

    def __str__(self):
        return self.name


_PRECISIONS = {
    "highest": 2,
    "float32": 2,
    "high": 1,
    "bfloat16_3x": 1,
    "tensorfloat32": 1,
    "default": 0,
    "bfloat16": 0,
    "fastest": 0,
    None: 0,
}


class Precision(enum.Enum):
    """How exactly f32 products are computed on devices that have a choice.
    On a CPU they always are HIGHEST."""

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2

    @classmethod
    def _missing_(cls, value):
        try:
            return cls(_PRECISIONS[value])
        except (KeyError, TypeError):
            return None

    def __repr__(self):
        return f"{type(self).__name__}.{self.name}"

    def __str__(self):
        return self.name


class DotAlgorithm(NamedTuple):
    lhs_precision_type: Any
    rhs_precision_type: Any
    accumulation_type: Any
    lhs_component_count: int = 1
    rhs_component_count: int = 1
    num_primitive_operations: int = 1
    allow_imprecise_accumulation: bool = False


DotAlgorithmPreset = enum.Enum(
    "DotAlgorithmPreset",
    "DEFAULT ANY_F8_ANY_F8_F32 ANY_F8_ANY_F8_F32_FAST_ACCUM "
    "ANY_F8_ANY_F8_ANY ANY_F8_ANY_F8_ANY_FAST_ACCUM F16_F16_F16 F16_F16_F32 "
    "BF16_BF16_BF16 BF16_BF16_F32 BF16_BF16_F32_X3 BF16_BF16_F32_X6 "
    "BF16_BF16_F32_X9 TF32_TF32_F32 TF32_TF32_F32_X3 F32_F32_F32 F64_F64_F64",
    module=__name__,
)


class GatherScatterMode(enum.Enum):
    """What happens to a window that lies outside the operand.

    CLIP moves it inside; FILL_OR_DROP fills it (gather) or skips it
    (scatter); PROMISE_IN_BOUNDS says that there is none.
    """

    CLIP = 1
    FILL_OR_DROP = 2
    PROMISE_IN_BOUNDS = 3
    ONE_HOT = 4

    @staticmethod
    def from_any(s: str | GatherScatterMode | None) -> GatherScatterMode:
        if isinstance(s, GatherScatterMode):
            return s
        try:
            return _GATHER_MODES[s]
        except (KeyError, TypeError):
            raise ValueError(f'Unknown gather mode "{s}"') from None


_GATHER_MODES = {
    None: GatherScatterMode.FILL_OR_DROP,
    "fill": GatherScatterMode.FILL_OR_DROP,
    "drop": GatherScatterMode.FILL_OR_DROP,
    "clip": GatherScatterMode.CLIP,
    "promise_in_bounds": GatherScatterMode.PROMISE_IN_BOUNDS,
    "one_hot": GatherScatterMode.ONE_HOT,
}
_CORE_MODES = {
    GatherScatterMode.CLIP: "clip",
    GatherScatterMode.FILL_OR_DROP: "fill",
    GatherScatterMode.PROMISE_IN_BOUNDS: "promise_in_bounds",
}


def core_mode(mode) -> str:
    mode = GatherScatterMode.from_any(mode)
    if mode is GatherScatterMode.ONE_HOT:
        raise NotImplementedError(
            "[gather] mode ONE_HOT is not available; use a product with "
            "nn.one_hot"
        )
    return _CORE_MODES[mode]


class GatherDimensionNumbers(NamedTuple):
    """Which dimensions are which in `lax.gather`.

    offset_dims: dimensions of the result that run over a window;
    collapsed_slice_dims: dimensions of the operand where windows have size 1
    and that the result lacks; start_index_map: the operand dimension of each
    entry of an index vector; the two batching_dims go together one by one.
    """

    offset_dims: tuple[int, ...]
    collapsed_slice_dims: tuple[int, ...]
    start_index_map: tuple[int, ...]
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()


class ScatterDimensionNumbers(NamedTuple):
    """Which dimensions are which in `lax.scatter`: as for gather, with
    `updates` in the place of the result."""

    update_window_dims: Sequence[int]
    inserted_window_dims: Sequence[int]
    scatter_dims_to_operand_dims: Sequence[int]
    operand_batching_dims: Sequence[int] = ()
    scatter_indices_batching_dims: Sequence[int] = ()


class ConvDimensionNumbers(NamedTuple):
    lhs_spec: Sequence[int]
    rhs_spec: Sequence[int]
    out_spec: Sequence[int]


class RaggedDotDimensionNumbers(NamedTuple):
    dot_dimension_numbers: Any
    lhs_ragged_dimensions: Sequence[int]
    rhs_group_dimensions: Sequence[int]


# ---- checks


def canonical_shape(shape) -> tuple[int, ...]:
    """Shape as a tuple of ints; a single integer is one dimension."""
    if isinstance(shape, int):
        return (shape,)
    try:
        if isinstance(shape, _dispatch.Tracer):
            raise TypeError
        return tuple([operator.index(d) for d in shape])
    except TypeError:
        pass
    if not isinstance(shape, _dispatch.Tracer) and not hasattr(
        shape, "__len__"
    ):
        try:
            return (operator.index(shape),)
        except TypeError:
            pass
    raise TypeError(
        "Shapes must be 1D sequences of concrete values of integer type, got "
        f"{shape}. If using `jit`, try using `static_argnums` or applying "
        "`jit` to smaller subfunctions."
    )


def canonical_axis(axis, ndim: int) -> int:
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise ValueError(
            f"axis {axis} is out of bounds for array of dimension {ndim}"
        )
    return axis + ndim if axis < 0 else axis


def canonical_axes(axes, ndim: int, name: str = "'axis'") -> tuple[int, ...]:
    """Axes from an int, a sequence, or None for all of them."""
    if axes is None:
        return tuple(range(ndim))
    if isinstance(axes, (tuple, list)):
        out = tuple([canonical_axis(a, ndim) for a in axes])
        if len(set(out)) != len(out):
            raise ValueError(f"duplicate value in {name}: {tuple(axes)}")
        return out
    return (canonical_axis(axes, ndim),)


def sized(value, dtype):
    """value; a Python integer of more than 31 bits as what it is in `dtype`,
    where it wraps or is rounded."""
    if type(value) is not int or -(2**31) <= value < 2**31:
        return value
    if dtype is None or isinstance(dtype, dtypes.KeyDType):
        return value
    if dtypes.issubdtype(dtype, np.integer):
        bits = dtypes.itemsize_bits(dtype)
        unsigned = np.array(value % 2**bits, np.uint64)
        return unsigned.astype(_core.canonical_dtype(dtype))
    return float(value)


def user_dtype(dtype, what: str = ""):
    """The dtype that a user asked for; warns where x64 being off narrows it.
    Python's scalar types stand for the defaults."""
    if isinstance(dtype, dtypes.KeyDType) or dtype in (int, float, complex):
        return _core.canonical_dtype(dtype)
    asked = _core.dtype(dtype)
    got = _core.canonical_dtype(asked)
    if got != asked:
        where = f" requested in {what}" if what else ""
        warnings.warn(
            f"Explicitly requested dtype {asked.name}{where} is not "
            f"available, and will be truncated to dtype {got.name}. To enable "
            "more dtypes, set the enable_x64 configuration option, or use "
            "`with cotan.enable_x64():`.",
            stacklevel=4,
        )
    return got


def shape_of(x) -> tuple[int, ...]:
    s = getattr(x, "shape", None)
    return s if type(s) is tuple else np.shape(x)


def ndim_of(x) -> int:
    return len(shape_of(x))


def is_inexact(x) -> bool:
    return dtypes.issubdtype(x.dtype, np.inexact)


def static_int(x, what: str) -> int:
    """A Python int from an argument that must be known while tracing."""
    try:
        return operator.index(x)
    except TypeError as e:
        raise type(e)(f"{what}: {e}") from None

"""Convolution: `conv_general_dilated` and what is made of it."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan.lax._reduce import _precision_name
from cotan.lax._types import ConvDimensionNumbers, user_dtype

__all__ = [
    "conv",
    "conv_dimension_numbers",
    "conv_general_dilated",
    "conv_general_dilated_local",
    "conv_general_dilated_patches",
    "conv_general_permutations",
    "conv_general_shape_tuple",
    "conv_shape_tuple",
    "conv_transpose",
    "conv_transpose_shape_tuple",
    "conv_with_general_padding",
    "padtype_to_pads",
]


def _dilated(n: int, dilation: int) -> int:
    return 0 if n == 0 else (n - 1) * dilation + 1


def _strided(n: int, window: int, stride: int) -> int:
    return 0 if n < window else (n - window) // stride + 1


def padtype_to_pads(in_shape, window_shape, window_strides, padding):
    """Explicit (low, high) pairs for "SAME", "SAME_LOWER" or "VALID"."""
    kinds = {"VALID": 0, "SAME": 1, "SAME_LOWER": 2}
    kind = padding.upper() if isinstance(padding, str) else padding
    if kind not in kinds:
        raise RuntimeError(f"Unrecognized padding type: {padding}")
    if kind == "VALID":
        return [(0, 0)] * len(in_shape)
    if window_strides is None or not len(window_strides):
        window_strides = [1] * len(in_shape)
    pads = []
    sizes = (_ints(v) for v in (in_shape, window_shape, window_strides))
    for n, w, s in zip(*sizes, strict=True):
        total = max((-(-n // s) - 1) * s + w - n, 0) if n else 0
        low = total // 2 if kind == "SAME" else total - total // 2
        pads.append((low, total - low))
    return pads


def conv_general_permutations(dimension_numbers):
    """The dimensions (batch or out feature, feature, spatial...) that three
    strings name."""
    pairs = (("N", "C"), ("O", "I"), ("N", "C"))
    for i, (a, b) in enumerate(pairs):
        spec = dimension_numbers[i]
        if not spec.count(a) == spec.count(b) == 1:
            raise TypeError(
                f"convolution dimension_numbers[{i}] must contain the "
                f"characters '{a}' and '{b}' exactly once, got {spec}."
            )
        if len(spec) != len(set(spec)):
            raise TypeError(
                f"convolution dimension_numbers[{i}] cannot have duplicate "
                f"characters, got {spec}."
            )
    lhs, rhs, out = dimension_numbers
    if not (
        set(lhs) - set(pairs[0])
        == set(rhs) - set(pairs[1])
        == set(out) - set(pairs[2])
    ):
        raise TypeError(
            "convolution dimension_numbers elements must each have the same "
            f"set of spatial characters, got {dimension_numbers}."
        )

    def permutation(spec, pair):
        spatial = [i for i, c in enumerate(spec) if c not in pair]
        if spec is not rhs:
            spatial.sort(key=lambda i: rhs.index(spec[i]))
        return (spec.index(pair[0]), spec.index(pair[1]), *spatial)

    return tuple(
        [
            permutation(s, p)
            for s, p in zip(dimension_numbers, pairs, strict=True)
        ]
    )


def conv_dimension_numbers(lhs_shape, rhs_shape, dimension_numbers):
    """ConvDimensionNumbers from strings like ("NHWC", "HWIO", "NHWC"), from
    None (batch, feature, spatial...), or as they are."""
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return dimension_numbers
    if len(lhs_shape) != len(rhs_shape):
        raise TypeError(
            "convolution requires lhs and rhs ndim to be equal, got "
            f"{len(lhs_shape)} and {len(rhs_shape)}."
        )
    if dimension_numbers is None:
        iota = tuple(range(len(lhs_shape)))
        return ConvDimensionNumbers(iota, iota, iota)
    if not isinstance(dimension_numbers, (list, tuple)):
        raise TypeError(
            "convolution dimension_numbers must be tuple/list or None, got "
            f"{type(dimension_numbers)}."
        )
    if len(dimension_numbers) != 3:
        raise TypeError(
            "convolution dimension_numbers list/tuple must be length 3, got "
            f"{len(dimension_numbers)}."
        )
    if not all(isinstance(spec, str) for spec in dimension_numbers):
        raise TypeError(
            "convolution dimension_numbers elements must be strings, got "
            f"{tuple(map(type, dimension_numbers))}."
        )
    for i, spec in enumerate(dimension_numbers):
        if len(spec) != len(lhs_shape):
            raise TypeError(
                f"convolution dimension_numbers[{i}] must have len equal to "
                f"the ndim of lhs and rhs, got {spec} for lhs and rhs shapes "
                f"{lhs_shape} and {rhs_shape}."
            )
    return ConvDimensionNumbers(*conv_general_permutations(dimension_numbers))


def _ints(values) -> tuple[int, ...]:
    return tuple([operator.index(v) for v in values])


def _pairs(padding):
    try:
        return [(operator.index(lo), operator.index(hi)) for lo, hi in padding]
    except (ValueError, TypeError) as e:
        raise ValueError(
            "padding argument to conv_general_dilated should be a string or a "
            f"sequence of (low, high) pairs, got {padding}"
        ) from e


def conv_general_dilated(
    lhs,
    rhs,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers=None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision=None,
    preferred_element_type=None,
    out_sharding=None,
):
    """Convolution in any layout, with strides, paddings, dilations and groups.

    Args:
      lhs: images, by default [batch, features, spatial...].
      rhs: kernels, by default [out features, in features, spatial...].
      window_strides, lhs_dilation, rhs_dilation: one number per spatial
        dimension.
      padding: "SAME", "SAME_LOWER", "VALID" or (low, high) per dimension.
      dimension_numbers: three strings that name the dimensions of lhs, rhs
        and the result, such as ("NHWC", "HWIO", "NHWC").
      feature_group_count: features, batch_group_count: the batch, are divided
        into groups with their own part of the out features.
      preferred_element_type: dtype of the sums and of the result.
    """
    lhs, rhs = _dispatch.to_array(lhs), _dispatch.to_array(rhs)
    numbers = conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    ones = (1,) * max(lhs.ndim - 2, 0)
    window_strides = _ints(window_strides)
    if lhs_dilation is None:
        lhs_dilation = ones
    elif isinstance(padding, str) and any(d != 1 for d in lhs_dilation):
        raise ValueError(
            "String padding is not implemented for transposed convolution "
            "using this op. Please either exactly specify the required "
            "padding or use conv_transpose."
        )
    rhs_dilation = ones if rhs_dilation is None else _ints(rhs_dilation)
    if len(window_strides) != len(ones):
        raise ValueError(
            "conv_general_dilated window and window_strides must have the same "
            f"number of dimensions, but got {len(ones)} and "
            f"{len(window_strides)}."
        )
    if isinstance(padding, str):
        spatial = [lhs.shape[d] for d in numbers.lhs_spec[2:]]
        kernel = [
            _dilated(rhs.shape[d], r)
            for d, r in zip(numbers.rhs_spec[2:], rhs_dilation, strict=True)
        ]
        padding = padtype_to_pads(spatial, kernel, window_strides, padding)
    padding = _pairs(padding)
    result = None
    if preferred_element_type is not None:
        result = user_dtype(preferred_element_type, "conv_general_dilated")
        # Sums in the wider of the two dtypes.
        wider = dtypes.promote_types(lhs.dtype, result) == result
        if lhs.dtype == rhs.dtype and wider:
            lhs, rhs = lhs.astype(result), rhs.astype(result)
    out = _core.conv(
        lhs,
        rhs,
        window_strides,
        padding,
        _ints(lhs_dilation),
        rhs_dilation,
        numbers.lhs_spec,
        numbers.rhs_spec,
        numbers.out_spec,
        operator.index(feature_group_count),
        operator.index(batch_group_count),
        _precision_name(precision),
    )
    return out if result is None else out.astype(result)


def conv(
    lhs,
    rhs,
    window_strides: Sequence[int],
    padding: str,
    precision=None,
    preferred_element_type=None,
):
    """`conv_general_dilated` without dilations, in the default layout."""
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_with_general_padding(
    lhs,
    rhs,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision=None,
    preferred_element_type=None,
):
    """`conv_general_dilated` in the default layout."""
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def _conv_transpose_padding(k: int, s: int, padding):
    if padding == "SAME":
        total = k + s - 2
        low = k - 1 if s > k - 1 else -(-total // 2)
    elif padding == "VALID":
        total = k + s - 2 + max(k - s, 0)
        low = k - 1
    elif isinstance(padding, tuple):
        pads = [k - p - 1 for p in padding]
        low, total = pads[0], sum(pads)
    else:
        raise ValueError(f"Invalid padding mode: {padding}")
    return low, total - low


_TRANSPOSE_LAYOUTS = {
    2: ("NC", "IO", "NC"),
    3: ("NHC", "HIO", "NHC"),
    4: ("NHWC", "HWIO", "NHWC"),
    5: ("NHWDC", "HWDIO", "NHWDC"),
}


def conv_transpose(
    lhs,
    rhs,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers=None,
    transpose_kernel: bool = False,
    precision=None,
    preferred_element_type=None,
    use_consistent_padding: bool = False,
):
    """Transposed ("fractionally strided") convolution; the default layout is
    ("NHWC", "HWIO", "NHWC").

    transpose_kernel: flip and exchange the axes of rhs, which makes it the
    gradient of a convolution. use_consistent_padding: explicit padding is that
    of the convolution whose gradient this is.
    """
    lhs, rhs = _dispatch.to_array(lhs), _dispatch.to_array(rhs)
    assert lhs.ndim == rhs.ndim and lhs.ndim >= 2
    ndim = lhs.ndim
    if dimension_numbers is None:
        if ndim not in _TRANSPOSE_LAYOUTS:
            raise ValueError("No 4+ dimensional dimension_number defaults.")
        dimension_numbers = _TRANSPOSE_LAYOUTS[ndim]
    numbers = conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    kernel = [rhs.shape[d] for d in numbers.rhs_spec[2:]]
    if rhs_dilation is None:
        rhs_dilation = (1,) * (ndim - 2)
    pads = padding
    named = isinstance(padding, str) and padding in ("SAME", "VALID")
    if use_consistent_padding or named:
        each = [padding] * len(strides) if isinstance(padding, str) else padding
        pads = [
            _conv_transpose_padding(_dilated(k, r), s, p)
            for k, r, s, p in zip(
                kernel, rhs_dilation, strides, each, strict=True
            )
        ]
    if transpose_kernel:
        rhs = _core.rev(rhs, tuple(numbers.rhs_spec[2:]))
        rhs = rhs.swapaxes(numbers.rhs_spec[0], numbers.rhs_spec[1])
    return conv_general_dilated(
        lhs,
        rhs,
        (1,) * (ndim - 2),
        pads,
        strides,
        rhs_dilation,
        numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


# ---- patches and untied kernels


def conv_general_dilated_patches(
    lhs,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers=None,
    precision=None,
    preferred_element_type=None,
):
    """The receptive fields of a convolution, as features (c, *filter_shape)."""
    lhs = _dispatch.to_array(lhs)
    filter_shape = _ints(filter_shape)
    numbers = conv_dimension_numbers(
        lhs.shape, (1, 1, *filter_shape), dimension_numbers
    )
    size, channels = int(np.prod(filter_shape)), lhs.shape[numbers.lhs_spec[1]]
    # One kernel for every offset, for every channel as a group.
    rhs = np.eye(size).reshape(filter_shape * 2)
    rhs = rhs.reshape(size, 1, *filter_shape)
    rhs = np.tile(rhs, (channels,) + (1,) * (rhs.ndim - 1))
    rhs = np.moveaxis(rhs, range(rhs.ndim), numbers.rhs_spec)
    return conv_general_dilated(
        lhs,
        _core.convert(_dispatch.to_array(rhs), lhs.dtype, False),
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        numbers,
        feature_group_count=channels,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_general_dilated_local(
    lhs,
    rhs,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    filter_shape: Sequence[int],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers=None,
    precision=None,
):
    """Convolution with a kernel of its own at every position.

    rhs: out features, (c, *filter_shape) and the positions, in the places that
    dimension_numbers gives them.
    """
    lhs, rhs = _dispatch.to_array(lhs), _dispatch.to_array(rhs)
    numbers = conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    patches = conv_general_dilated_patches(
        lhs,
        filter_shape,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        numbers,
        precision,
    )
    spatial_l, spatial_r = numbers.out_spec[2:], numbers.rhs_spec[2:]
    out = _core.dot_general(
        rhs,
        patches,
        (numbers.rhs_spec[1],),
        (numbers.out_spec[1],),
        tuple(spatial_r),
        tuple(spatial_l),
        None,
        "",
    )
    # [spatial..., out features, batch]
    n = len(spatial_l)
    order = [0] * (n + 2)
    for i, d in enumerate(spatial_l):
        order[d] = i
    order[numbers.out_spec[1]] = n
    order[numbers.out_spec[0]] = n + 1
    return _core.transpose(out, order)


# ---- shapes


def conv_shape_tuple(lhs_shape, rhs_shape, strides, pads, batch_group_count=1):
    """The shape of a convolution in the default layout."""
    if isinstance(pads, str):
        pads = padtype_to_pads(lhs_shape[2:], rhs_shape[2:], strides, pads)
    if len(pads) != len(lhs_shape) - 2:
        raise TypeError(
            "Wrong number of explicit pads for convolution: expected "
            f"{len(lhs_shape) - 2}, got {len(pads)}."
        )
    padded = [n + sum(p) for n, p in zip(lhs_shape[2:], pads, strict=True)]
    if any(n < 0 for n in padded):
        raise ValueError(
            "Negative padding is larger than the size of the corresponding "
            f"dimension: got padding={pads} for lhs_shape[2:]={lhs_shape[2:]}"
        )
    space = [
        _strided(n, w, s)
        for n, w, s in zip(padded, rhs_shape[2:], strides, strict=True)
    ]
    assert lhs_shape[0] % batch_group_count == 0
    return (lhs_shape[0] // batch_group_count, rhs_shape[0], *space)


def _placed(shape, spec):
    out = [0] * len(shape)
    for d, n in zip(spec, shape, strict=True):
        out[d] = int(n)
    return tuple(out)


def conv_general_shape_tuple(
    lhs_shape, rhs_shape, window_strides, padding, dimension_numbers
):
    """The shape of a convolution."""
    lhs, rhs, out = conv_general_permutations(dimension_numbers)
    shape = conv_shape_tuple(
        [lhs_shape[d] for d in lhs],
        [rhs_shape[d] for d in rhs],
        window_strides,
        padding,
    )
    return _placed(shape, out)


def conv_transpose_shape_tuple(
    lhs_shape, rhs_shape, window_strides, padding, dimension_numbers
):
    """The shape of a transposed convolution."""
    lhs, rhs, out = conv_general_permutations(dimension_numbers)
    sizes = [lhs_shape[d] for d in lhs]
    kernel = [rhs_shape[d] for d in rhs]
    if isinstance(padding, str):
        padding = [
            _conv_transpose_padding(k, s, padding)
            for k, s in zip(kernel[2:], window_strides, strict=True)
        ]
    space = [
        (n - 1) * s - k + 2 + sum(p)
        for n, k, s, p in zip(
            sizes[2:], kernel[2:], window_strides, padding, strict=True
        )
    ]
    return _placed((sizes[0], kernel[0], *space), out)

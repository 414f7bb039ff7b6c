"""The interface of NumPy over immutable arrays, with JAX's conventions.

Functions take arrays and scalars (not lists), promote by JAX's lattice, and
work under every transformation. Start with `creation` (array, zeros, ...);
one file per family: `elementwise`, `reductions`, `shaping`, `padding`,
`indexing`, `sorting`, `products`, `math_functions`, `polynomial`,
`vectorizing`. The hot parts are C++ (csrc/jnp).

>>> import cotan.numpy as cnp
>>> cnp.sum(cnp.arange(4) ** 2)
Array(14, dtype=int32)
"""

import numpy as _np

from cotan import dtypes
from cotan._dispatch import Array as ndarray
from cotan._src import absent
from cotan.numpy.creation import (
    arange,
    array,
    asarray,
    copy,
    diag,
    diagflat,
    empty,
    empty_like,
    eye,
    from_dlpack,
    frombuffer,
    fromfile,
    fromfunction,
    fromiter,
    fromstring,
    full,
    full_like,
    geomspace,
    identity,
    indices,
    linspace,
    logspace,
    meshgrid,
    mgrid,
    ogrid,
    ones,
    ones_like,
    tri,
    tril,
    triu,
    vander,
    zeros,
    zeros_like,
)
from cotan.numpy.elementwise import (
    abs,
    absolute,
    acos,
    acosh,
    add,
    angle,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    around,
    asin,
    asinh,
    astype,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_count,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_not,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    cbrt,
    ceil,
    clip,
    conj,
    conjugate,
    copysign,
    cos,
    cosh,
    deg2rad,
    degrees,
    divide,
    divmod,
    equal,
    exp,
    exp2,
    expm1,
    fabs,
    float_power,
    floor,
    floor_divide,
    fmax,
    fmin,
    fmod,
    frexp,
    gcd,
    greater,
    greater_equal,
    heaviside,
    hypot,
    i0,
    imag,
    invert,
    isclose,
    iscomplex,
    iscomplexobj,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    isreal,
    isrealobj,
    isscalar,
    lcm,
    ldexp,
    left_shift,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    mod,
    modf,
    multiply,
    nan_to_num,
    negative,
    nextafter,
    not_equal,
    positive,
    pow,
    power,
    rad2deg,
    radians,
    real,
    reciprocal,
    remainder,
    right_shift,
    rint,
    round,
    sign,
    signbit,
    sin,
    sinc,
    sinh,
    spacing,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    true_divide,
    trunc,
    unwrap,
)
from cotan.numpy.indexing import (
    argwhere,
    c_,
    choose,
    compress,
    delete,
    diag_indices,
    diag_indices_from,
    diagonal,
    extract,
    fill_diagonal,
    flatnonzero,
    index_exp,
    insert,
    ix_,
    mask_indices,
    nonzero,
    piecewise,
    place,
    put,
    put_along_axis,
    r_,
    ravel_multi_index,
    s_,
    select,
    take,
    take_along_axis,
    trace,
    tril_indices,
    tril_indices_from,
    triu_indices,
    triu_indices_from,
    unravel_index,
    where,
)
from cotan.numpy.padding import pad
from cotan.numpy.products import (
    cross,
    dot,
    einsum,
    einsum_path,
    inner,
    kron,
    matmul,
    matvec,
    outer,
    tensordot,
    vdot,
    vecdot,
    vecmat,
)
from cotan.numpy.reductions import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    average,
    count_nonzero,
    cumprod,
    cumsum,
    cumulative_prod,
    cumulative_sum,
    max,
    mean,
    median,
    min,
    nanargmax,
    nanargmin,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmedian,
    nanmin,
    nanpercentile,
    nanprod,
    nanquantile,
    nanstd,
    nansum,
    nanvar,
    percentile,
    prod,
    ptp,
    quantile,
    std,
    sum,
    var,
)
from cotan.numpy.scalar_types import (
    bool_,
    can_cast,
    cdouble,
    character,
    complex64,
    complex128,
    complex_,
    complexfloating,
    csingle,
    double,
    dtype,
    finfo,
    flexible,
    float16,
    float32,
    float64,
    float_,
    floating,
    generic,
    iinfo,
    inexact,
    int8,
    int16,
    int32,
    int64,
    int_,
    integer,
    isdtype,
    issubdtype,
    number,
    object_,
    promote_types,
    result_type,
    signedinteger,
    single,
    uint,
    uint8,
    uint16,
    uint32,
    uint64,
    unsignedinteger,
)
from cotan.numpy.shaping import (
    append,
    array_split,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block,
    broadcast_arrays,
    broadcast_shapes,
    broadcast_to,
    column_stack,
    concat,
    concatenate,
    dsplit,
    dstack,
    expand_dims,
    flip,
    fliplr,
    flipud,
    hsplit,
    hstack,
    matrix_transpose,
    moveaxis,
    ndim,
    permute_dims,
    ravel,
    repeat,
    reshape,
    resize,
    roll,
    rollaxis,
    rot90,
    shape,
    size,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    transpose,
    trim_zeros,
    unstack,
    vsplit,
    vstack,
)
from cotan.numpy.sorting import (
    argpartition,
    argsort,
    digitize,
    intersect1d,
    isin,
    lexsort,
    partition,
    searchsorted,
    setdiff1d,
    setxor1d,
    sort,
    sort_complex,
    union1d,
    unique,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)

bool = bool_
pi, e, euler_gamma = _np.pi, _np.e, _np.euler_gamma
inf, nan, newaxis = _np.inf, _np.nan, None
__array_api_version__ = "2024.12"


def __array_namespace_info__():
    """The array API's inspection object."""
    from cotan.numpy.array_api import ArrayNamespaceInfo

    return ArrayNamespaceInfo()


# Made when they are first used.
_MODULES = ("linalg", "fft")
_FAMILIES = {
    "math_functions": (
        "allclose",
        "apply_over_axes",
        "array_equal",
        "array_equiv",
        "bartlett",
        "bincount",
        "blackman",
        "convolve",
        "corrcoef",
        "correlate",
        "cov",
        "diff",
        "ediff1d",
        "gradient",
        "hamming",
        "hanning",
        "histogram",
        "histogram2d",
        "histogram_bin_edges",
        "histogramdd",
        "interp",
        "iterable",
        "kaiser",
        "load",
        "packbits",
        "save",
        "savez",
        "trapezoid",
        "unpackbits",
    ),
    "polynomial": (
        "poly",
        "polyadd",
        "polyder",
        "polydiv",
        "polyfit",
        "polyint",
        "polymul",
        "polysub",
        "polyval",
        "roots",
    ),
    "vectorizing": ("apply_along_axis", "frompyfunc", "ufunc", "vectorize"),
}
_LATE = {name: family for family, names in _FAMILIES.items() for name in names}
_NUMPY = (
    "array_repr",
    "array_str",
    "get_printoptions",
    "printoptions",
    "set_printoptions",
)


def __getattr__(name):
    import importlib

    if name in _LATE:
        module = importlib.import_module(f"cotan.numpy.{_LATE[name]}")
        value = getattr(module, name)
    elif name in _MODULES:
        try:
            return importlib.import_module(f"cotan.numpy.{name}")
        except ModuleNotFoundError as e:
            if e.name != f"cotan.numpy.{name}":
                raise
            raise absent.error(__name__, name) from None
    elif name in dtypes.ML_DTYPES:
        from cotan.numpy.scalar_types import of_ml_dtypes

        value = of_ml_dtypes(name)
    elif name in _NUMPY:
        value = getattr(_np, name)
    elif name == "ComplexWarning":
        value = _np.exceptions.ComplexWarning
    else:
        raise absent.error(__name__, name)
    globals()[name] = value
    return value


def __dir__():
    return [
        n
        for n in {*globals(), *_LATE, *_MODULES, *dtypes.ML_DTYPES}
        if n[0] != "_"
    ]


def _install():
    from cotan.numpy import methods

    methods.install()


_install()

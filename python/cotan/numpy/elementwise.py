"""Elementwise functions. Those that the core has are callables made in C++;
the rest are compositions of them."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

from cotan import _core, _dispatch, dtypes
from cotan._dispatch import Array
from cotan._src.devices import placed

_operand = _core.np_operand
_ufuncs = _dispatch.make_ufuncs()


def _lax(name):
    return _ufuncs["lax." + name]


for _name, _function in _ufuncs.items():
    if _name.startswith("numpy."):
        globals()[_name[6:]] = _function

# What the loop above made, for readers and tools.
absolute = _ufuncs["numpy.absolute"]
add = _ufuncs["numpy.add"]
arccos = _ufuncs["numpy.arccos"]
arccosh = _ufuncs["numpy.arccosh"]
arcsin = _ufuncs["numpy.arcsin"]
arcsinh = _ufuncs["numpy.arcsinh"]
arctan = _ufuncs["numpy.arctan"]
arctan2 = _ufuncs["numpy.arctan2"]
arctanh = _ufuncs["numpy.arctanh"]
bitwise_and = _ufuncs["numpy.bitwise_and"]
bitwise_xor = _ufuncs["numpy.bitwise_xor"]
bitwise_or = _ufuncs["numpy.bitwise_or"]
conj = _ufuncs["numpy.conj"]
cos = _ufuncs["numpy.cos"]
equal = _ufuncs["numpy.equal"]
exp = _ufuncs["numpy.exp"]
exp2 = _ufuncs["numpy.exp2"]
floor = _ufuncs["numpy.floor"]
floor_divide = _ufuncs["numpy.floor_divide"]
greater = _ufuncs["numpy.greater"]
greater_equal = _ufuncs["numpy.greater_equal"]
imag = _ufuncs["numpy.imag"]
invert = _ufuncs["numpy.invert"]
isfinite = _ufuncs["numpy.isfinite"]
isinf = _ufuncs["numpy.isinf"]
isnan = _ufuncs["numpy.isnan"]
left_shift = _ufuncs["numpy.left_shift"]
less = _ufuncs["numpy.less"]
less_equal = _ufuncs["numpy.less_equal"]
log = _ufuncs["numpy.log"]
log1p = _ufuncs["numpy.log1p"]
logaddexp = _ufuncs["numpy.logaddexp"]
logaddexp2 = _ufuncs["numpy.logaddexp2"]
logical_and = _ufuncs["numpy.logical_and"]
logical_or = _ufuncs["numpy.logical_or"]
maximum = _ufuncs["numpy.maximum"]
minimum = _ufuncs["numpy.minimum"]
multiply = _ufuncs["numpy.multiply"]
nextafter = _ufuncs["numpy.nextafter"]
not_equal = _ufuncs["numpy.not_equal"]
power = _ufuncs["numpy.power"]
real = _ufuncs["numpy.real"]
remainder = _ufuncs["numpy.remainder"]
right_shift = _ufuncs["numpy.right_shift"]
sign = _ufuncs["numpy.sign"]
sin = _ufuncs["numpy.sin"]
sqrt = _ufuncs["numpy.sqrt"]
square = _ufuncs["numpy.square"]
subtract = _ufuncs["numpy.subtract"]
true_divide = _ufuncs["numpy.true_divide"]
trunc = _ufuncs["numpy.trunc"]

# NumPy's and the array API's other names.
abs = absolute.called("abs")
acos, acosh = arccos.called("acos"), arccosh.called("acosh")
asin, asinh = arcsin.called("asin"), arcsinh.called("asinh")
atan, atanh = arctan.called("atan"), arctanh.called("atanh")
atan2 = arctan2.called("atan2")
bitwise_invert = invert.called("bitwise_invert")
bitwise_not = invert.called("bitwise_not")
bitwise_left_shift = left_shift.called("bitwise_left_shift")
bitwise_right_shift = right_shift.called("bitwise_right_shift")
conjugate = conj.called("conjugate")
divide = true_divide.called("divide")
mod = remainder.called("mod")
pow = power.called("pow")


def _inexact(x, name, position=0):
    return _core.promote_inexact(name, [_operand(x, name, position)])[0]


def _numbers(name, *xs):
    """The operands, promoted to one inexact dtype and broadcast."""
    arrays = [_operand(x, name, i) for i, x in enumerate(xs)]
    return _core.promote_inexact(name, arrays)


def _promoted(name, *xs):
    return _core.promote(name, [_operand(x, name, i) for i, x in enumerate(xs)])


def _array_strong(x):
    """A constant beside a weak array makes the result strong; beside a weak
    scalar it is weak itself."""
    return _core.strong(x) if x.ndim else x


def _where(c, x, y):
    return _core.where(c, x, y)


def positive(x, /):
    """+x: the array itself."""
    return _operand(x, "positive", 0)


def fabs(x, /):
    """|x| in floating point."""
    if np.issubdtype(_operand(x, "fabs", 0).dtype, np.complexfloating):
        raise TypeError("ufunc 'fabs' does not support complex dtypes")
    return absolute(_inexact(x, "fabs"))


def signbit(x, /):
    """Whether the sign bit is set: also for -0.0."""
    x = _operand(x, "signbit", 0)
    if x.dtype.kind == "b":
        return _core.np_full(x.shape, False, bool, "signbit")
    if x.dtype.kind in "iu":
        return _core.strong(x < 0)
    if x.dtype.kind == "c":
        raise ValueError(
            "cotan.numpy.signbit is not well defined for complex64"
        )
    bits = x.dtype.itemsize * 8
    word = _core.bitcast_convert(x, np.dtype(f"int{bits}"))
    return word < 0


def copysign(x1, x2, /):
    """|x1| with the sign of x2."""
    a, b = _numbers("copysign", x1, x2)
    if a.dtype.kind == "c":
        raise TypeError("copysign does not support complex-valued inputs")
    return _where(signbit(b), -absolute(a), absolute(a))


def heaviside(x1, x2, /):
    """0 where x1 < 0, 1 where x1 > 0, x2 where x1 is 0."""
    a, b = _numbers("heaviside", x1, x2)
    if a.dtype.kind == "c":
        raise TypeError("heaviside does not accept complex numbers")
    weak = a.weak_type and a.ndim == 0
    one = _core.np_astype(1, a.dtype, weak)
    step = _where(a < 0, one * 0, _where(a > 0, one, b))
    return _where(isnan(a), a, step)


def float_power(x, y, /):
    """x ** y in floating point of at least the default precision."""
    a, b = _numbers("float_power", x, y)
    return power(a, b)


def fmax(x1, x2):
    """The larger; a nan loses."""
    return _where(greater(x1, x2) | isnan(x2), x1, x2)


def fmin(x1, x2):
    """The smaller; a nan loses."""
    return _where(less(x1, x2) | isnan(x2), x1, x2)


def divmod(x1, x2, /):
    """(x1 // x2, x1 % x2)."""
    return floor_divide(x1, x2), remainder(x1, x2)


def modf(x, /, out=None):
    """(fractional, integral part), both with the sign of x."""
    x = _inexact(x, "modf")
    whole = trunc(x)
    return x - whole, whole


def frexp(x, /):
    """(m, e) with x = m * 2 ** e and 0.5 <= |m| < 1."""
    x = _inexact(x, "frexp")
    if x.dtype.kind == "c":
        raise TypeError("frexp does not support complex-valued inputs")
    mantissa_bits, bias, word = _layout(x.dtype)
    exponent_bits = word.itemsize * 8 - mantissa_bits - 1
    # Subnormals are scaled up first.
    small = absolute(x) < 2.0 ** (1 - bias)
    y = _where(small, x * 2.0**mantissa_bits, x)
    raw = _core.bitcast_convert(y, word)
    mask = 2**exponent_bits - 1
    e = (raw >> mantissa_bits) & mask
    e = e.astype(np.int32) - (bias - 1) - _where(small, mantissa_bits, 0)
    e = _where((x == 0) | ~isfinite(x), 0, e)
    # A product, so that m has a derivative; neither power is out of range.
    half = e // 2
    m = x * _power_of_two(-half, x.dtype) * _power_of_two(half - e, x.dtype)
    return m, e


def _layout(dtype):
    """(bits of the mantissa, exponent bias, integer of the same size)."""
    stored = dtypes.finfo(dtype).nmant
    word = np.dtype(f"int{dtype.itemsize * 8}")
    return stored, 2 ** (word.itemsize * 8 - stored - 2) - 1, word


def _power_of_two(k, dtype):
    """2 ** k in a floating dtype, for k whose power is a normal number."""
    stored, bias, word = _layout(dtype)
    return _core.bitcast_convert((k + bias).astype(word) << stored, dtype)


def ldexp(x1, x2, /):
    """x1 * 2 ** x2."""
    x, e = _operand(x1, "ldexp", 0), _operand(x2, "ldexp", 1)
    if e.dtype.kind not in "iu" or x.dtype.kind == "c":
        raise ValueError(
            f"ldexp not supported for input types {x.dtype, e.dtype}"
        )
    x = _inexact(x, "ldexp")
    stored, bias, _ = _layout(x.dtype)
    limit = 2 * (bias + stored) + 4  # more makes 0 or inf of every x1
    if e.dtype.itemsize > 1:
        low = 0 if e.dtype.kind == "u" else -limit
        e = _core.np_astype(clip(e, low, limit), np.int32)
    m, own = frexp(x)
    e = clip(own + e.astype(np.int32), -bias - stored - 2, bias + 3)
    # The first product is exact, so the result is rounded once.
    normal = clip(e, 2 - bias, bias)
    return (
        m * _power_of_two(normal, x.dtype) * _power_of_two(e - normal, x.dtype)
    )


def deg2rad(x, /):
    """Degrees to radians."""
    return _array_strong(_inexact(x, "deg2rad") * (math.pi / 180))


def rad2deg(x, /):
    """Radians to degrees."""
    return _array_strong(_inexact(x, "rad2deg") * (180 / math.pi))


def radians(x, /):
    """Degrees to radians."""
    return deg2rad(x)


def degrees(x, /):
    """Radians to degrees."""
    return rad2deg(x)


def sinc(x, /):
    """sin(pi x) / (pi x), 1 at 0 with derivative 0 there."""
    x = _inexact(x, "sinc")
    zero = x == 0
    y = _where(zero, 1, x * math.pi)
    # Near 0 a series keeps all derivatives finite.
    z = x * math.pi
    series = 1 - z * z / 6 + (z * z) * (z * z) / 120
    out = _where(absolute(x) < 1e-3, series, sin(y) / y)
    return _array_strong(out)


def angle(z, deg=False):
    """The argument of a complex number."""
    z = _operand(z, "angle", 0)
    if z.dtype.kind in "iub":
        z = _core.np_astype(z, float)
    a = arctan2(imag(z), real(z))
    if z.ndim == 0 and z.dtype.kind != "c":
        a = _core.strong(a)
    return rad2deg(a) if deg else a


def around(a, decimals=0, out=None):
    """Round to `decimals` places; halves go to the even neighbour."""
    return round(a, decimals, out)


def round(a, decimals=0, out=None):
    """Round to `decimals` places; halves go to the even neighbour."""
    if out is not None:
        raise NotImplementedError(
            "The 'out' argument to cotan.numpy.round is not supported."
        )
    x = _operand(a, "round", 0)
    decimals = operator.index(decimals)
    if x.dtype.kind in "iub":
        if decimals >= 0:
            return x
        unit = 10**-decimals
        half = x + unit // 2
        down = half // unit * unit
        tie = (half % unit == 0) & (down // unit % 2 == 1)
        return _where(tie, down - unit, down).astype(x.dtype)
    if x.dtype.kind == "c":
        return _lax("complex")(
            round(real(x), decimals), round(imag(x), decimals)
        )
    if decimals == 0:
        return _core.round(x, True)
    work = x.astype(np.float32) if x.dtype.itemsize == 2 else x
    factor = 10.0**decimals
    y = _core.round(work * factor, True) / factor
    return _core.np_astype(y, x.dtype, x.weak_type)


def clip(arr=None, /, min=None, max=None):
    """The nearest value in [min, max]; max wins where they cross."""
    if arr is None:
        raise ValueError("At least one argument must be given to clip")
    x = _operand(arr, "clip", 0)
    for bound in (x, min, max):
        if bound is not None and np.issubdtype(
            _operand(bound, "clip", 0).dtype, np.complexfloating
        ):
            raise ValueError(
                "Clip received a complex value either through the input or "
                "the min/max keywords. Complex values have no ordering and "
                "cannot be clipped."
            )
    if min is not None:
        x = maximum(min, x)
    if max is not None:
        x = minimum(max, x)
    return x


def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """Replaces nan and infinities (by default with the largest numbers)."""
    x = _operand(x, "nan_to_num", 0)
    if x.dtype.kind == "c":
        return _lax("complex")(
            nan_to_num(real(x), copy, nan, posinf, neginf),
            nan_to_num(imag(x), copy, nan, posinf, neginf),
        )
    if not dtypes.issubdtype(x.dtype, np.floating):
        return x
    info = dtypes.finfo(x.dtype)
    high = float(info.max) if posinf is None else posinf
    low = float(info.min) if neginf is None else neginf

    def const(v):
        return _core.np_astype(v, x.dtype)

    x = _where(isnan(x), const(nan), x)
    x = _where(x == math.inf, const(high), x)
    return _where(x == -math.inf, const(low), x)


def isneginf(x, /, out=None):
    """x == -inf."""
    return _signed_inf("isneginf", x, -math.inf)


def isposinf(x, /, out=None):
    """x == inf."""
    return _signed_inf("isposinf", x, math.inf)


def _signed_inf(name, x, value):
    x = _operand(x, name, 0)
    if x.dtype.kind == "c":
        raise ValueError(f"{name} is not well defined for complex types")
    if x.dtype.kind in "iub":
        return _core.np_full(x.shape, False, bool, name)
    return _core.strong(x == value)


def iscomplex(x):
    """Where the imaginary part is not zero."""
    return _array_strong(imag(_operand(x, "iscomplex", 0)) != 0)


def isreal(x):
    """Where the imaginary part is zero."""
    return _array_strong(imag(_operand(x, "isreal", 0)) == 0)


def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Where |a - b| <= atol + rtol * |b|."""
    x, y = _promoted("isclose", a, b)
    if isinstance(x.dtype, dtypes.KeyDType):
        return x == y
    if not dtypes.issubdtype(x.dtype, np.inexact):
        x, y = _numbers("isclose", x, y)
    near = absolute(x - y) <= atol + rtol * absolute(y)
    out = _where(isfinite(x) & isfinite(y), near, x == y)
    if equal_nan:
        out = out | (isnan(x) & isnan(y))
    return _core.strong(out)


def gcd(x1, x2):
    """The greatest common divisor of integers."""
    from cotan import lax

    a, b = _promoted("gcd", x1, x2)
    if a.dtype.kind not in "iu":
        raise ValueError("Arguments to cotan.numpy.gcd must be integers.")
    a, b = _core.np_broadcast_arrays((absolute(a), absolute(b)))
    if a.ndim:  # only a scalar stays weak
        a, b = _core.strong(a), _core.strong(b)
    if _dispatch.is_concrete(a) and _dispatch.is_concrete(b):
        d = _dispatch.to_array(np.gcd(np.asarray(a), np.asarray(b)))
        return _core.convert(d, d.dtype, a.weak_type)

    def step(ab):
        a, b = ab
        return _where(b != 0, b, a), _where(
            b != 0, _lax("rem")(a, _where(b != 0, b, 1)), 0
        )

    return lax.while_loop(lambda ab: (ab[1] != 0).any(), step, (a, b))[0]


def lcm(x1, x2):
    """The least common multiple of integers."""
    a, b = _promoted("lcm", x1, x2)
    if a.dtype.kind not in "iu":
        raise ValueError("Arguments to cotan.numpy.lcm must be integers.")
    d = gcd(a, b)
    a, b = absolute(a), absolute(b)
    return _where(d == 0, 0, a * (b // _where(d == 0, 1, d)))


def i0(x):
    """The modified Bessel function of the first kind, order 0."""
    x = _inexact(x, "i0")
    if x.dtype.kind == "c":
        raise ValueError("Argument to cotan.numpy.i0 must be real valued.")
    return _i0()(x)


@functools.cache
def _i0():
    from cotan import lax
    from cotan._src.custom import custom_jvp

    @custom_jvp
    def i0(x):
        return exp(absolute(x)) * lax.bessel_i0e(x)

    @i0.defjvp
    def i0_jvp(primals, tangents):
        (x,), (t,) = primals, tangents
        # At 0 too, where |x| has no derivative.
        return i0(x), exp(absolute(x)) * lax.bessel_i1e(x) * t

    return i0


def unwrap(p, discont=None, axis=-1, period=2 * math.pi):
    """Adds multiples of period so that steps along axis are small."""
    from cotan.numpy.math_functions import diff
    from cotan.numpy.shaping import concatenate

    p = _operand(p, "unwrap", 0)
    if p.dtype.kind not in "iu":
        p = _inexact(p, "unwrap")
    discont = period / 2 if discont is None else discont
    axis = axis % p.ndim
    d = diff(p, axis=axis)
    half = period // 2 if p.dtype.kind in "iu" else period / 2
    m = (d + half) % period - half
    m = _where((m == -half) & (d > 0), half, m)
    fix = _where(absolute(d) < discont, 0, m - d)
    first, rest = (
        _core.slice_axis(p, axis, 0, 1),
        _core.slice_axis(p, axis, 1, p.shape[axis]),
    )
    total = _core.np_cumulative("sum", fix, axis, None, False)
    return concatenate([first, rest + total], axis=axis)


def spacing(x, /):
    """Distance to the next number away from zero."""
    x = _inexact(x, "spacing")
    if x.dtype.kind == "c":
        raise ValueError("jnp.spacing is not defined for complex inputs.")
    # In float16 NumPy goes upwards always.
    infinity = _core.np_astype(math.inf, x.dtype)
    away = infinity if x.dtype.name == "float16" else copysign(infinity, x)
    step = nextafter(x, away) - x
    tiny = _core.np_astype(
        float(dtypes.finfo(x.dtype).smallest_subnormal), x.dtype
    )
    # Where subnormal numbers are flushed to zero.
    return _where(step == 0, copysign(tiny, x), step)


def astype(x, dtype, /, *, copy=False, device=None):
    """x converted to a dtype; None is the default float."""
    x = _operand(x, "astype", 0)
    out = _core.np_astype(x, float if dtype is None else dtype)
    if copy and out.dtype == x.dtype:
        out = _core.copy(out)
    return placed(out, device)


def iscomplexobj(x) -> bool:
    """Whether the dtype is complex."""
    if x is None:
        return False
    if hasattr(x, "__jax_array__"):
        x = _operand(x, "iscomplexobj", 0)
    if isinstance(x, (list, tuple)):
        from cotan.numpy.creation import asarray

        x = asarray(x)
    if isinstance(x, Array) or hasattr(x, "dtype"):
        return np.dtype(x.dtype).kind == "c"
    return np.iscomplexobj(x)


def isrealobj(x) -> bool:
    """Whether the dtype is not complex."""
    return not iscomplexobj(x)


def isscalar(element) -> bool:
    """Whether this is a scalar: also an Array of rank 0."""
    if hasattr(element, "__jax_array__"):
        element = _operand(element, "isscalar", 0)
    if isinstance(element, Array):
        return element.ndim == 0
    return np.isscalar(element) or (
        isinstance(element, np.ndarray) and element.ndim == 0
    )

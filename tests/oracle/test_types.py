"""dtypes and weak types of results, and what is refused: every function on
every (pair of) dtypes, against JAX. Nothing is computed."""

import warnings

import pytest

pytest.importorskip("jax")

from tests.oracle.both import (
    cotan,
    describe,
    jax,
    library_dtype,
    standard_class,
    x64,
)

DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 "
    "float32 float64 complex64 complex128"
).split()
WEAK = ("weak int", "weak float", "weak complex")
ALL = (*DTYPES, *WEAK)
_SCALARS = {"weak int": 1, "weak float": 1.0, "weak complex": 1j}

UNARY = """negative absolute invert sign floor ceil trunc rint exp exp2 expm1
log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh
arccosh arctanh sqrt cbrt square reciprocal isnan isinf isfinite logical_not
real imag conj bitwise_count positive angle deg2rad fabs signbit sinc i0
nan_to_num""".split()
BINARY = """add subtract multiply true_divide floor_divide remainder fmod power
maximum minimum arctan2 hypot logaddexp equal less greater_equal logical_and
bitwise_and bitwise_or left_shift right_shift copysign heaviside float_power
gcd logaddexp2 fmax""".split()
REDUCTIONS = """sum prod max min mean var std any all argmax argmin cumsum
cumprod median ptp count_nonzero average nansum nanmax""".split()
LAX_UNARY = """neg sign floor ceil is_finite exp log sin cos tan asin tanh
logistic lgamma digamma erf erfc erf_inv sqrt rsqrt cbrt square abs real imag
conj bitwise_not population_count clz round""".split()
LAX_BINARY = """add sub mul div rem max min pow atan2 nextafter complex
bitwise_and shift_left shift_right_logical eq lt""".split()


# Differences that stay: (module, function): (why, combinations of dtypes).
_COMPLEX = {"complex64", "complex128", "weak complex"}
KNOWN = {
    ("numpy", "arctan2"): (
        "NumPy refuses complex arctan2 too: it has no meaning as an angle",
        lambda names: bool(_COMPLEX & {*names}),
    ),
    ("lax", "atan2"): (
        "as numpy.arctan2",
        lambda names: bool(_COMPLEX & {*names}),
    ),
    **{
        ("numpy", f): (
            "complex numbers have no order; JAX refuses only at compilation",
            lambda names: bool(_COMPLEX & {*names}),
        )
        for f in ("argmax", "argmin")
    },
}


# lax in general: a Python scalar takes the dtype of the array beside it, so
# that code for half and double precision needs no casts around constants. JAX
# gives it the default dtype of its kind and then refuses the mixture.
def _scalar_beside_array(names):
    weak = [n in WEAK for n in names]
    return any(weak) and not all(weak)


def _argument(library, name, shape=()):
    if name in WEAK:
        return _SCALARS[name]
    return library.ShapeDtypeStruct(shape, library_dtype(name))


def _result(library, module, function, names, shape=()):
    """(dtype, shape, weak type) or the class of the error."""
    f = getattr(getattr(library, module), function, None)
    if f is None:
        return "missing"
    args = [_argument(library, n, shape) for n in names]
    # Weak scalars stay Python scalars, as users write them.
    where = [i for i, n in enumerate(names) if n not in WEAK]
    fixed = list(args)

    def g(*dynamic):
        full = list(fixed)
        for i, x in zip(where, dynamic, strict=True):
            full[i] = x
        return f(*full)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            out = library.eval_shape(g, *[args[i] for i in where])
        except NotImplementedError as e:
            return "missing" if "not available yet" in str(e) else repr(e)
        except Exception as e:
            return standard_class(e)
    leaves = library.tree.leaves(out)
    return [describe(x) for x in leaves]


def _compare(module, function, combinations, shape=()):
    differences = []
    _why, known = KNOWN.get((module, function), ("", lambda names: False))
    for names in combinations:
        want = _result(jax, module, function, names, shape)
        got = _result(cotan, module, function, names, shape)
        if module == "lax" and want == "TypeError":
            if _scalar_beside_array(names) and isinstance(got, list):
                continue
        if got != want and not known(names):
            differences.append((names, "JAX", want, "cotan", got))
    if any(d[-1] == "missing" for d in differences):
        pytest.skip(f"{module}.{function} is not there yet")
    text = "\n".join(map(str, differences))
    assert not differences, f"{module}.{function}\n{text}"


@pytest.mark.parametrize("on", [False, True], ids=["x32", "x64"])
@pytest.mark.parametrize("function", UNARY)
def test_unary(function, on):
    with x64(on):
        _compare("numpy", function, [(t,) for t in ALL], (2,))


@pytest.mark.parametrize("function", BINARY)
def test_binary(function):
    with x64(False):
        _compare("numpy", function, [(a, b) for a in ALL for b in ALL], (2,))


@pytest.mark.parametrize("function", ["add", "true_divide", "power", "equal"])
def test_binary_x64(function):
    with x64(True):
        _compare("numpy", function, [(a, b) for a in ALL for b in ALL], (2,))


@pytest.mark.parametrize("on", [False, True], ids=["x32", "x64"])
@pytest.mark.parametrize("function", REDUCTIONS)
def test_reductions(function, on):
    with x64(on):
        _compare("numpy", function, [(t,) for t in DTYPES], (2, 3))


@pytest.mark.parametrize("function", LAX_UNARY)
def test_lax_unary(function):
    with x64(True):
        _compare("lax", function, [(t,) for t in DTYPES], (2,))


@pytest.mark.parametrize("function", LAX_BINARY)
def test_lax_binary(function):
    with x64(True):
        _compare(
            "lax",
            function,
            [(a, b) for a in ALL for b in ALL],
            (2,),
        )


@pytest.mark.parametrize("on", [False, True], ids=["x32", "x64"])
@pytest.mark.parametrize("left", ALL)
def test_promotion_table(left, on):
    """result_type and promote_types of every pair."""
    kinds = {"weak int": int, "weak float": float, "weak complex": complex}
    differences = []
    with x64(on), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for right in ALL:
            names = (left, right)
            args = [_SCALARS.get(n, library_dtype(n)) for n in names]
            want = jax.numpy.result_type(*args)
            got = cotan.numpy.result_type(*args)
            if got != want:
                differences.append(("result_type", names, want, got))
            args = [kinds.get(n, library_dtype(n)) for n in names]
            want = jax.numpy.promote_types(*args)
            got = cotan.numpy.promote_types(*args)
            if got != want:
                differences.append(("promote_types", names, want, got))
    assert not differences, "\n".join(map(str, differences))


@pytest.mark.parametrize("left", DTYPES)
def test_can_cast_and_subtypes(left):
    for right in DTYPES:
        a, b = library_dtype(left), library_dtype(right)
        assert cotan.dtypes.issubdtype(a, b) == jax.dtypes.issubdtype(a, b)


@pytest.mark.parametrize("left", DTYPES)
def test_where_and_concatenate(left):
    """Functions of several arrays promote as operators do."""

    def shapes(library, right):
        numpy = library.numpy
        a = library.ShapeDtypeStruct((2,), library_dtype(left))
        b = library.ShapeDtypeStruct((2,), library_dtype(right))
        out = library.eval_shape(
            lambda a, b: (
                numpy.where(a > 0, a, b),
                numpy.concatenate([a, b]),
                numpy.stack([a, b]),
                numpy.dot(a, b),
                numpy.outer(a, b),
            ),
            a,
            b,
        )
        return [describe(x) for x in out]

    with x64(True):
        for right in DTYPES:
            assert shapes(cotan, right) == shapes(jax, right), (left, right)

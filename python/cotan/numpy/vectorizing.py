"""Functions of functions: vectorize, apply_along_axis, ufunc objects."""

from __future__ import annotations

import functools
import math
import re
import warnings

from cotan import _core, _dispatch, lax
from cotan._src.api import eval_shape
from cotan._src.avals import ShapeDtypeStruct
from cotan._src.settings import config
from cotan.numpy import reductions
from cotan.numpy.creation import asarray
from cotan.numpy.reductions import _axes
from cotan.numpy.shaping import broadcast_to

_operand = _core.np_operand


def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """func1d of every rank-1 slice along an axis."""
    from cotan._src.api import vmap

    a = _operand(arr, "apply_along_axis", 2)
    axis = _axes(axis, a.ndim)[0]

    def f(x):
        return func1d(x, *args, **kwargs)

    # vmap over the axes after, then before, the one that is left.
    for i in range(1, a.ndim - axis):
        f = vmap(f, in_axes=i, out_axes=-1)
    for _ in range(axis):
        f = vmap(f, in_axes=0, out_axes=0)
    return f(a)


_DIMS = r"[a-zA-Z_]\w*"
_CORE = rf"\((?:{_DIMS}(?:,{_DIMS})*)?\)"
_SIGNATURE = re.compile(rf"^{_CORE}(?:,{_CORE})*->{_CORE}(?:,{_CORE})*$")


def _parse(signature):
    signature = signature.replace(" ", "")
    if not _SIGNATURE.match(signature):
        raise ValueError(f"not a valid gufunc signature: {signature}")
    return [
        [
            tuple(d for d in core[1:-1].split(",") if d)
            for core in re.findall(_CORE, side)
        ]
        for side in signature.split("->")
    ]


def _core_sizes(args, cores, name):
    sizes = {}
    for x, core in zip(args, cores, strict=True):
        if x.ndim < len(core):
            raise ValueError(
                f"input with shape {x.shape} does not have enough dimensions "
                f"for all core dimensions {core} on vectorized function with "
                f"signature {name}"
            )
        for d, n in zip(core, x.shape[x.ndim - len(core) :], strict=True):
            if sizes.setdefault(d, n) != n:
                raise ValueError(
                    f"inconsistent size for core dimension {d!r}: {n} vs "
                    f"{sizes[d]} on vectorized function with signature {name}"
                )
    return sizes


def vectorize(pyfunc, *, excluded=frozenset(), signature=None):
    """`pyfunc` broadcast over the leading axes of its arguments, by vmap.

    Args:
      signature: core dimensions, "(m,n),(n)->(m)"; by default scalars.
      excluded: positions or names of arguments that are passed as they are.
    """
    from cotan._src.api import vmap

    if any(not isinstance(e, (str, int)) for e in excluded):
        raise TypeError(
            "jax.numpy.vectorize can only exclude integer or string "
            f"arguments, but excluded={excluded!r}"
        )
    if any(isinstance(e, int) and e < 0 for e in excluded):
        raise ValueError(f"excluded={excluded!r} contains negative numbers")

    @functools.wraps(pyfunc)
    def wrapped(*args, **kwargs):
        fixed_names = {k: v for k, v in kwargs.items() if k in excluded}
        names = [k for k in kwargs if k not in excluded]
        fixed = {i: a for i, a in enumerate(args) if i in excluded or a is None}
        where = [i for i in range(len(args)) if i not in fixed]
        arrays = [asarray(args[i]) for i in where]
        arrays += [asarray(kwargs[k]) for k in names]

        def f(*dyn):
            full = [fixed.get(i) for i in range(len(args))]
            for i, x in zip(where, dyn, strict=False):
                full[i] = x
            named = dict(zip(names, dyn[len(where) :], strict=True))
            return pyfunc(*full, **named, **fixed_names)

        if signature is None:
            cores, outs = [()] * len(arrays), None
        else:
            cores, outs = _parse(signature)
            given = len(arrays) + sum(a is None for a in fixed.values())
            if len(cores) != given:
                raise TypeError(
                    f"wrong number of positional arguments: expected "
                    f"{len(cores)}, got {given}"
                )
            cores = _without_none(args, fixed, cores, signature)
        sizes = _core_sizes(arrays, cores, signature)
        g = _checked(f, outs, sizes, signature)
        return _broadcast_call(vmap, g, arrays, cores)

    return wrapped


def _without_none(args, fixed, cores, signature):
    """The core dimensions of what is mapped; None may stand for a scalar."""
    kept = [a for i, a in enumerate(args) if i not in fixed or a is None]
    none = {i for i, a in enumerate(kept) if a is None}
    if any(cores[i] for i in none):
        raise ValueError(
            f"Cannot pass None at locations {none} with {signature=}"
        )
    return [c for i, c in enumerate(cores) if i not in none]


def _checked(f, outs, sizes, signature):
    if outs is None:
        return f

    def g(*args):
        out = f(*args)
        if len(outs) > 1 and not isinstance(out, tuple):
            raise TypeError(
                "output must be a tuple when multiple outputs are expected, "
                f"got: {out}"
            )
        many = out if isinstance(out, tuple) else (out,)
        if len(many) != len(outs):
            raise TypeError(
                "wrong number of output arguments: expected "
                f"{len(outs)}, got {len(many)}"
            )
        for x, core in zip(many, outs, strict=True):
            x = asarray(x)
            if x.ndim != len(core):
                raise ValueError(
                    f"output shape {x.shape} does not match core dimensions "
                    f"{core} on vectorized function with signature {signature}"
                )
            for d, n in zip(core, x.shape, strict=True):
                if sizes.setdefault(d, n) != n:
                    raise ValueError(
                        f"inconsistent size for core dimension {d!r}: {n} vs "
                        f"{sizes[d]}"
                    )
        return out

    return g


def _broadcast_call(vmap, f, arrays, cores):
    leads = [
        x.shape[: x.ndim - len(core)]
        for x, core in zip(arrays, cores, strict=True)
    ]
    shape = _core.broadcast_shapes([tuple(s) for s in leads]) if leads else ()
    _check_ranks(leads)
    return _vmapped(vmap, f, arrays, leads, shape)


def _check_ranks(leads):
    """As operators do where promotion of ranks is not allowed."""
    policy = config.numpy_rank_promotion
    if policy == "allow" or len({len(s) for s in leads} - {0}) < 2:
        return
    shapes = ", ".join(map(str, leads))
    text = (
        f"operands with shapes {shapes} require rank promotion, and "
        f"cotan_numpy_rank_promotion is {policy!r}"
    )
    if policy == "raise":
        raise ValueError(text)
    warnings.warn(text, stacklevel=4)


def _vmapped(vmap, f, arrays, leads, shape):
    # Axes of extent 1 that stretch are dropped, and not mapped.
    rank = len(shape)
    args, maps = [], []
    for x, lead in zip(arrays, leads, strict=True):
        pad = rank - len(lead)
        drop = tuple(
            i for i, n in enumerate(lead) if n == 1 and shape[pad + i] != 1
        )
        args.append(_core.np_squeeze(x, drop) if drop else x)
        maps.append([i >= pad and (i - pad) not in drop for i in range(rank)])
    # The last broadcast axis is mapped innermost.
    for i in reversed(range(rank)):
        in_axes = tuple(0 if m[i] else None for m in maps)
        if any(a == 0 for a in in_axes):
            f = vmap(f, in_axes=in_axes)
    return f(*args)


class _UfuncType(type):
    def __instancecheck__(cls, x):
        return type.__instancecheck__(cls, x) or (
            isinstance(x, _dispatch.Ufunc)
            and x.__module__ == "cotan.numpy"
            and x.__name__ in _BUILT_IN
        )


class ufunc(metaclass=_UfuncType):
    """An elementwise function with NumPy's methods.

    `reduce`, `accumulate`, `outer`, `at` are written with scans and gathers;
    the functions of cotan.numpy are faster where they exist (sum, cumsum).
    """

    def __init__(
        self,
        func,
        /,
        nin,
        nout,
        *,
        name=None,
        nargs=None,
        identity=None,
        call=None,
        reduce=None,
        accumulate=None,
        at=None,
        reduceat=None,
    ):
        self.__name__ = name or func.__name__
        self._fixed = (func, nin, nout, nargs or nin, identity)
        self._call = call or vectorize(func)
        self._reduce, self._accumulate, self._at = reduce, accumulate, at

    _func, nin, nout, nargs, identity = (
        property(lambda self, i=i: self._fixed[i]) for i in range(5)
    )

    def __eq__(self, other):
        return isinstance(other, ufunc) and self._fixed == getattr(
            other, "_fixed", None
        )

    def __hash__(self):
        return hash(self._fixed)

    def __repr__(self):
        return f"<cotan.numpy.ufunc '{self.__name__}'>"

    def __call__(self, *args, out=None, where=None):
        if out is not None:
            raise NotImplementedError(f"out argument of {self}")
        if where is not None:
            raise NotImplementedError(f"where argument of {self}")
        if len(args) != self.nin:
            raise TypeError(
                f"{self.__name__}() takes {self.nin} positional arguments but "
                f"{len(args)} were given"
            )
        return self._call(*args)

    def _binary(self, what):
        if self.nin != 2 or self.nout != 1:
            raise ValueError(
                f"{what} only supported for binary ufuncs with single output"
            )

    def _dtype(self, a):
        """Of the function of two elements of `a`."""
        one = ShapeDtypeStruct((), a.dtype)
        return eval_shape(self._call, one, one).dtype

    def reduce(
        self,
        a,
        axis=0,
        dtype=None,
        out=None,
        keepdims=False,
        initial=None,
        where=None,
    ):
        """The function folded over an axis (None: all)."""
        self._binary("reduce")
        a = _operand(a, "reduce", 0)
        if self._reduce is not None:
            return self._reduce(
                a,
                axis=axis,
                dtype=dtype,
                out=out,
                keepdims=keepdims,
                initial=initial,
                where=where,
            )
        if where is not None and self.identity is None and initial is None:
            raise ValueError(
                f"reduction operation {self.__name__!r} does not have an "
                "identity, so to use a where mask one has to specify 'initial'."
            )
        a = a.astype(self._dtype(a) if dtype is None else dtype)
        axes = _axes(axis, a.ndim)
        rest = [i for i in range(a.ndim) if i not in axes]

        def rows(a):
            x = _core.np_transpose(a, (*axes, *rest))
            return x.reshape(-1, *x.shape[len(axes) :])

        x = rows(a)
        start = self.identity if initial is None else initial
        if start is None:
            if x.shape[0] == 0:
                raise ValueError(
                    f"zero-size array to reduction operation {self.__name__} "
                    "which has no identity"
                )
            first, x = x[0], x[1:]
        else:
            first = broadcast_to(asarray(start, x.dtype), x.shape[1:])
        chosen = None if where is None else rows(broadcast_to(where, a.shape))

        def step(total, row):
            value, use = row
            new = self._call(total, value)
            return new if use is None else _core.where(use, new, total), None

        out = lax.scan(step, first, (x, chosen))[0]
        if keepdims:
            out = _core.np_expand_dims(out, sorted(axes))
        return out

    def accumulate(self, a, axis=0, dtype=None, out=None):
        """The function's running results along an axis."""
        self._binary("accumulate")
        a = _operand(a, "accumulate", 0)
        if self._accumulate is not None:
            return self._accumulate(a, axis=axis, dtype=dtype)
        a = a.astype(self._dtype(a) if dtype is None else dtype)
        x = _core.np_moveaxis(a, axis, 0)
        if x.shape[0] == 0:
            return a

        def step(c, v):
            c = self._call(c, v)
            return c, c

        rest = lax.scan(step, x[0], x[1:])[1]
        return _core.np_moveaxis(
            _core.np_concatenate((x[:1], rest), 0), 0, axis
        )

    def outer(self, A, B, /):
        """The function of all pairs."""
        self._binary("outer")
        a, b = _operand(A, "outer", 0), _operand(B, "outer", 1)
        a, b = (
            a.reshape(a.shape + (1,) * b.ndim),
            b.reshape((1,) * a.ndim + b.shape),
        )
        return self._call(a, b)

    def at(self, a, indices, b=None, /, *, inplace=True):
        """`a` with the function applied at indices; pass inplace=False."""
        if inplace:
            raise NotImplementedError(
                "cotan arrays are immutable: use inplace=False"
            )
        a = _operand(a, "at", 0)
        if self._at is not None:
            return self._at(a, indices, b)
        if b is None:
            return a.at[indices].apply(self._call)
        return a.at[indices].set(self._call(a[indices], b))

    def reduceat(self, a, indices, axis=0, dtype=None, out=None):
        """The function folded over slices of an axis, each from an index up to
        the next, or the element there if that is not larger."""
        self._binary("reduceat")
        if out is not None:
            raise NotImplementedError(f"out argument of {self}.reduceat()")
        a = _operand(a, "reduceat", 0)
        starts = _operand(indices, "reduceat", 1)
        x = _core.np_moveaxis(
            a.astype(a.dtype if dtype is None else dtype), axis, 0
        )
        n = x.shape[0]
        ends = _core.np_concatenate((starts[1:], asarray([n], starts.dtype)), 0)
        starts, ends = (
            i.reshape(-1, *(1,) * (x.ndim - 1)) for i in (starts, ends)
        )

        def step(i, out):
            inside = broadcast_to((i > starts) & (i < ends), out.shape)
            return _core.where(inside, self._call(out, x[i][None]), out)

        out = lax.fori_loop(0, n, step, x[starts.reshape(-1)])
        return _core.np_moveaxis(out, 0, axis)


def frompyfunc(func, /, nin, nout, *, identity=None):
    """A `ufunc` from a function of scalars."""
    return ufunc(func, nin, nout, identity=identity)


# ---- the methods of the built-in functions


def _folding(function):
    """A reduction of the library as `reduce` calls it."""

    def reduce(a, axis, dtype, out, keepdims, initial, where):
        if out is not None:
            raise NotImplementedError("out argument of reduce")
        a = a if dtype is None else a.astype(dtype)
        return function(
            a, axis=axis, keepdims=keepdims, initial=initial, where=where
        )

    return reduce


def _updating(name):
    def at(a, indices, b):
        return getattr(a.at[indices], name)(b)

    return at


_BUILT_IN = {
    "add": {
        "identity": 0,
        "reduce": _folding(reductions.sum),
        "accumulate": reductions.cumsum,
        "at": _updating("add"),
    },
    "multiply": {
        "identity": 1,
        "reduce": _folding(reductions.prod),
        "accumulate": reductions.cumprod,
        "at": _updating("multiply"),
    },
    "subtract": {"at": _updating("subtract")},
    "maximum": {"reduce": _folding(reductions.max)},
    "minimum": {"reduce": _folding(reductions.min)},
    "bitwise_and": {"identity": -1},
    "bitwise_or": {"identity": 0},
    "bitwise_xor": {"identity": 0},
    "logical_and": {"identity": True},
    "logical_or": {"identity": False},
    "logical_xor": {"identity": False},
    "logaddexp": {"identity": -math.inf},
    "logaddexp2": {"identity": -math.inf},
    "negative": {},
}
METHODS = frozenset(
    "accumulate at identity nargs nin nout outer reduce reduceat".split()
)


@functools.cache
def _methods_of(function) -> ufunc:
    name = function.__name__
    nin = 1 if name == "negative" else 2
    return ufunc(function, nin, 1, name=name, call=function, **_BUILT_IN[name])


def method_of(function, name: str):
    """NumPy's attribute of a built-in function; called from the binding."""
    if name in METHODS and function.__name__ in _BUILT_IN:
        return getattr(_methods_of(function), name)
    raise AttributeError(f"{function!r} has no attribute {name!r}")

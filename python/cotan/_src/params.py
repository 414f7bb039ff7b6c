"""Parameters of equations, as the core has them and as JAX's users know them.

`from_core` and `to_core` are inverse to each other. What JAX has and the core
does not need (shardings, an accuracy) is there with JAX's default, and must
have it when the primitive is bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cotan import _dispatch

Fields = dict[str, Any]

# Names that are there for JAX's users: primitive -> {name: the only value}.
_FIXED: dict[str, Fields] = {
    **{
        name: {"accuracy": None}
        for name in (
            "cbrt",
            "cos",
            "exp",
            "exp2",
            "expm1",
            "log",
            "log1p",
            "logistic",
            "rsqrt",
            "sin",
            "sqrt",
            "tan",
            "tanh",
        )
    },
    "broadcast_in_dim": {"sharding": None},
    "mul": {"out_dtype": None},
    "conv_general_dilated": {
        "precision": None,
        "preferred_element_type": None,
        "out_sharding": None,
    },
    "convert_element_type": {"sharding": None},
    "dot_general": {"out_sharding": None},
    "eigh": {
        "sort_eigenvalues": True,
        "subset_by_index": None,
        "algorithm": None,
    },
    "iota": {"sharding": None},
    "jit": {"inline": False, "keep_unused": False},
    "qr": {"use_magma": None},
    "reduce_sum": {"out_sharding": None},
    "rng_bit_generator": {"out_sharding": None},
    "reshape": {"dimensions": None, "sharding": None},
    "svd": {"subset_by_index": None, "algorithm": None},
}


def _pairs(dims):
    return tuple((d["low"], d["high"]) for d in dims)


def _pair_dicts(pairs):
    return tuple({"low": lo, "high": hi} for lo, hi in pairs)


def _dot_from(f):
    f["dimension_numbers"] = (
        (f.pop("lhs_contracting"), f.pop("rhs_contracting")),
        (f.pop("lhs_batch"), f.pop("rhs_batch")),
    )
    f["precision"] = f["precision"] or None


def _dot_to(f):
    contracting, batch = f.pop("dimension_numbers")
    f["lhs_contracting"], f["rhs_contracting"] = contracting
    f["lhs_batch"], f["rhs_batch"] = batch


def _pad_from(f):
    f["padding_config"] = tuple(
        (d["low"], d["high"], d["interior"]) for d in f["padding_config"]
    )


def _pad_to(f):
    f["padding_config"] = tuple(
        {"low": lo, "high": hi, "interior": interior}
        for lo, hi, interior in f["padding_config"]
    )


def _slice_from(f):
    if all(s == 1 for s in f["strides"]):
        f["strides"] = None


def _slice_to(f):
    if f.get("strides") is None:
        f["strides"] = (1,) * len(f["start_indices"])


def _numbers(class_name, names):
    """dimension_numbers as one of lax's tuples."""

    def from_core(f):
        from cotan import lax

        parts = {name: f.pop(name) for name in names}
        f["dimension_numbers"] = getattr(lax, class_name)(**parts)

    def to_core(f):
        numbers = f.pop("dimension_numbers")
        f.update({name: tuple(getattr(numbers, name)) for name in names})

    return from_core, to_core


_GATHER = _numbers(
    "GatherDimensionNumbers",
    (
        "offset_dims",
        "collapsed_slice_dims",
        "start_index_map",
        "operand_batching_dims",
        "start_indices_batching_dims",
    ),
)
_SCATTER = _numbers(
    "ScatterDimensionNumbers",
    (
        "update_window_dims",
        "inserted_window_dims",
        "scatter_dims_to_operand_dims",
        "operand_batching_dims",
        "scatter_indices_batching_dims",
    ),
)
_CONV = _numbers("ConvDimensionNumbers", ("lhs_spec", "rhs_spec", "out_spec"))


def _scatter_from(f):
    _SCATTER[0](f)
    f["update_jaxpr"], f["update_consts"] = None, ()


def _scatter_to(f):
    _SCATTER[1](f)
    f.pop("update_jaxpr", None)
    f.pop("update_consts", None)


def _conv_from(f):
    _CONV[0](f)
    f["padding"] = _pairs(f["padding"])


def _conv_to(f):
    _CONV[1](f)
    f["padding"] = _pair_dicts(f["padding"])


def _window_from(f):
    f["padding"] = _pairs(f["padding"])


def _window_to(f):
    f["padding"] = _pair_dicts(f["padding"])


def _jit_from(f):
    if not f["num_known"]:
        del f["num_known"]


def _exchange_from(f):
    del f["axis_size"]
    _name_from(f)


def _exchange_to(f):
    from cotan import lax

    _name_to(f)
    if "axis_size" not in f:
        groups = f.get("axis_index_groups")
        f["axis_size"] = (
            len(groups[0]) if groups else lax.axis_size(f["axis_name"])
        )


def _name_from(f):
    """One name stands alone where JAX has it so."""
    if len(f["axis_name"]) == 1:
        f["axis_name"] = f["axis_name"][0]


def _name_to(f):
    if not isinstance(f["axis_name"], (tuple, list)):
        f["axis_name"] = (f["axis_name"],)


def _remat_from(f):
    f["jaxpr"] = f["jaxpr"].jaxpr


def _composite_from(f):
    f["attributes"] = f["attributes"].attributes


def _composite_to(f):
    from cotan.lax._composite import Attributes

    held = Attributes(f.get("attributes", ()))
    f["attributes"] = _dispatch.Opaque.of_attributes(held)


def _same(f):
    pass


_VIEWS: dict[str, tuple[Callable, Callable]] = {
    "all_gather": (_same, _name_to),
    "all_to_all": (_exchange_from, _exchange_to),
    "checkpoint": (_remat_from, _same),
    "composite": (_composite_from, _composite_to),
    "conv_general_dilated": (_conv_from, _conv_to),
    "dot_general": (_dot_from, _dot_to),
    "gather": _GATHER,
    "jit": (_jit_from, _same),
    "pad": (_pad_from, _pad_to),
    "pbroadcast": (_name_from, _name_to),
    "ppermute": (_same, _name_to),
    "reduce_scatter": (_same, _name_to),
    "slice": (_slice_from, _slice_to),
    **{
        f"scatter{kind}": (_scatter_from, _scatter_to)
        for kind in ("", "-add", "-max", "-min", "-mul", "-sub")
    },
    **{
        f"reduce_window_{kind}": (_window_from, _window_to)
        for kind in ("max", "min", "sum")
    },
}


def from_core(primitive, fields: Fields) -> Fields:
    """An equation's parameters as its users know them."""
    if primitive.rules is not None:
        return fields
    fixed = _FIXED.get(primitive.name)
    view = _VIEWS.get(primitive.name)
    if view:
        view[0](fields)
    if fixed:
        fields.update(fixed)
    return fields


def to_core(primitive, params: Fields) -> Fields:
    """The core's fields for parameters that a program gives."""
    name, fields = primitive.name, dict(params)
    for key, value in _FIXED.get(name, {}).items():
        if fields.pop(key, value) != value:
            raise NotImplementedError(
                f"[bind] primitive {name!r}: {key}={params[key]!r} is not "
                f"supported, only {value!r}"
            )
    view = _VIEWS.get(name)
    if view:
        try:
            view[1](fields)
        except KeyError as e:
            raise TypeError(
                f"[bind] primitive {name!r} needs the parameter {e}"
            ) from None
    return fields


# ---- enumerations


class _Named(str):
    """An enumerator of the core that has no class in Python."""

    number: int

    def __new__(cls, name, number):
        self = super().__new__(cls, name)
        self.number = number
        return self


def _classes():
    from cotan import lax

    return {
        "GatherScatterMode.CLIP": (lax.GatherScatterMode, "CLIP"),
        "GatherScatterMode.FILL_OR_DROP": (
            lax.GatherScatterMode,
            "FILL_OR_DROP",
        ),
        "GatherScatterMode.PROMISE_IN_BOUNDS": (
            lax.GatherScatterMode,
            "PROMISE_IN_BOUNDS",
        ),
        "FftType.FFT": (lax.FftType, "FFT"),
        "FftType.IFFT": (lax.FftType, "IFFT"),
        "FftType.RFFT": (lax.FftType, "RFFT"),
        "FftType.IRFFT": (lax.FftType, "IRFFT"),
        **{a.name: (lax.RandomAlgorithm, a.name) for a in lax.RandomAlgorithm},
        "AWAY_FROM_ZERO": (lax.RoundingMethod, "AWAY_FROM_ZERO"),
        "TO_NEAREST_EVEN": (lax.RoundingMethod, "TO_NEAREST_EVEN"),
    }


# The core's numbers are the positions among the names of one class.
_ENUM_NUMBERS = {
    "CLIP": 0,
    "FILL_OR_DROP": 1,
    "PROMISE_IN_BOUNDS": 2,
    "FFT": 0,
    "IFFT": 1,
    "RFFT": 2,
    "IRFFT": 3,
    "RNG_DEFAULT": 0,
    "RNG_THREE_FRY": 1,
    "RNG_PHILOX": 2,
    "AWAY_FROM_ZERO": 0,
    "TO_NEAREST_EVEN": 1,
}


def enum_object(name, number):
    """The enumerator of the core's name and number."""
    found = _classes().get(name)
    return getattr(*found) if found else _Named(name, number)


def enum_value(x) -> int:
    """The core's number."""
    if isinstance(x, _Named):
        return x.number
    key = getattr(x, "name", str(x))
    if key not in _ENUM_NUMBERS:
        raise TypeError(f"[bind] {x!r} is not an enumerator of a parameter")
    return _ENUM_NUMBERS[key]


# ---- parameters of primitives that are defined in Python


def params_equal(a: Fields, b: Fields) -> bool:
    if a.keys() != b.keys():
        return False
    for key, x in a.items():
        y = b[key]
        if x is y:
            continue
        try:
            if type(x) is not type(y) or not bool(x == y):
                return False
        except Exception:  # arrays, or an __eq__ that does not take part
            return False
    return True


def params_hash(fields: Fields) -> int:
    """Equal for equal parameters; what cannot be hashed does not count."""
    total = len(fields)
    for key in sorted(fields):
        value = fields[key]
        try:
            total = hash((total, key, type(value), hash(value)))
        except TypeError:
            total = hash((total, key, type(value)))
    return total


def params_text(fields: Fields) -> str:
    return " ".join(f"{k}={v}" for k, v in sorted(fields.items()))


def _install():
    from cotan._src import jaxprs

    _dispatch.set_open_functions(
        {
            "aval": lambda *t: jaxprs.shaped_array(t),
            "aval_of": jaxprs.aval_triple,
            "enum": enum_object,
            "enum_value": enum_value,
            "literal": lambda x: jaxprs.literal(x).val,
            "params_equal": params_equal,
            "params_hash": params_hash,
            "params_text": params_text,
        }
    )
    _dispatch.set_implementation(
        {
            "open_jaxpr": jaxprs.open_jaxpr,
            "close_jaxpr": jaxprs.close_jaxpr,
            "shaped_array": jaxprs.shaped_array,
        }
    )


_install()

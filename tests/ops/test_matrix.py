"""Every case of every family, through everything a primitive promises.

Rows are the cases of the *_cases.py files, columns the tests below.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import cotan
from cotan import _core, _dispatch
from tests import device, narrow
from tests.ops import (
    binary_cases,
    choice_cases,
    control_cases,
    derivatives,
    dot_cases,
    dtype_cases,
    index_cases,
    linalg_cases,
    reduce_cases,
    shape_cases,
    special_cases,
    unary_cases,
    window_cases,
)
from tests.ops.case import (
    ALL,
    arrays,
    call,
    close,
    kind,
    outputs,
    same_bits,
)

FAMILIES = (
    unary_cases,
    binary_cases,
    choice_cases,
    dtype_cases,
    shape_cases,
    reduce_cases,
    dot_cases,
    index_cases,
    linalg_cases,
    window_cases,
    control_cases,
    special_cases,
)
CASES = [case for family in FAMILIES for case in family.CASES]
BAD = [bad for family in FAMILIES for bad in family.BAD]

every_case = pytest.mark.parametrize("case", CASES, ids=repr)
differentiable = pytest.mark.parametrize(
    "case",
    [c for c in CASES if derivatives.dtypes_of(c)],
    ids=repr,
)


def test_names_are_distinct():
    names = [c.name for c in CASES]
    assert len(names) == len(set(names)), sorted(
        {n for n in names if names.count(n) > 1}
    )


def test_every_primitive_has_a_case():
    covered = {c.primitive for c in CASES} | set(special_cases.INTERNAL)
    covered |= set(control_cases.INTERNAL)
    assert covered == set(_core.primitives())


@every_case
def test_case_is_about_its_primitive(case):
    xs = arrays(case.make(case.main_dtype))
    text = str(cotan.make_jaxpr(lambda *a: case.call(*a))(*xs))
    assert re.search(rf"= {re.escape(case.primitive)}[\[ \n]", text), text


# ---- values


def exact(case):
    """Whether results have the reference's bits on this device."""
    return case.exact and case.primitive not in device.ROUNDED


@every_case
def test_value(case):
    """Eager results against NumPy, in every dtype, at special numbers too."""
    for dtype in case.dtypes:
        numbers = case.make(dtype, special=True)
        got = call(case, arrays(numbers))
        want = case.expected(numbers, dtype)
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            what = f"{case.name} {dtype}"
            assert not g.weak_type, what
            if exact(case) and kind(w.dtype) != "c":
                same_bits(g, w, what)
            else:
                close(g, w, what, case.scale, case.atol)


@every_case
def test_ways_to_run(case):
    """Compiled as a program, and by the reference rules: as eager code."""
    # XLA fuses as it likes: the same bits only where nothing is rounded.
    same = exact(case) or (case.elementwise and device.on_cpu)
    for dtype in case.dtypes:
        xs = arrays(case.make(dtype, special=True))
        eager = call(case, xs)
        ways = {"jit": outputs(cotan.jit(lambda *a: case.call(*a))(*xs))}
        before = _core.set_interpret(True)
        try:
            ways["reference"] = call(case, xs)
            ways["interpreted"] = outputs(
                cotan.jit(lambda *a: case.call(*a))(*xs)
            )
        finally:
            _core.set_interpret(before)
        for way, results in ways.items():
            assert len(results) == len(eager)
            for g, w in zip(results, eager, strict=True):
                what = f"{case.name} {dtype} {way}"
                assert g.weak_type == w.weak_type, what
                if same:
                    same_bits(g, w, what)
                else:
                    close(g, w, what, case.scale, case.atol)


@every_case
def test_nothing_happens_twice(case):
    """The second call neither traces nor compiles, jitted or not."""
    xs = arrays(case.make(case.main_dtype))
    ys = arrays(case.make(case.main_dtype, what="other"))
    jitted = cotan.jit(lambda *a: case.call(*a))
    call(case, xs), jitted(*xs)
    watched = ("traces", "programs", "program_hits", "kernels")
    before = _core.counters()
    call(case, ys), jitted(*ys)
    after = _core.counters()
    assert {k: after[k] - before[k] for k in watched} == dict.fromkeys(
        watched, 0
    )


REFUSED = (TypeError, ValueError, NotImplementedError)


@pytest.mark.parametrize("case", [c for c in CASES if c.sweep], ids=repr)
def test_other_dtypes_are_refused(case):
    for dtype in ALL:
        if dtype in case.dtypes or dtype in case.also:
            continue
        xs = arrays(case.make(dtype))
        with pytest.raises(REFUSED, match=case.primitive):
            case.call(*xs)
        with pytest.raises(REFUSED, match=case.primitive):
            cotan.make_jaxpr(lambda *a: case.call(*a))(*xs)


# Narrow dtypes are taken where the wide ones are that they are computed in;
# NumPy has them rounded or wrapped from there.
NARROW = {
    "float8_e4m3fn": "float32",
    "float8_e5m2": "float32",
    "int4": "int8",
    "uint4": "uint8",
}
# What looks at bits: tests/oracle/test_narrow.py.
LOOKS_AT_BITS = {
    "bitcast_convert_type",
    "clz",
    "convert_element_type",
    "nextafter",
    "population_count",
    "reduce_precision",
    "shift_right_arithmetic",
    "shift_right_logical",
}


def _takes_narrow(case, wide):
    return wide in case.dtypes and (
        wide != "float32" or "bfloat16" in case.dtypes
    )


@device.cpu_only("plugins: tests/pjrt/test_devices.py")
@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.sweep and c.primitive not in LOOKS_AT_BITS],
    ids=repr,
)
def test_narrow_dtypes(case):
    """The wide dtype's results, rounded once or wrapped; or refused."""
    for name, wide in NARROW.items():
        if wide in case.also or (
            wide in case.dtypes and not _takes_narrow(case, wide)
        ):
            continue
        dtype = narrow.dtype_of(name)
        xs = [
            x.astype(dtype) if x.dtype == wide else x for x in case.make(wide)
        ]
        if not _takes_narrow(case, wide):
            with pytest.raises((TypeError, ValueError), match=case.primitive):
                case.call(*arrays(xs))
            continue
        back = [x.astype(wide) if x.dtype == dtype else x for x in xs]
        got, want = call(case, arrays(xs)), call(case, arrays(back))
        for g, w in zip(got, want, strict=True):
            w = np.asarray(w)
            if w.dtype == wide and g.dtype == dtype:
                with np.errstate(all="ignore"):
                    w = w.astype(dtype)
            narrow.assert_same(g, w, f"{case.name} {name}")


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_bad_arguments(bad):
    with pytest.raises(bad.error, match=bad.message):
        bad.call()
    with pytest.raises(bad.error, match=bad.message):
        cotan.jit(bad.call)()


# ---- derivatives


@differentiable
def test_derivatives(case):
    """jvp against finite differences, vjp against jvp."""
    for dtype in derivatives.dtypes_of(case):
        derivatives.check(*derivatives.closed(case, dtype), case.name)


@differentiable
def test_second_derivatives(case):
    """The same for the functions that jvp and vjp give."""
    if case.order < 2:
        pytest.skip("not twice differentiable")
    for dtype in derivatives.dtypes_of(case):
        f, xs = derivatives.closed(case, dtype)
        derivatives.check_second(f, xs, case.name)


# Differentiable primitives whose second derivatives no case checks, in which
# dtypes, and why.
NOT_TWICE = {
    # Steps of a decomposition, without rules here as in JAX: they raise.
    **dict.fromkeys(
        (
            "geqp3",
            "geqrf",
            "hessenberg",
            "householder_product",
            "ormqr",
            "schur",
            "tridiagonal",
        ),
        ("float64", "complex128"),
    ),
    # No reverse mode; forward mode: tests/transforms/test_control_flow.py.
    "while": ("float64",),
    # No forward mode; reverse mode: tests/transforms/test_custom.py.
    "custom_vjp_call": ("float64",),
    # Rounds: differences say nothing.
    "reduce_precision": ("float64",),
}


def test_every_derivative_is_checked():
    """To second order, of real and of complex numbers where it takes them."""
    left_out = {*special_cases.INTERNAL, *control_cases.INTERNAL}
    for name, has_derivative in _core.primitives().items():
        if not has_derivative or name in left_out:
            continue
        cases = [c for c in CASES if c.primitive == name]
        taken = {t for c in cases for t in c.dtypes} & {"float64", "complex128"}
        twice = {
            t for c in cases if c.order > 1 for t in derivatives.dtypes_of(c)
        }
        assert taken - twice <= set(NOT_TWICE.get(name, ())), (
            f"{name}: no second derivatives in {sorted(taken - twice)}"
        )
        assert twice or name in NOT_TWICE, f"{name}: no case"


@pytest.mark.parametrize(
    "case",
    [
        c
        for c in CASES
        if c.primitive in NOT_TWICE
        and NOT_TWICE[c.primitive] == ("float64", "complex128")
    ],
    ids=repr,
)
def test_derivatives_that_do_not_exist_are_refused(case):
    xs = arrays(case.make("float64"))
    with pytest.raises(NotImplementedError, match=case.primitive):
        cotan.jvp(lambda *a: outputs(case.call(*a)), xs, xs)


@differentiable
def test_compiled_derivatives(case):
    dtype = derivatives.dtypes_of(case)[0]
    f, xs = derivatives.closed(case, dtype)
    derivatives.check_compiled(f, xs, case.name)


@pytest.mark.parametrize(
    "case",
    [
        c
        for c in CASES
        if not _core.primitives().get(c.primitive, True)
        and any(t.startswith(("float", "bfloat")) for t in c.dtypes)
    ],
    ids=repr,
)
def test_no_derivative(case):
    """Non-differentiable primitives have zero tangents, not errors."""
    dtype = next(t for t in case.dtypes if t.startswith(("float", "bfloat")))
    xs = arrays(case.make(dtype))
    diff = [i for i, x in enumerate(xs) if kind(x.dtype) in "fc"]

    def f(*ds):
        full = list(xs)
        for i, d in zip(diff, ds, strict=True):
            full[i] = d
        return outputs(case.call(*full))

    primals = [xs[i] for i in diff]
    out, ts = cotan.jvp(f, primals, primals)
    for y, t in zip(out, ts, strict=True):
        assert (
            not np.asarray(t).astype("f8").any()
            if kind(y.dtype) == "f"
            else (t.dtype == cotan.dtypes.float0)
        )


# ---- vmap


def _axes(case, xs):
    """Combinations of in_axes: every operand at the front, at the back or not
    mapped; for many operands only at the front."""
    choices = [
        (None, 0, -1) if len(xs) < 3 and x.ndim else (None, 0) for x in xs
    ]
    combinations = [
        c for c in itertools.product(*choices) if any(a is not None for a in c)
    ]
    if len(xs) > 2:
        combinations.append(tuple([-1 if x.ndim else 0 for x in xs]))
    return combinations


@pytest.mark.parametrize("case", [c for c in CASES if c.vmap], ids=repr)
def test_vmap(case):
    dtype = case.main_dtype
    examples = [arrays(case.make(dtype, what=str(i))) for i in range(3)]
    same = exact(case) or (case.elementwise and device.on_cpu)
    for axes in _axes(case, examples[0]):
        stacked, loop = [], []
        for i, axis in enumerate(axes):
            if axis is None:
                stacked.append(examples[0][i])
            else:
                rows = [np.asarray(e[i]) for e in examples]
                stacked.append(_dispatch.to_array(np.stack(rows, axis)))
        for e in examples:
            args = [
                e[i] if axis is not None else examples[0][i]
                for i, axis in enumerate(axes)
            ]
            loop.append(call(case, args))
        got = outputs(cotan.vmap(lambda *a: case.call(*a), axes)(*stacked))
        for k, g in enumerate(got):
            w = np.stack([np.asarray(row[k]) for row in loop])
            what = f"{case.name} in_axes={axes}"
            if same:
                same_bits(g, w, what)
            else:
                close(g, w, what, case.scale, case.atol)


@differentiable
def test_vmap_of_derivatives(case):
    dtype = derivatives.dtypes_of(case)[0]
    if not case.vmap:
        pytest.skip("not mapped")
    derivatives.check_mapped(case, dtype)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.vmap and c.args], ids=repr
)
def test_vmap_of_one_and_none(case):
    """Batches of size 1 and 0."""
    for size in (1, 0):
        xs = [
            _dispatch.to_array(np.stack([x] * size) if size else x[None][:0])
            for x in case.make(case.main_dtype)
        ]
        got = outputs(cotan.vmap(lambda *a: case.call(*a))(*xs))
        want = call(case, arrays(case.make(case.main_dtype)))
        for g, w in zip(got, want, strict=True):
            assert g.shape == (size, *w.shape)
            assert g.dtype == w.dtype

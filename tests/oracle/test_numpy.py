"""cotan.numpy against JAX: values, dtypes, shapes, weak types and the
classes of errors of every expression in tests/numpy/cases.py."""

import pytest

import cotan.numpy as cnp
from tests.numpy import cases, compare

jnp = pytest.importorskip("jax.numpy")

# JAX reports these by an error from deep inside.
OTHER_CLASS = {"jnp.mean(v, axis=3)", "jnp.swapaxes(m, 0, 5)"}
# What JAX does not have.
OURS_ONLY = {"jnp.round(i, -1)"}


@pytest.fixture(scope="module")
def names():
    return cases.operands(cnp), cases.operands(jnp)


def check(ours, theirs, expression):
    want = compare.leaves(compare.evaluate(jnp, theirs, expression))
    got = compare.leaves(compare.evaluate(cnp, ours, expression))
    assert len(got) == len(want)
    for x, y in zip(got, want, strict=True):
        assert compare.kind(x) == compare.kind(y)
        if compare.kind(x) is None:
            assert x == y or x != x
        else:
            compare.assert_same_values(x, y)


@pytest.mark.parametrize("family", sorted(cases.FAMILIES))
def test_same_as_jax(names, family):
    failed = []
    for name, expression in cases.CASES:
        if name != family or expression in OURS_ONLY:
            continue
        try:
            check(*names, expression)
        except Exception as e:
            failed.append(f"{expression}: {type(e).__name__}: {e}")
    assert not failed, "\n".join(failed)


def error_class(module, names, expression):
    try:
        compare.evaluate(module, names, expression)
    except Exception as e:
        return type(e).__name__
    return None


def test_errors_have_the_classes_of_jax(names):
    ours, theirs = names
    differ = []
    for expression in cases.ERROR_CASES:
        want = error_class(jnp, theirs, expression)
        got = error_class(cnp, ours, expression)
        if got != want and expression not in OTHER_CLASS:
            differ.append(f"{expression}: {got}, not {want}")
    assert not differ, "\n".join(differ)

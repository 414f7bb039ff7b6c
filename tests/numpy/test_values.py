"""cotan.numpy against NumPy: the values of every expression that both have."""

import numpy as np
import pytest

import cotan.numpy as cnp
from tests.numpy import cases, compare


@pytest.fixture(scope="module")
def names():
    return cases.operands(cnp), cases.operands(np)


@pytest.mark.parametrize("family", sorted(cases.FAMILIES))
def test_same_values_as_numpy(names, family):
    ours, theirs = names
    failed = []
    for name, expression in cases.NUMPY_CASES:
        if name != family:
            continue
        want = compare.evaluate(np, theirs, expression)
        try:
            got = compare.evaluate(cnp, ours, expression)
            a, b = compare.leaves(got), compare.leaves(want)
            assert len(a) == len(b)
            for x, y in zip(a, b, strict=True):
                compare.assert_same_values(x, y)
        except Exception as e:
            failed.append(f"{expression}: {type(e).__name__}: {e}")
    assert not failed, "\n".join(failed)

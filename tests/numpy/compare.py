"""How results of an expression are compared."""

import warnings

import numpy as np

# Relative tolerance per dtype; absolute is a tenth of it.
RTOL = {"float16": 4e-3, "bfloat16": 2e-2}


def evaluate(module, names, expression):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(expression, {"jnp": module, "np": np, **names})


def leaves(result):
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in leaves(part)]
    return [result]


def kind(x):
    """dtype, shape, weak type; None for what is not an Array."""
    if hasattr(x, "weak_type"):
        return str(x.dtype), tuple(x.shape), bool(x.weak_type)
    return None


def assert_same_values(got, want):
    a, b = np.asarray(got), np.asarray(want)
    assert a.shape == b.shape
    if a.dtype.kind in "fcV" or b.dtype.kind in "fcV":
        rtol = max(RTOL.get(str(x.dtype), 2e-5) for x in (a, b))
        wide = np.complex128 if "c" in a.dtype.kind + b.dtype.kind else float
        np.testing.assert_allclose(
            a.astype(wide), b.astype(wide), rtol=rtol, atol=rtol / 10
        )
    else:
        np.testing.assert_array_equal(a, b)

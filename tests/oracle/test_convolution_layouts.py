"""Input gradients of strided convolutions do not depend on the layout, though
few features that are not last are computed with features last."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from tests.device import cpu_only

LAYOUTS = (
    ("NCHW", "OIHW", "NCHW"),
    ("CNHW", "HWIO", "HCNW"),
    ("HWCN", "IHWO", "NHCW"),
    ("NHWC", "HWIO", "NHWC"),
)


def arranged(x, letters, order):
    return np.transpose(x, [letters.index(c) for c in order])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("features", [1, 3, 8, 9])
@pytest.mark.parametrize("groups", [1, 3])
def test_gradients(layout, features, groups):
    rng = np.random.default_rng(features)
    lhs, kernel, out = layout
    x = rng.normal(size=(2, features * groups, 9, 11)).astype("f4")
    w = rng.normal(size=(2 * groups, features, 3, 4)).astype("f4")

    def convolved(x, w, layout=("NCHW", "OIHW", "NCHW")):
        return lax.conv_general_dilated(
            *(x, w, (2, 3), ((1, 2), (0, 3))),
            dimension_numbers=layout,
            feature_group_count=groups,
        )

    ct = rng.normal(size=convolved(x, w).shape).astype("f4")

    def gradients(x, w, ct, layout):
        pull = cotan.vjp(lambda x, w: convolved(x, w, layout), x, w)[1]
        return pull(ct)

    plain = ("NCHW", "OIHW", "NCHW")
    want = gradients(*map(cnp.asarray, (x, w, ct)), plain)
    operands = (
        arranged(x, "NCHW", lhs),
        arranged(w, "OIHW", kernel),
        arranged(ct, "NCHW", out),
    )
    got = cotan.jit(lambda *a: gradients(*a, layout))(*operands)
    np.testing.assert_allclose(
        got[0], arranged(want[0], "NCHW", lhs), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        got[1], arranged(want[1], "OIHW", kernel), rtol=1e-4, atol=1e-4
    )
    # A direct sum: what a convolution adds up, its gradient spreads.
    moved = rng.normal(size=x.shape).astype("f4")
    left = np.vdot(np.asarray(convolved(moved, w)), ct)
    right = np.vdot(moved, want[0])
    np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-2)


@cpu_only("reads our kernels")
def test_few_features_are_computed_last():
    def text(features):
        x = cnp.zeros((2, features, 8, 8))
        w = cnp.zeros((16, features, 3, 3))
        f = cotan.jit(
            lambda x, w, ct: cotan.vjp(
                lambda x: lax.conv(x, w, (2, 2), "SAME"), x
            )[1](ct)
        )
        ct = cnp.zeros((2, 16, 4, 4))
        return f.lower(x, w, ct).compile().as_text()

    # Four phases; with features last that of one tap is a matrix product.
    assert [text(n).count("convolution") for n in (8, 9)] == [3, 4]

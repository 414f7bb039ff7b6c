"""Convolutions whose patches are laid out in each of the ways, values and both
gradients against the definition."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from tests.ops.window_cases import convolution


def data(*shape, seed=0):
    rng = np.random.default_rng((seed, *shape))
    return rng.standard_normal(shape).astype("float32")


# batch, size, channels, features, kernel, stride, (left, right), lhs dilation,
# rhs dilation, groups
SHAPES = {
    "same": (2, 12, 5, 7, 3, 1, (1, 1), 1, 1, 1),
    "first layer": (2, 21, 3, 8, 7, 2, (2, 3), 1, 1, 1),
    "one channel": (3, 20, 1, 4, 3, 1, (1, 1), 1, 1, 1),
    "strided": (2, 19, 4, 6, 3, 3, (2, 0), 1, 1, 1),
    "dilated": (2, 17, 4, 6, 3, 1, (2, 2), 1, 2, 1),
    "transposed": (2, 9, 4, 6, 4, 1, (2, 2), 2, 1, 1),
    "all of them": (2, 11, 4, 6, 3, 2, (3, -1), 3, 2, 1),
    "negative padding": (2, 14, 4, 6, 3, 1, (-2, -1), 1, 1, 1),
    "deep": (1, 10, 140, 9, 3, 1, (1, 1), 1, 1, 1),
    "wide": (1, 40, 4, 6, 3, 1, (1, 1), 1, 1, 1),
    "depthwise": (2, 18, 6, 6, 3, 1, (1, 1), 1, 1, 6),
    "depthwise strided": (2, 18, 6, 12, 3, 2, (1, 0), 1, 1, 6),
    "depthwise dilated": (2, 13, 6, 6, 3, 2, (1, 2), 3, 2, 6),
    "wide groups": (2, 12, 16, 24, 3, 1, (1, 1), 1, 1, 2),
    "point": (2, 9, 8, 12, 1, 1, (0, 0), 1, 1, 1),
    "kernel of the size": (3, 8, 4, 6, 8, 1, (0, 0), 1, 1, 1),
}
LAYOUTS = {
    "NHWC": ("NHWC", "HWIO", "NHWC"),
    "NCHW": ("NCHW", "OIHW", "NCHW"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SHAPES)
def test_against_the_definition(name, layout):
    n, size, ci, co, k, s, pad, ldil, rdil, groups = SHAPES[name]
    order = {"N": n, "C": ci, "H": size, "W": size + 1}
    kernel = {"O": co, "I": ci // groups, "H": k, "W": k}
    numbers = LAYOUTS[layout]
    x = data(*(order[c] for c in numbers[0]))
    w = data(*(kernel[c] for c in numbers[1]), seed=1)
    specs = lax.conv_dimension_numbers(x.shape, w.shape, numbers)

    def ours(x, w):
        return lax.conv_general_dilated(
            x,
            w,
            (s, s),
            (pad, pad),
            (ldil, ldil),
            (rdil, rdil),
            numbers,
            feature_group_count=groups,
        )

    def theirs(x, w):
        two = [(v, v) for v in (s, ldil, rdil)]
        return convolution(
            x, w, two[0], (pad, pad), two[1], two[2], specs, groups, 1
        )

    wide = x.astype(float), w.astype(float)
    want = theirs(*wide)
    scale = np.sqrt(ci // groups * k * k)
    np.testing.assert_allclose(ours(x, w), want, 1e-5, 1e-5 * scale)
    # Linear in each: <y, conv(dx, w)> = <grad of x, dx>.
    y = data(*want.shape, seed=2)
    gx, gw = cotan.grad(lambda x, w: cnp.sum(y * ours(x, w)), (0, 1))(x, w)
    for i, g in enumerate((gx, gw)):
        for seed in (3, 4):
            d = data(*g.shape, seed=seed).astype(float)
            moved = theirs(d, wide[1]) if i == 0 else theirs(wide[0], d)
            inner = np.sum(np.asarray(g, float) * d)
            size_of = np.linalg.norm(y) * np.linalg.norm(moved)
            assert abs(inner - np.sum(y * moved)) < 2e-6 * size_of, "xw"[i]


@pytest.mark.parametrize(
    ("lhs", "rhs", "product"),
    [
        ("NHWC", "HWIO", True),
        ("NHWC", "OIHW", True),
        ("HNWC", "OHWI", True),
        ("NCHW", "OIHW", False),
    ],
)
def test_windows_of_one_element_are_products(lhs, rhs, product):
    rng = np.random.default_rng(0)
    size = {"N": 2, "H": 5, "W": 4, "C": 3}
    x = rng.normal(size=[size[c] for c in lhs]).astype("float32")
    size = {"H": 1, "W": 1, "I": 3, "O": 7}
    w = rng.normal(size=[size[c] for c in rhs]).astype("float32")

    def f(x, w):
        return cotan.lax.conv_general_dilated(
            x, w, (1, 1), "VALID", dimension_numbers=(lhs, rhs, lhs)
        )

    def equation(shape, letters):
        return "".join(letters[c] for c in shape)

    left = equation(lhs, dict(zip("NHWC", "nhwc", strict=True)))
    right = equation(rhs, dict(zip("HWIO", "ijco", strict=True)))
    out = left.replace("c", "o")
    want = np.einsum(f"{left},{right}->{out}", x, w)
    np.testing.assert_allclose(cotan.jit(f)(x, w), want, 1e-5, 1e-5)
    text = cotan.jit(f).lower(x, w).compile().as_text()
    assert ("gemm" in text) == product


def test_holes_are_not_multiplied():
    """The gradient of a convolution with stride 2 is four small ones."""
    x = np.ones((2, 8, 8, 3), "float32")
    w = np.ones((3, 3, 3, 4), "float32")

    def f(x):
        return cotan.lax.conv_general_dilated(
            x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    y, pull = cotan.vjp(f, x)
    back = cotan.jit(lambda ct: pull(ct)[0])
    text = back.lower(y).compile().as_text()
    kernels = sum("convolution" in line for line in text.splitlines())
    products = sum("gemm" in line for line in text.splitlines())
    assert (kernels, products) == (3, 1)  # 2x2, 2x1 and 1x2 taps; one tap
    want = np.zeros(x.shape)
    for i in range(4):
        for j in range(4):
            rows, cols = (slice(2 * k, min(2 * k + 3, 8)) for k in (i, j))
            want[:, rows, cols] += 4.0
    np.testing.assert_allclose(back(cnp.ones_like(y)), want, 1e-6)

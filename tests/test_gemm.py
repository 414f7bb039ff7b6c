"""Generated matrix products against references, built beside the package."""

import os
import pathlib

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from tests.support import run

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")


@pytest.fixture(scope="module")
def binary():
    if not (BUILD / "CMakeCache.txt").exists():
        pytest.skip(f"no developer build in {BUILD}")
    run("cmake", "--build", BUILD, "--target", "cotan_gemm_test")
    return BUILD / "tests" / "cpp" / "gemm" / "cotan_gemm_test"


@pytest.mark.parametrize("seed", [1, 2])
def test_random_products(binary, seed):
    assert " 0 bad" in run(binary, 80, seed)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bfloat16"])
def test_few_columns(dtype):
    """They are computed as few rows, from any layout of the operands."""
    rng = np.random.default_rng(0)
    sizes = [(m, k) for m in (63, 64, 65, 200) for k in (23, 24, 64, 131)]
    layouts = (
        (lambda x, y: x @ y, False, False),
        (lambda x, y: x.T @ y, True, False),
        (lambda x, y: x @ y.T, False, True),
        (lambda x, y: x.T @ y.T, True, True),
        (lambda x, y: cnp.maximum(x @ y + 1, -1e3) - 1, False, False),
        (lambda x, y: (x[None] @ y)[0], False, False),
    )
    with cotan.enable_x64():
        for n in range(1, 10):
            for m, k in sizes:
                a, b = (
                    cnp.asarray(rng.integers(-3, 4, s)).astype(dtype)
                    for s in ((m, k), (k, n))
                )
                want = np.asarray(a, "f8") @ np.asarray(b, "f8")
                for f, left, right in layouts:
                    x = cnp.array(a.T) if left else a
                    y = cnp.array(b.T) if right else b
                    got = np.asarray(cotan.jit(f)(x, y))
                    assert np.array_equal(got, want), (m, k, n)

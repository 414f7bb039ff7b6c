"""Generated matrix products against references, built beside the package."""

import os
import pathlib

import pytest

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

"""The math functions against wide references: a sample of `make accuracy`."""

import os
import pathlib
import re

import pytest

from tests.support import run

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEVELOPER = ROOT / os.environ.get("BUILD", "build")


def test_sampled_accuracy():
    cache = DEVELOPER / "CMakeCache.txt"
    if not cache.exists():
        pytest.skip("needs the developer build: make dev")
    if not re.search(r"COTAN_QUADMATH:\w+=(1|ON)", cache.read_text()):
        pytest.skip("needs libquadmath, which comes with g++")
    target = "cotan_accuracy"
    jobs = str(os.cpu_count() or 2)
    run("cmake", "--build", DEVELOPER, "-j", jobs, "--target", target)
    run(DEVELOPER / "tools" / target, "--quick")

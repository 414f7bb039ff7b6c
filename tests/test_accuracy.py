"""The math functions and those of scipy.special against wide references: a
sample of `make accuracy`."""

import os
import pathlib
import re

import pytest

import cotan.scipy.special
from tests.support import load_tool, run

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


def _rows():
    """The lines of docs/accuracy.md on scipy.special: (function, type) to the
    greatest error by condition."""
    text = (ROOT / "docs" / "accuracy.md").read_text()
    rows = {}
    for line in text.split("\n## scipy.special\n")[1].splitlines():
        if line.startswith("| ") and "ULP" not in line:
            name, type_, _, _, error, _ = line.strip("| ").split(" | ")
            rows[name, type_] = float(error.split(" (")[0])
    return rows


ROWS = _rows()
TYPES = {"f32": "float32", "f64": "float64"}
tool = load_tool("special_accuracy")


def test_every_special_function_is_measured():
    assert {name for name, _ in ROWS} == set(tool.CASES)
    names = {name.split(" ")[0] for name in tool.CASES}
    other = "bernoulli gammasgn log_softmax logsumexp softmax sph_harm_y"
    assert names | set(other.split()) == set(cotan.scipy.special.__all__)


@pytest.mark.parametrize("key", ROWS, ids="-".join)
def test_special_function(key):
    """A sample of other arguments is about as accurate as the page says."""
    name, type_ = key
    dtype = TYPES[type_]
    special, x64 = tool.ours(dtype)
    with x64:
        errors = tool.measure(name, dtype, special, 100)
    assert errors.wrong == 0
    assert errors.conditioned.max() <= 1.5 * ROWS[key] + 1

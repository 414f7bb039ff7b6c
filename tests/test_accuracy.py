"""The math functions against wide references: a sample of `make accuracy`."""

import pathlib

import pytest

from tests.support import run

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_sampled_accuracy():
    program = ROOT / "build" / "tools" / "cotan_accuracy"
    if not program.exists():
        pytest.skip("needs the program of make dev, and quadmath to build it")
    run(program, "--quick")

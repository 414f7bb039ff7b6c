"""What every test may use: a seed that comes from the test's own name."""

import pathlib
import zlib

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture
def rng(request):
    """A NumPy generator seeded by the name of the test."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def root():
    """The repository's root folder."""
    return ROOT

"""What every test may use: a seed that comes from the test's own name."""

import os
import pathlib
import signal
import sys
import zlib

import numpy as np
import pytest

from tests import device

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Tools installed beside this Python (cmake, ninja, ruff) come first, whether
# or not its environment was activated.
_BIN = os.path.dirname(sys.executable)
os.environ["PATH"] = _BIN + os.pathsep + os.environ.get("PATH", "")


device.use()

# A shell's background jobs ignore Ctrl-C, and what they start does too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng(request):
    """A NumPy generator seeded by the name of the test."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def root():
    """The repository's root folder."""
    return ROOT


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """Drops what the oracle compiled: it would grow to gigabytes."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()

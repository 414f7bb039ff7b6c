"""The device that the tests run on: the CPU, or what COTAN_TEST_DEVICE names
("pjrt:cpu"). The generated matrices run on either; what only our CPU code
promises asks `on_cpu`.
"""

import os

import pytest

import cotan
from cotan import _core

NAME = os.environ.get("COTAN_TEST_DEVICE", "cpu")
on_cpu = NAME == "cpu"
# XLA's functions are less accurate than ours; its sums are in another order.
LOOSER = 1.0 if on_cpu else 4.0
# XLA divides by a number that it broadcasts by multiplying with 1 / x, and has
# no fma for the sign of a complex number.
ROUNDED = () if on_cpu else ("div", "sign")
# What has StableHLO only where a plugin can call the host program: callbacks.
NO_STABLEHLO = frozenset("debug_callback io_callback pure_callback".split())


def cpu_only(reason):
    """Marks a test of what only our CPU code can do."""
    return pytest.mark.skipif(not on_cpu, reason=reason)


def use():
    """Makes it the default device."""
    if not on_cpu:
        _core.set_default_device(cotan.devices(NAME)[0])

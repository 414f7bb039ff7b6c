"""What our layers add to a plugin's own time, and what writing text takes."""

import time

import numpy as np
import pytest

import cotan
from bench import pjrt as bench


def test_a_call_costs_little_more_than_the_plugin(cpu_plugin, fake_plugin):
    """fake_plugin: that there is a C++ compiler."""
    for _ in range(3):  # the machine may be busy
        times = bench.overhead(rounds=20, number=500)
        over = {k: t - times["C API"] for k, t in times.items()}
        if max(over.values()) <= 1.5:
            return
    pytest.fail(f"microseconds over the C API: {over}")


def test_text_is_written_fast():
    lowered = cotan.jit(bench.thousand).lower(np.ones(8, "f4"))
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        lowered.as_text("stablehlo")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) <= 10e-3

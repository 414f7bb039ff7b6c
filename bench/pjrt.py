"""What the PJRT bridge costs: `python -m bench.pjrt`.

A call of a tiny program on XLA's CPU plugin from Python, a transfer, and the
time to write StableHLO. The plugin's own time for Execute, Await and Destroy of
this program is about 3 us.
"""

from __future__ import annotations

import time

import numpy as np

import cotan
import cotan.numpy as cnp


def best(f, repeat=7, number=2000):
    """Microseconds of one call, the best of several runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(number):
            f()
        times.append((time.perf_counter() - start) / number)
    return min(times) * 1e6


def thousand(x):
    for i in range(500):
        x = cnp.sin(x) * (1 + i)
    return x


def main():
    device = cotan.devices("pjrt:cpu")[0]
    x = cotan.device_put(np.ones(8, "f4"), device)
    f = cotan.jit(lambda v: v + 1)
    rows = {
        "jit call, f32[8]": best(lambda: f(x)),
        "eager x + x, f32[8]": best(lambda: x + x),
        "jit call and read": best(lambda: np.asarray(f(x))),
        "device_put, f32[8]": best(
            lambda: cotan.device_put(np.ones(8, "f4"), device)
        ),
    }
    lowered = cotan.jit(thousand).lower(np.ones(8, "f4"))
    rows["StableHLO of 1000 equations"] = best(
        lambda: lowered.as_text("stablehlo"), number=5
    )
    for name, us in rows.items():
        print(f"{name:32} {us:10.2f} us")


if __name__ == "__main__":
    main()

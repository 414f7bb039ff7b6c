"""What the PJRT bridge costs: `python -m bench.pjrt`.

A call of a tiny program on XLA's CPU plugin, in this process by turns through
the plugin's bare C API (Execute, Await, Destroy), our Executable, our jit in
C++ (both by bench/cpp/pjrt_overhead.cpp) and jit in Python; then transfers and
the time to write StableHLO.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np

import cotan
import cotan.numpy as cnp
from cotan import pjrt

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLATFORM = "pjrt:cpu"


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


def build(folder):
    """The C++ side of the comparison, as a library."""
    library = pathlib.Path(folder) / "pjrt_overhead.so"
    lib = pathlib.Path(cotan.__file__).parent / "lib"
    subprocess.run(
        [
            *(os.environ.get("CXX", "c++"), "-O2", "-std=c++20", "-shared"),
            *("-fPIC", "-Wno-invalid-offsetof", f"-I{ROOT / 'csrc'}"),
            str(ROOT / "bench/cpp/pjrt_overhead.cpp"),
            *(f"-L{lib}", "-lcotan", f"-Wl,-rpath,{lib}", "-o", str(library)),
        ],
        check=True,
    )
    return ctypes.CDLL(str(library))


def overhead(rounds=60, number=1000):
    """{way: microseconds of one call}, minima of turns."""
    device = cotan.devices(PLATFORM)[0]
    with tempfile.TemporaryDirectory() as folder:
        native = build(folder)
    native.pjrt_overhead_setup.restype = ctypes.c_char_p
    native.pjrt_overhead_ns.restype = ctypes.c_double
    path = pjrt.describe(PLATFORM)["path"]
    error = native.pjrt_overhead_setup(path.encode(), PLATFORM.encode())
    if error:
        raise RuntimeError(error.decode())
    x = cotan.device_put(np.ones(8, "f4"), device)
    f = cotan.jit(lambda v: v + 1)
    names = "C API", "Executable", "jit in C++"
    ways = {
        name: lambda way=way: native.pjrt_overhead_ns(way, number) / 1e3
        for way, name in enumerate(names)
    }
    ways["jit in Python"] = lambda: best(
        lambda: f(x).block_until_ready(), 1, number
    )
    out = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            out[name] = min(out[name], way())
    return out


def main():
    times = overhead()
    for name, us in times.items():
        print(f"{name:32} {us:10.2f} us  {us - times['C API']:+.2f}")
    device = cotan.devices(PLATFORM)[0]
    x = cotan.device_put(np.ones(8, "f4"), device)
    f = cotan.jit(lambda v: v + 1)
    rows = {
        "jit call, not awaited": best(lambda: f(x)),
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

"""Compiles for TPU topologies, without a TPU: every case of the primitive
matrix and the training steps of tests/pjrt/test_aot.py. Prints what failed as
it goes, then a table of counts; the exit status is 1 if anything failed.

    python tools/tpu_sweep.py                        v4, v5e, v5p and v6e
    python tools/tpu_sweep.py v5e:2x2 -k cholesky    some of it

Needs libtpu (pip install cotan[tpu]); takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import collections
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")

import cotan  # noqa: E402
from cotan import aot  # noqa: E402
from tests import device  # noqa: E402
from tests.ops.case import arrays  # noqa: E402
from tests.ops.test_matrix import CASES  # noqa: E402
from tests.pjrt import test_aot  # noqa: E402

TOPOLOGIES = ("v4:2x2x1", "v5e:2x2", "v5p:2x2x1", "v6e:2x2")
COLUMNS = ("compiled", "no TPU type", "no rule", "failed")


def compile_case(case, topology):
    """Which column the case belongs to."""
    with cotan.enable_x64():
        xs = arrays(case.make(case.main_dtype))
        wide = test_aot.WIDE
        if case.main_dtype in wide or any(x.dtype.name in wide for x in xs):
            return "no TPU type"
        lowered = cotan.jit(lambda *a: case.call(*a)).lower(*xs)
        if case.primitive in device.NO_STABLEHLO:
            try:
                lowered.as_text("stablehlo")
            except NotImplementedError:
                return "no rule"
            raise AssertionError(f"{case.primitive} has a rule now")
    compiled = lowered.compile(topology=topology)
    leaves = cotan.tree.leaves(lowered.out_info)
    want = [(a.dtype.name, a.shape) for a in leaves]
    if compiled.outputs != want:
        raise AssertionError(f"results {compiled.outputs}, expected {want}")
    return "compiled"


def compile_step(step, args, topology):
    """Bytes of the weights, and those that results take over."""
    jitted = cotan.jit(step, donate_argnums=0)
    memory = jitted.lower(*args).compile(topology=topology).memory_analysis()
    weights = sum(w.nbytes for w in cotan.tree.leaves(args[0]))
    return weights, memory["alias_size_in_bytes"]


def sweep(name, words):
    topology = aot.topology(name)
    counts = collections.Counter()
    start = time.perf_counter()

    def failed(what, error):
        counts["failed"] += 1
        text = " ".join(str(error).split())[:300]
        print(f"{name} {what}: {type(error).__name__}: {text}", flush=True)

    for case in CASES:
        if words and not any(w in case.name for w in words):
            continue
        try:
            counts[compile_case(case, topology)] += 1
        except Exception as e:
            failed(case.name, e)
    steps = {
        "digits step": lambda: test_aot.digits_step(ROOT),
        "transformer step": test_aot.transformer_step,
        "scanned steps": test_aot.scanned_steps,
    }
    donated = []
    for what, make in {} if words else steps.items():
        try:
            weights, alias = compile_step(*make(), topology)
            donated.append(f"{what} {alias}/{weights}")
            if alias < weights:
                raise AssertionError(f"{alias} of {weights} bytes are donated")
        except Exception as e:
            failed(what, e)
    return counts, donated, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("topologies", nargs="*", default=TOPOLOGIES)
    parser.add_argument("-k", action="append", default=[], metavar="WORD")
    args = parser.parse_args()
    rows = {name: sweep(name, args.k) for name in args.topologies}
    print(f"\n{'':10}" + "".join(f"{c:>13}" for c in COLUMNS) + "   seconds")
    for name, (counts, donated, seconds) in rows.items():
        cells = "".join(f"{counts[c]:13}" for c in COLUMNS)
        print(f"{name:10}{cells}{seconds:10.0f}")
        if donated:
            print("  donated/weights, bytes: " + ", ".join(donated))
    sys.exit(any(c["failed"] for c, _, _ in rows.values()))


if __name__ == "__main__":
    main()

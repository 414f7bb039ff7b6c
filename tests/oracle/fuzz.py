"""Random programs under nested transformations: cotan evaluated, cotan
compiled and JAX agree.

    python -m tests.oracle.fuzz --count 1000 --seed 0    # seeds 0 to 999
    python -m tests.oracle.fuzz --seed 17 --show         # one, as text

A program is made from its seed alone: 10 to 60 operations on typed values, of
which some are transformations (jit, grad, jvp, vmap, scan, while_loop, cond,
checkpoint, custom rules, ...) of blocks of operations that also see the values
around them. It runs with either library's modules. All in 64 bits, so that a
difference is a mistake and not rounding; see `differences`.
"""

from __future__ import annotations

import argparse
import os
import sys

import numpy as np

from tests.oracle import (
    fuzz_complex,
    fuzz_more,
    fuzz_operations,
    fuzz_transforms,
)
from tests.oracle.fuzz_block import Block, C, F, I, Type

Block.operations = [
    *fuzz_operations.OPERATIONS,
    *fuzz_more.OPERATIONS,
    *fuzz_complex.OPERATIONS,
]
Block.transforms = fuzz_transforms.TRANSFORMS

# A program runs once: most of its time is XLA's compile time, with these a
# third. XLA makes mistakes with them, so a difference counts only if it stays
# without them.
FAST = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
}


class Program:
    INPUTS = (
        Type(F, (3, 4)),
        Type(F, (4,)),
        Type(F, (2, 3)),
        Type(F, ()),
        Type(I, ()),
        Type(I, (5,)),
        Type(C, (3, 2)),
    )

    def __init__(self, seed: int):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(10, 61))
        self.seed = seed
        self.block = Block(rng, [], list(self.INPUTS), 0, size)
        self.inputs = [self._input(rng, t) for t in self.INPUTS]

    @staticmethod
    def _input(rng, t):
        if t.dtype == I:
            return rng.integers(0, 3, t.shape)
        if t.dtype == C:
            return rng.normal(size=t.shape) + 1j * rng.normal(size=t.shape)
        return rng.normal(size=t.shape)

    def values(self, m, *inputs, **options):
        """All values of the program, in order."""
        return self.block.run(m, [], *inputs, **options)[len(self.INPUTS) :]

    def __str__(self):
        return f"seed {self.seed} {self.block.text()}"


class Library:
    def __init__(self, jax, lax):
        self.jax, self.jnp, self.lax = jax, jax.numpy, lax


def libraries():
    import jax
    import jax.scipy.linalg
    import jax.scipy.special

    import cotan
    import cotan.lax
    import cotan.nn
    import cotan.numpy
    import cotan.scipy.linalg
    import cotan.scipy.special

    return Library(cotan, cotan.lax), Library(jax, jax.lax)


def differences(got, want, rtol=1e-7) -> list[str]:
    """What differs, by the scale of each value: 64-bit rounding leaves nine
    digits after any of these programs."""
    out = []
    for k, (a, b) in enumerate(zip(got, want, strict=True)):
        weak = [bool(getattr(x, "weak_type", False)) for x in (a, b)]
        if weak[0] != weak[1]:
            out.append(f"{k}: weak {weak[0]}, expected {weak[1]}")
            continue
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype != b.dtype or a.shape != b.shape:
            out.append(f"{k}: {a.dtype}{a.shape}, expected {b.dtype}{b.shape}")
            continue
        finite = np.isfinite(b)
        scale = 1 + np.max(np.abs(b[finite]), initial=0)
        same = np.isclose(a, b, rtol=rtol, atol=rtol * scale, equal_nan=True)
        if not np.all(same):
            out.append(f"{k}: {a}, expected {b}")
    return out


def reference(program: Program, options=None):
    _, m = libraries()
    f = m.jax.jit(lambda *xs: program.values(m, *xs))
    out = f.lower(*program.inputs).compile(options)(*program.inputs)
    return m.jax.block_until_ready(out)


def unstable(program: Program, want) -> set[int]:
    """The values that JAX itself does not give twice: when the inputs, or all
    values, are moved by rounding. It decided a comparison."""
    _, m = libraries()
    rng = np.random.default_rng(program.seed)

    def move(x):
        if not m.jnp.issubdtype(x.dtype, np.inexact):
            return x
        size = None if x.weak_type else x.shape
        return x * (1 + 1e-14 * rng.normal(size=size))

    wrong = []
    for _ in range(4):
        inputs = [move(m.jnp.asarray(x)) for x in program.inputs]
        wrong += differences(program.values(m, *inputs), want)
        moved = program.values(m, *inputs, change=move)
        wrong += differences(moved, want)
    return {int(text.split(":", 1)[0]) for text in wrong}


def disagreement(
    program: Program, want, eager=True, without=frozenset()
) -> str | None:
    """What cotan's values are and should be, of all but some."""
    ours, _ = libraries()
    first = len(program.INPUTS)
    runs = {
        "jit": ours.jax.jit(lambda *xs: program.values(ours, *xs)),
        "eager": lambda *xs: program.values(ours, *map(ours.jnp.asarray, xs)),
    }
    for name, run in runs.items():
        if name == "eager" and not eager:
            continue
        try:
            wrong = differences(run(*program.inputs), want)
            wrong = [t for t in wrong if int(t.split(":")[0]) not in without]
        except Exception as e:
            return f"{name}: {type(e).__name__}: {e}\n{program}"
        if wrong:
            k, text = wrong[0].split(":", 1)
            return f"{name}: v{first + int(k)} is{text}\n{program}"
    return None


def check(program: Program, eager=True) -> str | None:
    """None, or what is wrong."""
    _, m = libraries()
    try:
        wrong = disagreement(program, reference(program, FAST), eager)
    except m.jax.errors.JaxRuntimeError:  # XLA compiled what it cannot run
        wrong = "XLA"
    if wrong:
        try:
            want = reference(program)
        except m.jax.errors.JaxRuntimeError:
            want = program.values(m, *map(m.jnp.asarray, program.inputs))
        wrong = disagreement(program, want, eager)
    if wrong:
        wrong = disagreement(program, want, eager, unstable(program, want))
    return wrong


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args(argv)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    ours, theirs = libraries()
    failed = 0
    with ours.jax.enable_x64(True), theirs.jax.enable_x64(True):
        for seed in range(args.seed, args.seed + args.count):
            program = Program(seed)
            if args.show:
                print(program)
            try:
                wrong = check(program)
            except Exception as e:  # JAX refuses it: a mistake here
                wrong = f"JAX: {type(e).__name__}: {e}\n{program}"
            if wrong:
                failed += 1
                print(wrong, flush=True)
            if (seed + 1) % 50 == 0:
                print(f"seeds up to {seed}: {failed} mismatches", flush=True)
                ours.jax.clear_caches()
                theirs.jax.clear_caches()
    print(f"{args.count} programs, {failed} mismatches")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())

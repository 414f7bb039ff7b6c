"""The programs of fuzz.py as data: typed values, and how they are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

F, I, B, C = "float64", "int64", "bool", "complex128"
MAX_DEPTH = 3


@dataclasses.dataclass(frozen=True)
class Type:
    dtype: str
    shape: tuple[int, ...]


@dataclasses.dataclass
class Step:
    """One value: run(m, env) computes it from those before."""

    text: str
    type: Type
    run: Callable[[Any, list], Any]


class Block:
    """A function of arguments that also sees the values around it. A value's
    number is its place among all that are visible."""

    # Functions of a block that add to it; fuzz.py knows them all.
    operations: ClassVar[list] = []
    transforms: ClassVar[list] = []

    def __init__(self, rng, outer: list[Type], args: list[Type], depth, size):
        self.rng, self.depth = rng, depth
        self.types = [*outer, *args]
        self.num_outer, self.num_args = len(outer), len(args)
        self.steps: list[Step] = []
        self.budget = size
        while self.budget > 0:
            self.budget -= 1
            self.grow()

    # ---- choosing operands

    def pick(self, dtype=F, test=lambda t: True):
        """The number of a value, later ones more often; None: there is none."""
        fits = [
            i for i, t in enumerate(self.types) if t.dtype == dtype and test(t)
        ]
        if not fits:
            return None
        n = len(fits)
        return fits[min(n - 1, int(n * np.sqrt(self.rng.random())))]

    def add(self, text, type_, run):
        self.steps.append(Step(text, type_, run))
        self.types.append(type_)
        return len(self.types) - 1

    def choice(self, items):
        return items[int(self.rng.integers(len(items)))]

    def grow(self):
        nested = self.depth < MAX_DEPTH and self.rng.random() < 0.18
        kinds = self.transforms if nested else self.operations
        self.choice(kinds)(self)

    def sub(self, args, size=None):
        n = int(size or self.rng.integers(2, 6))
        self.budget -= n // 2
        return Block(self.rng, self.types, args, self.depth + 1, n)

    # ---- running

    def run(self, m, env, *args, change=lambda x: x):
        """All values, of which each step's pass through `change`."""
        values = [*env, *args]
        for step in self.steps:
            values.append(change(step.run(m, values)))
        return values

    def result(self, want: Type):
        """A function of the values that ends in `want`: the last float that
        can be reduced to it."""
        i = self.pick()
        j = self.pick(F, lambda t: t.shape == want.shape)

        def finish(m, values):
            x = m.jnp.mean(values[i])
            y = m.jnp.tanh(x)
            if j is not None:
                y = y + m.jnp.sin(values[j]) * 0.5
            return m.jnp.broadcast_to(y, want.shape)

        return finish

    def text(self, indent=""):
        n = self.num_outer
        args = ", ".join(f"v{n + k}" for k in range(self.num_args))
        lines = [f"{indent}({args}):"]
        first = n + self.num_args
        for k, s in enumerate(self.steps):
            body = s.text.replace("\n", "\n" + indent + "  ")
            dims = ",".join(map(str, s.type.shape))
            lines.append(
                f"{indent}  v{first + k}: {s.type.dtype}[{dims}] = {body}"
            )
        return "\n".join(lines)

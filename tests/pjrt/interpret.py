"""Evaluates StableHLO with jaxlib's reference interpreter, for test_stablehlo.

Reads a pickle of {name: (text, operands, results)} from the path that is given
and prints a line per name: `equal`, `refused` (what the bindings cannot hold or
the interpreter does not know) or the difference. Each is evaluated in a child:
what the interpreter does not know ends its process.
"""

import os
import pickle
import sys

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir._mlir_libs import _jax_mlir_ext
from jaxlib.mlir.dialects import chlo, stablehlo

UNSIGNED = {"uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}


def attribute(x):
    if x.dtype.name in UNSIGNED:
        t = ir.IntegerType.get_unsigned(UNSIGNED[x.dtype.name])
        return ir.DenseElementsAttr.get(x, type=t)
    return ir.DenseElementsAttr.get(x)


def evaluate(text, operands, results):
    registry = ir.DialectRegistry()
    _jax_mlir_ext.register_dialects(registry)
    context = ir.Context()
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()
    with context, ir.Location.unknown():
        stablehlo.register_dialect(context)
        chlo.register_dialect(context)
        module = ir.Module.parse(text)
        got = stablehlo.eval_module(module, [attribute(x) for x in operands])
        for g, w in zip(got, results, strict=True):
            # Products of the interpreter are not in f64 either.
            np.testing.assert_allclose(
                np.array(g).reshape(w.shape), w, rtol=2e-5, atol=2e-5
            )


def main(path):
    with open(path, "rb") as f:
        programs = pickle.load(f)
    for name, program in programs.items():
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            verdict = "refused"
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                evaluate(*program)
                verdict = "equal"
            except AssertionError as e:
                verdict = " ".join(str(e).split())
            except Exception:
                pass
            os.write(writer, verdict.encode()[:4000])
            os._exit(0)
        os.close(writer)
        _, status = os.waitpid(child, 0)
        verdict = os.read(reader, 4000).decode()
        os.close(reader)
        print(f"{name}: {verdict if status == 0 else 'refused'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

"""The dtype, shape and weak type of what each function of arrays returns, for
weak and strong, integer, real and complex arguments: JAX's. They are kept in a
file, since XLA takes minutes to compile all of them:

    python -m tests.oracle.test_weak_types    # asks JAX again
"""

import importlib
import inspect
import pathlib
import warnings

import pytest

import cotan
import cotan.scipy.linalg
import cotan.scipy.signal
import cotan.scipy.special

ROWS = pathlib.Path(__file__).resolve().parent.parent / "data"
ROWS = ROWS / "jax_result_types.tsv"
MODULES = (
    "numpy",
    "numpy.linalg",
    "numpy.fft",
    "lax",
    "lax.linalg",
    "nn",
    "scipy.special",
    "scipy.linalg",
    "scipy.signal",
)
# Files, uninitialised values, and exp1, which XLA compiles for minutes.
SKIPPED = set("save savez load fromfile empty empty_like exp1".split())
SKIPPED |= set("create_token shape_as_value".split())
# XLA compiles these for long.
SKIPPED |= set("expi expn hyp1f1 hyp2f1 owens_t sici fresnel bessel_jn".split())
# What differs on purpose or is open.
DIFFERENT = {
    "numpy.atan2",  # of complex numbers
    "numpy.arctan2",
    "numpy.broadcast_shapes",  # of arrays
    "lax.broadcast_shapes",
    "numpy.pad",  # widths that are no integers
    "numpy.roll",
    "numpy.polyadd",  # matrices
    "numpy.polysub",
    "numpy.histogram",  # of complex numbers
    "numpy.logical_and",  # a weak and a strong scalar
    "numpy.logical_or",
    "numpy.logical_xor",
    "numpy.intersect1d",  # weak complex numbers
    "numpy.setdiff1d",
    "numpy.setxor1d",
    "numpy.union1d",
    "numpy.linalg.lstsq",  # weak singular values beside a strong solution
    "lax.top_k",  # weak integers: pivots, permutations, indices
    "lax.linalg.lu",
    "scipy.linalg.lu_factor",
    "lax.linalg.hessenberg",
    "lax.linalg.tridiagonal",
    "lax.cumlogsumexp",  # of complex numbers
    "lax.broadcast_to_rank",  # a rank that is an array
    "scipy.special.boxcox",  # of complex numbers
    "scipy.special.boxcox1p",
    "scipy.special.owens_t",
    "scipy.special.logit",
    "scipy.linalg.fiedler_companion",  # of scalars
    "scipy.linalg.polar",
}
# A number of points that is a weak float
WINDOWS = "bartlett blackman hamming hanning kaiser indices broadcast_to"
DIFFERENT |= {f"numpy.{name}" for name in WINDOWS.split()}
DIFFERENT |= {"numpy.fft.fftfreq", "numpy.fft.rfftfreq"}


def arguments(np_):
    half = np_.array(0.5)  # weak
    return {
        "wf0": half,
        "wf1": half * np_.arange(1, 4),
        "wf2": half * (np_.eye(3, dtype=int) * 3 + 1),
        "wi0": np_.array(2),
        "wi1": np_.broadcast_to(np_.array(2), (3,)),
        "wc1": np_.broadcast_to(np_.array(0.5 + 1j), (3,)),
        "sf1": np_.ones(3, "float32"),
        "sf2": np_.eye(3, dtype="float32") * 2,
        "si0": np_.ones((), "int32"),
        "si1": np_.arange(3, dtype="int32"),
    }


OURS = arguments(cotan.numpy)


def combinations(count):
    if count <= 1:
        return [(k,) for k in OURS]
    if count == 2:
        return [
            (a, b)
            for a in "wf1 wi1 sf1 wc1".split()
            for b in "wf1 wi0 sf1".split()
        ]
    if count == 3:
        return [("wf1", "wf1", "wf1"), ("sf1", "wf1", "wi0")]
    return []


def required(f):
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    return sum(
        p.kind in kinds and p.default is inspect.Parameter.empty
        for p in inspect.signature(f).parameters.values()
    )


def types(tree):
    """f32[3]* is weak."""
    leaves = cotan.tree_util.tree_leaves(tree)
    return " ".join(
        f"{x.dtype}{list(x.shape)}{'*' if x.weak_type else ''}".replace(" ", "")
        for x in leaves
        if hasattr(x, "weak_type")
    )


def functions(module):
    owner = importlib.import_module(f"cotan.{module}")
    for name in getattr(owner, "__all__", dir(owner)):
        f = getattr(owner, name)
        usable = callable(f) and not isinstance(f, type)
        if usable and not name.startswith("_") and name not in SKIPPED:
            yield name, f


def rows():
    """(function, keys of its arguments, types of the results)"""
    for line in ROWS.read_text().splitlines():
        name, *calls = line.split("\t")
        for call in calls:
            keys, result = call.split(": ")
            yield name, keys.split(), result


@pytest.mark.parametrize("module", MODULES)
def test_types(module):
    known = dict(functions(module))
    wrong, compared = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path, keys, want in rows():
            owner, name = path.rsplit(".", 1)
            if owner != module or name not in known or path in DIFFERENT:
                continue
            try:
                got = types(known[name](*(OURS[k] for k in keys)))
            except Exception as e:
                got = repr(e)
            compared += 1
            if got != want:
                wrong.append(f"{path} {keys}: {got}, expected {want}")
    assert not wrong, "\n".join(wrong)
    assert compared > 10


def main():
    import jax

    theirs = arguments(jax.numpy)
    lines = []
    for module in MODULES:
        owner = importlib.import_module(f"jax.{module}")
        for name, f in functions(module):
            g = getattr(owner, name, None)
            if not callable(g) or isinstance(g, type):
                continue
            lines.append(f"{module}.{name}")
            for keys in combinations(required(f)):
                try:
                    result = types(g(*(theirs[k] for k in keys)))
                except Exception:  # not for such arguments
                    continue
                lines[-1] += f"\t{' '.join(keys)}: {result}"
    ROWS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

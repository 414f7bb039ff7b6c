"""What JAX computes where nothing is promoted implicitly, cotan computes too:
the expressions of the other tests, under strict promotion of dtypes and with
promotion of ranks refused."""

import contextlib
import warnings

import pytest

pytest.importorskip("jax")


import cotan
from tests.numpy import cases
from tests.oracle import both, expressions, rare_expressions
from tests.oracle import test_expressions as own
from tests.scipy import (
    beside_jax,
    test_arrays,
    test_signal,
    test_solvers,
    test_special,
    test_stats,
)


def scipy_names(library):
    api = both.LIBRARIES[library]["jax"]
    return {
        "api": api,
        "nn": api.nn,
        "sp": api.scipy.special,
        "signal": api.scipy.signal,
        "stats": api.scipy.stats,
    }


def oracle_names(library):
    key = both.LIBRARIES[library]["jax"].random.key(7)
    return {"skey": key, **own.NAMES[library]}


def numpy_names(library):
    return cases.operands(both.LIBRARIES[library]["jnp"])


def table(module, *texts):
    """The expressions of a module of tests/scipy, and what they use."""

    def names(library):
        asarray = both.LIBRARIES[library]["jnp"].asarray
        found = {k: asarray(v) for k, v in module.OPERANDS.items()}
        api = both.LIBRARIES[library]["jax"]
        more = getattr(module, "names", lambda api: {})(api)
        return {**scipy_names(library), **more, **found}

    return [e for t in texts for e, _ in beside_jax.cases(t)], names


TABLES = {
    "expressions": (expressions.VALUES, oracle_names),
    "rare": (rare_expressions.VALUES, oracle_names),
    "numpy": ([e for _, e in cases.CASES], numpy_names),
    "arrays": table(
        test_arrays,
        test_arrays.ARRAYS,
        test_arrays.ROTATIONS,
        test_arrays.IMAGES,
    ),
    "signal": table(
        test_signal,
        test_signal.TRENDS,
        test_signal.CONVOLUTIONS,
        test_signal.FOURIER,
    ),
    "solvers": table(
        test_solvers,
        test_solvers.SPARSE,
        test_solvers.TRANSFORMS,
        test_solvers.EQUATIONS,
    ),
    "special": table(test_special, test_special.PLAIN, test_special.LOOPS),
    "stats": table(
        test_stats,
        "\n".join(test_stats.locations()),
        test_stats.SHAPED,
        test_stats.INCOMPLETE,
        test_stats.DECOMPOSED,
    ),
}


@contextlib.contextmanager
def explicit(api):
    with (
        api.numpy_dtype_promotion("strict"),
        api.numpy_rank_promotion("raise"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def run(library, expression, names):
    with explicit(both.LIBRARIES[library]["jax"]):
        return both.run(library, expression, **names)


@pytest.mark.parametrize("name", TABLES)
def test_nothing_more_is_refused(name):
    texts, names = TABLES[name]
    ours, theirs = names("cotan"), None
    failed = []
    for expression in texts:
        got = run("cotan", expression, ours)
        if not isinstance(got, Exception):
            continue
        assert not isinstance(got, NameError), got
        theirs = names("jax") if theirs is None else theirs
        want = run("jax", expression, theirs)
        if not isinstance(want, Exception):
            failed.append(f"{expression}: {type(got).__name__}: {got}")
    assert not failed, f"{len(failed)} of {len(texts)}\n" + "\n".join(failed)


def test_the_settings_are_in_force():
    x, n = cotan.numpy.ones(3), cotan.numpy.arange(3)
    for library, expression in (
        ("cotan", "x + n"),
        ("cotan", "x + x[None]"),
    ):
        got = run(library, expression, {"x": x, "n": n})
        assert isinstance(got, Exception)

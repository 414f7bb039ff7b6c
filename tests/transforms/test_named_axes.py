"""Named axes: what collectives give, where they may stand, who sees them."""

import gc
import threading

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from tests.transforms.functions import agree, jacobian, matrix, vector


def over(f, name="i", **options):
    return cotan.vmap(f, axis_name=name, **options)


def equal(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


X = np.arange(12.0).reshape(4, 3) ** 2


# ---- values


def test_reductions():
    n = len(X)
    equal(over(lambda x: lax.psum(x, "i"))(X), [X.sum(0)] * n)
    agree(over(lambda x: lax.pmean(x, "i"))(X), [X.mean(0)] * n, 1e-15)
    equal(over(lambda x: lax.pmax(x, "i"))(X), [X.max(0)] * n)
    equal(over(lambda x: lax.pmin(x, "i"))(X), [X.min(0)] * n)


def test_results_without_the_axis_need_no_out_axis():
    for f, want in (
        (lax.psum, X.sum(0)),
        (lax.pmax, X.max(0)),
        (lax.all_gather, X),
        (lambda x, i: lax.pbroadcast(x, i, 2), X[2]),
    ):
        equal(over(lambda x, f=f: f(x, "i"), out_axes=None)(X), want)


def test_values_that_are_not_mapped():
    def f(x, y):
        return lax.psum(y, "i"), lax.pmax(y, "i"), lax.all_gather(y, "i")

    total, most, all_of = over(f, in_axes=(0, None), out_axes=None)(X, X[1])
    equal(total, 4 * X[1])
    equal(most, X[1])
    equal(all_of, [X[1]] * 4)


def test_constants_are_known_while_tracing():
    seen = []

    def f(x):
        seen.append((lax.psum(1, "i"), lax.psum(2.5, "i"), lax.axis_size("i")))
        return x

    over(f)(X)
    assert seen == [(4, 10.0, 4)]
    assert [type(v) for v in seen[0]] == [int, float, int]
    tree = over(lambda x: lax.psum({"a": x, "b": (1, True)}, "i"))(X)
    equal(tree["b"][0], [4] * 4)
    equal(tree["b"][1], [4] * 4)


def test_bools_are_counted():
    equal(over(lambda x: lax.psum(x[0] > 10, "i"))(X), [2] * 4)


def test_axis_index():
    equal(over(lambda x: lax.axis_index("i"))(X), np.arange(4))
    assert over(lambda x: lax.axis_index("i"))(X).dtype == "int32"
    # No operand is mapped.
    equal(over(lambda: lax.axis_index("i"), axis_size=3)(), np.arange(3))

    def f(x):
        return lax.axis_index(("i", "j")), lax.axis_index(["j", "i"])

    ij, ji = over(over(f, "j"), "i")(X)
    equal(ij, np.arange(12).reshape(4, 3))
    equal(ji, np.arange(12).reshape(3, 4).T)


def test_names_of_several_axes():
    def f(x):
        return lax.psum(x, ("i", "j")), lax.psum(x, "j"), lax.pmax(x, ["i"])

    both, inner, outer = over(over(f, "j"), "i")(X)
    equal(both, np.full((4, 3), X.sum()))
    equal(inner, np.repeat(X.sum(1)[:, None], 3, 1))
    equal(outer, np.repeat(X.max(0)[None], 4, 0))
    assert (
        over(
            over(lambda x: lax.axis_size(("i", "j")), "j", out_axes=None),
            "i",
            out_axes=None,
        )(X)
        == 12
    )


def test_integers_are_dimensions():
    equal(over(lambda x: lax.psum(x, ("i", 0)))(X), [X.sum()] * 4)
    equal(over(lambda x: lax.pmax(x, (0,)))(X), X.max(1))
    equal(lax.psum(X, 0), X.sum(0))


def test_names_are_objects():
    class Name:
        pass

    for name in (Name(), ("a", 1), 2.5, "ä"):
        equal(
            over(
                lambda x, n=name: lax.psum(x, n if n != ("a", 1) else [n]), name
            )(X),
            [X.sum(0)] * 4,
        )


def test_inner_axis_hides_outer_of_the_same_name():
    equal(
        over(over(lambda x: lax.psum(x, "i")))(X),
        np.repeat(X.sum(1)[:, None], 3, 1),
    )


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_all_gather(axis):
    x = np.random.default_rng(0).normal(size=(4, 2, 3))
    equal(
        over(lambda v: lax.all_gather(v, "i", axis=axis), out_axes=None)(x),
        np.moveaxis(x, 0, axis),
    )
    if axis < 2:
        equal(
            over(
                lambda v: lax.all_gather(v, "i", axis=axis, tiled=True),
                out_axes=None,
            )(x),
            np.concatenate(list(x), axis=axis),
        )


@pytest.mark.parametrize("in_axis", [0, 1, 2])
def test_mapped_axis_anywhere(in_axis):
    x = np.moveaxis(np.random.default_rng(0).normal(size=(2, 2, 3)), 0, in_axis)
    rows = np.moveaxis(x, in_axis, 0)
    f = {
        "gather": lambda v: lax.all_gather(v, "i", axis=1),
        "scatter": lambda v: lax.psum_scatter(v, "i"),
        "exchange": lambda v: lax.all_to_all(v, "i", 0, 1),
        "permute": lambda v: lax.ppermute(v, "i", [(0, 1), (1, 0)]),
    }
    for g in f.values():
        equal(over(g, in_axes=in_axis)(x), over(g)(rows))


def test_psum_scatter():
    x = np.random.default_rng(0).normal(size=(4, 4, 8))
    total = x.sum(0)
    agree(over(lambda v: lax.psum_scatter(v, "i"))(x), total, 1e-14)
    agree(
        over(
            lambda v: lax.psum_scatter(v, "i", scatter_dimension=1, tiled=True)
        )(x),
        np.stack(np.split(total, 4, 1)),
        1e-14,
    )


def test_all_to_all():
    x = np.random.default_rng(0).normal(size=(4, 4, 3, 8))
    for split, concat in ((0, 0), (0, 1), (0, 2)):
        got = over(lambda v, s=split, c=concat: lax.all_to_all(v, "i", s, c))(x)
        # The split dimension is mapped, the mapped one is at `concat`.
        want = np.moveaxis(np.moveaxis(x, 1, 0), 1, 1 + concat)
        equal(got, want)
    got = over(lambda v: lax.all_to_all(v, "i", 2, 1, tiled=True))(x)
    want = np.stack(
        [
            np.concatenate([x[j, :, :, 2 * i : 2 * i + 2] for j in range(4)], 1)
            for i in range(4)
        ]
    )
    equal(got, want)
    equal(over(lambda v: lax.pswapaxes(v, "i", 0))(x), x.swapaxes(0, 1))


def test_permutations():
    equal(
        over(lambda v: lax.ppermute(v, "i", [(0, 2), (3, 1)]))(X),
        [0 * X[0], X[3], X[0], 0 * X[0]],
    )
    equal(
        over(lambda v: lax.pshuffle(v, "i", [2, 0, 3, 1]))(X), X[[2, 0, 3, 1]]
    )
    equal(
        over(lambda v: lax.ppermute(lax.psum(v, "i"), "i", [(0, 1)]))(X),
        [0 * X[0], X.sum(0), 0 * X[0], 0 * X[0]],
    )


def test_groups():
    groups = [[0, 2], [3, 1]]
    a, b = X[[0, 2]].sum(0), X[[3, 1]].sum(0)
    options = {"axis_index_groups": groups}
    equal(over(lambda v: lax.psum(v, "i", **options))(X), [a, b, a, b])
    equal(
        over(lambda v: lax.pmean(v, "i", **options))(X),
        np.array([a, b, a, b]) / 2,
    )
    equal(over(lambda v: lax.psum(1, "i", **options))(X), [2] * 4)
    equal(
        over(lambda v: lax.all_gather(v, "i", **options))(X),
        X[[[0, 2], [3, 1], [0, 2], [3, 1]]],
    )
    # From the documentation of JAX's psum_scatter.
    x = np.arange(16.0).reshape(4, 4)
    equal(
        over(lambda v: lax.psum_scatter(v, "i", tiled=True, **options))(x),
        [[8, 10], [20, 22], [12, 14], [16, 18]],
    )
    y = X[:, :2]
    equal(
        over(lambda v: lax.all_to_all(v, "i", 0, 0, **options))(y),
        [y[[0, 2], 0], y[[3, 1], 1], y[[0, 2], 1], y[[3, 1], 0]],
    )


@pytest.mark.parametrize(
    ("groups", "error"),
    [
        ([[0, 1], [1, 2]], ValueError),
        ([[0, 1]], ValueError),
        ([[0], [1, 2, 3]], NotImplementedError),
    ],
)
def test_bad_groups(groups, error):
    with pytest.raises(error, match="axis_index_groups"):
        over(lambda v: lax.psum(v, "i", axis_index_groups=groups))(X)


def test_several_axes_at_once():
    # Of two axes, the first varies slowest.
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 12))
    flat = x.reshape(6, 6, 12)

    def both(f, one):
        two = over(over(lambda v: f(v, ("i", "j")), "j"), "i")(x)
        want = over(lambda v: f(v, "k"), "k")(flat)
        agree(two, np.reshape(want, (2, 3, *want.shape[1:])), 1e-13)
        assert one(want)

    both(lambda v, n: lax.all_gather(v, n, axis=1), lambda y: y.ndim == 4)
    both(lambda v, n: lax.all_gather(v, n, tiled=True), lambda y: y.ndim == 3)
    both(lax.psum_scatter, lambda y: y.ndim == 2)
    both(
        lambda v, n: lax.psum_scatter(v, n, scatter_dimension=1, tiled=True),
        lambda y: y.shape == (6, 6, 2),
    )
    both(lambda v, n: lax.all_to_all(v, n, 0, 1), lambda y: y.ndim == 3)
    both(
        lambda v, n: lax.all_to_all(v, n, 1, 0, tiled=True),
        lambda y: y.shape == (6, 36, 2),
    )


# ---- where they stand

PLACES = {
    "jit": lambda f: cotan.jit(f),
    "jit of jit": lambda f: cotan.jit(lambda x: cotan.jit(f)(x) * 1.0),
    "cond": lambda f: lambda x: lax.cond(True, f, lambda x: 0 * f(x), x),
    "cond on the index": lambda f: (
        lambda x: lax.cond(lax.axis_index("i") >= 0, f, lambda x: 0 * f(x), x)
    ),
    "switch": lambda f: (
        lambda x: lax.switch(
            cnp.sum(x).astype(int) * 0 + 1, [lambda x: x, f], x
        )
    ),
    "scan": lambda f: (
        lambda x: lax.scan(lambda c, _: (f(c) / 4, None), x, None, length=2)[0]
    ),
    "while": lambda f: (
        lambda x: lax.while_loop(
            lambda c: c[0] < 2, lambda c: (c[0] + 1, f(c[1]) / 4), (0, x)
        )[1]
    ),
    "checkpoint": lambda f: cotan.checkpoint(f),
    "map": lambda f: lambda x: lax.map(f, x[None])[0],
}


@pytest.mark.parametrize("place", PLACES)
def test_places(place):
    f = PLACES[place](
        lambda x: cnp.sin(lax.psum(x**2, "i")) * x + lax.axis_index("i")
    )
    x = matrix(4, 3)

    def by_hand(x):
        return cnp.sin(cnp.sum(x**2, 0)) * x + cnp.arange(4)[:, None]

    want = x
    for _ in range(2 if place in ("scan", "while") else 1):
        want = by_hand(want) / (4 if place in ("scan", "while") else 1)
    agree(over(f)(x), want, 1e-14)
    agree(cotan.jit(over(f))(x), want, 1e-14)
    agree(over(cotan.jit(f))(x), want, 1e-14)


@pytest.mark.parametrize("place", [p for p in PLACES if p != "while"])
def test_gradients_of_places(place):
    f = PLACES[place](lambda x: cnp.sin(lax.psum(x**2, "i")) * x)

    def loss(x):
        return cnp.sum(over(f)(x) * cnp.cos(cnp.arange(4))[:, None])

    x = matrix(4, 3)
    agree(cotan.grad(loss)(x), jacobian(loss, x), 1e-8)
    agree(cotan.grad(cotan.jit(loss))(x), cotan.grad(loss)(x), 1e-13)
    # Within the axis, the cotangents of all elements add up.
    inside = over(cotan.grad(lambda v: cnp.sum(f(v))))(x)
    agree(inside, cotan.grad(lambda x: cnp.sum(over(f)(x)))(x), 1e-13)


def test_a_loop_whose_end_all_decide():
    def f(x):
        return lax.while_loop(
            lambda c: lax.psum(c, "i") < 100.0, lambda c: c * 2, x
        )

    x = np.array([1.0, 2.0, 3.0])
    equal(over(f)(x), x * 32)


def test_linear_solve():
    def f(x):
        n = lax.axis_size("i")
        return lax.custom_linear_solve(
            lambda v: v * n + 0 * lax.psum(v, "i"), x, lambda _, b: b / n
        )

    agree(over(f)(X), X / 4, 1e-15)


# ---- derivatives

LINEAR = {
    "psum": lambda x: lax.psum(x, "i"),
    "pmean": lambda x: lax.pmean(x, "i"),
    "groups": lambda x: lax.psum(x, "i", axis_index_groups=[[0, 3], [1, 2]]),
    "all_gather": lambda x: lax.all_gather(x, "i", axis=1),
    "tiled gather": lambda x: lax.all_gather(x, "i", tiled=True),
    "psum_scatter": lambda x: lax.psum_scatter(x, "i"),
    "tiled scatter": lambda x: lax.psum_scatter(x, "i", tiled=True),
    "all_to_all": lambda x: lax.all_to_all(x[:, None], "i", 0, 1),
    "tiled exchange": lambda x: lax.all_to_all(
        x[:, None], "i", 0, 1, tiled=True
    ),
    "ppermute": lambda x: lax.ppermute(x, "i", [(0, 1), (1, 3)]),
    "pshuffle": lambda x: lax.pshuffle(x, "i", [3, 2, 0, 1]),
    "pbroadcast": lambda x: lax.pbroadcast(x, "i", 1),
}
EXTREMA = {
    "pmax": lambda x: lax.pmax(x, "i"),
    "pmin": lambda x: lax.pmin(x, "i"),
}


@pytest.mark.parametrize("name", [*LINEAR, *EXTREMA])
def test_derivatives(name):
    f = {**LINEAR, **EXTREMA}[name]
    x = matrix(4, 4)

    def loss(x):
        y = over(lambda v: cnp.sin(f(v**2)))(x)
        return cnp.sum(y * cnp.cos(cnp.arange(y.size)).reshape(y.shape))

    agree(cotan.grad(loss)(x), jacobian(loss, x), 1e-7)

    # Within the axis: of the sum over all elements.
    def total(x):
        return cnp.sum(over(lambda v: cnp.sin(f(v**2)))(x))

    within = over(cotan.grad(lambda v: cnp.sum(cnp.sin(f(v**2)))))(x)
    agree(within, cotan.grad(total)(x), 1e-12)
    # Forward mode, and second order.
    t = matrix(4, 4, 1)
    within = over(lambda v, t: cotan.jvp(lambda v: f(v**2), (v,), (t,))[1])(
        x, t
    )
    agree(within, cotan.jvp(over(lambda v: f(v**2)), (x,), (t,))[1], 1e-12)
    twice = over(cotan.hessian(lambda v: cnp.sum(cnp.sin(f(v**2)))))(x)
    assert np.isfinite(twice).all()


def test_transpose_rules_are_transposes():
    # <f(x), y> over all elements = <x, f'(y)>.
    x, rng = matrix(4, 4), np.random.default_rng(3)
    for f in LINEAR.values():
        y = rng.normal(size=over(f)(x).shape)
        back = over(lambda v, c, f=f: cotan.vjp(f, v)[1](c)[0])(x, y)
        agree(cnp.sum(over(f)(x) * y), cnp.sum(x * back), 1e-12)


def test_custom_rules_use_the_axis():
    @cotan.custom_vjp
    def f(x):
        return lax.psum(x, "i") * 1.0

    f.defvjp(
        lambda x: (f(x), lax.axis_index("i")),
        lambda index, ct: (ct * index,),
    )
    x = vector(4)
    for g in (f, cotan.jit(f), cotan.checkpoint(f)):
        agree(over(g)(x), np.full(4, np.sum(x)), 1e-15)
        equal(over(cotan.grad(g))(x), np.arange(4.0))

    @cotan.custom_jvp
    def h(x):
        return x * 2

    @h.defjvp
    def _(primals, tangents):
        return h(*primals), tangents[0] * lax.axis_index("i")

    equal(over(h)(x), 2 * np.asarray(x))
    equal(over(cotan.grad(h))(x), np.arange(4.0))


def test_custom_rules_of_values_that_are_not_mapped():
    calls = []

    @cotan.custom_vjp
    def f(x):
        return x * lax.psum(1.0, "i"), x + lax.axis_index("i")

    def bwd(res, ct):
        calls.append(ct[0].shape)
        return (ct[0] * res + ct[1],)

    f.defvjp(lambda x: (f(x), lax.axis_index("i") * 1.0), bwd)
    a, b = over(lambda x, y: f(y), in_axes=(0, None), out_axes=(None, 0))(
        vector(4), 3.0
    )
    equal(a, 12.0)
    equal(b, 3.0 + np.arange(4.0))

    def loss(y):
        a, b = over(lambda x: f(y), out_axes=(None, 0))(vector(4))
        return cnp.sum(a) + cnp.sum(b)

    # bwd runs for each element, y is one: what they give is added.
    equal(cotan.grad(loss)(3.0), np.arange(4.0).sum() + 4)
    assert calls

    @cotan.custom_jvp
    def g(y):
        return y * 1.0

    @g.defjvp
    def _(primals, tangents):
        return primals[0] * 1.0, tangents[0] * 5

    # Nothing depends on the axis: nor does the result.
    equal(over(lambda x: g(2.0), out_axes=None)(vector(4)), 2.0)
    h = over(lambda x, y: cotan.grad(g)(y), in_axes=(0, None), out_axes=None)
    equal(h(vector(4), 2.0), 5.0)
    equal(
        cotan.grad(lambda y: cnp.sum(over(lambda x: g(y))(vector(4))))(1.0), 20
    )


def test_custom_vmap_is_told():
    seen = []

    @cotan.custom_batching.custom_vmap
    def f(x):
        return lax.psum(x, "i")

    @f.def_vmap
    def _(size, batched, x):
        seen.append((size, batched))
        return cnp.broadcast_to(cnp.sum(x, 0), x.shape), True

    equal(over(f)(X), [X.sum(0)] * 4)
    assert seen == [(4, [True])]


# ---- scope


def test_unbound_names():
    calls = {
        "psum": lambda x: lax.psum(x, "i"),
        "constant": lambda x: lax.psum(1, "i"),
        "pmean": lambda x: lax.pmean(x, "i"),
        "pmax": lambda x: lax.pmax(x, "i"),
        "index": lambda x: lax.axis_index("i"),
        "size": lambda x: lax.axis_size("i"),
        "gather": lambda x: lax.all_gather(x, "i"),
        "scatter": lambda x: lax.psum_scatter(x, "i"),
        "exchange": lambda x: lax.all_to_all(x, "i", 0, 0),
        "permute": lambda x: lax.ppermute(x, "i", [(0, 0)]),
        "broadcast": lambda x: lax.pbroadcast(x, "i", 0),
    }
    for f in calls.values():
        for g in (f, cotan.jit(f), over(f, "j"), over(cotan.jit(f), "j")):
            with pytest.raises(NameError, match="unbound axis name: i"):
                g(X)
        # The axis is not in scope for what stands beside the vmap.
        over(lambda x: x)(X)
        with pytest.raises(NameError, match="unbound axis name: i"):
            f(X)


def test_scope_ends_with_an_error():
    with pytest.raises(ZeroDivisionError):
        over(lambda x: 1 / 0)(X)
    with pytest.raises(NameError, match="unbound"):
        lax.axis_size("i")


def test_scope_is_of_the_thread():
    found = []

    def look():
        try:
            found.append(lax.axis_size("i"))
        except NameError as e:
            found.append(str(e))

    def f(x):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        look()
        return x

    over(f)(X)
    assert found == ["unbound axis name: i", 4]


def test_jit_traces_anew_for_another_environment():
    traces = []

    @cotan.jit
    def f(x):
        traces.append(1)
        return x * lax.psum(1, "i") if len(traces) != 3 else x

    equal(over(f)(X), 4 * X)
    equal(over(f)(X), 4 * X)
    assert len(traces) == 1
    equal(over(f)(X[:3]), 3 * X[:3])
    assert len(traces) == 2
    # Without the name, the function is traced again and does something else.
    equal(f(X[0]), X[0])
    assert len(traces) == 3
    equal(f(X[0]), X[0])
    equal(over(f)(X), 4 * X)
    assert len(traces) == 3


def test_bodies_are_traced_anew_for_another_environment():
    def body(c, _):
        return c * lax.axis_size("i"), None

    def f(x):
        return lax.scan(body, x, None, length=1)[0]

    equal(over(f)(X), 4 * X)
    equal(over(f)(X[:2]), 2 * X[:2])
    with pytest.raises(NameError):
        f(X)


def test_rules_that_see_the_axis_are_not_mixed_up():
    @cotan.custom_jvp
    def f(x):
        return x

    @f.defjvp
    def _(primals, tangents):
        return primals[0], tangents[0] * lax.axis_size("i")

    # One jaxpr, whose derivative depends on where it is taken.
    closed = cotan.make_jaxpr(f)(1.0)
    g = cotan.grad(lambda x: cotan.jit(cotan.core.jaxpr_as_fun(closed))(x)[0])
    equal(over(g)(vector(2)), [2.0] * 2)
    equal(over(g)(vector(3)), [3.0] * 3)


def test_no_trace_survives():
    def f(x):
        return lax.psum(x, "i")

    with cotan.checking_leaks():
        over(cotan.jit(f))(X)
    gc.collect()


# ---- jaxprs


def test_make_jaxpr_with_axes():
    jaxpr = cotan.make_jaxpr(lambda x: lax.psum(x, "i"), axis_env=[("i", 4)])(
        1.0
    )
    (eqn,) = jaxpr.eqns
    assert eqn.primitive is lax.psum_p
    assert eqn.params == {"axes": ("i",), "axis_index_groups": None}
    assert "psum[axes=('i',) axis_index_groups=None] a" in str(jaxpr)
    equal(
        over(lambda x: cotan.core.eval_jaxpr(jaxpr.jaxpr, [], x)[0])(vector(3)),
        [np.sum(vector(3))] * 3,
    )
    with pytest.raises(NameError, match="unbound axis name: i"):
        cotan.core.eval_jaxpr(jaxpr.jaxpr, [], 1.0)
    both = cotan.make_jaxpr(
        lambda: lax.axis_index(("i", "j")), axis_env=[("i", 4), ("j", 2)]
    )()
    assert str(both).count("axis_index[axis_name=") == 2
    assert lax.axis_index_p.name == "axis_index"


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (
            lambda x: lax.all_gather(x, "i"),
            "all_gather[ all_gather_dimension=0 axis_index_groups=None "
            "axis_name=('i',) axis_size=4 tiled=False ]",
        ),
        (
            lambda x: lax.psum_scatter(x, "i", tiled=True),
            "reduce_scatter[ axis_index_groups=None axis_name=('i',) "
            "axis_size=4 scatter_dimension=0 tiled=True ]",
        ),
        (
            lambda x: lax.pswapaxes(x, "i", 0),
            "all_to_all[ axis_index_groups=None axis_name=i concat_axis=0 "
            "split_axis=0 tiled=False ]",
        ),
        (
            lambda x: lax.ppermute(x, "i", [[0, 1]]),
            "ppermute[axis_name=('i',) perm=((0, 1),)]",
        ),
        (
            lambda x: lax.pbroadcast(x, "i", 2),
            "pbroadcast[axis_name=i source=2]",
        ),
        (
            lambda x: lax.pmin(x, "i"),
            "pmin[axes=('i',) axis_index_groups=None]",
        ),
    ],
)
def test_printing(f, text):
    jaxpr = cotan.make_jaxpr(f, axis_env=[("i", 4)])(X[:, 0])
    assert text in " ".join(str(jaxpr).split())
    # As parameters, and bound again from them.
    (eqn,) = jaxpr.eqns

    def again(x):
        return eqn.primitive.bind(x, **eqn.params)

    x = matrix(4, 4)
    equal(over(again)(x), over(f)(x))


def test_batched_jaxprs_have_ordinary_operations():
    f = over(cotan.jit(lambda x: lax.psum(x, "i") + lax.axis_index("i")))
    text = str(cotan.make_jaxpr(f)(vector(4)))
    assert "reduce_sum" in text and "iota" in text
    assert "psum" not in text and "axis_index" not in text


def test_primitives_are_public():
    for name in (
        "psum",
        "pmax",
        "pmin",
        "all_gather",
        "all_to_all",
        "ppermute",
        "axis_index",
    ):
        assert getattr(lax, f"{name}_p").name == name


# ---- refusals


@pytest.mark.parametrize(
    ("f", "error", "match"),
    [
        (
            lambda x: lax.pshuffle(x, "i", [0, 0, 1, 2]),
            ValueError,
            "permutation",
        ),
        (
            lambda x: lax.ppermute(x, "i", [(0, 1), (0, 2)]),
            ValueError,
            "unique",
        ),
        (
            lambda x: lax.ppermute(x, "i", [(0, 1), (2, 1)]),
            ValueError,
            "unique",
        ),
        (lambda x: lax.ppermute(x, "i", [(0, 4)]), ValueError, "fit"),
        (lambda x: lax.pbroadcast(x, "i", 4), ValueError, "source 4"),
        (lambda x: lax.all_to_all(x, "i", 0, 0), ValueError, "4 and 3"),
        (
            lambda x: lax.all_to_all(x, "i", 0, 0, tiled=True),
            ValueError,
            "divisible",
        ),
        (lambda x: lax.psum_scatter(x, "i"), ValueError, "3 must match"),
        (
            lambda x: lax.psum_scatter(x, "i", tiled=True),
            ValueError,
            "divisible",
        ),
        (lambda x: lax.all_gather(x, "i", axis=2), ValueError, "axis 2"),
        (lambda x: lax.all_gather(x, "i", to="here"), ValueError, "`to`"),
        (lambda x: lax.pcast(x, "i", to="varying"), ValueError, "shard_map"),
        (
            lambda x: lax.psum(x, ("i", 0), axis_index_groups=[[0, 1]]),
            ValueError,
            "just named axes",
        ),
    ],
)
def test_refused(f, error, match):
    for g in (f, cotan.jit(f)):
        with pytest.raises(error, match=match):
            over(g)(X)


def test_reductions_of_arrays_take_names():
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    agree(over(lambda v: cnp.sum(v, axis=("i", 0)))(x), [x.sum((0, 1))] * 4)
    agree(over(lambda v: cnp.var(v, ("i", 1)))(x), [x.var((0, 2))] * 4)
    agree(over(lambda v: v.mean("i"))(x), [x.mean(0)] * 4)
    equal(over(lambda v: cnp.max(v, "i"), out_axes=None)(x), x.max(0))
    e = np.exp(x)
    agree(over(lambda v: cotan.nn.softmax(v, "i"))(x), e / e.sum(0))
    agree(
        over(lambda v: cotan.nn.logsumexp(v, ("i", 1)), out_axes=None)(x),
        np.log(e.sum((0, 2))),
    )
    for f in (cnp.prod, cnp.any, cnp.all):
        with pytest.raises(NotImplementedError, match="Named reductions"):
            over(lambda v, f=f: f(v, axis="i"))(x)
    with pytest.raises(NameError, match="unbound axis name: i"):
        cnp.sum(x, axis="i")
    # What is wrong without a name is refused as before.
    with pytest.raises(TypeError):
        cnp.sum("x", axis=0)


def test_batch_normalisation():
    """Over the mapped axis it is that of the whole batch."""

    def normalise(x, scale):
        mean = lax.pmean(x, "batch")
        var = lax.pmean(cnp.square(x - mean), "batch")
        return (x - mean) / cnp.sqrt(var + 1e-5) * scale, mean

    def whole(x, scale):
        mean, var = cnp.mean(x, 0), cnp.var(x, 0)
        return (x - mean) / cnp.sqrt(var + 1e-5) * scale

    x, scale = matrix(4, 3), vector(3)
    mapped = cotan.vmap(normalise, (0, None), (0, None), axis_name="batch")
    y, mean = cotan.jit(mapped)(x, scale)
    agree(y, whole(x, scale), 1e-13)
    agree(mean, cnp.mean(x, 0), 1e-14)
    weights = cnp.cos(cnp.arange(12.0)).reshape(4, 3)
    got = cotan.grad(lambda *a: cnp.sum(mapped(*a)[0] * weights), (0, 1))
    want = cotan.grad(lambda *a: cnp.sum(whole(*a) * weights), (0, 1))
    for a, b in zip(got(x, scale), want(x, scale), strict=True):
        agree(a, b, 1e-12)


def test_branches_hand_on_what_is_not_mapped():
    def f(x, y):
        return lax.cond(
            x < 2, lambda x, y: (x * 2, y), lambda x, y: (x * 3, y), x, y
        )

    a, b = cotan.vmap(f, (0, None), (0, None))(cnp.arange(4.0), 3.0)
    equal(a, [0, 2, 6, 9])
    equal(b, 3.0)


def test_sum_match():
    f = cotan.vmap(lambda x: x, out_axes=None, sum_match=True)
    equal(f(X), X.sum(0))
    with pytest.raises(ValueError, match="spec None but"):
        cotan.vmap(lambda x: x, out_axes=None)(X)

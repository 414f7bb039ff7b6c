"""Control flow under transformations: generated loop bodies against their
unrolled form, callbacks, checkpoints, solvers, and programs a user writes."""

import functools
import threading

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax
from cotan.experimental import io_callback
from cotan.test_util import check_grads
from tests import device

# ---- generated bodies: (carry, x) -> (carry, y) of vectors of four

PIECES = [
    lambda c, x, w: cnp.sin(c) * x,
    lambda c, x, w: c + cnp.tanh(w @ c) * 0.3,
    lambda c, x, w: c * 0.9 + cnp.roll(x, 1),
    lambda c, x, w: cnp.where(x > 0, c, -c) * 0.8,
    lambda c, x, w: c - 0.1 * cnp.sum(c * x),
    lambda c, x, w: c[::-1] * 0.7 + w[0],
    lambda c, x, w: lax.cond(c[0] > 0, cnp.cos, lambda v: v * 0.5, c),
    lambda c, x, w: lax.fori_loop(0, 2, lambda i, v: v * 0.6 + x, c),
    lambda c, x, w: cotan.checkpoint(lambda v: cnp.sin(v) * x)(c),
    lambda c, x, w: c.at[1].add(x[2] * c[3]),
    lambda c, x, w: lax.stop_gradient(c) * x + c,
    lambda c, x, w: smooth_clip(c) + x * 0.1,
]
OUTPUTS = [
    lambda c, x: c,
    lambda c, x: x * 2,
    lambda c, x: cnp.sum(c * x),
    lambda c, x: {"a": c[:2], "b": (x[0], None)},
    lambda c, x: None,
]


@cotan.custom_vjp
def smooth_clip(x):
    return cnp.tanh(x)


smooth_clip.defvjp(
    lambda x: (cnp.tanh(x), cnp.tanh(x)), lambda y, ct: ((1 - y * y) * ct,)
)


def body_of(seed):
    rng = np.random.default_rng(seed)
    pieces = rng.choice(len(PIECES), rng.integers(1, 4))
    output = OUTPUTS[rng.integers(len(OUTPUTS))]

    def body(w, carry, x):
        c = carry["c"]
        y = output(c, x)
        for p in pieces:
            c = PIECES[p](c, x, w)
        return {"c": c, "n": carry["n"] + 1}, y

    return body


def scanned(body, w, c, xs, reverse=False):
    return lax.scan(
        functools.partial(body, w), {"c": c, "n": 0}, xs, reverse=reverse
    )


def unrolled(body, w, c, xs, reverse=False):
    carry, ys = {"c": c, "n": 0}, []
    order = range(len(xs))
    for i in reversed(order) if reverse else order:
        carry, y = body(w, carry, xs[i])
        ys.append(y)
    ys = ys[::-1] if reverse else ys
    return carry, cotan.tree_util.tree_map(lambda *a: cnp.stack(a), *ys)


def loss_of(loop, body, reverse):
    def loss(w, c, xs):
        carry, ys = loop(body, w, c, xs, reverse)
        leaves = [carry["c"], *cotan.tree_util.tree_leaves(ys)]
        return sum(
            cnp.sum(v * (i + 0.5)) for i, v in enumerate(leaves, start=1)
        )

    return loss


def arguments(rng, n=3):
    return (
        cnp.asarray(rng.normal(size=(4, 4)) * 0.4),
        cnp.asarray(rng.normal(size=4)),
        cnp.asarray(rng.normal(size=(n, 4))),
    )


def close(got, want, tol=1e-9):
    got, tree = cotan.tree_util.tree_flatten(got)
    want, other = cotan.tree_util.tree_flatten(want)
    assert tree == other
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
def test_scan_is_its_unrolled_form(seed, rng):
    body, args, reverse = body_of(seed), arguments(rng), seed % 2 == 1
    want = unrolled(body, *args, reverse)
    close(scanned(body, *args, reverse), want)
    close(
        cotan.jit(functools.partial(scanned, body, reverse=reverse))(*args),
        want,
    )
    ours = loss_of(scanned, body, reverse)
    theirs = loss_of(unrolled, body, reverse)
    want = cotan.grad(theirs, (0, 1, 2))(*args)
    close(cotan.grad(ours, (0, 1, 2))(*args), want)
    close(cotan.jit(cotan.grad(ours, (0, 1, 2)))(*args), want)


@pytest.mark.parametrize("seed", SEEDS)
def test_vmap_of_scan_is_a_loop(seed, rng):
    body = body_of(seed)
    w, c, xs = arguments(rng)
    cs = cnp.stack([c, c * 0.5, -c])
    loss = loss_of(scanned, body, False)
    got = cotan.vmap(cotan.value_and_grad(loss, (0, 1)), (None, 0, None))(
        w, cs, xs
    )
    each = [cotan.value_and_grad(loss, (0, 1))(w, v, xs) for v in cs]
    close(got, cotan.tree_util.tree_map(lambda *a: cnp.stack(a), *each))


@pytest.mark.parametrize("seed", [s for s in SEEDS if s % 4 == 0])
def test_order_two(seed, rng):
    body = body_of(seed)
    w, c, xs = arguments(rng, 2)

    def f(c, xs):
        return loss_of(scanned, body, False)(w, c, xs)

    g = functools.partial(loss_of(unrolled, body, False), w)
    close(
        cotan.jacfwd(cotan.grad(f))(c, xs), cotan.jacfwd(cotan.grad(g))(c, xs)
    )
    close(
        cotan.jacrev(cotan.grad(f, 1), 1)(c, xs),
        cotan.jacrev(cotan.grad(g, 1), 1)(c, xs),
    )


@pytest.mark.parametrize("seed", [0, 5])
def test_interpreted_is_compiled(seed, rng, interpreted):
    body, args = body_of(seed), arguments(rng)
    want = cotan.grad(loss_of(scanned, body, False), (0, 1, 2))(*args)
    with interpreted():
        got = cotan.grad(loss_of(scanned, body, False), (0, 1, 2))(*args)
    close(got, want)


def test_check_grads(rng):
    w, c, xs = arguments(rng)

    def f(w, c, xs):
        return lax.scan(lambda c, x: (cnp.tanh(w @ c + x), c * x), c, xs)

    check_grads(f, (w, c, xs), order=2)

    def g(x):
        return lax.cond(x[0] > 0, lambda v: v**3, cnp.sin, x)

    check_grads(g, (c,), order=2)
    check_grads(g, (-c,), order=2)

    def h(x):
        return lax.while_loop(
            lambda s: s[0] < 3, lambda s: (s[0] + 1, cnp.sin(s[1]) * x), (0, x)
        )[1]

    check_grads(h, (c,), order=2, modes=["fwd"])


# ---- loops of every size and kind of carry


@pytest.mark.parametrize("size", [1, 7, 64, 65, 300, 5000])
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 10])
def test_carries_in_and_out_of_place(size, steps):
    x = np.linspace(0, 1, size)

    def in_place(c, i):
        return c * 0.5 + i, None

    def moved(c, i):
        return cnp.roll(c, 1) * 0.5 + c[0] + i, c[:1]

    def swapped(c, i):
        return (c[1], c[0] + c[1] * i), None

    def updated(c, i):
        return c.at[i % size].set(c[0] + 1.0), None

    for body, init in (
        (in_place, x),
        (moved, x),
        (swapped, (x, x + 1)),
        (updated, x),
    ):
        f = cotan.jit(
            lambda c, body=body: lax.scan(body, c, cnp.arange(steps))[0]
        )
        want = init
        for i in range(steps):
            want = body(cotan.tree_util.tree_map(cnp.asarray, want), i)[0]
        close(f(init), cotan.tree_util.tree_map(cnp.asarray, want))
        # The caller's own array is not written to.
        np.testing.assert_array_equal(x, np.linspace(0, 1, size))


@pytest.mark.parametrize("size", [1, 300])
def test_while_leaves_after_any_number_of_steps(size):
    f = cotan.jit(
        lambda x, n: lax.while_loop(
            lambda s: s[0] < n,
            lambda s: (s[0] + 1, cnp.roll(s[1], 1) + 1.0, s[1]),
            (0, x, x),
        )
    )
    x = np.arange(float(size))
    for n in range(5):
        want, before = x, x
        for _ in range(n):
            want, before = np.roll(want, 1) + 1, want
        close(f(x, n), (cnp.asarray(n), cnp.asarray(want), cnp.asarray(before)))


def test_invariants_leave_the_loop():
    f = cotan.jit(
        lambda x: lax.fori_loop(
            0, 10, lambda i, c: c + cnp.sum(cnp.exp(x)) * i, 0.0
        )
    )
    x = np.arange(4.0)
    np.testing.assert_allclose(f(x), np.exp(x).sum() * 45, rtol=1e-12)


def test_no_second_compilation():
    f = cotan.jit(lambda x: lax.scan(lambda c, a: (c + a, c), 0.0, x))
    x = cnp.ones(9)
    f(x)

    def body(c, a):
        return c * a, None

    lax.scan(body, 1.0, x)
    before = cotan.debug.counters()
    f(x)
    lax.scan(body, 1.0, x)
    after = cotan.debug.counters()
    assert before["traces"] == after["traces"]
    assert before["programs"] == after["programs"]


def test_disable_jit_runs_python():
    seen = []

    def body(c, x):
        seen.append(float(x))
        return c + x, c

    with cotan.disable_jit():
        out = lax.scan(body, 0.0, cnp.arange(3.0))
        assert lax.cond(True, lambda: seen.append(9) or 1, lambda: 2) == 1
        lax.while_loop(lambda c: c < 3, lambda c: c + 1, 0)
    assert seen == [0.0, 1.0, 2.0, 9]
    close(out, (cnp.asarray(3.0), cnp.asarray([0.0, 0.0, 1.0])))


# ---- checkpoint


def test_policies_keep_what_they_say(rng):
    from cotan._src.checkpoints import saved_residuals
    from cotan.ad_checkpoint import checkpoint_name

    w = cnp.asarray(rng.normal(size=(4, 4)))
    x = cnp.asarray(rng.normal(size=4))

    def f(w, x):
        y = checkpoint_name(cnp.sin(w @ x), "y")
        return cnp.sum(cnp.sin(cnp.sin(y)))

    policies = cotan.checkpoint_policies
    want = cotan.grad(f, (0, 1))(w, x)
    counts = {}
    for name in (
        None,
        "nothing_saveable",
        "dots_saveable",
        "everything_saveable",
        "dots_with_no_batch_dims_saveable",
    ):
        policy = name and getattr(policies, name)
        g = cotan.checkpoint(f, policy=policy)
        close(cotan.grad(g, (0, 1))(w, x), want)
        close(cotan.jit(cotan.grad(g, (0, 1)))(w, x), want)
        counts[name] = len(saved_residuals(g, w, x))
    assert counts[None] == counts["nothing_saveable"] == 2
    assert counts["dots_saveable"] == 3
    assert counts["everything_saveable"] > 3
    named = cotan.checkpoint(f, policy=policies.save_only_these_names("y"))
    assert len(saved_residuals(named, w, x)) == 3
    close(cotan.grad(named, (0, 1))(w, x), want)
    check_grads(named, (w, x), order=2)


def test_checkpoint_recomputes():
    calls = []

    @cotan.checkpoint
    def f(x):
        cotan.debug.callback(lambda v: calls.append(1), x)
        return cnp.sin(cnp.sin(x))

    cotan.grad(f)(1.0)
    assert len(calls) == 2


# ---- solvers


def test_custom_root_and_linear_solve(rng):
    a = cnp.asarray(rng.normal(size=(3, 3)) + 4 * np.eye(3))
    b = cnp.asarray(rng.normal(size=3))

    def jacobi(matvec, b):
        d = cotan.vmap(lambda e: matvec(e) @ e)(cnp.eye(3))
        return lax.fori_loop(0, 80, lambda i, x: x + (b - matvec(x)) / d, b / d)

    def solve(a, b):
        return lax.custom_linear_solve(
            lambda x: a @ x, b, jacobi, transpose_solve=jacobi
        )

    want = np.linalg.solve(np.asarray(a), np.asarray(b))
    np.testing.assert_allclose(solve(a, b), want, rtol=1e-8)
    check_grads(solve, (a, b), order=2, rtol=1e-4, atol=1e-4)
    many = cotan.vmap(solve, (None, 0))(a, cnp.stack([b, -b]))
    np.testing.assert_allclose(many, np.stack([want, -want]), rtol=1e-8)

    def newton(f, x):
        return lax.while_loop(
            lambda s: cnp.abs(f(s)) > 1e-12,
            lambda s: s - f(s) / cotan.grad(f)(s),
            x,
        )

    def cube_root(y):
        return lax.custom_root(
            lambda x: x**3 - y, 1.0, newton, lambda g, t: t / g(1.0)
        )

    np.testing.assert_allclose(cube_root(27.0), 3.0)
    np.testing.assert_allclose(cotan.grad(cube_root)(27.0), 1 / 27, rtol=1e-9)
    np.testing.assert_allclose(
        cotan.jit(cotan.vmap(cotan.grad(cube_root)))(cnp.asarray([8.0, 27.0])),
        [1 / 12, 1 / 27],
        rtol=1e-9,
    )


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 17, 40])
@pytest.mark.parametrize("checkpoints", [1, 3, 8])
def test_checkpointed_while(steps, checkpoints):
    def f(loop, w, x):
        return cnp.sum(
            loop(
                lambda s: s[0] < steps,
                lambda s: (s[0] + 1, cnp.sin(s[1] * w) + 0.1 * s[0]),
                (0, x),
            )[1]
            ** 2
        )

    def python(cond, body, s):
        while cond(s):
            s = body(s)
        return s

    x = cnp.asarray([0.3, -1.2, 0.7])
    loop = functools.partial(lax.checkpointed_while, checkpoints=checkpoints)
    want = cotan.value_and_grad(functools.partial(f, python), (0, 1))(1.1, x)
    got = cotan.value_and_grad(functools.partial(f, loop), (0, 1))(1.1, x)
    close(got, want)
    got = cotan.jit(cotan.value_and_grad(functools.partial(f, loop), (0, 1)))
    close(got(1.1, x), want)


# ---- callbacks


def test_callbacks_run_and_raise():
    seen = []

    @cotan.jit
    def f(x):
        cotan.debug.callback(seen.append, x)
        y = cotan.pure_callback(
            lambda v: np.sin(v), cotan.ShapeDtypeStruct((), "float64"), x
        )
        return y * 2

    np.testing.assert_allclose(f(1.0), 2 * np.sin(1.0))
    assert [float(v) for v in seen] == [1.0]

    class Own(Exception):
        pass

    def bad(_):
        raise Own("mine")

    @cotan.jit
    def g(x):
        return cotan.pure_callback(bad, x, x)

    with pytest.raises(Own, match="mine"):
        g(1.0)
    np.testing.assert_allclose(f(2.0), 2 * np.sin(2.0))  # goes on


def test_ordered_callbacks_in_loops(capsys):
    order = []

    @cotan.jit
    def f(n):
        def body(i, x):
            io_callback(lambda v: order.append(int(v)), None, i, ordered=True)
            return lax.cond(
                i % 2 == 0,
                lambda: io_callback(
                    lambda v: order.append(-1) or np.float64(v),
                    cotan.ShapeDtypeStruct((), "float64"),
                    x,
                    ordered=True,
                ),
                lambda: x + 1,
            )

        return lax.fori_loop(0, n, body, 0.0)

    assert float(f(4)) == 2.0
    assert order == [0, -1, 1, 2, -1, 3]
    cotan.jit(lambda x: cotan.debug.print("x={x} {}", x + 1, x=x))(1)
    assert capsys.readouterr().out == "x=1 2\n"


def test_callback_calls_cotan_from_threads():
    @cotan.jit
    def inner(x):
        return cnp.sum(x) + 1

    @cotan.jit
    def f(x):
        s = cotan.ShapeDtypeStruct((), "float64")
        return lax.fori_loop(
            0,
            20,
            lambda i, c: c + cotan.pure_callback(lambda v: inner(v), s, x),
            0.0,
        )

    results = []

    def run(n):
        with cotan.enable_x64():  # a setting of the thread
            results.append(float(f(cnp.ones(n))))

    threads = [
        threading.Thread(target=run, args=(n,)) for n in (3, 3, 50_000, 50_000)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert sorted(results) == [80.0, 80.0, 1_000_020.0, 1_000_020.0]


def test_callbacks_under_transformations():
    s = cotan.ShapeDtypeStruct((), "float64")
    x = cnp.arange(3.0)
    calls = []

    def host(v):
        calls.append(np.shape(v))
        return np.asarray(v) ** 2

    for how, shapes in (
        ("sequential", [()] * 3),
        ("expand_dims", [(3,)]),
        ("broadcast_all", [(3,)]),
    ):
        calls.clear()
        got = cotan.vmap(
            lambda v, how=how: cotan.pure_callback(host, s, v, vmap_method=how)
        )(x)
        np.testing.assert_allclose(got, [0, 1, 4])
        assert calls == shapes

    seen = []

    def f(v):
        cotan.debug.callback(lambda a: seen.append(float(a)), v)
        return v * v

    close(cotan.vmap(cotan.grad(f))(x), 2 * x)
    assert seen == [0.0, 1.0, 2.0]


# ---- programs that a user writes


def test_rnn_learns_to_echo(rng):
    n, steps = 8, 20
    params = {
        "w": cnp.asarray(rng.normal(size=(n, n)) * 0.3),
        "u": cnp.asarray(rng.normal(size=(n, 1))),
        "v": cnp.asarray(rng.normal(size=(1, n)) * 0.3),
    }
    xs = cnp.asarray(rng.choice([-1.0, 1.0], (16, steps, 1)))

    def run(p, x):
        def cell(h, x):
            h = cnp.tanh(p["w"] @ h + p["u"] @ x)
            return h, p["v"] @ h

        return lax.scan(cell, cnp.zeros(n), x)[1]

    def loss(p):
        ys = cotan.vmap(functools.partial(run, p))(xs)
        return cnp.mean((ys[:, 1:] - xs[:, :-1]) ** 2)

    @cotan.jit
    def step(p):
        value, g = cotan.value_and_grad(loss)(p)
        return cotan.tree_util.tree_map(lambda a, b: a - 0.2 * b, p, g), value

    first = None
    for _ in range(150):
        params, value = step(params)
        first = first or float(value)
    assert float(value) < 0.5 * first


def test_odeint():
    def rk4(f, y, t0, t1, steps):
        h = (t1 - t0) / steps

        def step(i, y):
            k1 = f(y)
            k2 = f(y + h / 2 * k1)
            k3 = f(y + h / 2 * k2)
            return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + f(y + h * k3))

        return lax.fori_loop(0, steps, step, y)

    def end(omega):
        y = rk4(
            lambda y: cnp.stack([y[1], -(omega**2) * y[0]]),
            cnp.asarray([1.0, 0.0]),
            0.0,
            1.0,
            200,
        )
        return y[0]

    np.testing.assert_allclose(cotan.jit(end)(2.0), np.cos(2.0), rtol=1e-7)
    np.testing.assert_allclose(
        cotan.jit(cotan.grad(end))(2.0), -np.sin(2.0), rtol=1e-6
    )


def test_newton_for_a_batch():
    def root(a):
        return lax.while_loop(
            lambda s: cnp.abs(s * s - a) > 1e-10 * a,
            lambda s: 0.5 * (s + a / s),
            a,
        )

    a = np.array([2.0, 9.0, 1e-4, 12345.0])
    np.testing.assert_allclose(
        cotan.jit(cotan.vmap(root))(a), np.sqrt(a), rtol=1e-9
    )


@device.cpu_only("a plugin cannot be told to stop")
def test_interrupt_of_a_loop_that_never_ends():
    import _thread

    f = cotan.jit(lambda x: lax.while_loop(lambda c: c < 1, lambda c: c * 1, x))
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        f(0.0)
    timer.join()

"""Small products inlined into programs: every orientation and tail, and loops
whose weights are transposed once, before the first iteration."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp


def data(*shape, seed=0, dtype="float32"):
    rng = np.random.default_rng((seed, *shape))
    return rng.standard_normal(shape).astype(dtype)


def assert_close(got, want):
    want = np.asarray(want)
    eps = 1e-14 if want.dtype == np.float64 else 2e-6
    np.testing.assert_allclose(got, want, eps * 10, eps * 10)


SIZES = [1, 2, 5, 8, 16, 17, 33, 40]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m", SIZES)
def test_matrix_vector(m, dtype):
    with cotan.enable_x64():
        check_matrix_vector(m, dtype)


def check_matrix_vector(m, dtype):
    for k in SIZES:
        w, h = data(m, k, dtype=dtype), data(k, dtype=dtype)
        b = data(m, seed=1, dtype=dtype)
        wt = np.ascontiguousarray(w.T)
        want = w @ h
        assert_close(cotan.jit(lambda w, h: w @ h)(w, h), want)
        assert_close(cotan.jit(lambda w, h: w.T @ h)(wt, h), want)
        assert_close(cotan.jit(lambda w, h: h @ w)(wt, h), want)
        assert_close(cotan.jit(lambda w, h: h @ w.T)(w, h), want)
        relu = cotan.jit(lambda w, h, b: cnp.maximum(w @ h + b, 0))
        assert_close(relu(w, h, b), np.maximum(want + b, 0))


@pytest.mark.parametrize("rows", [2, 4, 5])
def test_few_rows_times_transposed(rows):
    for n in SIZES:
        for k in SIZES:
            x, w = data(rows, k), data(n, k, seed=1)
            got = cotan.jit(lambda x, w: cnp.tanh(x @ w.T))(x, w)
            assert_close(got, np.tanh(x @ w.T))


def test_strided_vector():
    w, h = data(20, 12), data(12, 5, seed=1)
    got = cotan.jit(lambda w, h: w @ h[:, 3])(w, h)
    assert_close(got, w @ h[:, 3])


def test_batched_matrix_vector():
    w, h = data(7, 20, 12), data(7, 12, seed=1)
    got = cotan.jit(cotan.vmap(lambda w, h: w @ h))(w, h)
    assert_close(got, np.einsum("bij,bj->bi", w, h))


CELLS = {
    "left": lambda w, h: cnp.tanh(w @ h),
    "right": lambda w, h: cnp.tanh(h @ w.T),
    "view": lambda w, h: cnp.tanh(w.T.T @ h),
    "both": lambda w, h: cnp.tanh(w @ (w @ h)),
}


@pytest.mark.parametrize("cell", CELLS)
def test_loop_transposes_weights_once(cell):
    w, h = 0.3 * data(24, 24), data(24, seed=1)

    @cotan.jit
    def run(w, h):
        return cotan.lax.fori_loop(0, 5, lambda i, h: CELLS[cell](w, h), h)

    want = h.astype(float)
    for _ in range(5):
        want = np.asarray(CELLS[cell](w.astype(float), want))
    assert_close(run(w, h), want.astype("float32"))
    text = run.lower(w, h).compile().as_text()
    prologue, body = text.split("loop 5")[1].split("program arena")[1:3]
    assert prologue.count("kernel") == 1 and "24*i1" in prologue
    assert "kernel  tile" not in body


def test_loop_keeps_what_is_right_already():
    w, h = 0.3 * data(24, 24), data(24, seed=1)

    @cotan.jit
    def run(w, h):
        return cotan.lax.fori_loop(0, 5, lambda i, h: cnp.tanh(h @ w), h)

    assert run.lower(w, h).compile().as_text().count("program arena") == 2


def test_loop_with_weights_as_carry():
    w, h = 0.3 * data(12, 12), data(12, seed=1)

    def body(i, s):
        w, h = s
        return w * 0.9, cnp.tanh(w @ h)

    got = cotan.jit(lambda w, h: cotan.lax.fori_loop(0, 3, body, (w, h)))(w, h)
    want = (w.astype(float), h.astype(float))
    for i in range(3):
        want = body(i, want)
    assert_close(got[1], np.asarray(want[1], "float32"))


def test_while_without_iterations():
    w, h = data(8, 8), data(8, seed=1)
    run = cotan.jit(
        lambda n, w, h: cotan.lax.while_loop(
            lambda s: s[0] < n, lambda s: (s[0] + 1, w @ s[1]), (0, h)
        )[1]
    )
    assert_close(run(0, w, h), h)
    assert_close(run(2, w, h), w @ (w @ h))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 9, 16])
def test_batches_of_small_products(n, dtype):
    a, b = data(1000, n, n, dtype=dtype), data(1000, n, n, seed=1, dtype=dtype)
    v = data(1000, n, seed=2, dtype=dtype)
    with cotan.enable_x64():
        assert_close(cotan.jit(lambda a, b: a @ b)(a, b), a @ b)
        at = a.swapaxes(1, 2)
        for f in (
            lambda a, b: a.swapaxes(1, 2) @ b,
            lambda a, b: a @ b.swapaxes(1, 2),
            lambda a, b: a.swapaxes(1, 2) @ b.swapaxes(1, 2),
            lambda a, b: (a @ b).swapaxes(1, 2),
        ):
            assert_close(cotan.jit(f)(a, b), f(a, b))
        got = cotan.jit(lambda a, b: cnp.maximum(a @ b + 1, b))(a, b)
        assert_close(got, np.maximum(a @ b + 1, b))
        for m in (a, at):
            got = cotan.jit(cotan.vmap(lambda m, v: m @ v))(m, v)
            assert_close(got, np.einsum("bij,bj->bi", m, v))
        got = cotan.jit(lambda a, b: a @ b[0])(a, b)
        assert_close(got, a @ b[0])


def test_batches_over_two_axes_and_threads():
    a, b = data(40, 500, 5, 6), data(500, 40, 6, 3)
    got = cotan.jit(lambda a, b: cnp.einsum("xyij,yxjk->yxik", a, b))(a, b)
    assert_close(got, np.einsum("xyij,yxjk->yxik", a, b))

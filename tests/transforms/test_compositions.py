"""Transformations of transformations."""

import itertools

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from tests.transforms import functions
from tests.transforms.functions import (
    SMOOTH,
    agree,
    difference,
    jacobian,
    matrix,
    scalar,
    vector,
)

each = pytest.mark.parametrize("f", SMOOTH, ids=lambda f: f.__name__)


@each
def test_grad(f):
    g = scalar(f)
    x = vector(4)
    agree(cotan.grad(g)(x), jacobian(g, x), 1e-8)


@each
def test_grad_of_grad(f):
    def h(x):
        return cnp.sum(cotan.grad(scalar(f))(x) ** 2)

    x = vector(4)
    agree(cotan.grad(h)(x), jacobian(h, x), 1e-7)


def test_high_order():
    f = cnp.sin
    for order in range(1, 8):
        f = cotan.grad(f)
        want = (np.cos, np.sin)[order % 2 == 0](0.7)
        sign = -1 if order % 4 in (2, 3) else 1
        assert abs(float(f(0.7)) - sign * want) < 1e-13


@each
def test_jvp_of_vjp_and_vjp_of_jvp(f):
    x, t, ct = vector(4), vector(4, 1), vector(4, 2)

    def reverse(x):
        return cotan.vjp(f, x)[1](ct)[0]

    def forward(x):
        return cotan.jvp(f, (x,), (t,))[1]

    # Both are ct . f''(x) . t, as row and column.
    _, jv = cotan.jvp(reverse, (x,), (t,))
    agree(jv, difference(reverse, x, t), 1e-7)
    (vj,) = cotan.vjp(forward, x)[1](ct)
    agree(vj, jv, 1e-11)


@each
def test_hessian(f):
    x = vector(4)
    g = scalar(f)
    h = cotan.hessian(g)(x)
    agree(h, jacobian(cotan.grad(g), x), 1e-7)
    agree(h, np.asarray(h).T, 1e-10)
    rev = cotan.jacrev(cotan.jacrev(g))(x)
    agree(rev, h, 1e-10)
    agree(cotan.jacfwd(cotan.jacfwd(g))(x), h, 1e-10)


@each
def test_jacobians(f):
    x = vector(4)
    want = jacobian(f, x)
    agree(cotan.jacfwd(f)(x), want, 1e-8)
    agree(cotan.jacrev(f)(x), want, 1e-8)
    agree(cotan.jit(cotan.jacfwd(f))(x), want, 1e-8)
    agree(cotan.jit(cotan.jacrev(f))(x), want, 1e-8)


@each
def test_vmap_of_grad_and_grad_of_vmap(f):
    g = scalar(f)
    xs = matrix(3, 4)
    rows = np.stack([np.asarray(cotan.grad(g)(x)) for x in xs])
    agree(cotan.vmap(cotan.grad(g))(xs), rows)
    agree(cotan.grad(lambda v: cnp.sum(cotan.vmap(g)(v)))(xs), rows)
    by_column = cotan.vmap(cotan.grad(g), in_axes=1, out_axes=1)(xs.T)
    agree(by_column, rows.T)


@each
def test_vmap_of_vmap(f):
    xs = cnp.asarray(np.random.default_rng(0).uniform(0.2, 1, (2, 3, 4)))
    want = np.stack([np.stack([np.asarray(f(x)) for x in row]) for row in xs])
    agree(cotan.vmap(cotan.vmap(f))(xs), want)
    swapped = cotan.vmap(cotan.vmap(f, in_axes=1, out_axes=1), 0)(
        cnp.swapaxes(xs, 1, 2)
    )
    agree(swapped, np.swapaxes(want, 1, 2))


@each
def test_vmap_of_jacobian(f):
    xs = matrix(2, 4)
    want = np.stack([np.asarray(cotan.jacrev(f)(x)) for x in xs])
    agree(cotan.vmap(cotan.jacfwd(f))(xs), want, 1e-11)
    agree(cotan.vmap(cotan.jacrev(f))(xs), want, 1e-11)


def _identity(f):
    return f


@each
def test_jit_at_every_level(f):
    """jit may stand anywhere in vmap(grad(grad-ish))."""
    xs = matrix(2, 4)

    def make(a, b, c):
        inner = a(scalar(f))
        outer = b(lambda x: cnp.sum(cotan.grad(inner)(x) ** 2))
        return c(cotan.vmap(cotan.grad(outer)))

    want = make(_identity, _identity, _identity)(xs)
    for levels in itertools.product((_identity, cotan.jit), repeat=3):
        agree(make(*levels)(xs), want, 1e-11)


@each
def test_linearize(f):
    x, t = vector(4), vector(4, 1)
    y, f_lin = cotan.linearize(f, x)
    agree(y, f(x))
    agree(f_lin(t), cotan.jvp(f, (x,), (t,))[1])
    # The linear function is a function like others.
    agree(cotan.jit(f_lin)(t), f_lin(t))
    agree(cotan.jacfwd(f_lin)(t), cotan.jacfwd(f)(x), 1e-11)
    agree(
        cotan.vmap(f_lin)(cnp.eye(4)).T,
        cotan.jacfwd(f)(x),
        1e-11,
    )


def test_linearize_evaluates_once():
    calls = []

    def f(x):
        calls.append(1)
        return cnp.sin(x)

    _, f_lin = cotan.linearize(f, 1.0)
    f_lin(1.0), f_lin(2.0)
    assert len(calls) == 1


@each
def test_linear_transpose(f):
    """The transpose of the linearized function is the pullback."""
    x, ct = vector(4), vector(4, 1)
    _, f_lin = cotan.linearize(f, x)
    (got,) = cotan.linear_transpose(f_lin, x)(ct)
    agree(got, cotan.vjp(f, x)[1](ct)[0])


def test_linear_transpose_of_linear_functions():
    a = matrix(3, 4)

    def f(x):
        return a @ x, cnp.flip(x)[1:]

    x = vector(4)
    cts = (vector(3, 1), vector(3, 2))
    (got,) = cotan.linear_transpose(f, x)(cts)
    agree(got, cotan.vjp(f, x)[1](cts)[0])
    struct = cotan.ShapeDtypeStruct((4,), np.float64)
    agree(cotan.linear_transpose(f, struct)(cts), (got,))
    twice = cotan.linear_transpose(
        lambda c: cotan.linear_transpose(f, x)(c)[0], cts
    )
    agree(twice(x)[0], f(x))


@pytest.mark.parametrize("out", ("sin", "square"))
def test_linear_transpose_refuses_other_functions(out):
    f = {"sin": cnp.sin, "square": lambda x: x * x}[out]
    with pytest.raises((TypeError, ValueError, NotImplementedError)):
        cotan.linear_transpose(f, 1.0)(1.0)


@each
def test_forward_and_reverse_agree(f):
    x, t, ct = vector(4), vector(4, 1), vector(4, 2)
    _, y_t = cotan.jvp(f, (x,), (t,))
    _, pull = cotan.vjp(f, x)
    a = float(cnp.dot(y_t, ct))
    b = float(cnp.dot(pull(ct)[0], t))
    assert abs(a - b) < 1e-12 * max(1.0, abs(a))


def test_perturbation_confusion():
    """Inner and outer derivatives of one variable are told apart."""
    g = cotan.grad(lambda x: x * cotan.grad(lambda y: x + y)(2.0))
    assert float(g(3.0)) == 1.0
    # From "Perturbation confusion in forward mode" (Siskind, Pearlmutter).
    d = cotan.grad(lambda x: x * cotan.grad(lambda y: x * y)(2.0))
    assert float(d(3.0)) == 6.0

    def forward(f, x):
        return cotan.jvp(f, (x,), (cnp.ones_like(x),))[1]

    f = forward(lambda x: x * forward(lambda y: x + y, 1.0), cnp.array(3.0))
    assert float(f) == 1.0
    mixed = forward(
        lambda x: x * cotan.grad(lambda y: x * y)(2.0), cnp.array(3.0)
    )
    assert float(mixed) == 6.0
    # A shared closure under vmap, too.
    xs = cnp.array([1.0, 2.0])
    v = cotan.vmap(lambda x: cotan.grad(lambda y: (x * y) ** 2)(x))(xs)
    agree(v, 2 * np.asarray(xs) ** 3)


def test_perturbation_confusion_amazing():
    """The 'amazing bug' of Manzyuk et al. (2012): nested curried functions."""

    def shift(u):
        return lambda f: lambda x: f(x + u)

    def derivative(f):
        return lambda x: cotan.jvp(f, (x,), (cnp.ones_like(x),))[1]

    def at_zero(f):
        return cotan.jvp(
            lambda u: shift(u)(derivative(f))(cnp.array(1.0)),
            (cnp.array(0.0),),
            (cnp.array(1.0),),
        )[1]

    agree(at_zero(cnp.exp), np.exp(1.0))


def test_closures_over_tracers():
    def f(x):
        def g(y):
            def h(z):
                return x * y * z * cnp.sin(x)

            return cotan.grad(h)(y) + cotan.jit(h)(x)

        return cotan.grad(g)(x) + cotan.vmap(g)(cnp.array([1.0, 2.0])).sum()

    x = 0.7
    agree(
        cotan.grad(f)(x),
        difference(f, np.array(x), np.array(1.0)),
        1e-8,
    )
    agree(cotan.jit(cotan.grad(f))(x), cotan.grad(f)(x))
    agree(cotan.vmap(cotan.grad(f))(cnp.array([x])), [cotan.grad(f)(x)])


def test_constants_are_closed_over():
    big = np.arange(12.0).reshape(3, 4)
    f = cotan.jit(lambda x: cnp.sum(x @ big))
    agree(f(vector(3)), np.sum(np.asarray(vector(3)) @ big))
    agree(cotan.grad(f)(vector(3)), big.sum(1))


def test_python_control_flow_on_values():
    def f(x):
        if x > 1:
            return x * x
        while x < 1:
            x = 2 * x
        return cnp.sin(x)

    for x in (0.3, 1.5, 4.0):
        agree(cotan.grad(f)(x), difference(f, np.array(x), np.array(1.0)), 1e-8)
        y, t = cotan.jvp(f, (x,), (1.0,))
        agree(y, f(x))
        agree(t, cotan.grad(f)(x))

    def g(x):
        return x * 3 if bool(x[0] > 0) and int(x[1]) == 2 else x

    agree(
        cotan.grad(lambda x: cnp.sum(g(x)))(cnp.array([1.0, 2.5])), [3.0, 3.0]
    )


def test_control_flow_in_grad_of_grad():
    def f(x):
        return x**3 if x > 0 else x**2

    assert float(cotan.grad(cotan.grad(f))(2.0)) == 12.0
    assert float(cotan.grad(cotan.grad(f))(-2.0)) == 2.0


@each
def test_reference_rules_give_the_same(f, interpreted):
    """The whole composition, without generated code."""
    x = vector(4)
    g = scalar(f)
    with interpreted():
        h = cotan.hessian(g)(x)
        v = cotan.vmap(cotan.grad(g))(matrix(2, 4))
        j = cotan.jit(cotan.grad(g))(x)
    agree(cotan.hessian(g)(x), h, 1e-10)
    agree(cotan.vmap(cotan.grad(g))(matrix(2, 4)), v, 1e-11)
    agree(cotan.jit(cotan.grad(g))(x), j, 1e-11)


def test_functions_are_tested_with_numbers_away_from_kinks():
    assert (np.abs(np.asarray(vector(4)) - 0.6) > 4 * functions.STEP).all()

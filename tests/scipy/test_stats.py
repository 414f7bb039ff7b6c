"""cotan.scipy.stats beside jax.scipy.stats."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan.scipy import stats
from tests.scipy import beside_jax

pytest.importorskip("jax")
import jax
import jax.scipy.stats

OPERANDS = {
    "x": np.array([-1.5, -0.2, 0.3, 0.9, 2.5], "float32"),
    "w": np.array([0.1, -0.3, 0.2, 0.4, -0.6], "float32"),
    "u": np.array([0.05, 0.3, 0.5, 0.8, 0.97], "float32"),
    "p": np.array([0.2, 0.7, 0.4, 0.9, 0.5], "float32"),
    "a": np.array([0.6, 1.5, 2.5, 3.0, 7.0], "float32"),
    "s": np.array([0.5, 1.0, 2.0, 1.5, 3.0], "float32"),
    "k": np.array([0, 1, 3, 2, 9], "int32"),
    "n": np.array([1, 4, 3, 5, 7], "int32"),
    "d": np.array([[0.1, 0.4, 1.3, 2.2, 5.0]], "float32"),
    "m": np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 1.5]], "f4"),
    "z": np.array([3, 1, 1, 3, 2], "int32"),
}

NORMAL_LIKE = ("norm", "cauchy", "logistic", "gumbel_l", "gumbel_r", "laplace")


def locations():
    """Distributions with (x, loc, scale)."""
    methods = {"pdf", "logpdf", "cdf", "logcdf", "sf", "logsf"}
    for name in (*NORMAL_LIKE, "expon", "uniform"):
        module = getattr(jax.scipy.stats, name)
        # JAX cannot differentiate its own: a float0 is multiplied.
        mark = "  # value" if name.startswith("gumbel") else ""
        for method in sorted(methods & set(dir(module))):
            yield f"stats.{name}.{method}(x, w, s){mark}"
        for method in sorted({"ppf", "isf"} & set(dir(module))):
            yield f"stats.{name}.{method}(u, w, s){mark}"
        yield f"stats.{name}.pdf(k)"
        yield f"stats.{name}.pdf(0.25)"


SHAPED = """
stats.beta.logpdf(u, a, s, w, s)
stats.beta.pdf(u, a, s)
stats.betabinom.logpmf(k, n, a, s)
stats.betabinom.pmf(k, n, a, s, 1)
stats.bernoulli.logpmf(k, p)  # value
stats.bernoulli.logpmf(n - 3, p, 1)  # value
stats.bernoulli.pmf(k, p)
stats.bernoulli.cdf(x, p)
stats.bernoulli.cdf(k, p)
stats.bernoulli.ppf(u, p)
stats.binom.logpmf(k, n, p)
stats.binom.pmf(k, n, p, 1)
stats.chi2.logpdf(s, a)
stats.chi2.logpdf(x, a, w, s)  # value
stats.chi2.pdf(s, a)
stats.dirichlet.logpdf(u[:3] / u[:3].sum(), a[:3])
stats.dirichlet.logpdf(u[:2], a[:3])
stats.dirichlet.pdf(u[:2, None] * np.ones(2, 'f4') / 2, a[:3])
stats.gamma.logpdf(s, a)
stats.gamma.logpdf(x, a, w, s)
stats.gamma.pdf(s, a)
stats.gennorm.logpdf(x, a)
stats.gennorm.pdf(x, a)
stats.geom.logpmf(k, p)
stats.geom.pmf(n, p, 1)
stats.nbinom.logpmf(k, n, p)
stats.nbinom.pmf(k, n, p, 1)
stats.pareto.logpdf(s, a)
stats.pareto.logpdf(a, s, w, p)
stats.pareto.pdf(a, s, w, p)
stats.pareto.cdf(a, s, w, p)
stats.pareto.logcdf(a, s, w, p)  # value
stats.pareto.sf(a, s, w, p)
stats.pareto.logsf(a, s, w, p)
stats.pareto.ppf(u, s, w, p)
stats.poisson.logpmf(k, a)
stats.poisson.pmf(k, a, 1)
stats.poisson.pmf(x, a)
stats.poisson.entropy(a)
stats.poisson.entropy(a * 30)  # value
stats.t.logpdf(x, a)
stats.t.pdf(x, a, w, s)
stats.truncnorm.logpdf(x, -s, s + 1, w, s)
stats.truncnorm.pdf(x, -s, s + 1)
stats.truncnorm.logcdf(x, -s, s + 1, w, s)
stats.truncnorm.cdf(x, w - 1, s)  # value
stats.truncnorm.sf(x, w - 1, s)  # value
stats.truncnorm.logsf(x, w, s + 1)  # value
stats.vonmises.logpdf(x, a)
stats.vonmises.pdf(x, w)
stats.wrapcauchy.logpdf(a, p)
stats.wrapcauchy.pdf(x, p)
stats.multinomial.logpmf(k[:3], 4, u[:3] / u[:3].sum())
stats.multinomial.pmf(k, 15, p / p.sum())
stats.multivariate_normal.logpdf(x, w[0], a[0])
stats.multivariate_normal.logpdf(x, w, a[0])
stats.multivariate_normal.pdf(x[:3], w[:3], 2.0)
stats.sem(m)
stats.sem(m, axis=1, ddof=0, keepdims=True)
stats.sem(m, None, nan_policy='omit')
stats.sem(z)
stats.mode(z)
stats.mode(m, axis=1)  # value
stats.mode(m, None, keepdims=True)  # value
stats.rankdata(z)
stats.rankdata(z, 'min')
stats.rankdata(z, 'max')
stats.rankdata(z, 'dense')
stats.rankdata(z, 'ordinal')
stats.rankdata(x)  # value
stats.rankdata(x / jnp.where(x > 2, 0, 1) * 0, 'min')  # value
stats.rankdata(m, axis=0)  # value
"""

INCOMPLETE = """
stats.beta.logcdf(u, a, s, w, s)  # value
stats.beta.sf(u, a, s)  # value
stats.beta.logsf(u, a, s)  # value
stats.chi2.cdf(s, a)
stats.chi2.logcdf(s, a)
stats.chi2.sf(s, a)
stats.chi2.logsf(s, a)
stats.gamma.cdf(s, a)
stats.gamma.logcdf(s, a)
stats.gamma.sf(s, a, w, s)
stats.gamma.logsf(s, a)
stats.gennorm.cdf(x, a)
stats.poisson.cdf(k, a)
"""

DECOMPOSED = """
stats.multivariate_normal.logpdf(x[:3], w[:3], m)
stats.multivariate_normal.pdf(jnp.outer(u, x[:3]), w[:3], m)
stats.gaussian_kde(d).pdf(x)
stats.gaussian_kde(d, 'silverman', s).logpdf(x)
stats.gaussian_kde(d, 0.7)(u)
stats.gaussian_kde(d).integrate_box_1d(0.5, 2.0)
stats.gaussian_kde(d).integrate_gaussian(1.0, 0.5)
stats.gaussian_kde(d).integrate_kde(stats.gaussian_kde(d[:, :4]))
stats.gaussian_kde(jnp.stack([x, s])).evaluate(jnp.stack([x, s]) + 0.1)
api.tree_util.tree_leaves(stats.gaussian_kde(d))
"""


def check(text, rtol=beside_jax.RTOL):
    beside_jax.check(
        jax, text, OPERANDS, lambda api: {"stats": api.scipy.stats}, rtol
    )


def test_distributions_with_location_and_scale():
    check("\n".join(locations()))


def test_other_distributions():
    check(SHAPED)


def test_incomplete_functions():
    try:
        cotan.scipy.special.gammainc(1.0, 1.0)
    except NotImplementedError as e:
        pytest.skip(str(e))
    check(INCOMPLETE)


def test_with_decompositions():
    check(DECOMPOSED, 5e-4)


def test_jit_vmap_and_grad_compose():
    x = cnp.linspace(-2, 2, 5)
    f = cotan.jit(cotan.vmap(cotan.grad(stats.norm.logpdf)))
    np.testing.assert_allclose(f(x), -np.asarray(x), rtol=1e-6, atol=1e-6)


def test_messages():
    with pytest.raises(ValueError, match="`alpha` must be one-dimensional"):
        stats.dirichlet.logpdf(cnp.ones(2), cnp.ones((2, 2)))
    with pytest.raises(ValueError, match="unknown method 'best'"):
        stats.rankdata(cnp.ones(2), "best")
    with pytest.raises(NotImplementedError, match="allow_singular"):
        stats.multivariate_normal.logpdf(
            cnp.ones(2), cnp.ones(2), cnp.eye(2), allow_singular=True
        )
    with pytest.raises(ValueError, match="`bw_method` should be"):
        stats.gaussian_kde(cnp.arange(4.0), "best")
    with pytest.raises(ValueError, match="multiple elements"):
        stats.gaussian_kde(cnp.ones(1))

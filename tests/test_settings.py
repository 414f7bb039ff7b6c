"""Settings as contexts, and what they log and refuse."""

import logging

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import lax, random


def test_a_setting_has_a_value_per_thread_and_one_for_all():
    rank = cotan.numpy_rank_promotion
    assert rank.value == rank.get_global() == "allow"
    with rank("raise"), cotan.log_compiles():
        assert (rank.value, rank.get_global()) == ("raise", "allow")
        assert cotan.log_compiles.value and not cotan.log_compiles.get_global()
    cotan.log_compiles.set_global(True)
    assert cotan.config.log_compiles
    cotan.log_compiles.set_global(False)
    assert rank.value == "allow" and rank.name == "jax_numpy_rank_promotion"
    with pytest.raises(ValueError, match="must be one of"), rank("never"):
        pass


def test_default_device():
    cpu = cotan.devices("cpu")[0]
    assert cotan.default_device.value is None
    with cotan.default_device("cpu"):
        assert cnp.ones(3).devices() == {cpu}
    with pytest.raises(TypeError, match="expected a device"):
        with cotan.default_device(3):
            pass
    assert cotan.default_device.value is None


def test_raw_keys_may_be_refused():
    raw = random.PRNGKey(0)
    with cotan.legacy_prng_key("error"):
        with pytest.raises(ValueError, match="Legacy uint32 key"):
            random.uniform(raw)
        random.uniform(random.key(0))
    with (
        cotan.legacy_prng_key("warn"),
        pytest.warns(UserWarning, match="Legac"),
    ):
        random.uniform(raw)
    with cotan.enable_custom_prng(True):
        assert random.PRNGKey(3).dtype == random.key_dtype()


def test_sums_of_16_bits_may_be_refused():
    x = cnp.ones((1, 3), "bfloat16")
    lax.reduce_sum(x, [1])
    with cotan.allow_f16_reductions(False):
        lax.reduce_sum(x, [0])
        with pytest.raises(ValueError, match="not allowed"):
            lax.reduce_sum(x, [1])


# ---- logs


def messages(caplog):
    out = [r.getMessage() for r in caplog.records if r.name == "cotan"]
    caplog.clear()
    return out


def test_what_is_compiled_is_logged(caplog):
    @cotan.jit
    def double(x):
        return 2 * x

    with cotan.log_compiles(True):
        double(np.ones(3, "f4"))
        assert double(1.0) == 2.0
    first, second, *rest = messages(caplog)
    assert first.startswith("Finished tracing double for jit in ")
    assert second == "Compiling jit(double) for (f32[3])" and len(rest) == 2
    with caplog.at_level(logging.DEBUG, "cotan"):
        double(np.ones(4, "f4"))
    assert "Finished tracing double" in messages(caplog)[0]
    double(np.ones(5, "f4"))
    assert messages(caplog) == []


def test_why_a_function_is_traced_again(caplog):
    @cotan.jit
    def f(x, y, **more):
        return x + y

    def explained(call):
        with cotan.explain_cache_misses(True):
            call()
            call()  # found: nothing to explain
        (text,) = messages(caplog)
        assert text.startswith("TRACING CACHE MISS of f defined at ")
        return text

    one = np.float32(1)
    assert "never seen function" in explained(lambda: f(one, one))
    text = explained(lambda: f(one, np.int32(2)))
    assert "at y, now i32[] and before f32[]" in text
    text = explained(lambda: f(np.ones(2, "f4"), one))
    assert "at x, now f32[2] and before f32[]" in text
    text = explained(lambda: f(1.0, one))
    assert "now f32[]{weak_type=True} and before f32[]{weak_type=False}" in text
    assert "weak-types" in text
    assert "different input pytree" in explained(lambda: f(one, y=one))

    def in_context():
        with cotan.numpy_rank_promotion("warn"):
            f(one, one)

    text = explained(in_context)
    assert "tracing context" in text
    assert "numpy_rank_promotion: now warn and before allow" in text
    f.clear_cache()
    assert "it was forgotten" in explained(lambda: f(one, one))


def test_functions_of_one_line_are_named(caplog):
    with cotan.explain_cache_misses(True):
        for _ in range(2):
            cotan.jit(lambda x: x + 1)(1.0)
    first, second = messages(caplog)
    assert "another function defined on the same line" not in first
    assert "another function defined on the same line" in second
    with cotan.explain_cache_misses(True):
        g = cotan.jit(lambda x, n: x * n, static_argnums=1)
        g(1.0, 2)
        g(1.0, 3)
    assert "different values of static arguments" in messages(caplog)[1]


# ---- nan and infinity


def root_of(x):
    return cnp.sqrt(x) + 1


@pytest.mark.parametrize(
    "function, x, text",
    [
        (lambda x: cnp.sin(0.0 / x) + 1, 0.0, r"in div, at .*test_settings.py"),
        (
            lambda x: cotan.jit(root_of)(x - 2),
            1.0,
            r"in sqrt, at .*\(root_of\)",
        ),
        (
            cotan.grad(lambda x: cnp.where(x > 0, cnp.sqrt(x), 0.0)),
            -1.0,
            "sqrt",
        ),
        (lambda x: x + 1, np.nan, "did not produce it.*in the input, leaf 0"),
        (lambda x: (x, cnp.nan), 1.0, "did not produce it.*a literal"),
        (lambda x: lax.cond(x == 1, lambda: cnp.nan, lambda: x), 1.0, "cond"),
    ],
)
def test_the_operation_that_makes_a_nan_is_named(function, x, text):
    f = cotan.jit(function)
    f(4.0)
    with cotan.debug_nans(True):
        with pytest.raises(FloatingPointError, match=text):
            f(x)
    f(x)


def test_debug_nans_of_donated_memory_and_infinities():
    with cotan.debug_nans(True):
        f = cotan.jit(lambda x: 0 / x, donate_argnums=0)
        with pytest.raises(FloatingPointError, match=r"nan.*donated"):
            f(cnp.zeros(3))
    with cotan.debug_infs(True):
        with pytest.raises(FloatingPointError, match=r"\(inf\).*in exp, at"):
            cotan.jit(lambda x: cnp.exp(1000 * x))(1.0)

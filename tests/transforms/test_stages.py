"""What the stages between a function and its program know."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import stages


@pytest.fixture
def jitted():
    return cotan.jit(
        lambda a, b, n, *, c: (a["x"] + b, b * n - c),
        donate_argnums=(1,),
        static_argnums=2,
    )


X = np.ones(3, np.float32)


def test_arguments_and_results(jitted):
    traced = jitted.trace({"x": X}, X, 2, c=1)
    lowered = traced.lower()
    compiled = lowered.compile()
    assert isinstance(jitted, stages.Wrapped)
    assert isinstance(traced, stages.Traced)
    assert isinstance(lowered, stages.Lowered)
    assert isinstance(compiled, stages.Compiled)
    for stage in (traced, lowered, compiled):
        (a, b, static), kwargs = stage.args_info
        assert static is None
        assert a["x"].shape == (3,) and a["x"].dtype == np.float32
        assert not a["x"].donated and b.donated
        assert kwargs["c"].shape == () and not kwargs["c"].donated
        assert stage.donate_argnums == (1,)
        (a, b, _), kwargs = stage.in_avals
        assert str(a["x"]) == "float32[3]"
        assert kwargs["c"].weak_type
        assert [str(t) for t in stage.out_avals] == ["float32[3]"] * 2
        assert [t.shape for t in stage.out_info] == [(3,), (3,)]
    for got, want in zip(
        compiled({"x": X}, cnp.array(X), 2, c=1),
        (X + X, X * 2 - 1),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)


def test_closed_over_arrays_are_no_arguments():
    y = cnp.arange(4.0)
    lowered = cotan.jit(lambda x: x + y).lower(1.0)
    (info,), kwargs = lowered.args_info
    assert info.shape == () and not kwargs
    assert lowered.donate_argnums == ()


def test_texts_and_analyses():
    lowered = cotan.jit(cnp.sin).lower(X)
    for text in (lowered.as_text(), lowered.as_text("stablehlo")):
        assert text == lowered.compiler_ir()
        assert "@main(%arg0: tensor<3xf32>) -> tensor<3xf32> {" in text
        assert "stablehlo.sine %arg0 : tensor<3xf32>" in text
    jaxpr = lowered.as_text("jaxpr")
    assert (
        jaxpr
        == lowered.compiler_ir("jaxpr")
        == str(cotan.jit(cnp.sin).trace(X).jaxpr)
    )
    with pytest.raises(NotImplementedError, match="source locations"):
        lowered.as_text(debug_info=True)
    with pytest.raises(NotImplementedError, match="dialect 'mhlo'"):
        lowered.compiler_ir("mhlo")
    assert isinstance(lowered.cost_analysis(), dict)
    assert isinstance(lowered.compile().memory_analysis(), dict)


def test_text_of_what_stablehlo_has_no_words_for():
    f = cotan.jit(lambda x: cotan.debug.callback(print, x))
    with pytest.raises(NotImplementedError, match=r"\[debug_callback\]"):
        f.lower(X).as_text()
    assert "debug_callback" in f.lower(X).as_text("jaxpr")


def test_effects_are_over_when_a_call_returns():
    seen = []
    f = cotan.jit(lambda x: cotan.debug.callback(seen.append, x))
    f(1.0)
    cotan.effects_barrier()
    assert len(seen) == 1


def test_announcing_a_copy_to_the_host():
    x = cnp.ones(3)
    assert x.copy_to_host_async() is None
    x.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        x.copy_to_host_async()

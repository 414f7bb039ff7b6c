"""jit: static and donated arguments, stages, nesting, what is traced when."""

import functools
import gc
import weakref

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from tests import device
from tests.transforms.functions import agree, matrix, vector


class Counted:
    """A function that counts how often it is traced."""

    def __init__(self, fun):
        self.fun, self.traces = fun, 0

    def __call__(self, *args, **kwargs):
        self.traces += 1
        return self.fun(*args, **kwargs)


@pytest.mark.x32
def test_when_it_traces_again():
    """JAX's sequence: what shares a trace with what."""
    f = Counted(lambda x: x)
    g = cotan.jit(f)
    s = Counted(lambda x, n: x)
    t = cotan.jit(s, static_argnums=1)
    p = Counted(lambda tree: cotan.tree.leaves(tree)[0])
    q = cotan.jit(p)

    def seen(counted, jitted, *args):
        jitted(*args)
        return counted.traces

    assert [
        seen(f, g, 1),
        seen(f, g, 2),
        seen(f, g, 1.0),
        seen(f, g, cnp.int32(1)),
        seen(f, g, cnp.array(1)),
        seen(f, g, np.int32(1)),
        seen(f, g, True),
        seen(f, g, cnp.zeros(3)),
        seen(f, g, cnp.zeros(4)),
        seen(f, g, np.zeros(4, "f4")),
        seen(f, g, np.zeros(4)),
    ] == [1, 1, 2, 3, 3, 3, 4, 5, 6, 6, 6]
    assert [
        seen(s, t, 1, 1),
        seen(s, t, 2, 1),
        seen(s, t, 1, 1.0),
        seen(s, t, 1, True),
        seen(s, t, 1, 2),
        seen(s, t, 1, 1),
    ] == [1, 1, 2, 3, 4, 4]
    assert [
        seen(p, q, {"a": 1, "b": 2}),
        seen(p, q, {"b": 2, "a": 1}),
        seen(p, q, [1, 2]),
        seen(p, q, (1, 2)),
        seen(p, q, [1, 2]),
        seen(p, q, {"a": 1, "c": 2}),
    ] == [1, 1, 2, 3, 3, 4]


def test_settings_are_part_of_the_key():
    f = Counted(lambda x: x * 2)
    g = cotan.jit(f)
    g(1.0)
    with cotan.enable_x64(False):
        assert g(1.0).dtype == np.float32
    assert g(1.0).dtype == np.float64
    assert f.traces == 2


def test_side_effects_happen_once():
    log = []

    @cotan.jit
    def f(x):
        log.append(x)
        return x + 1

    agree([f(1.0), f(2.0)], [2.0, 3.0])
    assert len(log) == 1


def test_static_arguments():
    @functools.partial(cotan.jit, static_argnums=(1,), static_argnames="mode")
    def f(x, n, mode="add"):
        for _ in range(n):
            x = x + 1 if mode == "add" else x * 2
        return x

    agree(f(1.0, 3), 4.0)
    agree(f(1.0, 3, mode="mul"), 8.0)
    with pytest.raises(cotan.errors.TracerIntegerConversionError):
        f(1.0, n=2)  # static by position, "mode" by name
    by_name = cotan.jit(f.__wrapped__, static_argnames=("n", "mode"))
    agree(by_name(1.0, n=2), 3.0)
    agree(by_name(1.0, 3, "mul"), 8.0)
    with pytest.raises(ValueError, match="Non-hashable static arguments"):
        f(1.0, [3])

    class Key:
        def __init__(self, k):
            self.k = k

        def __hash__(self):
            return 7  # all collide: equality decides

        def __eq__(self, other):
            return self.k == other.k

    g = Counted(lambda x, key: x * key.k)
    h = cotan.jit(g, static_argnums=1)
    agree([h(1.0, Key(2)), h(1.0, Key(3)), h(1.0, Key(2))], [2.0, 3.0, 2.0])
    assert g.traces == 2
    agree(
        cotan.jit(lambda f, x: f(x), static_argnums=0)(cnp.sin, 1.0), np.sin(1)
    )


def test_static_mistakes():
    with pytest.raises(ValueError, match="static_argnums"):
        cotan.jit(lambda x: x, static_argnums=3)
    with pytest.raises(ValueError, match="argnames"):
        cotan.jit(lambda x: x, static_argnames="y")


def test_donation():
    f = cotan.jit(lambda x, y: x + y, donate_argnums=0)
    x, y = vector(1000), vector(1000, 1)
    want = np.asarray(x) + np.asarray(y)
    z = f(x, y)
    agree(z, want)
    assert x.is_deleted() and not y.is_deleted()
    with pytest.raises(
        RuntimeError, match=r"Array has been deleted with shape=float64\[1000\]"
    ):
        x + 1
    for use in (np.asarray, repr, cotan.jit(lambda v: v), lambda v: f(v, y)):
        if use is repr:
            assert "deleted" in repr(x)
            continue
        with pytest.raises(RuntimeError, match="Array has been deleted"):
            use(x)
    # A donated buffer is reused where it fits.
    if not device.on_cpu:
        return
    address = z.unsafe_buffer_pointer()
    assert f(z, y).unsafe_buffer_pointer() == address


def test_donation_by_name_and_in_trees():
    f = cotan.jit(
        lambda state, grad: {k: state[k] - grad[k] for k in state},
        donate_argnames="state",
    )
    state = {"a": vector(8), "b": matrix(4, 4)}
    grad = {"a": vector(8, 1), "b": matrix(4, 4, 1)}
    new = f(state, grad)
    agree(new["b"], matrix(4, 4) - matrix(4, 4, 1))
    assert all(v.is_deleted() for v in state.values())
    assert not any(v.is_deleted() for v in grad.values())
    f2 = cotan.jit(lambda state: state["a"] * 2, donate_argnums=0)
    with pytest.warns(UserWarning, match="donated buffers were not usable"):
        agree(f2(state=new), 2 * (vector(8) - vector(8, 1)))
    # The same array twice: donated once, used once.
    g = cotan.jit(lambda x, y: x * y, donate_argnums=0)
    x = vector(8)
    try:
        agree(g(x, x), np.asarray(vector(8)) ** 2)
    except RuntimeError as e:
        assert "donate" in str(e)


def test_donation_does_not_spoil_other_holders():
    x = vector(64)
    view = np.asarray(x)
    before = view.copy()
    cotan.jit(lambda v: v * 0, donate_argnums=0)(x)
    # NumPy still sees the memory: it must not have been written over.
    np.testing.assert_array_equal(view, before)


def test_inputs_are_not_changed():
    x = vector(16)
    before = np.asarray(x).copy()
    cotan.jit(lambda v: v.at[0].set(100.0))(x)
    agree(x, before)


def test_identity_and_constants():
    x = vector(3)
    agree(cotan.jit(lambda v: v)(x), x)
    agree(cotan.jit(lambda v: (v, v, 1.0))(x), (x, x, 1.0))
    agree(cotan.jit(lambda: cnp.arange(3))(), [0, 1, 2])
    agree(cotan.jit(lambda v: cnp.ones(2))(x), [1.0, 1.0])
    assert cotan.jit(lambda v: None)(x) is None
    assert cotan.jit(lambda v: ())(x) == ()
    out = cotan.jit(lambda v: {"a": [v], "b": None})(x)
    assert out["b"] is None
    agree(out["a"][0], x)


def test_nested():
    inner = Counted(lambda x, y: cnp.sin(x) * y)
    j = cotan.jit(inner)

    @cotan.jit
    def f(x):
        return j(x, x) + j(2 * x, x)

    x = vector(3)
    v = np.asarray(x)
    agree(f(x), np.sin(v) * v + np.sin(2 * v) * v)
    # Equal types: traced once for both calls.
    assert inner.traces == 1
    text = str(cotan.make_jaxpr(f)(x))
    assert text.count("jit[") >= 2


def test_partial_and_methods():
    f = functools.partial(lambda a, x: a * x, 3.0)
    agree(cotan.jit(f)(2.0), 6.0)

    class Model:
        def __init__(self, w):
            self.w = w

        @functools.partial(cotan.jit, static_argnums=0)
        def __call__(self, x):
            return self.w * x

        @cotan.jit
        def bound(x):
            return x + 1

    m = Model(2.0)
    agree(m(3.0), 6.0)
    agree(Model(5.0)(3.0), 15.0)
    assert callable(Model.bound)
    agree(Model.bound(1.0), 2.0)


def test_var_arguments():
    f = cotan.jit(lambda *xs, **kw: sum(xs) + sum(kw.values()))
    agree(f(1.0, 2.0, a=3.0, b=4.0), 10.0)
    agree(f(1.0), 1.0)
    g = cotan.jit(lambda x, /, y, *, z=1.0: x * y + z)
    agree([g(2.0, 3.0), g(2.0, y=3.0, z=2.0)], [7.0, 8.0])
    with pytest.raises(TypeError):
        g(2.0)


def test_stages():
    f = cotan.jit(lambda x, y: {"s": x + y}, static_argnums=())
    x = vector(3)
    traced = f.trace(x, 1.0)
    assert "add" in str(traced.jaxpr)
    lowered = f.lower(x, 1.0)
    assert lowered.out_info["s"].shape == (3,)
    compiled = lowered.compile()
    agree(compiled(x, 2.0)["s"], x + 2.0)
    with pytest.raises(TypeError, match="types for which this computation"):
        compiled(vector(4), 2.0)
    with pytest.raises(TypeError, match="input pytree"):
        compiled(x)
    struct = cotan.ShapeDtypeStruct((3,), np.float64)
    agree(f.lower(struct, struct).compile()(x, x)["s"], 2 * x)
    assert f.eval_shape(struct, struct)["s"] == struct


def test_errors_do_not_poison_the_cache():
    fail = [True]

    @cotan.jit
    def f(x):
        if fail:
            raise KeyError("mine")
        return x + 1

    with pytest.raises(KeyError, match="mine"):
        f(1.0)
    fail.clear()
    agree(f(1.0), 2.0)
    assert f._cache_size() == 1
    f.clear_cache()
    assert f._cache_size() == 0
    agree(f(1.0), 2.0)


def test_recursion():
    def fib(n):
        return n if n < 2 else g(n - 1) + g(n - 2)

    g = cotan.jit(fib, static_argnums=0)
    assert int(g(10)) == 55


def test_disable_jit():
    seen = []

    @cotan.jit
    def f(x):
        seen.append(float(x))
        return x + 1

    with cotan.disable_jit():
        agree(f(1.0), 2.0)
        agree(f(2.0), 3.0)
    assert seen == [1.0, 2.0]


def test_functions_are_freed():
    class Big:
        pass

    def make():
        big = Big()
        f = cotan.jit(lambda x: (big, x * 2)[1])
        f(1.0)
        return weakref.ref(big)

    ref = make()
    cotan.clear_caches()
    gc.collect()
    assert ref() is None


def test_many_arguments():
    xs = [cnp.array(float(i)) for i in range(100)]
    out = cotan.jit(lambda xs: [x + 1 for x in xs] + [sum(xs)])(xs)
    agree(out[:100], [i + 1.0 for i in range(100)])
    agree(out[100], 4950.0)


def test_eval_shape():
    def f(x, y):
        return {"a": x @ y, "b": cnp.sum(x) > 0}

    out = cotan.eval_shape(
        f,
        cotan.ShapeDtypeStruct((2, 3), np.float32),
        cotan.ShapeDtypeStruct((3, 4), np.float32),
    )
    assert out["a"] == cotan.ShapeDtypeStruct((2, 4), np.float32)
    assert out["b"] == cotan.ShapeDtypeStruct((), np.bool_)


def test_make_jaxpr():
    text = str(cotan.make_jaxpr(lambda x: cnp.sin(x) * 2)(np.float32(3)))
    assert text == (
        "{ lambda ; a:f32[]. let b:f32[] = sin a; "
        "c:f32[] = mul b 2.0:f32[] in (c,) }"
    )
    text, shape = cotan.make_jaxpr(
        lambda x, n: x * n, static_argnums=1, return_shape=True
    )(vector(3), 2)
    assert shape.shape == (3,)


def test_equal_values_that_a_reduction_separates():
    """Two sines of one array, both wanted again after the sum."""

    def f(x):
        a, b = cotan.lax.optimization_barrier((x, x))
        s, t = cnp.sin(a), cnp.sin(b)
        return s * cnp.sum(s * cnp.cos(t)) * cnp.sin(t)

    for n in (4, 100, 3000):
        x = cnp.linspace(-2.0, 2.0, n)
        np.testing.assert_allclose(cotan.jit(f)(x), f(x), 1e-4, 1e-5)


def test_argument_names_are_checked():
    def f(a, /, b, *args):
        return b

    for name in ("a", "args", "c"):
        with pytest.raises(ValueError, match=name):
            cotan.jit(f, static_argnames=("b", name))
    with pytest.raises(ValueError, match="static_argnames and donate_argnames"):
        cotan.jit(f, static_argnames="b", donate_argnames="b")


def test_no_tracing():
    f = cotan.jit(lambda x: x + 1)
    f(vector(3))
    with cotan.no_tracing():
        f(vector(3))
        with pytest.raises(RuntimeError, match="no_tracing"):
            f(vector(4))
    f(vector(4))


def test_attributes_of_the_function():
    def f(x: int) -> int:
        """What f does."""
        return x

    f.some_value = 4
    g = cotan.jit(f)
    assert (g.some_value, g.__doc__) == (4, "What f does.")
    assert g.__annotations__ == f.__annotations__


def test_copy_to_host_async():
    x = {"a": vector(3), "b": 1}
    assert cotan.copy_to_host_async(x) is x


def test_inline():
    @cotan.jit(inline=True)
    def double(x, *, n=1):
        return 2 * x + n

    def names(function):
        jaxpr = cotan.make_jaxpr(function)(cnp.ones(3, "float32")).jaxpr
        return [e.primitive.name for e in jaxpr.eqns]

    assert names(lambda x: double(x)) == ["mul", "add"]
    assert names(cotan.jit(double)) == ["jit"]
    assert names(lambda x: cotan.jit(lambda x: 2 * x)(x)) == ["jit"]
    slope = cotan.grad(lambda x: cotan.jit(double)(x) + double(x))(3.0)
    assert slope == 4.0
    np.testing.assert_array_equal(cotan.vmap(double)(np.arange(3.0)), [1, 3, 5])


def test_what_jit_cannot_take():
    with pytest.raises(TypeError, match="staticmethod arguments are not"):
        cotan.jit(staticmethod(lambda x: x))
    for options in ({"no_such": 1}, {"optimization_level": "most"}):
        with pytest.raises(cotan.errors.JaxRuntimeError, match="compile opti"):
            cotan.jit(lambda x: x, compiler_options=options)
        with pytest.raises(cotan.errors.JaxRuntimeError, match="compile opti"):
            cotan.jit(lambda x: x).lower(1.0).compile(options)
    f = cotan.jit(lambda x: x, compiler_options={"xla_cpu_enable_x": True})
    assert f(2.0) == 2.0


def test_compiled_programs_take_their_types_only():
    x = cnp.ones(3, "float32")
    f = cotan.jit(lambda x, y: x + y["a"][0])
    compiled = (
        f.trace(x, {"a": [x]}).lower(lowering_platforms=("cpu",)).compile()
    )
    np.testing.assert_array_equal(compiled(x, {"a": [x]}), [2, 2, 2])
    with pytest.raises(TypeError) as caught:
        compiled(x.astype("int32"), {"a": [x[:2]]})
    assert str(caught.value).splitlines()[1:] == [
        "Argument 'x' compiled with float32[3] and called with int32[3]",
        "Argument 'y['a'][0]' compiled with float32[3] and called with "
        "float32[2]",
    ]
    with pytest.raises(TypeError, match="Cannot apply transformations"):
        cotan.vmap(lambda x: compiled(x, {"a": [x]}))(cnp.ones((2, 3)))


def test_device_put_takes_a_tree_of_devices():
    cpu = cotan.devices("cpu")[0]
    x = {"a": np.arange(2), "b": (np.arange(3), 1.0)}
    put = cotan.device_put(x, {"a": cpu, "b": (None, cpu)})
    assert put["a"].devices() == put["b"][1].devices() == {cpu}
    assert put["b"][0].devices() == cnp.ones(1).devices()
    assert put["b"][1].dtype == cnp.asarray(1.0).dtype
    with pytest.raises(ValueError, match=r"(?s)tree prefix.*\(2 found\)"):
        cotan.device_put(x, {"a": [None], "b": [None, None]})

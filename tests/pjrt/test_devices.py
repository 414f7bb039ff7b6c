"""Arrays and programs on the devices of a plugin (XLA's, on the CPU)."""

import importlib.util
import sys

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from cotan import _core, aot, lax, pjrt
from tests import narrow


@pytest.fixture
def x(cpu_plugin):
    return cotan.device_put(np.arange(6, dtype="f4").reshape(2, 3), cpu_plugin)


def test_arrays_go_there_and_come_back(cpu_plugin, rng):
    for dtype in ("b1", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "c16"):
        for shape in ((), (3,), (2, 0, 3), (64, 257)):
            a = (rng.normal(size=shape) * 100).astype("f8").astype(dtype)
            with cotan.enable_x64():
                y = cotan.device_put(a, cpu_plugin)
            assert y.device == cpu_plugin and y.dtype == a.dtype
            np.testing.assert_array_equal(np.asarray(y), a)


@pytest.mark.parametrize(
    "name", [n for n in narrow.FLOATS if narrow.bits_of(n) == 8]
)
def test_float8(cpu_plugin, name):
    x, y = (v[::97] for v in narrow.pairs_of(name))
    if name == "float8_e8m0fnu":  # XLA flushes what is subnormal in f32
        normal = (x.view("u1") > 1) & (y.view("u1") > 1)
        x, y = x[normal], y[normal]
    there = cotan.device_put(x, cpu_plugin)
    assert there.device == cpu_plugin and there.dtype == x.dtype
    narrow.assert_same(there, x, name)
    for f in (lambda x, y: x + y, lambda x, y: (x < y, x.astype("bfloat16"))):
        want = cotan.tree.leaves(f(cnp.asarray(x), cnp.asarray(y)))
        for g in (f, cotan.jit(f)):
            got = cotan.tree.leaves(g(there, y))
            for g, w in zip(got, want, strict=True):
                assert g.device == cpu_plugin
                narrow.assert_same(g, w, name)


def test_what_is_packed_is_refused(cpu_plugin, x):
    for name in ("int4", "uint2", "float4_e2m1fn"):
        with pytest.raises(NotImplementedError, match=f"arrays of {name}"):
            cotan.device_put(narrow.values_of(name), cpu_plugin)
        with pytest.raises(NotImplementedError, match=f"arrays of {name}"):
            x.astype(name)
    inside = cotan.jit(lambda v: v.astype("int4").astype("int8"))(x)
    np.testing.assert_array_equal(inside, [[0, 1, 2], [3, 4, 5]])


def test_results_stay_where_their_operands_are(cpu_plugin, x):
    assert (x + 1).device == cpu_plugin
    assert (x + np.ones(3, "f4")).device == cpu_plugin
    assert cotan.jit(lambda v: v * 2)(x).device == cpu_plugin
    assert cotan.grad(lambda v: cnp.sum(v * v))(x).device == cpu_plugin
    assert cotan.vmap(cnp.sum)(x).device == cpu_plugin
    y = cotan.device_put(x, cotan.devices("cpu")[0])
    assert (y + 1).device == cotan.devices("cpu")[0]
    np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


def test_devices_do_not_mix(two_devices, x):
    y = cotan.device_put(x, two_devices[1])
    for f in (cnp.add, cotan.jit(cnp.add)):
        with pytest.raises(ValueError, match="incompatible devices"):
            f(x, y)
    moved = cotan.device_put(y, two_devices[0])
    np.testing.assert_array_equal(np.asarray(x + moved), 2 * np.asarray(x))


def test_jit_on_a_device(two_devices):
    f = cotan.jit(lambda v: v + 1, device=two_devices[1])
    assert f(np.ones(3, "f4")).device == two_devices[1]
    g = cotan.jit(lambda v: v + 1, backend="pjrt:cpu")
    assert g(1.0).device == two_devices[0]


def test_one_function_on_several_devices(two_devices):
    traces = []

    @cotan.jit
    def f(v):
        traces.append(1)
        return v * 2

    for d in (*two_devices, cotan.devices("cpu")[0]):
        y = f(cotan.device_put(np.ones(3, "f4"), d))
        assert y.device == d and float(y[0]) == 2
    assert len(traces) == 1


def test_equal_programs_are_compiled_once(x):
    cotan.jit(lambda v: v * 3 - 1)(x)
    before = _core.pjrt_stats()
    cotan.jit(lambda v: v * 3 - 1)(x)
    assert _core.pjrt_stats() == (before[0], before[1] + 1)


def test_donation(cpu_plugin):
    x = cotan.device_put(np.ones((64, 64), "f4"), cpu_plugin)
    y = cotan.jit(lambda v: v + 1, donate_argnums=0)(x)
    assert x.is_deleted() and not y.is_deleted()
    with pytest.raises(RuntimeError, match="deleted"):
        np.asarray(x)
    with pytest.raises(RuntimeError, match="deleted"):
        x + 1
    z = cotan.jit(lambda a, b: a + b, donate_argnums=0)(y, y)
    assert float(z[0, 0]) == 4


def test_lent_memory_is_not_donated(cpu_plugin):
    """A large host array is shared with the plugin, not copied."""
    host = cnp.arange(1 << 16, dtype="f4")
    there = cotan.device_put(host, cpu_plugin)
    cotan.jit(lambda v: v * 0, donate_argnums=0)(host)
    assert float(there[-1]) == (1 << 16) - 1


def test_waiting(x):
    y = cotan.jit(lambda v: v @ v.T)(x)
    assert y.block_until_ready() is y and y.is_ready()
    cotan.block_until_ready([y, y])


def test_random_bits_are_the_same_everywhere(cpu_plugin):
    key = cotan.random.key(7)
    there = cotan.device_put(key, cpu_plugin)
    for f in (
        lambda k: cotan.random.bits(k, (1000,)),
        lambda k: cotan.random.uniform(k, (1000,)),
        lambda k: cotan.random.key_data(cotan.random.split(k, 3)),
        lambda k: cotan.random.permutation(k, 100),
    ):
        for g in (f, cotan.jit(f)):
            np.testing.assert_array_equal(np.asarray(g(there)), f(key))


def test_descriptions(cpu_plugin):
    facts = pjrt.describe("pjrt:cpu")
    assert facts["plugin_platform"] == "cpu"
    assert facts["pjrt_api"].startswith("0.")
    assert repr(cpu_plugin) == "PjrtDevice(platform='pjrt:cpu', id=0)"
    assert isinstance(cpu_plugin.memory_stats(), dict)
    assert isinstance(pjrt.memories(cpu_plugin), list)


def test_programs_as_bytes(cpu_plugin, two_devices, x):
    c = np.arange(3, dtype="f4") + 100
    table = cnp.asarray(c)
    f = cotan.jit(lambda v: {"a": v * 2 + table, "b": v.sum()})
    compiled = cotan.jit(
        lambda v: {"a": v * 2 + table, "b": v.sum()}, device=cpu_plugin
    )
    compiled = compiled.lower(x).compile()
    assert compiled.memory_analysis()["argument_size_in_bytes"] > 0
    data = compiled.serialize()
    g = aot.load(data, cpu_plugin)
    out = g(x)
    np.testing.assert_array_equal(np.asarray(out["a"]), np.asarray(f(x)["a"]))
    assert float(out["b"]) == 15
    with pytest.raises(TypeError, match="compiled for"):
        g(np.ones(4, "f4"))
    with pytest.raises(ValueError, match="no program of cotan"):
        aot.load(__import__("pickle").dumps(3), cpu_plugin)


def test_debug_nans(x):
    with cotan.debug_nans(True), pytest.raises(FloatingPointError):
        cnp.log(x - 10)


def test_platforms_from_the_environment(cpu_plugin, run_python):
    code = (
        "import numpy as np, cotan, cotan.numpy as cnp\n"
        "x = cnp.array([1.0, 2.0])\n"
        "y = cotan.jit(lambda v: cnp.sin(v) * 2)(x)\n"
        "print(cotan.default_backend(), x.device, y.device, (x + 1).device)"
    )
    path = pjrt.describe("pjrt:cpu")["path"]
    out = run_python(code, COTAN_PLATFORMS="pjrt:cpu")
    assert out.split() == ["pjrt:cpu", *["pjrt:cpu:0"] * 3]
    out = run_python(
        code,
        COTAN_PLATFORMS="pjrt:mine,cpu",
        COTAN_PJRT_PLUGIN=f"mine={path}",
        COTAN_PJRT_OPTIONS="cpu_device_count=2",
    )
    assert out.split()[0] == "pjrt:mine"
    out = run_python(
        "try:\n    import cotan\nexcept RuntimeError as e:\n    print(e)",
        COTAN_PLATFORMS="pjrt:nowhere",
    )
    assert "COTAN_PLATFORMS names no platform that works" in out


def test_text_of_a_program(cpu_plugin, x, monkeypatch):
    f = cotan.jit(lambda v: lax.fori_loop(0, 9, lambda i, v: cnp.sin(v), v))
    compiled = cotan.jit(f, device=cpu_plugin).lower(x).compile()
    if importlib.util.find_spec("jaxlib"):
        text = compiled.as_text()
        assert "ENTRY" in text and "while(" in text and "sine(" in text
    monkeypatch.setitem(sys.modules, "jaxlib", None)  # cannot be imported
    assert "stablehlo.while" in compiled.as_text()


MAKERS = {
    "array": lambda d: cnp.array([1.0, 2.0], device=d),
    "asarray": lambda d: cnp.asarray(np.ones(3, "i4"), device=d),
    "asarray of an Array": lambda d: cnp.asarray(cnp.ones(3), device=d),
    "zeros": lambda d: cnp.zeros((2, 3), device=d),
    "ones": lambda d: cnp.ones(3, int, device=d),
    "empty": lambda d: cnp.empty(3, device=d),
    "full": lambda d: cnp.full((2,), 7, device=d),
    "zeros_like": lambda d: cnp.zeros_like(np.ones(3), device=d),
    "ones_like": lambda d: cnp.ones_like(cnp.ones(3), device=d),
    "empty_like": lambda d: cnp.empty_like(np.ones(3), device=d),
    "full_like": lambda d: cnp.full_like(np.ones(3), 2, device=d),
    "arange": lambda d: cnp.arange(5, device=d),
    "arange of fractions": lambda d: cnp.arange(0, 1, 0.3, device=d),
    "linspace": lambda d: cnp.linspace(0, 1, 5, device=d),
    "linspace of arrays": lambda d: cnp.linspace(
        np.zeros(2), np.ones(2), 5, device=d
    ),
    "eye": lambda d: cnp.eye(3, device=d),
    "astype": lambda d: cnp.astype(cnp.ones(3), "int32", device=d),
    "Array.astype": lambda d: cnp.ones(3).astype("int32", device=d),
    "fftfreq": lambda d: cnp.fft.fftfreq(5, device=d),
    "rfftfreq": lambda d: cnp.fft.rfftfreq(5, device=d),
    "from_dlpack": lambda d: cnp.from_dlpack(np.ones(3, "f4"), device=d),
    "lax.full": lambda d: lax.full(
        (2,), 1.5, sharding=d and cnp.zeros(1, device=d).sharding
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_arrays_are_made_where_they_are_asked_for(two_devices, name):
    make = MAKERS[name]
    want = make(None)
    assert want.device == cotan.devices("cpu")[0]
    for device in (two_devices[1], cotan.devices("cpu")[0]):
        x = make(device)
        assert x.device == device and x.dtype == want.dtype
        np.testing.assert_array_equal(np.asarray(x), np.asarray(want))
        # There for good: what is computed from it is there too.
        assert (x + np.ones((), x.dtype)).device == device


def test_devices_by_name(two_devices):
    assert cnp.zeros(3, device="pjrt:cpu:1").device == two_devices[1]
    with pytest.raises((RuntimeError, ValueError), match="nowhere"):
        cnp.zeros(3, device="pjrt:nowhere")
    with pytest.raises(TypeError, match="expected a device"):
        cnp.zeros(3, device=3)


def test_makers_inside_of_programs(two_devices):
    f = cotan.jit(lambda x: x + cnp.ones(3, device=two_devices[1]))
    y = f(cotan.device_put(np.ones(3, "f4"), two_devices[1]))
    assert y.device == two_devices[1] and float(y[0]) == 2


def test_no_memory_of_others_is_shared(two_devices):
    with pytest.raises(ValueError, match="copy=False"):
        cnp.from_dlpack(np.ones(3, "f4"), device=two_devices[1], copy=False)

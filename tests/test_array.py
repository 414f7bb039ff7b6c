"""Array as Python sees it: operators, conversions, protocols, printing."""

import collections.abc
import copy
import ctypes
import operator
import pickle
import threading

import ml_dtypes
import numpy as np
import pytest

import cotan
import cotan.numpy as cnp

DTYPES = (
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 "
    "float32 float64 complex64 complex128"
).split()


def numpy_dtype(name):
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


@pytest.fixture
def x64():
    with cotan.enable_x64():
        yield


def sample(name, shape=(2, 3)):
    x = np.arange(int(np.prod(shape))) % 5
    return x.astype(numpy_dtype(name)).reshape(shape)


# ---- operators

BINARY = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "divmod": divmod,
}
BITWISE = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
}


def _same(got, want, dtype=None):
    if isinstance(got, tuple):
        for g, w in zip(got, want, strict=True):
            _same(g, w, dtype)
        return
    assert isinstance(got, cotan.Array)
    if dtype:
        assert got.dtype == dtype
    np.testing.assert_allclose(
        np.asarray(got, "f8"), np.asarray(want, "f8"), rtol=1e-6
    )


@pytest.mark.parametrize("name", BINARY)
def test_binary_operators(name):
    f = BINARY[name]
    a = np.array([[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]], "f4")
    b = np.array([2.0, 3.0, 0.5], "f4")
    # NumPy's power of a negative base is nan with a warning.
    if name == "**":
        a = np.abs(a)
    x, y = cnp.asarray(a), cnp.asarray(b)
    _same(f(x, y), f(a, b))
    _same(f(x, b), f(a, b))  # a NumPy array on the right
    _same(f(a, y), f(a, b))  # and on the left
    _same(f(x, 2), f(a, np.float32(2)))
    _same(f(2, x), f(np.float32(2), a))
    _same(f(x, 2.5), f(a, np.float32(2.5)))
    _same(f(x, np.float32(2)), f(a, np.float32(2)))
    _same(f(np.float32(2), x), f(np.float32(2), a))


@pytest.mark.parametrize("name", BITWISE)
def test_bitwise_operators(name):
    f = BITWISE[name]
    a, b = np.array([1, 6, 12], "i4"), np.array([3, 1, 2], "i4")
    x, y = cnp.asarray(a), cnp.asarray(b)
    _same(f(x, y), f(a, b), "int32")
    _same(f(x, 2), f(a, 2), "int32")
    _same(f(13, y), f(13, b), "int32")
    _same(f(a, y), f(a, b), "int32")
    if name in "&|^":
        p, q = np.array([True, False]), np.array([True, True])
        got = f(cnp.asarray(p), cnp.asarray(q))
        np.testing.assert_array_equal(np.asarray(got), f(p, q))
    with pytest.raises(TypeError):
        f(cnp.ones(2), cnp.ones(2))


def test_unary_operators():
    a = np.array([1.5, -2.0, 0.0], "f4")
    x = cnp.asarray(a)
    _same(-x, -a)
    _same(+x, +a)
    _same(abs(x), abs(a))
    _same(round(x), np.round(a))
    _same(round(x, 1), np.round(a, 1))
    np.testing.assert_array_equal(
        np.asarray(~cnp.asarray([True, False])), [False, True]
    )
    _same(~cnp.array([1, 2]), [-2, -3])


def test_matmul_operator():
    a = np.arange(6.0).reshape(2, 3)
    _same(cnp.asarray(a) @ cnp.asarray(a.T), a @ a.T)
    _same(a @ cnp.asarray(a.T), a @ a.T)
    _same(cnp.asarray(a) @ a.T, a @ a.T)
    with pytest.raises((TypeError, ValueError)):
        cnp.asarray(a) @ 2.0


def test_in_place_operators_rebind():
    x = y = cnp.ones(3)
    x += 1
    x *= 2
    _same(x, [4, 4, 4])
    _same(y, [1, 1, 1])


def test_sequences_are_refused():
    for other in ([1, 2, 3], (1, 2, 3)):
        with pytest.raises(TypeError):
            cnp.ones(3) + other
        with pytest.raises(TypeError):
            other + cnp.ones(3)


def test_comparison_with_other_things():
    x = cnp.ones(3)
    assert not (x == None)  # noqa: E711
    assert x != None  # noqa: E711
    assert not (x == "text")
    with pytest.raises(TypeError):
        x < "text"  # noqa: B015


def test_other_operands_may_answer():
    class Other:
        def __radd__(self, x):
            return "radd"

        def __rmatmul__(self, x):
            return "rmatmul"

    assert cnp.ones(3) + Other() == "radd"
    assert cnp.ones(3) @ Other() == "rmatmul"


def test_pow_with_three_arguments():
    with pytest.raises(TypeError):
        pow(cnp.array(2), 3, 5)


# ---- immutability


def test_assignment_names_at():
    x = cnp.arange(3)
    with pytest.raises(
        TypeError, match=r"immutable.*x = x\.at\[idx\]\.set\(y\)"
    ):
        x[0] = 10
    with pytest.raises(TypeError, match="immutable"):
        del x[0]
    with pytest.raises(TypeError, match="immutable"):
        x[0] += 1
    with pytest.raises((AttributeError, TypeError)):
        x.shape = (3, 1)
    with pytest.raises((AttributeError, TypeError)):
        x.dtype = "f4"
    _same(x.at[0].set(10), [10, 1, 2])
    _same(x, [0, 1, 2])


def test_no_constructor():
    with pytest.raises(TypeError, match=r"cotan\.numpy\.array"):
        cotan.Array()
    with pytest.raises(TypeError, match=r"cotan\.numpy\.array"):
        cotan.Array([1.0])


def test_unhashable():
    with pytest.raises(TypeError, match="unhashable"):
        hash(cnp.ones(3))
    with pytest.raises(TypeError, match="unhashable"):
        {cnp.array(1.0): 1}


# ---- attributes


@pytest.mark.parametrize("name", DTYPES)
def test_attributes(name, x64):
    a = sample(name)
    x = cnp.asarray(a)
    assert x.dtype == a.dtype and x.shape == a.shape and x.ndim == 2
    assert (x.size, x.itemsize, x.nbytes) == (6, a.itemsize, a.nbytes)
    assert len(x) == 2 and not x.weak_type
    assert x.is_fully_addressable
    assert x.devices() == {cotan.devices()[0]}
    assert x.device == cotan.devices()[0]
    assert x.block_until_ready() is x
    np.testing.assert_array_equal(np.asarray(x.T), a.T)
    assert not x.is_deleted()


def test_missing_attributes():
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        _ = cnp.ones(3).frobnicate
    assert not hasattr(cnp.ones(3), "_private")
    assert not hasattr(cnp.ones(3), "__cuda_array_interface__")


def test_len_and_iteration():
    x = cnp.arange(6).reshape(3, 2)
    assert len(x) == 3
    rows = list(x)
    assert all(isinstance(r, cotan.Array) for r in rows)
    _same(rows[1], [2, 3])
    _a, _b, c = x
    _same(c, [4, 5])
    with pytest.raises(TypeError, match="unsized"):
        len(cnp.array(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(cnp.array(1.0))
    assert 4 in c and 7 not in c
    with pytest.raises(ValueError, match="one-dimensional"):
        3 in x  # noqa: B015
    _same(next(reversed(x)), [4, 5])


# ---- conversions to Python


def test_python_numbers():
    assert int(cnp.array(3)) == 3 and type(int(cnp.array(3))) is int
    assert float(cnp.array(2.5)) == 2.5
    assert complex(cnp.array(1 + 2j)) == 1 + 2j
    assert bool(cnp.array(0.0)) is False and bool(cnp.array([2])) is True
    assert operator.index(cnp.array(4)) == 4
    assert list(range(cnp.array(2))) == [0, 1]
    assert [10, 20][cnp.array(1)] == 20
    assert cnp.array(1.5).item() == 1.5
    assert cnp.arange(6).reshape(2, 3).item(1, 2) == 5
    assert cnp.arange(6).reshape(2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert f"{cnp.array(1.5):.2f}" == "1.50"
    for bad, error in (
        (lambda: int(cnp.ones(2)), TypeError),
        (lambda: float(cnp.ones((1, 1))), TypeError),
        (lambda: operator.index(cnp.array(1.0)), TypeError),
        (lambda: operator.index(cnp.array([1])), TypeError),
        (lambda: bool(cnp.ones(2)), ValueError),
        (lambda: bool(cnp.ones(0)), ValueError),
        (lambda: cnp.ones(2).item(), ValueError),
    ):
        with pytest.raises(error):
            bad()
    assert int(cnp.array(2**31 - 1)) == 2**31 - 1
    with cotan.enable_x64():
        assert int(cnp.array(2**63 - 1)) == 2**63 - 1
        assert int(cnp.asarray(np.uint64(2**64 - 1))) == 2**64 - 1


# ---- NumPy


@pytest.mark.parametrize("name", DTYPES)
def test_numpy_round_trip(name, x64):
    for shape in ((), (1,), (0, 3), (2, 3)):
        a = sample(name, shape)
        x = cnp.asarray(a)
        b = np.asarray(x)
        assert b.dtype == a.dtype and b.shape == a.shape
        np.testing.assert_array_equal(b, a)
        assert not b.flags.writeable
        if a.size:
            with pytest.raises(ValueError):
                b[...] = 0


def test_numpy_arrays_are_copied_in():
    a = np.ones(1000)
    x = cnp.array(a)
    y = cnp.asarray(a)
    f = cotan.jit(lambda v: v + 1)
    f(a)
    a[:] = 7
    _same(x, np.ones(1000))
    _same(y, np.ones(1000))
    _same(f(a), np.full(1000, 8))


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.arange(12.0).reshape(3, 4).T,
        lambda: np.arange(12.0)[::2],
        lambda: np.arange(12.0)[::-1],
        lambda: np.broadcast_to(np.arange(3.0), (2, 3)),
        lambda: np.arange(12, dtype=">i4"),
        lambda: np.arange(24, dtype="f4").reshape(2, 3, 4)[:, 1],
        lambda: np.asfortranarray(np.ones((3, 4))),
        lambda: np.frombuffer(b"\0" * 3 + b"\0\0\x80?" * 4, "f4", 4, 3),
    ],
)
def test_odd_numpy_arrays(make):
    a = make()
    np.testing.assert_array_equal(np.asarray(cnp.asarray(a)), a)
    got = cotan.jit(lambda x: x * 1)(a)
    np.testing.assert_array_equal(np.asarray(got), a)


def test_numpy_sees_arrays():
    x = cnp.arange(4.0)
    np.testing.assert_array_equal(np.sin(x), np.sin(np.arange(4.0, dtype="f4")))
    assert np.asarray(x, "f8").dtype == np.float64
    assert np.array(x).flags.writeable
    assert np.mean(x) == 1.5
    y = np.float64(2) * cnp.ones(3)
    assert isinstance(y, cotan.Array) and y.dtype == np.float32
    z = np.ones(3) + cnp.ones(3)
    assert isinstance(z, cotan.Array) and z.dtype == np.float32
    assert isinstance(np.float32(1) + cnp.ones(3), cotan.Array)


def test_x64_off_narrows():
    assert cnp.asarray(np.arange(3)).dtype == np.int32
    assert cnp.asarray(np.ones(3)).dtype == np.float32
    assert cnp.asarray(np.ones(3, "c16")).dtype == np.complex64
    assert cnp.asarray(np.arange(3, dtype="u8")).dtype == np.uint32


@pytest.mark.parametrize(
    "bad",
    [
        np.array(["a"]),
        np.array([None]),
        np.array([1], "M8[s]"),
        np.array([1], "m8[s]"),
        np.zeros(2, [("a", "i4")]),
        np.array([b"x"]),
        np.zeros(2, np.longdouble),
    ],
    ids=lambda a: str(a.dtype),
)
def test_dtypes_that_are_refused(bad):
    for use in (cnp.asarray, cotan.jit(lambda x: x), lambda a: cnp.ones(2) + a):
        with pytest.raises(TypeError):
            use(bad)


# ---- buffers and DLPack


def test_buffer_protocol():
    x = cnp.arange(6, dtype="float32").reshape(2, 3)
    m = memoryview(x)
    assert m.readonly and m.shape == (2, 3) and m.format == "f"
    assert m.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert bytes(cnp.asarray(np.array([1, 2], "u1"))) == b"\x01\x02"
    a = np.frombuffer(x, "f4")
    assert a.ctypes.data == x.unsafe_buffer_pointer()
    del x, m
    np.testing.assert_array_equal(a, np.arange(6))  # the memory is kept


def test_unsafe_buffer_pointer():
    x = cnp.arange(4, dtype="int32")
    raw = (ctypes.c_int32 * 4).from_address(x.unsafe_buffer_pointer())
    assert list(raw) == [0, 1, 2, 3]
    # Vector code and other libraries rely on it.
    assert x.unsafe_buffer_pointer() % 64 == 0


@pytest.mark.parametrize("name", [n for n in DTYPES if n != "bfloat16"])
def test_dlpack_to_numpy(name, x64):
    x = cnp.asarray(sample(name))
    a = np.from_dlpack(x)
    np.testing.assert_array_equal(a, sample(name))
    assert a.ctypes.data == x.unsafe_buffer_pointer()
    assert not a.flags.writeable
    address = x.unsafe_buffer_pointer()
    del x
    np.testing.assert_array_equal(a, sample(name))
    assert a.ctypes.data == address


def test_dlpack_device():
    assert tuple(cnp.ones(2).__dlpack_device__()) == (1, 0)
    with pytest.raises(BufferError):
        cnp.ones(2).__dlpack__(dl_device=(2, 0))


@pytest.mark.parametrize("name", [n for n in DTYPES if n != "bfloat16"])
def test_dlpack_from_numpy(name, x64):
    a = np.zeros(64, numpy_dtype(name))
    a[:6] = sample(name).ravel()
    x = cnp.from_dlpack(a)
    assert x.dtype == a.dtype
    np.testing.assert_array_equal(np.asarray(x), a)
    del a
    assert np.asarray(x)[1] == sample(name).ravel()[1]


def test_dlpack_round_trip_and_shapes():
    x = cnp.arange(24.0).reshape(2, 3, 4)
    y = cnp.from_dlpack(x)
    assert y.unsafe_buffer_pointer() == x.unsafe_buffer_pointer()
    for a in (
        np.arange(6.0, dtype="f4").reshape(2, 3).T,
        np.zeros((0, 3), "f4"),
        np.array(3.0, "f4"),
    ):
        np.testing.assert_array_equal(np.asarray(cnp.from_dlpack(a)), a)


def test_dlpack_writes_do_not_reach_us():
    a = np.zeros(4096, "f4")
    x = cnp.from_dlpack(a)
    y = x + 1
    np.testing.assert_array_equal(np.asarray(y), np.ones(4096))


def test_dlpack_shares_or_says_so():
    a = np.zeros(64, "f4")
    address = a.ctypes.data
    assert cnp.from_dlpack(a).unsafe_buffer_pointer() == address
    assert cnp.from_dlpack(a, copy=False).unsafe_buffer_pointer() == address
    assert cnp.from_dlpack(a, copy=True).unsafe_buffer_pointer() != address
    for other in (np.zeros((4, 4), "f4").T[1:], np.zeros(4)):  # strides, f64
        assert cnp.from_dlpack(other).dtype == np.float32
        with pytest.raises(ValueError, match="copy=False"):
            cnp.from_dlpack(other, copy=False)
    x = cnp.ones(4)
    b = np.from_dlpack(x, copy=True)
    assert b.ctypes.data != x.unsafe_buffer_pointer()
    # What is shared is never donated and overwritten.
    f = cotan.jit(lambda x: x + 1, donate_argnums=0)
    f(cnp.from_dlpack(a))
    assert not a.any()


def test_dlpack_bfloat16():
    x = cnp.asarray([1.5, 2.0]).astype("bfloat16")
    y = cnp.from_dlpack(x)
    assert y.dtype == x.dtype
    assert y.unsafe_buffer_pointer() == x.unsafe_buffer_pointer()


def test_dlpack_of_producers_before_2024():
    class Old:
        def __init__(self, x):
            self.x = x

        def __dlpack__(self, stream=None):
            return self.x.__dlpack__()

        def __dlpack_device__(self):
            return self.x.__dlpack_device__()

    x = cnp.arange(5.0)
    y = cnp.from_dlpack(Old(x))
    assert y.unsafe_buffer_pointer() == x.unsafe_buffer_pointer()


def test_dlpack_capsules_are_used_once():
    class Once:
        def __init__(self, capsule):
            self.capsule = capsule

        def __dlpack__(self, max_version=None):
            return self.capsule

        def __dlpack_device__(self):
            return 1, 0

    x = cnp.arange(5.0)
    once = Once(x.__dlpack__(max_version=(1, 0)))
    y = cnp.from_dlpack(once)
    address = x.unsafe_buffer_pointer()
    x.__dlpack__()  # one that nobody takes
    del x
    _same(y, np.arange(5.0))
    assert y.unsafe_buffer_pointer() == address
    for bad in (once, Once(None), Once("text")):
        with pytest.raises(ValueError, match="capsule"):
            cnp.from_dlpack(bad)
    with pytest.raises(TypeError, match="__dlpack__"):
        cnp.from_dlpack(3)
    with pytest.raises(TypeError):
        cotan.jit(lambda x: np.from_dlpack(x))(y)


def test_dlpack_with_jax():
    jnp = pytest.importorskip("jax.numpy")
    x = cnp.arange(1000.0)
    a = jnp.from_dlpack(x)
    assert a.unsafe_buffer_pointer() == x.unsafe_buffer_pointer()
    b = jnp.arange(1000.0)
    y = cnp.from_dlpack(b)
    assert y.unsafe_buffer_pointer() == b.unsafe_buffer_pointer()
    address = x.unsafe_buffer_pointer()
    del x, b
    _same(y, np.arange(1000.0))
    assert a.unsafe_buffer_pointer() == address and a[7] == 7


def test_supported_dlpack_dtypes():
    assert cotan.dlpack.is_supported_dtype("bfloat16")
    assert not cotan.dlpack.is_supported_dtype(cotan.random.key(0).dtype)


# ---- pickle and copy


@pytest.mark.parametrize("name", DTYPES)
def test_pickle(name, x64):
    x = cnp.asarray(sample(name))
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        y = pickle.loads(pickle.dumps(x, protocol))
        assert isinstance(y, cotan.Array) and y.dtype == x.dtype
        np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


def test_pickle_keeps_weak_types_and_refuses_tracers():
    y = pickle.loads(pickle.dumps(cnp.array(1.0)))
    assert y.weak_type and float(y) == 1.0
    with pytest.raises(TypeError):
        cotan.jit(lambda x: pickle.dumps(x) and x)(1.0)


def test_copy():
    x = cnp.arange(3)
    assert copy.copy(x).unsafe_buffer_pointer() != x.unsafe_buffer_pointer()
    y = copy.deepcopy({"x": x})["x"]
    _same(y, x)
    assert y.unsafe_buffer_pointer() != x.unsafe_buffer_pointer()


def test_deleted():
    x = cnp.ones(3)
    x.delete()
    assert x.is_deleted()
    for use in (lambda: x + 1, lambda: np.asarray(x), lambda: float(x[0])):
        with pytest.raises(RuntimeError, match="deleted"):
            use()
    assert "deleted" in repr(x) or "delete" in repr(x)
    assert x.shape == (3,)
    x.delete()  # twice is harmless


# ---- printing

REPRS = [
    (lambda: cnp.arange(3), "Array([0, 1, 2], dtype=int32)"),
    (lambda: cnp.array(1), "Array(1, dtype=int32, weak_type=True)"),
    (lambda: cnp.zeros((0, 3)), "Array([], shape=(0, 3), dtype=float32)"),
    (
        lambda: cnp.array([1.5, 2.0]).astype("bfloat16"),
        "Array([1.5, 2], dtype=bfloat16)",
    ),
    (lambda: cnp.array([True]), "Array([ True], dtype=bool)"),
    (lambda: cnp.array(2.0), "Array(2., dtype=float32, weak_type=True)"),
    (
        lambda: cnp.array([1 + 2j]),
        "Array([1.+2.j], dtype=complex64)",
    ),
    (
        lambda: cnp.arange(4.0).reshape(2, 2),
        "Array([[0., 1.],\n       [2., 3.]], dtype=float32)",
    ),
]


@pytest.mark.parametrize("make, text", REPRS, ids=[t[:24] for _, t in REPRS])
def test_repr(make, text):
    assert repr(make()) == text


def test_long_reprs_as_jax():
    jnp = pytest.importorskip("jax.numpy")
    for make in (
        lambda m: m.arange(2000),
        lambda m: m.asarray(np.linspace(0, 1, 30)),
        lambda m: m.asarray(np.linspace(0, 1, 30)).astype("float16"),
        lambda m: m.arange(60.0).reshape(4, 15) * 1000.5,
        lambda m: m.arange(3) * (1 + 2j),
        lambda m: m.arange(60).reshape(3, 20),
        lambda m: m.ones((2, 2, 2), "int8"),
        lambda m: m.asarray(np.arange(7.0) / 3),
        lambda m: m.arange(25),
        lambda m: m.arange(26),
        lambda m: m.zeros((0,), "bool"),
    ):
        assert repr(make(cnp)) == repr(make(jnp))
        assert str(make(cnp)) == str(make(jnp))


def test_str():
    assert str(cnp.arange(3)) == "[0 1 2]"
    assert str(cnp.array(1.5)) == "1.5"
    assert f"{cnp.arange(2)}" == "[0 1]"


# ---- threads


def test_threads():
    """Eager, jitted and differentiated work in several threads at once."""
    f = cotan.jit(lambda x: cnp.sum(cnp.sin(x) * x))
    g = cotan.grad(f)
    failures = []

    def work(k):
        try:
            x = cnp.arange(50.0) * (0.01 * k)
            v = np.asarray(x)
            for _ in range(20):
                np.testing.assert_allclose(
                    np.asarray(g(x)), np.sin(v) + v * np.cos(v), rtol=2e-5
                )
                np.testing.assert_allclose(
                    np.asarray(x + x * 2), v * 3, rtol=1e-6
                )
                np.testing.assert_allclose(
                    np.asarray(cotan.vmap(lambda t: t * t)(x)), v * v, rtol=1e-6
                )
        except Exception as e:
            failures.append(e)

    pool = [threading.Thread(target=work, args=(k,)) for k in range(1, 7)]
    for t in pool:
        t.start()
    for t in pool:
        t.join()
    assert not failures, failures[0]


def test_devices():
    (device, *_) = cotan.devices()
    assert device.platform == "cpu" and device.id == 0
    assert cotan.device_count() == len(cotan.devices())
    assert cotan.default_backend() == "cpu"
    x = cotan.device_put({"a": np.ones(3), "b": 2.0})
    _same(x["a"], np.ones(3))
    back = cotan.device_get(x)
    assert type(back["a"]) is np.ndarray
    with pytest.raises(RuntimeError, match="nowhere"):
        cotan.devices("nowhere")
    with pytest.raises(TypeError):
        cotan.device_put("text")
    assert cotan.block_until_ready(x) is x


def test_array_namespace():
    assert cnp.ones(2).__array_namespace__() is cnp
    with pytest.raises(ValueError, match="api_version"):
        cnp.ones(2).__array_namespace__(api_version="1999.1")


# ---- sizes


TOO_LARGE = (MemoryError, OverflowError, RuntimeError, TypeError, ValueError)


@pytest.mark.parametrize(
    "shape", [(2**62,), (2**40, 2**40), (2**31, 2**31, 4), (2**45,)], ids=str
)
def test_huge_sizes_fail_cleanly(shape):
    with pytest.raises(TOO_LARGE):
        np.asarray(cnp.zeros(shape))
    with pytest.raises(TOO_LARGE):
        np.asarray(cotan.jit(lambda: cnp.ones(shape))())
    assert float(cnp.ones(3).sum()) == 3.0


def test_negative_and_absurd_shapes():
    for shape in (-1, (2, -3), "x", 1.5, (1.5,), None):
        with pytest.raises((TypeError, ValueError)):
            cnp.zeros(shape)


def test_arrays_are_not_hashable():
    x = cnp.ones(2)
    assert not isinstance(x, collections.abc.Hashable)
    with pytest.raises(TypeError, match="unhashable"):
        set([x])
    with pytest.raises(TypeError, match="unhashable"):
        cotan.jit(hash)(x)


@pytest.mark.parametrize("weak", [False, True])
def test_iteration_gives_the_rows(weak):
    x = cnp.arange(6).reshape(3, 2)
    rows = list(x)
    assert [r.tolist() for r in rows] == [[0, 1], [2, 3], [4, 5]]
    assert all(isinstance(r, cotan.Array) for r in rows)
    assert {r.dtype for r in rows} == {x.dtype}
    y = cnp.full((2,), 3.0) if weak else cnp.array([3.0, 3.0])
    assert [(float(v), v.dtype, v.weak_type) for v in y] == [
        (3.0, y.dtype, y.weak_type)
    ] * 2
    got = cotan.jit(lambda x: [r + 1 for r in x])(x)
    assert [r.tolist() for r in got] == [[1, 2], [3, 4], [5, 6]]
    assert list(cnp.zeros((0, 2))) == []
    with pytest.raises(TypeError, match="0-d"):
        iter(cnp.ones(()))


def test_float0_takes_no_part_in_arithmetic():
    x = cotan.grad(lambda x: x + 0.0, allow_int=True)(1)
    with pytest.raises(TypeError, match="do not support any operations by"):
        cnp.add(x, 1.0)


def test_cotangents_of_integers_may_be_anything():
    _, pull = cotan.vjp(lambda x: (2 * x, 1), 3.0)
    for ct in (0, 1.0, np.zeros((), cotan.float0)):
        assert float(pull((1.0, ct))[0]) == 2.0
    with pytest.raises(ValueError, match="float0"):
        pull((1.0, np.ones(2)))
    # Tangents of integers are float0 and nothing else.
    _, linear = cotan.linearize(lambda x: x, np.ones(2, np.int32))
    with pytest.raises(ValueError, match="tangent values inconsistent"):
        linear(np.ones(2, np.int32))

"""Random indices: reading and updating beside NumPy, jitted and batched."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp


def random_slice(rng, n):
    bound = [None, *range(-n - 2, n + 3)]
    pick = [bound[rng.integers(len(bound))] for _ in range(2)]
    return slice(*pick, [None, 1, 2, -1, -2][rng.integers(5)])


def random_index(rng, shape):
    """A tuple of ints, slices, arrays, masks, None and one Ellipsis."""
    arrays = [(), (3,), (2, 1), (2, 3)][rng.integers(4)]
    items, axis, ellipsis = [], 0, False
    while axis < len(shape):
        n = shape[axis]
        kind = rng.integers(8)
        if kind == 0:
            items.append(None)
        elif kind == 1 and not ellipsis:
            ellipsis = True
            items.append(...)
            axis += rng.integers(0, len(shape) - axis + 1)
        elif kind == 2:
            items.append(int(rng.integers(-n, n)))
            axis += 1
        elif kind in (3, 4) and arrays != ():
            own = arrays[rng.integers(len(arrays) + 1) :]
            items.append(rng.integers(-n, n, own).astype("int32"))
            axis += 1
        elif kind == 5:
            break
        else:
            items.append(random_slice(rng, n))
            axis += 1
    return tuple(items)


def random_cases(seed, count):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        shape = tuple(rng.integers(1, 5, rng.integers(1, 5)))
        x = rng.standard_normal(shape).astype("float32")
        index = random_index(rng, shape)
        try:
            want = x[index]
        except IndexError:
            continue
        yield x, index, want


def traced(index):
    """The arrays of an index, and a function that puts others in."""
    where = [i for i, item in enumerate(index) if isinstance(item, np.ndarray)]

    def fill(arrays):
        full = list(index)
        for i, a in zip(where, arrays, strict=True):
            full[i] = a
        return tuple(full)

    return [index[i] for i in where], fill


@pytest.mark.parametrize("seed", range(4))
def test_reading_as_numpy(seed):
    for x, index, want in random_cases(seed, 60):
        got = cnp.asarray(x)[index]
        np.testing.assert_array_equal(got, want, err_msg=repr(index))
        arrays, fill = traced(index)
        if arrays:
            f = cotan.jit(lambda x, a, fill=fill: x[fill(a)])
            np.testing.assert_array_equal(f(x, arrays), want)


@pytest.mark.parametrize("seed", range(3))
def test_updating_as_numpy(seed):
    for x, index, part in random_cases(seed + 10, 40):
        y = np.arange(part.size, dtype="float32").reshape(part.shape)
        added = x.copy()
        np.add.at(added, index, y)
        got = cnp.asarray(x).at[index].add(y)
        np.testing.assert_allclose(got, added, 1e-5, 1e-6, err_msg=repr(index))
        put = x.copy()
        put[index] = 7
        got = cnp.asarray(x).at[index].set(7)
        np.testing.assert_array_equal(got, put, err_msg=repr(index))


def test_masks_as_numpy():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((3, 4, 2)).astype("float32")
    y = cnp.asarray(x)
    m0, m1 = rng.random(3) > 0.4, rng.random((4, 2)) > 0.5
    m2, m3 = rng.random((3, 4)) > 0.5, rng.random(x.shape) > 0.5
    for index in [m0, m2, m3, (m0, 1), (slice(1, 3), m1), (..., m1), (m2, 0)]:
        np.testing.assert_array_equal(y[index], x[index])
        put = x.copy()
        put[index] = 5
        np.testing.assert_array_equal(y.at[index].set(5), put)


def test_traced_scalars_batch():
    x = cnp.arange(12.0).reshape(3, 4)
    i = np.array([2, 0, -1, 7], "int32")
    want = np.asarray(x)[[2, 0, 2, 2]]
    np.testing.assert_array_equal(cotan.vmap(lambda k: x[k])(i), want)
    got = cotan.vmap(lambda k: x.at[k, 1].set(-1.0))(i)
    for k, row in zip([2, 0, 2, None], got, strict=True):
        expected = np.array(x)
        if k is not None:
            expected[k, 1] = -1
        np.testing.assert_array_equal(row, expected)


def test_static_index_makes_no_gather():
    x = cnp.ones((4, 5))
    j = str(cotan.make_jaxpr(lambda x: x[1, ::2] + x.at[0].set(1)[1, :3])(x))
    assert "gather" not in j and "scatter" not in j


def test_constant_indices_leave_no_arithmetic():
    x, i = cnp.ones((4, 5)), cnp.array([-1, 0])
    j = str(cotan.make_jaxpr(lambda x: x[i])(x))
    assert "gather" in j and j.count(" = ") == 1


OUTSIDE = [
    ((2,), -4, "index -4 out of bounds for axis 0 with size 2"),
    ((2,), np.int32(2), "index 2 out of bounds for axis 0"),
    ((2, 3), np.index_exp[..., 3], "index 3 out of bounds for axis 1"),
    ((2, 3, 5), np.index_exp[:5, None, :, 6], "6 out of bounds for axis 2"),
    ((2, 3, 5), np.index_exp[:, [1, 2], 6], "6 out of bounds for axis 2"),
    ((2, 3, 5), np.index_exp[np.ones((2, 3), bool), 7], "7 out of bounds"),
]


@pytest.mark.parametrize("shape, index, message", OUTSIDE)
def test_integers_outside_are_errors_if_asked_for(shape, index, message):
    x = cnp.zeros(shape)
    f = cotan.jit(lambda x: x[index])
    want = f(x).shape  # the nearest element
    with cotan.config.within("check_static_indices", True):
        for read in (
            lambda: x[index],
            lambda: f(x),  # traced again
            lambda: x.at[index].get(),
            lambda: x.at[index].get(mode="promise_in_bounds"),
        ):
            with pytest.raises(IndexError, match=message):
                read()
        assert x.at[index].get(mode="clip").shape == want
        assert x.at[index].set(1).shape == shape
        assert x[tuple(-n for n in shape)].shape == ()
        with pytest.raises(IndexError, match="index -1 out of bounds"):
            x.at[-1].get(wrap_negative_indices=False)
    assert f(x).shape == x[index].shape == want

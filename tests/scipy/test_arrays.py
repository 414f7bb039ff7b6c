"""Interpolation, rotations, quantisation, integrals and images beside JAX."""

import numpy as np
import pytest

import cotan
import cotan.numpy as cnp
from tests.scipy import beside_jax

pytest.importorskip("jax")
import jax
import jax.image
import jax.scipy.cluster.vq
import jax.scipy.integrate
import jax.scipy.interpolate
import jax.scipy.ndimage
import jax.scipy.spatial.transform

RNG = np.random.RandomState(5)
OPERANDS = {
    "v": RNG.randn(6).astype("f4"),
    "m": RNG.randn(4, 5).astype("f4"),
    "n": RNG.randn(3, 5).astype("f4"),
    "g": np.array([0.0, 1.0, 2.5, 4.0], "f4"),
    "h": np.array([-1.0, 0.0, 0.5, 2.0, 3.0], "f4"),
    "p": np.array([[0.5, 0.1], [3.2, 2.9], [2.5, 0.5], [5.0, 0.0]], "f4"),
    "c": np.array([0.3, -0.7, 1.5, 2.9, 4.6], "f4"),
    "d": np.array([1.2, 0.4, 3.8, -1.3, 2.1], "f4"),
    "i": np.arange(20, dtype="int32").reshape(4, 5),
    "q": RNG.randn(3, 4).astype("f4"),
    "r": RNG.randn(3, 3).astype("f4"),
    "e": np.array([0.3, -0.8, 1.1], "f4"),
    "t": np.array([0.1, 0.9, 1.0, 1.7], "f4"),
    "a": RNG.rand(5, 6, 2).astype("f4"),
}

ARRAYS = """
sp.integrate.trapezoid(m)
sp.integrate.trapezoid(m, g, axis=0)
sp.integrate.trapezoid(v, dx=0.5)
sp.cluster.vq.vq(m, n)
sp.cluster.vq.vq(v, g)
sp.cluster.vq.vq(i, n)
sp.interpolate.RegularGridInterpolator((g, h), m)(p)
sp.interpolate.RegularGridInterpolator((g, h), m, fill_value=None)(p)
sp.interpolate.RegularGridInterpolator((g, h), m, 'nearest')(p)
sp.interpolate.RegularGridInterpolator((g, h), i, fill_value=-1.0)(p)
sp.interpolate.RegularGridInterpolator((g,), m)(p[:3, :1])
sp.interpolate.RegularGridInterpolator((g,), g * g)((c,))  # value
sp.interpolate.RegularGridInterpolator((g, h), m)((c, d), 'linear')  # value
sp.ndimage.map_coordinates(m, [c, d], 0)
sp.ndimage.map_coordinates(m, [c, d], 1)
sp.ndimage.map_coordinates(m, [c, d], 1, 'constant', 2.5)
sp.ndimage.map_coordinates(m, [c, d], 1, 'nearest')
sp.ndimage.map_coordinates(m, [c, d], 1, 'wrap')
sp.ndimage.map_coordinates(m, [c, d], 1, 'mirror')
sp.ndimage.map_coordinates(m, [c, d], 1, mode='reflect')
sp.ndimage.map_coordinates(m, [c * 3 - 5, d * 4], 0, 'mirror')
sp.ndimage.map_coordinates(i, [c, d], 1)
sp.ndimage.map_coordinates(v, [i], 0, 'wrap')
"""

ROTATIONS = """
R.from_quat(q).as_matrix()
R.from_quat(q).as_rotvec()
R.from_quat(q).as_rotvec(degrees=True)
R.from_quat(q).as_mrp()
R.from_quat(q).as_quat(canonical=True)
R.from_quat(q).as_quat(scalar_first=True)
R.from_quat(q[0]).as_matrix()
R.from_quat(q).magnitude()
R.from_quat(q).inv().as_quat()
R.from_quat(q).apply(r)
R.from_quat(q).apply(e, inverse=True)
R.from_quat(q[0]).apply(r)
R.from_quat(q).as_euler('xyz')
R.from_quat(q).as_euler('zxz', degrees=True)
R.from_quat(q).as_euler('ZYX')
R.from_quat(q[0]).as_euler('XYX')
R.from_euler('xyz', e).as_quat()
R.from_euler('ZXZ', r, degrees=True).as_quat()
R.from_euler('y', 0.3).as_quat()
R.from_euler('xz', r[:, :2]).as_quat()
R.from_rotvec(r).as_quat()
R.from_rotvec(e * 10, degrees=True).as_quat()
R.from_rotvec(e * 1e-4).as_quat()
R.from_mrp(r).as_quat()
R.from_mrp(e).as_quat()
R.from_matrix(R.from_quat(q).as_matrix()).as_quat()
R.from_matrix(R.from_quat(q[1]).as_matrix()).as_quat()
(R.from_quat(q) * R.from_quat(q[::-1])).as_quat()
(R.from_quat(q) * R.from_quat(q[0])).as_quat()
R.concatenate([R.from_quat(q), R.from_quat(q)])[1:4].as_quat()
R.identity().as_quat()
jnp.abs(R.from_quat(q).mean().as_quat())  # value
S.init(g[:3], R.from_quat(q))(t).as_quat()
S.init(g[:3], R.from_quat(q))(0.7).as_quat()
"""

IMAGES = """
api.image.resize(a, (10, 3, 2), 'nearest')
api.image.resize(a, (10, 3, 2), 'linear')
api.image.resize(a, (3, 9, 2), 'bilinear', antialias=False)
api.image.resize(a, (10, 3, 2), 'lanczos3')
api.image.resize(a, (4, 8, 2), 'lanczos5')
api.image.resize(a, (7, 4, 2), 'cubic')
api.image.resize(a, (7, 4, 3), 'cubic', False)
api.image.resize(a, (7, 4, 2), 'bicubic-pytorch')
api.image.resize(a, (7, 4, 2), 'cubic-pytorch', antialias=False)
api.image.resize(a, (7, 4, 2), api.image.ResizeMethod.AREA)
api.image.resize(i, (2, 7), 'linear')
api.image.resize(i, (2, 7), 'nearest')
api.image.resize(a, (5, 6, 2), 'linear')
api.image.scale_and_translate(a, (6, 6, 2), (0, 1), p[0], p[1], 'linear')
api.image.scale_and_translate(m, (4, 8), (1,), v[:1] ** 2, p[0, :1], 'cubic')
api.image.scale_and_translate(m, (5, 5), (0, 1), p[1], p[0], 'area', False)
"""


def names(api):
    transform = api.scipy.spatial.transform
    return {"sp": api.scipy, "R": transform.Rotation, "S": transform.Slerp}


@pytest.mark.parametrize("table", ["ARRAYS", "ROTATIONS", "IMAGES"])
def test_as_jax(table):
    beside_jax.check(jax, globals()[table], OPERANDS, names, 2e-4)


def test_instances_are_pytrees():
    f = cotan.scipy.interpolate.RegularGridInterpolator(
        (cnp.arange(3.0),), cnp.arange(3.0) ** 2
    )
    slope = cotan.grad(lambda f: f(cnp.array([[0.5]]))[0])(f)
    np.testing.assert_array_equal(slope.values, [0.5, 0.5, 0.0])
    rotation = cotan.scipy.spatial.transform.Rotation.identity()
    assert cotan.jit(lambda r: r.inv())(rotation).single


def test_messages():
    transform = cotan.scipy.spatial.transform
    with pytest.raises(ValueError, match="Expected axes from `seq`"):
        transform.Rotation.from_euler("abc", cnp.ones(3))
    with pytest.raises(ValueError, match="consecutive axes to be different"):
        transform.Rotation.from_euler("xxy", cnp.ones(3))
    with pytest.raises(TypeError, match="must be a `Rotation` instance"):
        transform.Slerp.init(cnp.arange(2.0), cnp.ones((2, 4)))
    with pytest.raises(NotImplementedError, match="does not yet support mode"):
        cotan.scipy.ndimage.map_coordinates(
            cnp.ones(2), [cnp.ones(1)], 1, "grid"
        )
    with pytest.raises(ValueError, match="Unknown resize method"):
        cotan.image.resize(cnp.ones(3), (2,), "best")
    with pytest.raises(ValueError, match="shape must have length equal"):
        cotan.image.resize(cnp.ones(3), (2, 2), "linear")

"""Rotations in space as quaternions (x, y, z, w), and interpolation of them."""

from __future__ import annotations

import itertools
import re
import typing

import numpy as np

import cotan.numpy as cnp
from cotan import _dispatch

__all__ = ["Rotation", "Slerp"]


def _norm(v):
    return cnp.sqrt(cnp.sum(v * v, axis=-1))


def _normalised(quat):
    return quat / _norm(quat)[..., None]


def _stack(*parts):
    return cnp.stack(cnp.broadcast_arrays(*parts), axis=-1)


def _parts(v):
    return [v[..., i] for i in range(v.shape[-1])]


def _product(p, q):
    """Hamilton's product."""
    p, q = cnp.broadcast_arrays(p, q)
    vector = (
        p[..., 3:] * q[..., :3]
        + q[..., 3:] * p[..., :3]
        + cnp.cross(p[..., :3], q[..., :3])
    )
    scalar = p[..., 3] * q[..., 3] - cnp.sum(p[..., :3] * q[..., :3], axis=-1)
    return cnp.concatenate([vector, scalar[..., None]], axis=-1)


def _check_axes(seq: str, angles) -> tuple[list[int], bool]:
    """The axes as numbers, and whether they turn with the body."""
    intrinsic = re.fullmatch("[XYZ]{1,3}", seq) is not None
    if not intrinsic and re.fullmatch("[xyz]{1,3}", seq) is None:
        raise ValueError(
            "Expected axes from `seq` to be from ['x', 'y', 'z'] or "
            f"['X', 'Y', 'Z'], got {seq}"
        )
    if any(a == b for a, b in itertools.pairwise(seq)):
        raise ValueError(
            f"Expected consecutive axes to be different, got {seq}"
        )
    return ["xyz".index(axis) for axis in seq.lower()], intrinsic


def _about_axis(axis: int, angle):
    parts = [cnp.zeros(angle.shape, angle.dtype)] * 3
    parts[axis] = cnp.sin(angle / 2.0)
    return cnp.stack([*parts, cnp.cos(angle / 2.0)], axis=-1)


def _euler_angles(quat, axes: list[int], extrinsic: bool):
    """Bernardes and Viollet 2022, "Quaternion to Euler angles conversion"."""
    first, third = (0, 2) if extrinsic else (2, 0)
    i, j, k = axes if extrinsic else axes[::-1]
    symmetric = i == k
    if symmetric:
        k = 3 - i - j
    sign = (i - j) * (j - k) * (k - i) // 2
    x = _parts(quat)
    if symmetric:
        a, b, c, d = x[3], x[i], x[j], x[k] * sign
    else:
        a, b = x[3] - x[j], x[i] + x[k] * sign
        c, d = x[j] + x[3], x[k] * sign - x[i]
    middle = 2 * cnp.arctan2(cnp.hypot(c, d), cnp.hypot(a, b))
    eps = 1e-7
    low, high = cnp.abs(middle) <= eps, cnp.abs(middle - np.pi) <= eps
    half_sum, half_difference = cnp.arctan2(b, a), cnp.arctan2(d, c)
    degenerate = cnp.where(
        low, 2 * half_sum, 2 * half_difference * (-1 if extrinsic else 1)
    )
    zero = cnp.zeros_like(middle)
    locked = low | high
    angles = [zero, middle if symmetric else middle - np.pi / 2, zero]
    angles[0] = degenerate
    angles[first] = cnp.where(locked, angles[first], half_sum - half_difference)
    angles[third] = cnp.where(locked, angles[third], half_sum + half_difference)
    if not symmetric:
        angles[third] = angles[third] * sign
    return (cnp.stack(angles, axis=-1) + np.pi) % (2 * np.pi) - np.pi


class Rotation(typing.NamedTuple):
    """A rotation, or an array of them: unit quaternions [..., 4].

    >>> r = cotan.scipy.spatial.transform.Rotation.from_euler("z", 90.0, True)
    >>> r.apply(cnp.array([0.0, 2.0, 1.0])).round(3) + 0
    Array([-2.,  0.,  1.], dtype=float32)
    """

    quat: _dispatch.Array

    @classmethod
    def concatenate(cls, rotations: typing.Sequence):
        """The rotations of a sequence, one after the other."""
        return cls(cnp.concatenate([r.quat for r in rotations]))

    @classmethod
    def from_euler(cls, seq, angles, degrees=False):
        """From angles [..., n] about n <= 3 axes: "xyz" are fixed, "XYZ"
        turn with the body."""
        if not 1 <= len(seq) <= 3:
            raise ValueError(
                "Expected axis specification to be a non-empty string of upto "
                f"3 characters, got {seq}"
            )
        axes, intrinsic = _check_axes(seq, angles)
        angles = cnp.atleast_1d(angles)
        if degrees:
            angles = cnp.deg2rad(angles)
        quat = _about_axis(axes[0], angles[..., 0])
        for i in range(1, len(axes)):
            turn = _about_axis(axes[i], angles[..., i])
            quat = _product(quat, turn) if intrinsic else _product(turn, quat)
        return cls(quat)

    @classmethod
    def from_matrix(cls, matrix):
        """From rotation matrices [..., 3, 3]."""
        m = cnp.asarray(matrix)
        trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
        decision = _stack(m[..., 0, 0], m[..., 1, 1], m[..., 2, 2], trace)
        choice = cnp.argmax(decision, axis=-1)[..., None]
        # The formula that divides by the largest component (Shepperd 1978).
        forms = []
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            parts = [None] * 4
            parts[i] = 1 - trace + 2 * m[..., i, i]
            parts[j] = m[..., j, i] + m[..., i, j]
            parts[k] = m[..., k, i] + m[..., i, k]
            parts[3] = m[..., k, j] - m[..., j, k]
            forms.append(cnp.stack(parts, axis=-1))
        quat = _stack(
            m[..., 2, 1] - m[..., 1, 2],
            m[..., 0, 2] - m[..., 2, 0],
            m[..., 1, 0] - m[..., 0, 1],
            1 + trace,
        )
        for i, form in enumerate(forms):
            quat = cnp.where(choice == i, form, quat)
        return cls(_normalised(quat))

    @classmethod
    def from_mrp(cls, mrp):
        """From modified Rodrigues parameters [..., 3]."""
        mrp = cnp.asarray(mrp)
        square = cnp.sum(mrp * mrp, axis=-1)[..., None] + 1
        return cls(cnp.concatenate([2 * mrp, 2 - square], axis=-1) / square)

    @classmethod
    def from_quat(cls, quat):
        """From quaternions [..., 4], normalised."""
        return cls(_normalised(cnp.asarray(quat)))

    @classmethod
    def from_rotvec(cls, rotvec, degrees=False):
        """From vectors [..., 3]: axis times angle."""
        rotvec = cnp.asarray(rotvec)
        if degrees:
            rotvec = cnp.deg2rad(rotvec)
        angle = _norm(rotvec)
        square = angle * angle
        small = 0.5 - square / 48 + square * square / 3840
        scale = cnp.where(angle <= 1e-3, small, cnp.sin(angle / 2) / angle)
        parts = [scale[..., None] * rotvec, cnp.cos(angle / 2)[..., None]]
        return cls(cnp.concatenate(parts, axis=-1))

    @classmethod
    def identity(cls, num=None, dtype=float):
        """No rotation."""
        if num is not None:
            raise NotImplementedError("[identity] num is not supported")
        return cls(cnp.array([0.0, 0.0, 0.0, 1.0], dtype=dtype))

    @classmethod
    def random(cls, random_key, num=None):
        """A uniform rotation, or `num` of them.

        JAX declares it and raises an error.
        """
        from cotan import random

        shape = (4,) if num is None else (num, 4)
        return cls.from_quat(random.normal(random_key, shape))

    def __getitem__(self, indexer):
        if self.single:
            raise TypeError("Single rotation is not subscriptable.")
        return Rotation(self.quat[indexer])

    def __len__(self):
        if self.single:
            raise TypeError("Single rotation has no len().")
        return self.quat.shape[0]

    def __mul__(self, other) -> Rotation:
        """The rotation that does `other` first."""
        return Rotation.from_quat(_product(self.quat, other.quat))

    def apply(self, vectors, inverse=False):
        """Vectors [..., 3], turned."""
        matrix = self.as_matrix()
        if inverse:
            matrix = matrix.swapaxes(-1, -2)
        return cnp.einsum("...ij,...j->...i", matrix, cnp.asarray(vectors))

    def as_euler(self, seq, degrees=False):
        """Angles [..., 3] about the axes of from_euler, in [-pi, pi)."""
        if len(seq) != 3:
            raise ValueError(f"Expected 3 axes, got {seq}.")
        axes, intrinsic = _check_axes(seq, None)
        angles = _euler_angles(self.quat, axes, not intrinsic)
        return cnp.rad2deg(angles) if degrees else angles

    def as_matrix(self):
        """Matrices [..., 3, 3]."""
        x, y, z, w = _parts(self.quat)
        rows = (
            (
                x * x - y * y - z * z + w * w,
                2 * (x * y - z * w),
                2 * (x * z + y * w),
            ),
            (
                2 * (x * y + z * w),
                -x * x + y * y - z * z + w * w,
                2 * (y * z - x * w),
            ),
            (
                2 * (x * z - y * w),
                2 * (y * z + x * w),
                -x * x - y * y + z * z + w * w,
            ),
        )
        return cnp.stack([cnp.stack(row, axis=-1) for row in rows], axis=-2)

    def as_mrp(self):
        """Modified Rodrigues parameters [..., 3]."""
        w = self.quat[..., 3:]
        sign = cnp.where(w < 0, -1.0, 1.0).astype(w.dtype)
        return sign * self.quat[..., :3] / (1.0 + sign * w)

    def as_rotvec(self, degrees=False):
        """Vectors [..., 3]: axis times angle."""
        quat = cnp.where(self.quat[..., 3:] < 0, -self.quat, self.quat)
        angle = 2.0 * cnp.arctan2(_norm(quat[..., :3]), quat[..., 3])
        square = angle * angle
        small = 2 + square / 12 + 7 * square * square / 2880
        large = angle / cnp.sin(angle / 2)
        scale = cnp.where(angle <= 1e-3, small, large)
        if degrees:
            scale = cnp.rad2deg(scale)
        return scale[..., None] * quat[..., :3]

    def as_quat(self, canonical=False, scalar_first=False):
        """Quaternions [..., 4]; `canonical`: w >= 0."""
        quat = self.quat
        if canonical:
            x, y, z, w = _parts(quat)
            negative = (w < 0) | (w == 0) & (
                (x < 0) | (x == 0) & ((y < 0) | (y == 0) & (z < 0))
            )
            quat = cnp.where(negative[..., None], -quat, quat)
        return cnp.roll(quat, 1, axis=-1) if scalar_first else quat

    def inv(self):
        """The inverse."""
        return Rotation(
            cnp.concatenate([-self.quat[..., :3], self.quat[..., 3:]], axis=-1)
        )

    def magnitude(self):
        """The angle."""
        return 2.0 * cnp.arctan2(
            _norm(self.quat[..., :3]), cnp.abs(self.quat[..., 3])
        )

    def mean(self, weights=None):
        """The weighted mean, which minimises the squared chordal distance."""
        dtype = self.quat.dtype
        if weights is None:
            w = cnp.ones(self.quat.shape[0], dtype=dtype)
        else:
            w = cnp.asarray(weights, dtype=dtype)
        if w.ndim != 1:
            raise ValueError(
                f"Expected `weights` to be 1 dimensional, got shape {w.shape}."
            )
        if w.shape[0] != len(self):
            raise ValueError(
                "Expected `weights` to have number of values equal to number "
                f"of rotations, got {w.shape[0]} values and {len(self)} "
                "rotations."
            )
        _, v = cnp.linalg.eigh(cnp.dot(w[None, :] * self.quat.T, self.quat))
        return Rotation(v[:, -1])

    @property
    def single(self) -> bool:
        """Whether this is one rotation, not an array of them."""
        return self.quat.ndim == 1


class Slerp(typing.NamedTuple):
    """Interpolates between rotations at constant angular velocity; made by
    `Slerp.init`."""

    times: _dispatch.Array
    timedelta: _dispatch.Array
    rotations: Rotation
    rotvecs: _dispatch.Array

    @classmethod
    def init(cls, times, rotations):
        """Through `rotations` [n, 4] at increasing `times` [n]."""
        if not isinstance(rotations, Rotation):
            raise TypeError("`rotations` must be a `Rotation` instance.")
        if rotations.single or len(rotations) == 1:
            raise ValueError(
                "`rotations` must be a sequence of at least 2 rotations."
            )
        times = cnp.asarray(times, dtype=rotations.quat.dtype)
        if times.ndim != 1:
            raise ValueError(
                "Expected times to be specified in a 1 dimensional array, got "
                f"{times.ndim} dimensions."
            )
        if times.shape[0] != len(rotations):
            raise ValueError(
                "Expected number of rotations to be equal to number of "
                f"timestamps given, got {len(rotations)} rotations and "
                f"{times.shape[0]} timestamps."
            )
        start = Rotation(rotations.quat[:-1])
        turn = start.inv() * Rotation(rotations.quat[1:])
        return cls(times, cnp.diff(times), start, turn.as_rotvec())

    def __call__(self, times):
        """The rotations at `times` [n] or a scalar."""
        at = cnp.asarray(times, dtype=self.times.dtype)
        if at.ndim > 1:
            raise ValueError("`times` must be at most 1-dimensional.")
        single, at = at.ndim == 0, cnp.atleast_1d(at)
        i = cnp.maximum(cnp.searchsorted(self.times, at) - 1, 0)
        part = (at - self.times[i]) / self.timedelta[i]
        turn = Rotation.from_rotvec(self.rotvecs[i] * part[:, None])
        result = self.rotations[i] * turn
        return result[0] if single else result

"""threefry, keys, bits, uniforms and integers in NumPy: what the library must
give bit for bit. Checked against JAX 0.10.2 when it was written."""

import numpy as np

U32 = np.uint32


def threefry2x32(k0, k1, x0, x1):
    """Salmon et al. 2011, 20 rounds; all uint32, broadcast."""
    k0, k1, x0, x1 = (np.asarray(a, U32) for a in (k0, k1, x0, x1))
    ks = [k0, k1, k0 ^ k1 ^ U32(0x1BD11BDA)]
    rotations = [[13, 15, 26, 6], [17, 29, 16, 24]]
    with np.errstate(over="ignore"):
        x0, x1 = x0 + ks[0], x1 + ks[1]
        for i in range(5):
            for r in rotations[i % 2]:
                x0 = x0 + x1
                x1 = (x1 << U32(r)) | (x1 >> U32(32 - r))
                x1 = x1 ^ x0
            x0, x1 = x0 + ks[(i + 1) % 3], x1 + ks[(i + 2) % 3] + U32(i + 1)
    return x0, x1


def seed(s, x64=False):
    s &= (1 << 64) - 1
    return np.array([s >> 32 if x64 else 0, s & 0xFFFFFFFF], U32)


def _counters(shape):
    n = np.arange(int(np.prod(shape)), dtype=np.uint64).reshape(shape)
    return (n >> np.uint64(32)).astype(U32), n.astype(U32)


def split(key, num=2):
    shape = (num,) if np.ndim(num) == 0 else tuple(num)
    return np.stack(threefry2x32(*key, *_counters(shape)), -1)


def fold_in(key, data):
    return np.stack(threefry2x32(*key, U32(0), U32(data)))


def bits(key, shape=(), width=32):
    a, b = threefry2x32(*key, *_counters(shape))
    if width == 64:
        return (a.astype(np.uint64) << np.uint64(32)) | b.astype(np.uint64)
    return (a ^ b).astype(f"u{width // 8}")


def uniform(key, shape=(), dtype=np.float32):
    width, mantissa, word = {
        np.float32: (32, 23, np.uint32),
        np.float64: (64, 52, np.uint64),
    }[dtype]
    b = bits(key, shape, width) >> word(width - mantissa)
    return (b | np.array(1, dtype).view(word)).view(dtype) - dtype(1)


def randint(key, shape, low, high):
    """int32"""
    k1, k2 = split(key)
    high_bits, low_bits = bits(k1, shape), bits(k2, shape)
    span = U32(high - low) if high > low else U32(1)
    with np.errstate(over="ignore"):
        m = U32(2**16) % span
        m = (m * m) % span
        offset = ((high_bits % span) * m + low_bits % span) % span
        return (np.int32(low) + offset.astype(np.int32)).astype(np.int32)


def permutation(key, n):
    x = np.arange(n)
    rounds = int(np.ceil(3 * np.log(max(1, n)) / np.log(2**32 - 1)))
    for _ in range(rounds):
        key, sub = split(key)
        x = x[np.argsort(bits(sub, (n,)), kind="stable")]
    return x

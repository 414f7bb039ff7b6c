"""The second half of the expressions in cases.py."""

SORTING = """
jnp.sort(v)
jnp.sort(m, 0)
jnp.sort(m, axis=None)
jnp.sort(z)
jnp.sort(i)
jnp.sort(m, 1, descending=True)  # jax
jnp.sort(h)
jnp.sort(c)
jnp.sort(k, 1)
jnp.argsort(x3)  # jax
jnp.argsort(m, 0)  # jax
jnp.argsort(x3, descending=True)  # jax
jnp.argsort(z)  # jax
jnp.sort_complex(c)
jnp.lexsort((x3, i))  # jax
jnp.lexsort((m[0], m[1]))  # jax
jnp.partition(v, 3)[3]
jnp.argpartition(v, 3)[3]  # jax
jnp.searchsorted(srt, v)  # jax
jnp.searchsorted(srt, 0.1)  # jax
jnp.searchsorted(srt, m, side='right')  # jax
jnp.searchsorted(jnp.sort(x3), x3, side='left')  # jax
jnp.digitize(v, srt)  # jax
jnp.digitize(v, srt[::-1])  # jax
jnp.unique(x3)
jnp.unique(x3, return_index=True)  # jax
jnp.unique(x3, return_inverse=True)  # jax
jnp.unique(x3, return_counts=True)  # jax
jnp.unique(x3, True, True, True)  # jax
jnp.unique(x3, size=5)  # jax
jnp.unique(x3, size=2)  # jax
jnp.unique(x3, size=5, fill_value=-1)  # jax
jnp.unique(x3, return_counts=True, size=5)  # jax
jnp.unique(j % 2, axis=0)
jnp.unique(j % 2, axis=1)
jnp.unique(z)
jnp.unique_counts(x3)  # jax
jnp.isin(x3, jnp.array([1, 2]))
jnp.isin(x3, jnp.array([1, 2]), invert=True)
jnp.union1d(x3, i)
jnp.intersect1d(x3, jnp.array([1, 3, 7], dtype='int32'))
jnp.intersect1d(x3, jnp.array([3, 1, 7]), return_indices=True)  # jax
jnp.setdiff1d(x3, jnp.array([1], dtype='int32'))
jnp.setxor1d(x3, jnp.array([1, 9], dtype='int32'))
jnp.union1d(x3, i, size=10)  # jax
jnp.setdiff1d(x3, jnp.array([1]), size=4, fill_value=9)  # jax
jnp.intersect1d(x3, jnp.array([1, 3]), size=4, fill_value=9)  # jax
v.sort()  # jax
x3.argsort()  # jax
"""

PRODUCTS = """
jnp.matmul(m, n)
jnp.matmul(v, w)
jnp.matmul(m, v[:5])
jnp.matmul(v[:4], m)
jnp.matmul(t, u)
jnp.matmul(t, n[:4])
jnp.matmul(m[:3, :3], t)
jnp.matmul(t[:, None], u)
jnp.matmul(i[:3], i[3:])
jnp.matmul(h[:3], h[3:])
jnp.matmul(m, n, preferred_element_type='float32')  # jax
jnp.dot(m, n)
jnp.dot(v, w)
jnp.dot(3., v)
jnp.dot(t, n[:4])
jnp.dot(t, u)
jnp.vdot(c, c)
jnp.vdot(v, w)
jnp.vecdot(t, t)
jnp.inner(m, m)
jnp.inner(v, w)
jnp.outer(v, w)
jnp.tensordot(t, t, 3)
jnp.tensordot(t, u, ((2,), (1,)))
jnp.tensordot(t, u, ((0, 2), (0, 1)))
jnp.tensordot(v, w, 0)
jnp.kron(m[:2, :2], n[:2])
jnp.kron(v[:2], m)
jnp.cross(v[:3], w[:3])
jnp.cross(u, u[::-1])
jnp.cross(u, u[::-1], axis=2)
jnp.einsum('ij,jk->ik', m, n)
jnp.einsum('ij,jk', m, n)
jnp.einsum('ij->ji', m)
jnp.einsum('ij', m)
jnp.einsum('ii', q)
jnp.einsum('ii->i', q)
jnp.einsum('ij->', m)
jnp.einsum('ij->j', m)
jnp.einsum('i,i', v, w)
jnp.einsum('i,j->ij', v, w)
jnp.einsum('i,j->ji', v, w)
jnp.einsum('bij,bjk->bik', t, u)
jnp.einsum('bij,bjk->kib', t, u)
jnp.einsum('bij,bjk->ik', t, u)
jnp.einsum('bij,jk->bik', t, n[:4])
jnp.einsum('...ij,...jk->...ik', t, u)
jnp.einsum('...ij->...ji', t)
jnp.einsum('...i->...', t)
jnp.einsum('i...->...', t)
jnp.einsum('ij,jk,kl->il', m, n, n.T)
jnp.einsum('ij,kj,lk->il', m, m, q)
jnp.einsum('ij,ij->ij', m, m)
jnp.einsum('ij,ij->i', m, m)
jnp.einsum('ij,ij,ij->', m, m, m)
jnp.einsum('ijk,ijk->', t, t)
jnp.einsum('a,b,c->abc', v[:2], v[:3], w[:2])
jnp.einsum('ab,bc,cd,de->ae', m, n, n.T, m.T)
jnp.einsum(m, [0, 1], n, [1, 2], [0, 2])
jnp.einsum('ij,j->i', i.reshape(2, 3), i[:3])
jnp.einsum('ij,jk->ik', c, c.T)
jnp.einsum('bhqd,bhkd->bhqk', t[None], t[None])
jnp.einsum('...,...', v, w)
jnp.einsum('ij,k->k', m, v)
jnp.linalg.norm(v)
jnp.linalg.norm(m)
jnp.linalg.norm(m, axis=0)
jnp.linalg.norm(v, 1)
jnp.linalg.norm(v, jnp.inf)
jnp.linalg.norm(v, 3)
jnp.linalg.norm(m, 1)
jnp.linalg.norm(m, -jnp.inf)
jnp.linalg.norm(m, 'fro', keepdims=True)
jnp.linalg.norm(t, axis=(0, 2))
jnp.linalg.norm(c)
jnp.linalg.vector_norm(m, axis=1)
jnp.linalg.matrix_norm(m)
jnp.linalg.matrix_power(q, 3)
jnp.linalg.multi_dot([m, n, n.T])
"""

MATH = """
jnp.allclose(v, v)
jnp.allclose(v, w)
jnp.array_equal(v, v)
jnp.array_equal(v, w[:3])
jnp.array_equal(z, z, equal_nan=True)
jnp.array_equiv(m, m[0])
jnp.diff(v)
jnp.diff(m, 2)
jnp.diff(m, axis=0)
jnp.diff(v, prepend=0., append=v[:2])
jnp.diff(l)
jnp.ediff1d(v)
jnp.ediff1d(v, 1., 2.)
jnp.gradient(v)
jnp.gradient(m)
jnp.gradient(v, 2.)
jnp.gradient(m, axis=0)
jnp.trapezoid(v)
jnp.trapezoid(v, srt[:7])
jnp.trapezoid(m, dx=0.5, axis=0)
jnp.interp(v, srt, srt * 2)
jnp.interp(v, srt, srt * 2, left=-1., right=9.)
jnp.interp(0.3, srt, srt * 2)
jnp.bincount(x3)  # jax
jnp.bincount(x3, length=6)  # jax
jnp.bincount(x3, weights=v[:6])
jnp.bincount(x3, minlength=7)  # jax
jnp.histogram(v, 4)  # jax
jnp.histogram(v, 4, density=True)  # jax
jnp.histogram(v, srt)  # jax
jnp.histogram(v, 3, range=(-1., 1.), weights=p.reshape(-1)[:7])
jnp.histogram(i, 3)  # jax
jnp.histogram_bin_edges(v, 4)
jnp.histogram2d(v, w, 3)  # jax
jnp.convolve(v, w[:3])
jnp.convolve(v, w[:3], 'same')
jnp.convolve(v, w[:3], 'valid')
jnp.convolve(w[:3], v)
jnp.convolve(w[:2], v, 'same')
jnp.correlate(v, w[:3])
jnp.correlate(v, w[:3], 'full')
jnp.correlate(w[:3], v, 'full')
jnp.correlate(v, w[:4], 'same')
jnp.cov(m)
jnp.cov(m, rowvar=False)
jnp.cov(v, w)
jnp.cov(m, bias=True)
jnp.cov(m, aweights=p[0, :4].repeat(2)[:5])
jnp.corrcoef(m)
jnp.polyval(v[:3], w)
jnp.polyadd(v[:3], w[:2])
jnp.polysub(v[:2], w[:3])
jnp.polymul(v[:3], w[:2])
jnp.polydiv(v[:4], w[:2])
jnp.polyder(v)
jnp.polyint(v)
jnp.polyint(v, 2)
jnp.hanning(5)  # jax
jnp.hamming(5)  # jax
jnp.blackman(5)  # jax
jnp.bartlett(5)  # jax
jnp.packbits(l)
jnp.packbits(k, axis=1, bitorder='little')
jnp.unpackbits(u8)
jnp.unpackbits(u8[:, None], axis=1, count=3)
jnp.apply_along_axis(lambda x: x.sum(), 0, m)
jnp.apply_along_axis(lambda x: x * 2, 1, t)
jnp.vectorize(lambda a, b: a + b)(v, 1.)  # jax
jnp.vectorize(lambda a, b: a @ b, signature='(n),(n)->()')(t, t[0])
jnp.vectorize(lambda a: a.sum(), signature='(n)->()')(m)
jnp.apply_over_axes(jnp.sum, t, [0, 2])
"""

DTYPES = """
jnp.promote_types('int8', 'uint8')
jnp.promote_types('uint32', 'int32')  # jax
jnp.promote_types('float16', 'int32')  # jax
jnp.promote_types('bfloat16', 'float16')  # jax
jnp.result_type(1., 'int8')  # jax
jnp.result_type(v, i)  # jax
jnp.result_type(v, 1)
jnp.result_type('float16', 2.5)
jnp.finfo('float32').eps
jnp.finfo(jnp.float16).max
jnp.iinfo(jnp.int8).max
jnp.iinfo('uint32').min
jnp.issubdtype(jnp.float32, jnp.floating)
jnp.issubdtype('int32', jnp.inexact)
jnp.issubdtype(jnp.int8, np.integer)
jnp.issubdtype(v.dtype, jnp.floating)
jnp.isdtype(jnp.float32, 'real floating')  # jax
jnp.isdtype('int8', ('bool', 'integral'))  # jax
jnp.can_cast('int8', 'int32')
jnp.dtype('float32') == jnp.float32
np.dtype(jnp.int8)
jnp.float32 == jnp.float32
jnp.zeros(2, jnp.bfloat16)  # jax
jnp.ones(2, jnp.bfloat16) + 1.5  # jax
v.astype(jnp.bfloat16)  # jax
jnp.array(1)  # jax
jnp.array(1) + 1.  # jax
jnp.exp(jnp.array(1))  # jax
jnp.where(l, 1, 2)  # jax
jnp.where(l, 1., h[:1])  # jax
jnp.maximum(1, 2.)  # jax
jnp.array([300., -1.7, jnp.nan, jnp.inf]).astype('uint8')  # jax
jnp.array([3e9, -3e9, jnp.nan]).astype('int32')  # jax
jnp.array([300]).astype('uint8')  # jax
jnp.sum(jnp.array(1.))  # jax
jnp.max(jnp.array(1))  # jax
jnp.stack([1, 2.])  # jax
jnp.concatenate([jnp.full(2, 1), jnp.full(2, 2)])  # jax
jnp.clip(jnp.array(1), 0, 2)  # jax
jnp.cumsum(jnp.full(2, 1))  # jax
jnp.sort(jnp.full(2, 1))  # jax
jnp.full(2, 1)[0]  # jax
jnp.full(2, 1)[jnp.array([0])]  # jax
jnp.full(2, 1).at[0].set(3)  # jax
jnp.full(2, 1.).reshape(1, 2)  # jax
jnp.full(2, 1).T  # jax
jnp.round(jnp.array(1.5))  # jax
jnp.floor(jnp.array(1.5))  # jax
jnp.dot(jnp.full(2, 1), jnp.full(2, 1))  # jax
jnp.einsum('i,i', jnp.full(2, 1), jnp.full(2, 1))  # jax
jnp.mean(jnp.full(2, 1))  # jax
jnp.abs(jnp.full(2, 1))  # jax
jnp.roll(jnp.full(2, 1), 1)  # jax
jnp.pad(jnp.full(2, 1), 1)  # jax
jnp.tile(jnp.full(2, 1), 2)  # jax
jnp.repeat(jnp.full(2, 1), 2)  # jax
jnp.take(jnp.full(2, 1), 0)  # jax
jnp.squeeze(jnp.full((1, 2), 1))  # jax
jnp.square(jnp.array(2))  # jax
jnp.nan_to_num(jnp.array(1.))  # jax
jnp.zeros_like(jnp.array(1.))  # jax
jnp.full_like(jnp.array(1.), 2)  # jax
jnp.real(jnp.array(1.))  # jax
jnp.diff(jnp.full(3, 1))  # jax
jnp.arange(3) * 1.  # jax
jnp.linspace(0, 1, 3) * 2  # jax
jnp.power(jnp.array(2), 3)  # jax
"""

ERRORS = """
x['a']
v['a']
v[1.0]
v[1, 2]
v[..., ...]
v[[0, 1]]
v[[slice(0, 1)]]
v[{}]
v[np.float32(1)]
v[jnp.array([1.])]
v[jnp.array([True, False])]
v[0:1.5]
v[::0]
jnp.zeros((0,))[0]
jnp.zeros((0,))[jnp.array(0)]
v.at[0].set(jnp.ones(3))
v.at[0].foo
v.at[jnp.array([0])].get(mode='foo')
v.foo
jnp.foo
jnp.sum([1, 2])
jnp.sum(v, axis=1.)
jnp.sum(v, out=1)
jnp.sum(v, axis=1)
jnp.sum(m, axis=(0, 0))
v.reshape(3, 4)
v.reshape(3, -1)
v.reshape(-1, -1)
jnp.transpose(v, (0, 1))
jnp.transpose(m, (0, 0))
jnp.concatenate([])
jnp.concatenate([v, m])
jnp.concatenate([v, 1])
jnp.concatenate([m, t[0]])
jnp.stack([v, v[:3]])
jnp.argmax(jnp.zeros((0,)))
jnp.arange(v)
jnp.zeros(3.)
jnp.zeros(-1)
jnp.linspace(0, 1, 3.)
jnp.eye(2.)
jnp.array('a')
jnp.array(None)
jnp.array([1, None])
jnp.array([1, 'a'])
jnp.array([[1], [2, 3]])
jnp.array(2**31)
jnp.int8(200)
jnp.uint8(-1)
jnp.asarray([jnp.ones(2), jnp.ones(3)])
jnp.ones(3, dtype='foo')
jnp.where(v, 1)
jnp.squeeze(v, 0)
jnp.expand_dims(v, 5)
jnp.moveaxis(v, 0, 1)
jnp.broadcast_to(v, (3,))
jnp.take(v, 1.5)
jnp.split(v, 3)
jnp.dot(v, jnp.ones(3))
jnp.matmul(v, 1)
jnp.matmul(m, m)
jnp.einsum('ij', v)
jnp.einsum('i,j->ij', v)
jnp.einsum('i->j', v)
jnp.max(v[:0])
jnp.clip([1], 0, 1)
jnp.sort([1])
jnp.tile([1], 2)
jnp.full((2,), jnp.ones(3))
jnp.pad(v, 1, mode='foo')
jnp.flip(v, 3)
jnp.roll(v, 1, 3)
jnp.searchsorted(v, v, side='a')
jnp.cumsum(v, axis=2)
jnp.sort(v, axis=2)
jnp.linalg.norm(v, ord='foo')
jnp.diag(jnp.ones((1, 1, 1)))
jnp.meshgrid(v, m)
jnp.sin([1.])
jnp.sin(None)
jnp.add([1], 2)
jnp.abs()
jnp.cross(v, v)
jnp.tril(v)
jnp.broadcast_arrays(v, jnp.ones(3))
jnp.add(jnp.ones(3), jnp.ones(4))
v + None
v + [1, 2, 3]
bool(v)
hash(v)
jnp.nonzero(jnp.array(1))
jnp.take_along_axis(m, v, 0)
jnp.mean(v, axis=3)
jnp.var(c, dtype='float32')
jnp.bincount(v)
jnp.swapaxes(m, 0, 5)
iter(jnp.array(1))
len(jnp.array(1))
jnp.promote_types('float8_e4m3fn', 'float32')
"""

"""Expressions that stand for differentiable functions."""

# Differentiable functions of one float32[3, 4] array, traced by jit, grad and
# vmap. `ix` and `iy` are index arrays.
FUNCTIONS = """
x[1]
x[-1, 2]
x[:, 1:3]
x[::-1, ::2]
x[ix]
x[:, iy]
x[ix, iy]
x[ix[:, None], iy]
x[1, iy]
x[..., None, ix % 2]
x[None, ix]
x.at[1].set(2.)
x.at[1].add(x[0])
x.at[ix].add(x[ix] ** 2)
x.at[ix, iy].set(x[iy % 3, ix])
x.at[1, 2].multiply(x[0, 0])
x.at[:, ::2].min(x[:, :1])
x.at[jnp.array([0, 2])].set(x[:2] * 3, unique_indices=True)
x.at[7].get(mode='fill', fill_value=0.)
x.at[jnp.array([7, 1])].get(mode='clip')
x[jnp.array([7, 1])]
jnp.take(x, ix, axis=1)
jnp.take_along_axis(x, jnp.argsort(x, 1), 1)
jnp.where(x > 0, x, x ** 2)
jnp.sum(x)
jnp.sum(x, 0)
jnp.prod(x, 1)
jnp.max(x, 1)
jnp.min(x)
jnp.mean(x, 0, keepdims=True)
jnp.var(x)
jnp.std(x, 1)
jnp.median(x, 1)
jnp.quantile(x, 0.3, axis=0)
jnp.cumsum(x, 1)
jnp.cumprod(x, 0)
jnp.sort(x, 0)
jnp.linalg.norm(x, axis=1)
jnp.linalg.norm(x)
jnp.reshape(x, (2, 6))
jnp.reshape(x, (2, 6), order='F')
x.T @ x
jnp.einsum('ij,kj->ik', x, x)
jnp.einsum('ij,ij->', x, x)
jnp.einsum('ij,ik,jl->kl', x, x, jnp.outer(x[0], x[1]))
jnp.tensordot(x, x, ((0,), (0,)))
jnp.concatenate([x, x[:1] * 2])
jnp.stack([x, x * x], 1)
jnp.split(x, 2, axis=1)[1]
jnp.tile(x, (2, 1))
jnp.repeat(x, 2, axis=0)
jnp.roll(x, 1, 1)
jnp.flip(x, 0)
jnp.pad(x, 1, mode='reflect')
jnp.pad(x, 1, constant_values=x[0, 0])
jnp.pad(x, 2, mode='edge')
jnp.tril(x)
jnp.diag(x[0])
jnp.diagonal(x)
jnp.trace(x)
jnp.outer(x[0], x[1])
jnp.kron(x[:2, :2], x[1:, :2])
jnp.cross(x[:, :3], x[:, 1:])
jnp.clip(x, -0.5, 0.5)
jnp.maximum(x, 0.1)
jnp.logaddexp(x, 0.5)
jnp.hypot(x, 1.)
jnp.sinc(x)
jnp.abs(x)
jnp.nan_to_num(x)
jnp.interp(x, jnp.linspace(-3, 3, 9), jnp.linspace(-3, 3, 9) ** 2)
jnp.convolve(x[0], x[1])
jnp.polyval(x[0], x[1])
jnp.diff(x)
jnp.gradient(x[0])
jnp.trapezoid(x)
jnp.cov(x)
jnp.average(x, 0, weights=jnp.array([1., 2., 3.]))
jnp.meshgrid(x[0], x[1])[0]
jnp.broadcast_to(x[:, :1], (3, 4))
jnp.select([x > 1, x > 0], [x, x * 2], 0.)
jnp.vectorize(lambda a: a.sum(), signature='(n)->()')(x)
jnp.apply_along_axis(lambda a: a * a, 0, x)
jnp.linspace(x[0], x[1], 5)
jnp.unwrap(x)
jnp.power(jnp.abs(x), 1.5)
jnp.floor_divide(x, 0.4)
jnp.remainder(x, 0.4)
"""
CASES = FUNCTIONS.strip().splitlines()

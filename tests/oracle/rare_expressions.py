"""Names that few programs use: JAX and cotan must agree on them as well. The
arrays are those of expressions.py. `skey` is a random key."""

OPERATORS = [
    *(
        f"{a} {op} {b}"
        for op in "+ - * / // % ** @".split()
        for a, b in (("x", "p"), ("x", "2"), ("2.5", "p"))
        if op != "@" or (a, b) == ("x", "p")
    ),
    *(f"n {op} 3" for op in "& | ^ << >> < <= > >= == != // %".split()),
    *(f"3 {op} k" for op in "& | ^ << >> < <= > >= == != % ** -".split()),
    "divmod(7, p)",
    "divmod(n, 4)",
    "abs(-x)",
    "+x",
    "-n",
    "~n",
    "2.0 in p",
    "ties[1] in ties",
    "list(n)",
    "[len(m), len(t)]",
    "round(x)",
    "round(x, 2)",
    "round(p[0])",
    "float(p[0])",
    "int(n[0])",
    "complex(z[0])",
    "bool(b[0])",
    "format(x[0], '.3f')",
    "format(n[0])",
    "str(n)",
    "str(m)",
    "repr(t)",
    "repr(z)",
    "repr(b[:0])",
    "n.__array_priority__",
    "__import__('copy').copy(x)",
    "__import__('copy').deepcopy(x)",
    "m.to_device(jax.devices('cpu')[0])",
    "m @ w",
    "np.ones((2, 3), 'f4') @ m",
    "m[1]",
    "m[-1, ::2]",
    "t[..., None, 0]",
]

NUMPY = [
    "jnp.array_str(n)",
    "jnp.bitwise_invert(n)",
    "jnp.bitwise_left_shift(n, 2)",
    "jnp.bitwise_right_shift(n, 1)",
    "jnp.cdouble(2)",
    "jnp.csingle(2)",
    "jnp.complex_(1)",
    "jnp.float_(1)",
    "jnp.diag_indices_from(m[:, :3])",
    "jnp.tril_indices_from(m)",
    "jnp.triu_indices_from(m, k=1)",
    "jnp.mask_indices(4, jnp.triu, 1)",
    "jnp.einsum_path('ij,jk,kl->il', m, w, w.T)[0]",
    "[jnp.euler_gamma, jnp.pi, jnp.e]",
    "jnp.fromstring('1 2 3', sep=' ')",
    "jnp.frompyfunc(lambda a, b: a + b, 2, 1)(x, p)",
    "jnp.frompyfunc(lambda a, b: a * b, 2, 1, identity=1).reduce(p)",
    "jnp.frompyfunc(lambda a, b: a + b, 2, 1, identity=0).accumulate(n)",
    "jnp.histogramdd(t.reshape(6, 4), bins=3)[0]",
    "jnp.histogramdd(m.T[:, :2], bins=(2, 3), range=[(-1, 1), (0, 1)])",
    "jnp.histogramdd(m[:, :2], bins=2, weights=p[:3], density=True)",
    "t[jnp.index_exp[0, ::2]]",
    "t[jnp.s_[..., 1:3]]",
    "[jnp.kaiser(n_, 5.0) for n_ in (0, 1, 7)]",
    "jnp.poly(x)",
    "jnp.poly(m[:, :3])",
    "jnp.polyfit(x, p, 2)",
    "jnp.polyfit(x, p, 1, full=True)[0]",
    "jnp.polyfit(x, p, 1, w=p)",
    "jnp.polyfit(x, m.T[:1].repeat(5, 0)[:, :2], 1)",
    "jnp.radians(x)",
    "jnp.roots(jnp.array([1.0, -6.0, 11.0, -6.0]))",
    "jnp.roots(jnp.array([0.0, 1.0, 2.0, 0.0]), strip_zeros=False)",
    "jnp.unique_all(ties)",
    "jnp.unique_inverse(ties)",
    "jnp.unique_values(ties)",
    "jnp.unique_counts(ties)",
    *(
        f"[jnp.issubdtype(d, jnp.{kind}) for d in "
        "('i4', 'u1', 'f4', 'c8', '?', jnp.bfloat16)]"
        for kind in (
            "complexfloating flexible floating generic inexact integer "
            "number signedinteger unsignedinteger character object_"
        ).split()
    ),
    "jnp.get_printoptions()['precision']",
]

LAX = [
    "lax.shape_as_value((2, 3))",
    "lax.broadcast_like(p[0], m)",
    "lax.platform_dependent(x, default=jnp.sin)",
    "lax.platform_dependent(x, cpu=jnp.cos, default=jnp.sin)",
    "lax.index_take(m, (jnp.array([0, 2]),), (0,))",
    "lax.ConvDimensionNumbers((0, 1), (2, 3), (4, 5)).lhs_spec",
    "str(lax.RandomAlgorithm.RNG_THREE_FRY)",
    "lax.Tolerance(1e-3, 0.0, 2).atol",
    "[e.name for e in lax.AccuracyMode]",
    "sorted(e.name for e in lax.DotAlgorithmPreset)",
    "[e.name for e in lax.linalg.SvdAlgorithm]",
    "[e.name for e in lax.linalg.EighImplementation]",
    "[e.name for e in lax.linalg.EigImplementation]",
    "lax.dot(m, w, precision=lax.DotAlgorithmPreset.F32_F32_F32)",
    "lax.linalg.symmetric_product(m, jnp.eye(3), symmetrize_output=True)",
    "lax.linalg.cholesky_update(jnp.eye(3) * 2, p[:3])",
    "lax.linalg.qdwh(m[:, :3] + 2 * jnp.eye(3))[:2]",
]

SCIPY = [
    "jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor("
    "m @ m.T + jnp.eye(3)), p[:3])",
    "jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor("
    "m @ m.T + jnp.eye(3), lower=True), m)",
    "jax.scipy.linalg.lu_solve(jax.scipy.linalg.lu_factor("
    "m[:, :3] + 2 * jnp.eye(3)), p[:3], trans=1)",
    *(
        f"jax.scipy.linalg.{f}(5)"
        for f in "dft hadamard hilbert invhilbert invpascal pascal".split()
        if f != "hadamard"
    ),
    "jax.scipy.linalg.hadamard(4)",
    "jax.scipy.linalg.dft(4, scale='sqrtn')",
    "jax.scipy.linalg.pascal(4, kind='lower')",
    "jax.scipy.linalg.helmert(4, full=True)",
    "jax.scipy.linalg.convolution_matrix(x, 3, mode='same')",
    "jax.scipy.linalg.eigh_tridiagonal(x, p[:4], eigvals_only=True)",
    "jax.scipy.linalg.funm(m[:, :3] + 2 * jnp.eye(3), jnp.exp)",
    "jax.scipy.linalg.qr_multiply(m.T, p[:4], mode='right')[0]",
    "[abs(a) for a in jax.scipy.linalg.rsf2csf("
    "jnp.array([[1.0, 2.0], [-3.0, 1.0]]), jnp.eye(2))]",
]

RANDOM = [
    "jax.random.double_sided_maxwell(skey, 1.0, 2.0, (4,))",
    "jax.random.geometric(skey, 0.3, (6,))",
    "jax.random.maxwell(skey, (4,))",
    "jax.random.rademacher(skey, (6,))",
    "jax.random.rayleigh(skey, p)",
    "jax.random.triangular(skey, 0.0, 0.25, 1.0, (5,))",
    "jax.random.wald(skey, 2.0, (5,))",
    "jax.random.weibull_min(skey, 1.5, 2.0, (5,))",
    "jax.nn.initializers.delta_orthogonal()(skey, (3, 3, 2, 2)).shape",
    "jax.nn.initializers.kaiming_uniform()(skey, (3, 4))",
    "jax.nn.initializers.xavier_normal()(skey, (3, 4))",
]

# The derivatives of samples in their shape parameters.
SAMPLES = [
    *(
        f"jax.grad(lambda a: jax.random.{f}.sum())(p)"
        for f in (
            "gamma(skey, a)",
            "loggamma(skey, a)",
            "chisquare(skey, a)",
            "beta(skey, a, a + 1)",
        )
    ),
    "jax.grad(lambda a: (jax.random.dirichlet(skey, a) * x).sum())(p)",
]

REST = [
    *(
        f"jnp.linalg.matrix_power({a}, {e})"
        for a in ("b[:4].reshape(2, 2)", "n[:4].reshape(2, 2)", "m[:, :3]")
        for e in (0, 2, 3)
    ),
    *(
        f"jnp.linalg.norm(m[:{i}, :{j}], ord={o})"
        for i, j in ((0, 2), (2, 0))
        for o in ("1", "2", "np.inf", "'fro'", "'nuc'")
    ),
    "[float(jnp.finfo(d).eps) for d in (np.float32, 'f2', jnp.float32)]",
    "[jnp.iinfo(d).max for d in (np.int8, 'i4', jnp.uint16)]",
    *(
        f"jax.ops.segment_{f}(x, jnp.array([0, 2, 0, 1, 7]), 4)"
        for f in "sum prod min max".split()
    ),
    "jax.ops.segment_sum(t, jnp.array([1, 0]))",
    "jax.ops.segment_max(n, jnp.array([0, 0, 2, 2, 2]), 3, "
    "indices_are_sorted=True)",
    "jax.ops.segment_sum(n, jnp.array([-1, 0, 0, 1, 1]), 2, mode='clip')",
    "jax.tree_util.tree_all([b[0], {'a': True}])",
    "[str(c) for c in jax.tree_util.tree_structure([1, {'a': 2}]).children()]",
    "jax.tree_util.treedef_children(jax.tree.structure((1, (2, 3))))[1]"
    ".num_leaves",
    "str(jax.dtypes.canonicalize_dtype('f8'))",
    "jax.dtypes.issubdtype(jax.random.key(0).dtype, jax.dtypes.extended)",
    "[jax.host_count(), jax.host_id(), jax.process_index()]",
    "len(jax.host_ids())",
    "str(jax.typeof(x))",
    "str(jax.typeof(1.0))",
    "jax.named_call(jnp.sin, name='s')(x)",
    "jax.core.max_dim(3, 4)",
    "jax.core.min_dim(3, 4)",
    "[jax.core.is_constant_dim(3), jax.core.is_constant_shape((2, 3))]",
    "jax.core.valid_jaxtype(x)",
    "jax.core.valid_jaxtype('s')",
    "[jax.core.is_concrete(x), jax.core.is_concrete(1.0)]",
    "str(jax.core.primal_dtype_to_tangent_dtype(np.dtype('i4')))",
    "[str(a) for a in jax.tree.leaves(jax.api_util.shaped_abstractify(x))]",
]
ERRORS = ["bool(m)", "int(m)", "float(z[0])", "int(z[0])", "format(x, '.3f')"]
VALUES = [*OPERATORS, *NUMPY, *LAX, *SCIPY, *RANDOM, *SAMPLES, *REST]

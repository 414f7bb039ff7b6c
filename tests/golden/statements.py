"""Statements about JAX's conventions with the answers that JAX 0.10.2 gives.

exprs.json lists (section, context manager, expression); golden.json has what
JAX answered: the repr, or the class of the exception. `answers("cotan")`
evaluates all with another module in JAX's place.
"""

import collections
import contextlib
import dataclasses
import functools
import importlib
import io
import json
import pathlib
import re
import sys
import warnings

HERE = pathlib.Path(__file__).parent
NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)")


def expected():
    return json.loads((HERE / "golden.json").read_text())


def _normal(text):
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = text.replace("<class 'cotan.", "<class 'jax.")
    return re.sub(r"/\S*/(?:site-packages|lib)/\S*", "<path>", text)


def _namespace(name):
    """The names that the expressions use, from module `name`."""
    import numpy as np

    jax = importlib.import_module(name)
    for sub in (
        "numpy",
        "lax",
        "random",
        "tree_util",
        "tree",
        "nn",
        "flatten_util",
    ):
        importlib.import_module(f"{name}.{sub}")
    jnp, lax, random, tu = jax.numpy, jax.lax, jax.random, jax.tree_util
    grad, jit, tree = jax.grad, jax.jit, jax.tree

    NT = collections.namedtuple("NT", "a b")

    class U:
        pass

    @tu.register_dataclass
    @dataclasses.dataclass
    class DC:
        b: int
        a: int
        s: str = dataclasses.field(metadata={"static": True}, default="q")

    def dc_leaves():
        paths = tu.tree_flatten_with_path(DC(1, 2))[0]
        return tree.leaves(DC(1, 2)), [str(p) for p, _ in paths]

    def d(a):
        return (str(a.dtype), getattr(a, "weak_type", None))

    def leak():
        out = []
        jit(lambda x: out.append(x) or x)(1.0)
        return out[0] + 1

    def setitem():
        y = jnp.arange(3.0)
        y[0] = 1

    def use_donated():
        y = jnp.ones(3)
        jit(lambda a: a + 1, donate_argnums=0)(y)
        return y + 1

    def print_once():
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            g = jit(lambda x: (print("t"), x)[1])
            g(1.0)
            g(2.0)
        return out.getvalue()

    def input_mutation():
        dd = {"a": 1.0}

        def h(dd):
            dd["a"] = dd["a"] * 2
            return dd["a"]

        return dd, jit(h)(dd)

    def jit_retrace():
        count = [0]

        def f(x, n=None):
            count[0] += 1
            return x

        jf, out = jit(f, static_argnames="n"), []
        for a in (
            1,
            2,
            1.0,
            jnp.int32(1),
            jnp.array(1),
            np.int64(3),
            True,
            jnp.ones(2),
            jnp.ones(2),
            jnp.ones(3),
        ):
            jf(a)
            out.append(count[0])
        for n in (1, 1, 1.0, True):
            jf(1, n=n)
            out.append(count[0])
        return out

    @jax.custom_vjp
    def cf(x, y):
        return x * y

    cf.defvjp(lambda x, y: (x * y, (x, y)), lambda r, g: (g * r[1], None))

    @functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
    def cg(f, x):
        return f(x)

    cg.defvjp(lambda f, x: (f(x), x), lambda f, r, g: (g * 10,))

    @jax.custom_jvp
    def ch(x):
        return x

    ch.defjvp(lambda p, t: (p[0], t[0] * 7))
    ch2 = jax.custom_jvp(lambda x: x)
    ch2.defjvps(lambda t, o, x: t * 5)
    return dict(
        locals(),
        jtu=tu,
        vmap=jax.vmap,
        x=jnp.arange(10.0),
        xi=jnp.arange(10),
        k=random.key(0),
    )


def _answer(space, context, expression):
    try:
        with (
            warnings.catch_warnings(record=True),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("always")
            if context:
                with eval(context, space):
                    r = repr(eval(expression, space))
            else:
                r = repr(eval(expression, space))
        return {"ok": _normal(r)}
    except Exception as e:
        return {"exc": type(e).__name__, "msg": _normal(str(e))[:300]}


def answers(name):
    """{expression: answer} of module `name`."""
    space = _namespace(name)
    alias = sys.modules.get("jax")
    sys.modules["jax"] = sys.modules[name]
    try:
        return [
            _answer(space, context, expression)
            for _, context, expression in json.loads(
                (HERE / "exprs.json").read_text()
            )
        ]
    finally:
        if alias is None:
            del sys.modules["jax"]
        else:
            sys.modules["jax"] = alias


def same(want, got):
    import numpy as np

    if "ok" not in want:
        return want.get("exc") == got.get("exc")
    if "ok" not in got:
        return False
    if want["ok"] == got["ok"]:
        return True
    # The width of a column follows from the last digits.
    want, got = ("".join(x["ok"].split()) for x in (want, got))
    a, b = NUMBER.findall(want), NUMBER.findall(got)
    if NUMBER.sub("#", want) != NUMBER.sub("#", got) or len(a) != len(b):
        return False
    return bool(
        np.allclose(
            [float(v) for v in a],
            [float(v) for v in b],
            rtol=2e-6,
            equal_nan=True,
        )
    )


if __name__ == "__main__":
    sections = collections.defaultdict(lambda: [0, 0])
    for want, got in zip(expected(), answers(sys.argv[1]), strict=True):
        ok = same(want, got)
        sections[want["section"]][not ok] += 1
        if not ok:
            print(
                f"FAIL {want['section']} | {want['ctx']} {want['expr']}\n"
                f"   want {want.get('ok', want.get('exc'))}\n"
                f"   got  {got.get('ok', (got.get('exc'), got.get('msg')))}"
            )
    for section, (good, bad) in sections.items():
        print(f"{section:34s} pass {good:4d} fail {bad:4d}")
    print("TOTAL", sum(v[0] for v in sections.values()), "/", len(expected()))

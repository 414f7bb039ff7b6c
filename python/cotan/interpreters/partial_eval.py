"""`dce_jaxpr` and tracing, as far as `jax.interpreters.partial_eval` is used
by programs."""

from __future__ import annotations

from collections.abc import Sequence

from cotan._src import absent
from cotan._src.jaxprs import Jaxpr, Var

__all__ = ["dce_jaxpr"]


def dce_jaxpr(
    jaxpr: Jaxpr,
    used_outputs: Sequence[bool],
    instantiate: bool | Sequence[bool] = False,
) -> tuple[Jaxpr, list[bool]]:
    """The jaxpr of the used outputs, and which inputs it still has.
    instantiate: inputs that stay in any case."""
    if isinstance(instantiate, bool):
        instantiate = (instantiate,) * len(jaxpr.invars)
    outvars = [v for v, u in zip(jaxpr.outvars, used_outputs, strict=True) if u]
    live = {v for v in outvars if isinstance(v, Var)}
    kept = []
    for eqn in reversed(jaxpr.eqns):
        if not eqn.effects and not live.intersection(eqn.outvars):
            continue
        kept.append(eqn)
        live.update(v for v in eqn.invars if isinstance(v, Var))
    used = [
        v in live or keep
        for v, keep in zip(jaxpr.invars, instantiate, strict=True)
    ]
    invars = [v for v, u in zip(jaxpr.invars, used, strict=True) if u]
    return (
        jaxpr.replace(invars=invars, outvars=outvars, eqns=kept[::-1]),
        used,
    )


def __getattr__(name):
    raise absent.error(__name__, name)

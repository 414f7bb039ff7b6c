"""Tables from primitives to rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping

from cotan._src import primitives
from cotan._src.primitives import Primitive


class RuleTable(MutableMapping):
    """One slot of all primitives. Rules of the core's primitives can be read
    (`core_rule` makes a callable of them), not replaced."""

    def __init__(self, slot: str, core_slot: str, core_rule: Callable):
        self._slot, self._core_slot = slot, core_slot
        self._core_rule = core_rule

    def __getitem__(self, p: Primitive) -> Callable:
        if not isinstance(p, Primitive):
            raise KeyError(p)
        if p.rules is None:
            if not p._record.has(self._core_slot):
                raise KeyError(p)
            return self._core_rule(p)
        rule = getattr(p.rules, self._slot)
        if rule is None:
            raise KeyError(p)
        return rule

    def __setitem__(self, p: Primitive, rule: Callable) -> None:
        self._rules_of(p)
        setattr(p.rules, self._slot, rule)
        if self._slot == "batch":
            p.rules.batch_takes_axis = False

    def __delitem__(self, p: Primitive) -> None:
        self[p]
        self._rules_of(p)
        setattr(p.rules, self._slot, None)

    def _rules_of(self, p):
        if not isinstance(p, Primitive):
            raise TypeError(f"expected a Primitive, got {type(p)}")
        if p.rules is None:
            raise NotImplementedError(
                f"primitive {p.name!r} is the core's: its {self._slot} rule "
                "cannot be replaced"
            )

    def __iter__(self) -> Iterator[Primitive]:
        primitives.variables()
        known = list(primitives._by_address.values())
        return iter([p for p in known if p in self])

    def __len__(self):
        return sum(1 for _ in self)

    def __contains__(self, p):
        try:
            self[p]
        except KeyError:
            return False
        return True

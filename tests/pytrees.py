"""Node types and random trees for the tests of pytrees."""

import collections
import dataclasses

from hypothesis import strategies as st

from cotan import tree_util as tu

NT = collections.namedtuple("NT", "a b")


@dataclasses.dataclass
class DC:
    b: object
    a: object
    s: object = dataclasses.field(metadata={"static": True}, default="q")


class C:
    """A node with any children and static data."""

    def __init__(self, *children, aux=None):
        self.children, self.aux = children, aux

    def __eq__(self, other):
        return (self.children, self.aux) == (other.children, other.aux)

    __hash__ = None

    def __repr__(self):
        return f"C{self.children}"


class Keyed:
    """A node with one child, whose key is no key class."""

    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return self.x == other.x

    __hash__ = None

    def __repr__(self):
        return f"Keyed({self.x})"


@dataclasses.dataclass(frozen=True)
class Mode:
    value: object


def register_with(tree_util):
    """Registers the types with cotan's or JAX's tree_util."""
    tree_util.register_dataclass(DC)
    tree_util.register_pytree_node(
        C, lambda x: (x.children, x.aux), lambda aux, xs: C(*xs, aux=aux)
    )
    tree_util.register_pytree_with_keys(
        Keyed, lambda x: ([("x", x.x)], None), lambda _, xs: Keyed(*xs)
    )
    tree_util.register_static(Mode)


register_with(tu)

_keys = st.sampled_from(["a", "b", "c", "key", "z"])


def _containers(children):
    dicts = st.dictionaries(_keys, children, max_size=4)
    return st.one_of(
        st.lists(children, max_size=4),
        st.lists(children, max_size=4).map(tuple),
        dicts,
        st.dictionaries(st.integers(-3, 3), children, max_size=3),
        dicts.map(collections.OrderedDict),
        dicts.map(lambda d: collections.defaultdict(list, d)),
        st.builds(NT, children, children),
        st.builds(DC, children, children, st.sampled_from("qr")),
        st.lists(children, max_size=3).flatmap(
            lambda xs: st.sampled_from([None, "m", (1, "t")]).map(
                lambda aux: C(*xs, aux=aux)
            )
        ),
        st.builds(Keyed, children),
        st.builds(Mode, st.integers(0, 3)),
    )


trees = st.recursive(
    st.one_of(
        st.none(),
        st.integers(),
        st.text(st.characters(exclude_characters="\0"), max_size=2),
    ),
    _containers,
    max_leaves=25,
)

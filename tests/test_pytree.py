"""Pytrees: semantics, error texts and limits; tests/oracle holds JAX beside."""

import collections
import copy
import dataclasses
import functools
import gc
import itertools
import pickle
import sys
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotan import _tree_prefix as prefix
from cotan import tree
from cotan import tree_util as tu
from tests.pytrees import DC, NT, C, Keyed, Mode, trees

OD = collections.OrderedDict
DD = collections.defaultdict


# --- Properties of random trees ---------------------------------------------
@given(trees)
def test_flatten_and_unflatten_are_inverse(x):
    leaves, treedef = tree.flatten(x)
    again = tree.unflatten(treedef, leaves)
    assert again == x and type(again) is type(x)
    assert tree.leaves(x) == leaves and tree.structure(x) == treedef
    assert treedef.num_leaves == len(leaves)
    assert treedef.flatten_up_to(x) == leaves


@given(trees)
def test_structures_are_values(x):
    treedef = tree.structure(x)
    for other in (
        tree.structure(copy.deepcopy(x)),
        pickle.loads(pickle.dumps(treedef)),
        copy.deepcopy(treedef),
        treedef.compose(tree.structure(0)),
        tree.structure(0).compose(treedef),
        tu.PyTreeDef.from_node_data_and_children(
            tu.default_registry, treedef.node_data(), treedef.children()
        ),
    ):
        assert other == treedef and hash(other) == hash(treedef)
        assert repr(other) == repr(treedef)
        assert other.num_nodes == treedef.num_nodes
        assert tree.unflatten(other, tree.leaves(x)) == x


@given(trees)
def test_paths_lead_to_leaves(x):
    pairs, treedef = tree.flatten_with_path(x)
    assert treedef == tree.structure(x)
    assert [leaf for _, leaf in pairs] == tree.leaves(x)
    for path, leaf in pairs:
        assert functools.reduce(step, path, x) == leaf
    assert len({path for path, _ in pairs}) == len(pairs)


def step(x, key):
    match key:
        case tu.GetAttrKey(name=name):
            return getattr(x, name)
        case tu.FlattenedIndexKey(key=i):
            return tu.flatten_one_level(x)[0][i]
        case tu.SequenceKey(idx=i) | tu.DictKey(key=i):
            return x[i]
    return getattr(x, key)


@given(trees, trees)
def test_different_structures_are_told_apart(x, y):
    a, b = tree.structure(x), tree.structure(y)
    assert (a == b) == (repr(a) == repr(b))
    if a != b:
        assert list(prefix.equality_errors(x, y))


@given(trees, trees)
def test_a_tree_is_a_prefix_of_its_extensions(x, y):
    full = tree.map(lambda _: y, x)
    assert not prefix.prefix_errors(x, full)
    n = tree.structure(y).num_leaves
    expected = list(itertools.chain(*([leaf] * n for leaf in tree.leaves(x))))
    assert prefix.broadcast_prefix(x, full) == expected
    assert tree.leaves(tree.broadcast(x, full)) == expected
    assert tree.structure(full) == tree.structure(x).compose(tree.structure(y))


@given(st.permutations(list("abcdef")))
def test_dicts_have_one_structure_whatever_their_order(names):
    x = {name: ord(name) for name in names}
    assert tree.leaves(x) == sorted(x.values())
    assert tree.structure(x) == tree.structure(dict.fromkeys("abcdef", 0))
    assert list(tree.map(lambda v: v, x)) == list("abcdef")


# --- Structures -------------------------------------------------------------
@pytest.mark.parametrize(
    "x, text",
    [
        (1, "*"),
        (None, "None"),
        ((), "()"),
        ([], "[]"),
        ({}, "{}"),
        ((1,), "(*,)"),
        ({"b": [1, (2,)], "a": None}, "{'a': None, 'b': [*, (*,)]}"),
        (NT(1, 2), "CustomNode(namedtuple[NT], [*, *])"),
        (OD(b=1, a=2), "CustomNode(OrderedDict[('b', 'a')], [*, *])"),
        (
            DD(int, b=1, a=2),
            "CustomNode(defaultdict[(<class 'int'>, ('a', 'b'))], [*, *])",
        ),
        (DC(1, 2), "CustomNode(DC[('q',)], [*, *])"),
        (C(1, [2], aux="m"), "CustomNode(C[m], [*, [*]])"),
        (Mode(3), "CustomNode(Mode[Mode(value=3)], [])"),
        (collections.deque([1]), "*"),
        (type("L", (list,), {})([1]), "*"),
    ],
)
def test_repr(x, text):
    assert repr(tree.structure(x)) == f"PyTreeDef({text})"


def test_a_cached_structure_keeps_the_types_of_its_keys():
    a, b = {1: "x"}, {True: "y"}
    assert tree.structure(a) == tree.structure(b)
    assert repr(tree.map(lambda v: v, a)) == "{1: 'x'}"
    assert repr(tree.map(lambda v: v, b)) == "{True: 'y'}"
    assert repr(tree.map(lambda v: v, {1.0: "z"})) == "{1.0: 'z'}"
    assert repr(tree.structure(C(aux=(1, "s")))).endswith("C[(1, 's')], []))")
    assert repr(tree.structure(C(aux=(True, "s")))).endswith(
        "C[(True, 's')], []))"
    )


def test_compared_with_other_types():
    treedef = tree.structure(1)
    assert treedef != 1 and not treedef == None  # noqa: E711
    with pytest.raises(TypeError, match="no constructor"):
        tu.PyTreeDef()
    assert repr(tu.PyTreeDef.__new__(tu.PyTreeDef)) == "PyTreeDef(*)"
    with pytest.raises(AttributeError):
        treedef.num_leaves = 3


def test_equal_aux_has_equal_hashes():
    pairs = [
        ({1}, frozenset({1})),
        ((1, [2]), (1, [2])),
        ((1, 2), NT(1, 2)),
        (({1},), (frozenset({1}),)),
        (1, True),
    ]
    for a, b in pairs:
        x, y = tree.structure(C(aux=a)), tree.structure(C(aux=b))
        assert x == y and hash(x) == hash(y)
    assert tree.structure(DC(1, 2, "a")) != tree.structure(DC(1, 2, "b"))


def test_aux_that_cannot_be_compared():
    class Bad:
        __hash__ = None

        def __eq__(self, other):
            raise KeyError("no")

    with pytest.raises(
        ValueError, match="Exception raised while checking"
    ) as e:
        tree.structure(C(aux=Bad())) == tree.structure(C(aux=Bad()))  # noqa: B015
    assert isinstance(e.value.__cause__, KeyError)


def test_children_compose_and_friends():
    treedef = tree.structure([1, (2, {"a": 3}), None])
    assert repr(treedef.children()) == (
        "[PyTreeDef(*), PyTreeDef((*, {'a': *})), PyTreeDef(None)]"
    )
    assert treedef.num_nodes == 7
    inner = tree.structure((0, None))
    assert repr(tree.structure([1, {"a": 2}]).compose(inner)) == (
        "PyTreeDef([(*, None), {'a': (*, None)}])"
    )
    assert tu.treedef_tuple([treedef, inner]).children() == [treedef, inner]
    assert tu.treedef_is_leaf(tree.structure(3))
    assert not tu.treedef_is_leaf(treedef)
    assert treedef.from_iterable_tree((5, [6, (7,)], ())) == [
        5,
        (6, {"a": 7}),
        None,
    ]
    with pytest.raises(ValueError, match="Arity mismatch"):
        treedef.from_iterable_tree((5, 6))


def test_node_data_that_fits_nothing():
    make = functools.partial(
        tu.PyTreeDef.from_node_data_and_children, tu.default_registry
    )
    leaf = tree.structure(0)
    assert make((dict, ["b", "a"]), [leaf, leaf]).unflatten([1, 2]) == {
        "b": 1,
        "a": 2,
    }
    for data, children, error in [
        ((dict, ["a"]), [leaf, leaf], RuntimeError),
        ((dict, [[]]), [leaf], TypeError),
        ((dict, 3), [leaf], TypeError),
        ((int, None), [], RuntimeError),
        ((3, None), [], TypeError),
        ((type(None), None), [leaf], ValueError),
        (None, [leaf], RuntimeError),
        ((list, None), [3], TypeError),
        (3, [], TypeError),
    ]:
        with pytest.raises(error):
            make(data, children)
    # What only unflatten can find out must be an error there, no crash.
    for data in [(DC, ("a", "b")), (DC, 3), (OD, 3), (OD, ("a", "b")), (DD, 1)]:
        with pytest.raises(ValueError, match="does not fit"):
            make(data, [leaf]).unflatten([1])


def test_pickled_structures_are_checked():
    build = tree.structure([1]).__reduce__()[0]
    assert build([None, (list, None, 1)]) == tree.structure([1])
    for state in [[], [None, None], [(list, None, 1)], [None, (list, None, 2)]]:
        with pytest.raises(RuntimeError, match="singleton"):
            build(state)


def test_serialized_structures():
    treedef = tree.structure((1, {"a": [2], "b": None, "c": {}}, {"a": ()}))
    data = treedef.serialize_using_proto()
    back = tu.PyTreeDef.deserialize_using_proto(tu.default_registry, data)
    assert back == treedef
    for bad in [data[:-3], data[3:], b"\x0a", b"\x0a\x02\x10\x09", b"\xff"]:
        with pytest.raises((ValueError, RuntimeError)):
            tu.PyTreeDef.deserialize_using_proto(tu.default_registry, bad)
    with pytest.raises(ValueError, match="Only string keys"):
        tree.structure({1: 2}).serialize_using_proto()
    with pytest.raises(ValueError, match="User-defined nodes"):
        tree.structure(NT(1, 2)).serialize_using_proto()


def test_none_is_a_leaf_for_axes():
    leaves, treedef = tu.none_leaf_registry.flatten((1, None))
    assert leaves == [1, None] and treedef == tree.structure((1, 2))


# --- Flattening -------------------------------------------------------------
def test_is_leaf():
    seen = []
    x = [1, (2, None), {"a": 3}]
    tree.flatten(x, is_leaf=seen.append)
    assert seen == [x, 1, (2, None), 2, None, {"a": 3}, 3]
    assert tree.leaves(x, is_leaf=lambda v: isinstance(v, tuple)) == [
        1,
        (2, None),
        3,
    ]
    with pytest.raises(ValueError, match="non-boolean value 'yes'"):
        tree.leaves(x, is_leaf=lambda v: "yes")
    with pytest.raises(ZeroDivisionError):
        tree.leaves(x, is_leaf=lambda v: 1 / 0)
    with pytest.raises(TypeError):
        tree.leaves(x, is_leaf=3)
    paths = tree.leaves_with_path(
        x, lambda path, v: len(path) == 1, is_leaf_takes_path=True
    )
    assert [leaf for _, leaf in paths] == x


def test_unsortable_keys():
    class Key:
        def __lt__(self, other):
            raise KeyError("no order")

    for x in ({"a": 1, 2: 3}, {None: 1, 2: 3}, {Key(): 1, Key(): 2}):
        with pytest.raises(ValueError, match="Comparator raised") as e:
            tree.flatten(x)
        assert isinstance(e.value.__cause__, TypeError | KeyError)
    with pytest.raises(TypeError, match="not supported between"):
        tree.flatten(DD(int, {None: 1, 2: 3}))


class Odd:
    """A node whose flatten function does what the test says."""

    act = staticmethod(lambda: ((), None))


tu.register_pytree_node(Odd, lambda x: Odd.act(), lambda aux, xs: list(xs))


@pytest.mark.parametrize(
    "act, error, text",
    [
        (lambda: 1 / 0, ZeroDivisionError, "division"),
        (lambda: None, ValueError, r"\(children, aux_data\) tuple, got None"),
        (lambda: (1,), ValueError, r"got \(1,\)"),
        (lambda: [(1,), 2], ValueError, r"got \[\(1,\), 2\]"),
        (lambda: (3, None), ValueError, "where 'children' is iterable"),
        (lambda: ((1 / 0 for _ in "a"), None), ZeroDivisionError, "division"),
    ],
)
def test_flatten_functions_that_fail(monkeypatch, act, error, text):
    monkeypatch.setattr(Odd, "act", staticmethod(act))
    for f in (tree.flatten, tree.flatten_with_path, tree.structure):
        with pytest.raises(error, match=text):
            f([1, {"a": Odd()}])


def test_a_flatten_function_may_change_the_tree(monkeypatch):
    x = [Odd(), "kept", "gone"]

    def act():
        x.clear()
        return (i for i in (1, 2)), None

    monkeypatch.setattr(Odd, "act", staticmethod(act))
    assert tree.leaves(x) == [1, 2, "kept", "gone"]
    y = {"a": Odd(), "b": object(), "c": object()}
    monkeypatch.setattr(Odd, "act", lambda: (y.clear(), ((), None))[1])
    assert len(tree.leaves(y)) == 2


def nested(depth, make=lambda x: [x]):
    x = 1
    for _ in range(depth):
        x = make(x)
    return x


def test_deep_trees_and_cycles():
    cycle = []
    cycle.append(cycle)
    for x in (cycle, nested(100_000), nested(100_000, lambda v: {"a": v})):
        for f in (tree.flatten, tree.flatten_with_path):
            with pytest.raises(RecursionError):
                f(x)
    x = nested(500)
    leaves, treedef = tree.flatten(x)
    assert treedef.num_nodes == 501 and treedef.unflatten(leaves) == x
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(10**6)
        with pytest.raises(RecursionError):
            tree.flatten(cycle)
        deep = tree.structure(nested(3000))
    finally:
        sys.setrecursionlimit(limit)
    for _ in range(4):
        deep = deep.compose(deep)
    assert deep.num_nodes == 48_001 and deep == pickle.loads(pickle.dumps(deep))
    deep.flatten_up_to(deep.unflatten([1]))


def test_unflatten_counts_leaves():
    treedef = tree.structure((1, [2]))
    for leaves in ([1, 2], (1, 2), iter([1, 2]), "ab", {1: 0, 2: 0}):
        assert tree.leaves(treedef.unflatten(leaves))
    with pytest.raises(ValueError, match=r"Too few leaves.* expected 2, got 1"):
        treedef.unflatten([1])
    with pytest.raises(ValueError, match=r"Too many leaves.* expected 2"):
        treedef.unflatten([1, 2, 3])
    with pytest.raises(TypeError):
        treedef.unflatten(3)


# --- Key paths --------------------------------------------------------------
def test_keystr():
    x = {"a": [1, NT(3, C(4))], "k": Keyed(5)}
    paths = [path for path, _ in tree.leaves_with_path(x)]
    assert [tu.keystr(p) for p in paths] == [
        "['a'][0]",
        "['a'][1].a",
        "['a'][1].b[<flat index 0>]",
        "['k']x",
    ]
    assert tu.keystr(paths[2], simple=True, separator="/") == "a/1/b/0"


def test_keys_are_values():
    keys = [
        tu.SequenceKey(1),
        tu.DictKey(1),
        tu.FlattenedIndexKey(1),
        tu.GetAttrKey("a"),
    ]
    assert len(set(keys)) == 4
    for key in keys:
        assert pickle.loads(pickle.dumps(key)) == key and key != 1
        with pytest.raises(AttributeError):
            setattr(key, key.__match_args__[0], 3)
    for make in (tu.SequenceKey, tu.FlattenedIndexKey):
        with pytest.raises(TypeError):
            make("a")
    with pytest.raises(TypeError):
        tu.GetAttrKey(1)


# --- Mapping ----------------------------------------------------------------
def test_map():
    assert tree.map(lambda a, b: (a, b), [1, 2], [{"x": 1}, (3, 4)]) == [
        (1, {"x": 1}),
        (2, (3, 4)),
    ]
    assert tree.map(lambda a, b: a + b, None, None) is None
    assert tree.map(
        lambda v: 0 if v is None else v, [1, None], is_leaf=lambda v: v is None
    ) == [1, 0]
    with pytest.raises(ZeroDivisionError):
        tree.map(lambda v: 1 / 0, {"a": [1]})


def test_map_says_where_trees_differ():
    with pytest.raises(ValueError) as e:
        tree.map(max, {"a": OD(x=1)}, {"a": {"x": 1}})
    assert str(e.value) == (
        "pytree structure error: different types at key path\n"
        "    tree_map tree['a']\n"
        "At that key path, the prefix pytree tree_map tree has a subtree of "
        "type\n    <class 'collections.OrderedDict'>\n"
        "but at the same key path the full pytree has a subtree of different "
        "type\n    <class 'dict'>."
    )
    for x, y, text in [
        ([1], [1, 2], "lengths of list at key path\n    tree_map tree\n"),
        ({"a": 1}, {"a": 1, "b": 2}, "symmetric difference on key sets is\n"),
        ({"a": 1}, {"b": 1}, r"metadata\n    \('a',\)\nbut"),
        (C(1), C(1, aux=3), "different pytree metadata"),
        (C(1), C(1, 2), "with 1 child keys\n    0\nbut"),
        (DC(1, 2), DC(1, 2, "z"), "different pytree metadata"),
        (None, 1, "<class 'NoneType'>\nbut"),
    ]:
        with pytest.raises(ValueError, match=text):
            tree.map(max, x, y)


def test_transpose_reduce_and_all():
    outer = tree.structure([0, 0])
    x = [(1, {"a": 2}), (3, {"a": 4})]
    for inner in (tree.structure((0, {"a": 0})), None):
        assert tree.transpose(outer, inner, x) == ([1, 3], {"a": [2, 4]})
    with pytest.raises(TypeError, match="Mismatch"):
        tree.transpose(outer, tree.structure((0, 0)), [(1, 2), (3,)])
    assert tree.reduce(lambda a, b: a - b, [1, (2, 3)]) == -4
    assert tree.reduce(lambda a, b: a - b, [1, (2, 3)], 10) == 4
    with pytest.raises(TypeError):
        tree.reduce(max, [])
    assert tree.reduce_associative(lambda a, b: [a, b], (1, 2, 3)) == [
        1,
        [2, 3],
    ]
    assert tree.reduce_associative(max, [], identity=7) == 7
    with pytest.raises(TypeError, match="Must specify identity"):
        tree.reduce_associative(max, [])
    assert tree.all([True, (1, {"a": "x"})]) and not tree.all([[0]])


# --- Registering ------------------------------------------------------------
def test_registering_twice():
    for register in (
        lambda: tu.register_pytree_node(C, lambda x: x, lambda a, x: x),
        lambda: tu.register_pytree_node(list, lambda x: x, lambda a, x: x),
        lambda: tu.register_dataclass(DC),
    ):
        with pytest.raises(ValueError, match="Duplicate custom"):
            register()
    with pytest.raises(TypeError):
        tu.register_pytree_node(3, lambda x: x, lambda a, x: x)
    with pytest.raises(TypeError):
        tu.register_pytree_node(type("T", (), {}), None, None)


def test_many_registered_types():
    types = [type(f"T{i}", (), {}) for i in range(300)]
    for i, t in enumerate(types):
        tu.register_pytree_node(
            t, lambda x, i=i: ((i, i), i), lambda aux, xs: aux
        )
    assert [tree.leaves(t()) for t in types] == [[i, i] for i in range(300)]
    assert tree.map(str, [t() for t in types]) == list(range(300))
    assert all(map(tu.is_tree_node, types)) and tree.leaves(3.5) == [3.5]


def test_register_dataclass_checks_fields():
    plain = type("Plain", (), {})
    two = dataclasses.make_dataclass("Two", ["a", "b"])
    for error, text, call in [
        (TypeError, "required when", lambda: tu.register_dataclass(plain)),
        (
            TypeError,
            "must both be specified",
            lambda: tu.register_dataclass(plain, ["a"]),
        ),
        (
            ValueError,
            "must not overlap",
            lambda: tu.register_dataclass(plain, ["a"], ["a"]),
        ),
        (
            ValueError,
            "Missing fields: {'b'}",
            lambda: tu.register_dataclass(two, ["a"], []),
        ),
        (
            ValueError,
            "Unexpected fields: {'c'}",
            lambda: tu.register_dataclass(two, ["a", "b", "c"], []),
        ),
        (TypeError, "str", lambda: tu.register_dataclass(plain, [3], [])),
    ]:
        with pytest.raises(error, match=text):
            call()
    tu.register_dataclass(two, ["a"], [], drop_fields=["b"])
    assert tree.leaves(two(1, 2)) == [1]
    tu.register_dataclass(plain, ["a"], ["m"])
    with pytest.raises(AttributeError, match="'a'"):
        tree.leaves(plain())


def test_register_classes_by_methods():
    @tu.register_pytree_with_keys_class
    class Special:
        def __init__(self, *xs):
            self.xs = xs

        def tree_flatten_with_keys(self):
            return [(tu.GetAttrKey(f"x{x}"), x) for x in self.xs], "aux"

        @classmethod
        def tree_unflatten(cls, aux, xs):
            assert aux == "aux" and type(xs) is tuple
            return cls(*xs)

    x = Special(1, 2)
    assert tree.leaves(x) == [1, 2]
    assert tree.map(lambda v: -v, x).xs == (-1, -2)
    assert tu.keystr(tree.leaves_with_path(x)[1][0]) == ".x2"


def test_static_and_partial():
    assert tree.leaves([Mode(1), 2]) == [2]
    assert tree.map(lambda v: v, Mode(1)) == Mode(1)
    assert tree.structure(Mode(1)) != tree.structure(Mode(2))
    p = tu.Partial(max, 1, key=abs)
    assert tree.leaves(p) == [1, abs] and tree.map(lambda v: v, p)(-5) == -5
    nested_partial = tu.Partial(functools.partial(max, 1), 2)
    assert tree.leaves(nested_partial) == [2] and nested_partial() == 2
    assert tree.structure(nested_partial) != tree.structure(p)

    @tu.register_dataclass
    @dataclasses.dataclass
    class Op:
        x: float
        name: str = tree.static(default="add")

    assert repr(tree.structure(Op(1.0))) == (
        "PyTreeDef(CustomNode(Op[('add',)], [*]))"
    )


def test_one_level():
    assert tu.flatten_one_level({"b": 1, "a": [2]}) == (([2], 1), ("a", "b"))
    assert tu.flatten_one_level_with_keys(NT(1, 2))[0] == [
        (tu.GetAttrKey("a"), 1),
        (tu.GetAttrKey("b"), 2),
    ]
    with pytest.raises(ValueError, match="can't tree-flatten"):
        tu.flatten_one_level(1)


# --- Axes and donation ------------------------------------------------------
def test_flatten_axes():
    treedef = tree.structure(([0, 0], {"a": 0}))
    axes = functools.partial(prefix.flatten_axes, "in_axes", treedef)
    assert axes(0) == [0, 0, 0]
    assert axes((None, 1)) == [None, None, 1]
    assert axes(([0, None], {"a": 2})) == [0, None, 2]
    with pytest.raises(ValueError, match=r"in_axes specification must be a"):
        axes([0, 1])
    with pytest.raises(ValueError, match=r"Mismatch details \(2 found\)"):
        axes(([0], {"b": 1}))
    one = tree.structure(([0, 0],))
    with pytest.raises(ValueError, match="wrapped in a singleton tuple"):
        prefix.flatten_axes("in_axes", one, [0, 1], tupled_args=True)


def test_donation_vector():
    treedef = tree.structure(((1, [2, 3]), {"b": 4, "a": (5, 6)}))
    assert prefix.donation_vector((1,), ("a",), treedef) == (
        *(False, True, True),
        *(True, True, False),
    )


# --- Ownership --------------------------------------------------------------
def test_references_are_balanced(monkeypatch):
    leaf, aux, key = object(), object(), "a key of its own"
    x = [leaf, {key: leaf, "b": NT(leaf, (leaf,))}, C(leaf, aux=aux), None]
    x += [OD({key: leaf}), DD(list, {key: leaf}), DC(leaf, leaf, aux)]
    monkeypatch.setattr(Odd, "act", staticmethod(lambda: ((leaf,), aux)))

    def failing():
        for f in (
            lambda: tree.flatten([*x, Odd(), {1: leaf, "a": leaf}]),
            lambda: tree.flatten_with_path([x, {1: leaf, "a": leaf}]),
            lambda: tree.map(lambda v: 1 / 0, x),
            lambda: treedef.unflatten([leaf]),
            lambda: treedef.flatten_up_to([*x[:-1], leaf]),
            lambda: tree.structure(C(aux=[aux])).compose(leaf),
            lambda: tree.structure(DC(1, 2)).unflatten([leaf]),
        ):
            with pytest.raises(Exception):  # noqa: B017
                f()

    treedef = tree.structure(x)

    def work():
        tree.flatten([x, Odd()])
        tree.flatten_with_path(x)
        tree.map(lambda v: v, x)
        tree.map(lambda v, w: v, x, x)
        treedef.flatten_up_to(x)
        treedef.compose(treedef).children()
        pickle.dumps(tree.structure(x[0:2]))
        hash(treedef), repr(treedef), treedef == tree.structure(x)
        tu.flatten_one_level_with_keys(x[1])
        failing()

    for _ in range(3):
        work()
    watched = (leaf, aux, key, NT, C, None)
    gc.collect()
    before = [sys.getrefcount(v) for v in watched[:-1]]
    for _ in range(50):
        work()
    gc.collect()
    after = [sys.getrefcount(v) for v in watched[:-1]]
    assert after == before


def test_cycles_through_structures_are_collected():
    mode = Mode([])
    object.__setattr__(mode, "seen", tree.structure(mode))
    alive = weakref.ref(mode)
    del mode
    gc.collect()
    assert alive() is None


def test_structures_of_other_objects_are_not_kept():
    aux = Mode("x")
    alive = weakref.ref(aux)
    tree.structure(C(aux=aux))
    del aux
    assert alive() is None

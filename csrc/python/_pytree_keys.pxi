# The key classes: the steps of a key path (included by _pytree.pyx).

@cython.final
cdef class SequenceKey:
    """The step `[idx]` into a list or tuple."""
    cdef readonly object idx
    __match_args__ = ("idx",)

    def __init__(self, idx):
        if not isinstance(idx, int):
            raise TypeError(f"SequenceKey: idx must be an int, got {idx!r}")
        self.idx = idx

    def __repr__(self):
        return f"SequenceKey(idx={self.idx!r})"

    def __str__(self):
        return f"[{self.idx!r}]"

    def __hash__(self):
        return hash(self.idx)

    def __eq__(self, other):
        if type(other) is not SequenceKey:
            return NotImplemented
        return self.idx == (<SequenceKey>other).idx

    def __reduce__(self):
        return SequenceKey, (self.idx,)


@cython.final
cdef class DictKey:
    """The step `[key]` into a dict."""
    cdef readonly object key
    __match_args__ = ("key",)

    def __init__(self, key):
        self.key = key

    def __repr__(self):
        return f"DictKey(key={self.key!r})"

    def __str__(self):
        return f"[{self.key!r}]"

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        if type(other) is not DictKey:
            return NotImplemented
        return self.key == (<DictKey>other).key

    def __reduce__(self):
        return DictKey, (self.key,)


@cython.final
cdef class GetAttrKey:
    """The step `.name` into a namedtuple or dataclass."""
    cdef readonly object name
    __match_args__ = ("name",)

    def __init__(self, name):
        if not isinstance(name, str):
            raise TypeError(f"GetAttrKey: name must be a str, got {name!r}")
        self.name = name

    def __repr__(self):
        return f"GetAttrKey(name={self.name!r})"

    def __str__(self):
        return f".{self.name}"

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        if type(other) is not GetAttrKey:
            return NotImplemented
        return self.name == (<GetAttrKey>other).name

    def __reduce__(self):
        return GetAttrKey, (self.name,)


@cython.final
cdef class FlattenedIndexKey:
    """The step to child number `key` of a node that names no keys."""
    cdef readonly object key
    __match_args__ = ("key",)

    def __init__(self, key):
        if not isinstance(key, int):
            raise TypeError(
                f"FlattenedIndexKey: key must be an int, got {key!r}")
        self.key = key

    def __repr__(self):
        return f"FlattenedIndexKey(key={self.key!r})"

    def __str__(self):
        return f"[<flat index {self.key!r}>]"

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        if type(other) is not FlattenedIndexKey:
            return NotImplemented
        return self.key == (<FlattenedIndexKey>other).key

    def __reduce__(self):
        return FlattenedIndexKey, (self.key,)


cdef object _sequence_key(object i):
    cdef SequenceKey k = SequenceKey.__new__(SequenceKey)
    k.idx = i
    return k


cdef object _dict_key(object key):
    cdef DictKey k = DictKey.__new__(DictKey)
    k.key = key
    return k


cdef object _attribute_key(object name):
    cdef GetAttrKey k = GetAttrKey.__new__(GetAttrKey)
    k.name = name
    return k


cdef object _flattened_key(object i):
    cdef FlattenedIndexKey k = FlattenedIndexKey.__new__(FlattenedIndexKey)
    k.key = i
    return k


key_makers.sequence = <MakeKey>_sequence_key
key_makers.dict = <MakeKey>_dict_key
key_makers.attribute = <MakeKey>_attribute_key
key_makers.flattened = <MakeKey>_flattened_key

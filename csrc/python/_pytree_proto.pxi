# Structures as bytes, in the format of JAX's pytree.proto (included by
# _pytree.pyx):
# message PyTreeNodeProto { uint32 arity = 1; PyTreeType type = 2;
#                           DictData dict = 3 { repeated uint32 str_id = 1; } }
# message PyTreeDefProto { repeated PyTreeNodeProto nodes = 1;
#                          repeated string interned_strings = 2; }
_PROTO_TYPES = {"leaf": 1, list: 2, type(None): 3, tuple: 4, dict: 5}


cdef bytes _varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


cdef bytes _field(int number, bytes payload):
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


cdef bytes _to_proto(PyTreeDef treedef):
    strings = {}
    out = []
    for node in treedef.__reduce__()[1][0]:
        type_, data, arity = node or ("leaf", None, 0)
        number = _PROTO_TYPES.get(type_)
        if number is None:
            raise ValueError(
                "User-defined nodes are not supported when serializing pytrees "
                "as protocol buffers. You should either convert the "
                "user-defined nodes to another type or use pickle instead.")
        text = (b"\x08" + _varint(arity) if arity else b"") + b"\x10"
        text += _varint(number)
        if type_ is dict:
            if not all(isinstance(k, str) for k in data):
                raise ValueError("Only string keys are supported in proto "
                                 "pytree serialization.")
            ids = [_varint(strings.setdefault(k, len(strings))) for k in data]
            if ids:
                text += _field(3, _field(1, b"".join(ids)))
        out.append(_field(1, text))
    out += [_field(2, s.encode()) for s in strings]
    return b"".join(out)


# [(field number, int or bytes)] of one message.
cdef list _parse_fields(bytes data):
    fields = []
    position = 0

    def varint():
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while position < len(data):
        tag = varint()
        if tag & 7 not in (0, 2):
            raise ValueError("not a serialized PyTreeDef")
        value = varint()
        if tag & 7 == 2:
            end = position + value
            if end > len(data):
                raise ValueError("not a serialized PyTreeDef")
            value, position = data[position:end], end
        fields.append((tag >> 3, value))
    return fields


cdef PyTreeDef _from_proto(PyTreeRegistry registry, bytes data):
    types = {number: type_ for type_, number in _PROTO_TYPES.items()}
    cdef FlatTree flat
    try:
        fields = _parse_fields(data)
        strings = [text.decode() for number, text in fields if number == 2]
        for number, text in fields:
            if number != 1:
                continue
            arity, type_, keys = 0, "leaf", []
            for part, value in _parse_fields(text):
                if part == 1:
                    arity = value
                elif part == 2:
                    type_ = types[value]
                elif part == 3:
                    for _, ids in _parse_fields(value):
                        keys += [strings[i] for i in _varints(ids)]
            if type_ == "leaf":
                flat.push_leaf_node()
            else:
                push_node(registry.registry[0], <PyObject*>type_,
                          <PyObject*>keys, arity, flat)
    except (IndexError, KeyError, AttributeError, TypeError) as e:
        raise ValueError("not a serialized PyTreeDef") from e
    return _finished(&flat)


cdef list _varints(data):
    if isinstance(data, int):
        return [data]
    out = []
    value = shift = 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(value)
            value = shift = 0
    return out

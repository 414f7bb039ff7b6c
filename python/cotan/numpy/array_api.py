"""What the array API standard asks a namespace about itself."""

from __future__ import annotations

from cotan import _core

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = (
    _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]
)


class ArrayNamespaceInfo:
    """Capabilities, devices and dtypes."""

    def capabilities(self):
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": 64,
        }

    def default_device(self):
        return _core.devices()[0]

    def devices(self):
        return list(_core.devices())

    def default_dtypes(self, *, device=None):
        return {
            "real floating": _core.canonical_dtype(float),
            "complex floating": _core.canonical_dtype(complex),
            "integral": _core.canonical_dtype(int),
            "indexing": _core.canonical_dtype(int),
        }

    def dtypes(self, *, device=None, kind=None):
        if kind is None:
            names = (*_KINDS["bool"], *_KINDS["numeric"])
        else:
            kinds = kind if isinstance(kind, tuple) else (kind,)
            names = []
            for k in kinds:
                if k not in _KINDS:
                    raise ValueError(f"unsupported kind: {k!r}")
                names += [n for n in _KINDS[k] if n not in names]
        wide = _core.get_config("x64")
        return {
            n: _core.dtype(n)
            for n in names
            if wide or _core.canonical_dtype(n) == _core.dtype(n)
        }

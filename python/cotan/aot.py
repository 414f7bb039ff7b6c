"""Compiling ahead of time: for devices that are not here, and programs as
bytes.

>>> import cotan, cotan.numpy as cnp
>>> from cotan import aot
>>> t = aot.topology("v5e:2x2")  # doctest: +SKIP
>>> f = cotan.jit(lambda x: cnp.tanh(x @ x))
>>> c = f.lower(cnp.zeros((8, 8))).compile(topology=t)  # doctest: +SKIP
>>> c.memory_analysis()["argument_size_in_bytes"]  # doctest: +SKIP
4096
"""

from __future__ import annotations

import dataclasses
import io
import pickle
from typing import Any

from cotan import _core, tree_util
from cotan._src import devices as _devices

__all__ = ["AotCompiled", "Topology", "load", "serialize", "topology"]

_FORMAT = "cotan-pjrt-program-1"


@dataclasses.dataclass(frozen=True)
class DeviceDescription:
    """A device of a topology: a description, nothing that runs."""

    id: int
    device_kind: str
    attributes: dict[str, Any] = dataclasses.field(compare=False)


class Topology:
    """Devices of a given kind and arrangement, for the compiler."""

    def __init__(self, handle, name):
        self._handle, self.name = handle, name

    @property
    def platform(self) -> str:
        return self._handle.platform

    @property
    def platform_version(self) -> str:
        return self._handle.version

    @property
    def attributes(self) -> dict[str, Any]:
        return self._handle.attributes

    @property
    def devices(self) -> list[DeviceDescription]:
        return [DeviceDescription(*d) for d in self._handle.devices]

    def serialize(self) -> bytes:
        return self._handle.serialize()

    def compile(self, lowered, compiler_options=None) -> AotCompiled:
        """A lowered function, or StableHLO text, compiled for one device.

        Args:
          lowered: of `jit(f).lower(...)`, or the text of a module.
          compiler_options: flags of XLA for this compilation.
        """
        is_text = isinstance(lowered, str)
        text = lowered if is_text else lowered.as_text("stablehlo")
        program = self._handle.compile(text, dict(compiler_options or {}))
        return AotCompiled(program, text, self, None if is_text else lowered)

    def __repr__(self):
        return f"Topology({self.name!r}, {len(self.devices)} devices)"


class AotCompiled:
    """A program compiled for a topology. It cannot run here."""

    def __init__(self, program, text, of, lowered):
        self._program, self._text = program, text
        self.topology, self._lowered = of, lowered
        self._known = None

    def _facts(self):
        if self._known is None:
            self._known = self._program.facts()
        return self._known

    def memory_analysis(self) -> dict[str, int]:
        """Bytes of arguments, results, aliases (donations) and scratch."""
        return self._facts()["memory"]

    def cost_analysis(self) -> dict[str, Any]:
        """The compiler's estimates: flops, bytes accessed, ..."""
        return self._facts()["cost"]

    @property
    def code_bytes(self) -> int:
        return self._facts()["code_bytes"]

    @property
    def fingerprint(self) -> bytes:
        return self._facts()["fingerprint"]

    @property
    def outputs(self) -> list[tuple]:
        """(dtype name, shape) of every result."""
        return self._program.outputs()

    def optimized_program(self) -> tuple[bytes, str]:
        """The optimised program as bytes, and the name of their format."""
        return self._program.optimized()

    def as_text(self) -> str:
        """The optimised HLO as text (needs jaxlib, which can print it), or
        the StableHLO that was compiled."""
        return hlo_text(self.optimized_program) or self._text

    def serialize(self) -> bytes:
        """The program as the plugin's own bytes."""
        return self._program.serialize()

    def __call__(self, *args, **kwargs):
        raise RuntimeError(
            f"A program compiled for topology {self.topology.name!r} does not "
            "run here; compile without a topology to run on a device"
        )


def hlo_text(optimized) -> str | None:
    """The text of a program that `optimized` gives as (bytes, format); None
    where nothing here can print it, or the plugin does not give it."""
    try:
        from jaxlib import _hlo

        code, form = optimized()
    except (ImportError, NotImplementedError):
        return None
    if form == "hlo_with_config":
        code = _first_field(code)
    elif form != "hlo":
        return None
    return _hlo.HloModule.from_serialized_hlo_module_proto(code).to_string()


def _first_field(message: bytes) -> bytes:
    """Field 1 of a protobuf message: HloModuleProtoWithConfig.hlo_module."""
    data = io.BytesIO(message)

    def varint():
        value = shift = 0
        while True:
            byte = data.read(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    key = varint()
    if key != 10:
        raise ValueError("[aot] the optimised program has an unknown format")
    return data.read(varint())


def topology(
    name: str, platform: str = "tpu", plugin: str | None = None, **options: Any
) -> Topology:
    """The topology that a plugin knows by `name`.

    Args:
      name: "v5e:2x2", "v4:2x2x1", "v6e:1x1", ... for TPUs.
      platform: whose plugin describes it.
      plugin: path of the plugin; default: where `cotan.devices(platform)`
        would look.
      options: of the plugin, as `chips_per_host_bounds=[1, 1, 1]`.

    Raises:
      RuntimeError: no plugin was found. ValueError: it knows no such name.
    """
    path = _devices.plugin_path(platform) if plugin is None else plugin
    return Topology(_core.TopologyHandle(path, name, options), name)


# ---- programs as bytes


def serialize(compiled) -> bytes:
    """A compiled program of a plugin device as bytes, for `load`."""
    traced = compiled._traced
    capsule = traced._handle.capsule()
    ins, outs, donated = _core.program_avals(capsule)
    consts = [
        (str(c.dtype), c.shape, _bytes_of(c))
        for c in _core.program_consts(capsule)
    ]
    return pickle.dumps(
        {
            "format": _FORMAT,
            "program": _core.program_serialize(capsule, None),
            "in": ins,
            "out": outs,
            "donated": donated,
            "consts": consts,
            "in_tree": traced.in_tree,
            "out_tree": traced.out_tree,
        }
    )


def _bytes_of(x):
    import numpy as np

    return np.asarray(x).tobytes()


class LoadedProgram:
    """A program from bytes; call it as the function it was compiled from."""

    def __init__(self, program, consts, in_tree, out_tree):
        self._program, self._consts = program, consts
        self.in_tree, self.out_tree = in_tree, out_tree

    def __call__(self, *args, **kwargs):
        leaves, tree = tree_util.tree_flatten((args, kwargs))
        if tree != self.in_tree:
            raise TypeError(
                f"[call] the program takes {self.in_tree}, got {tree}"
            )
        out = self._program([*self._consts, *leaves])
        return tree_util.tree_unflatten(self.out_tree, out)


def load(data: bytes, device) -> LoadedProgram:
    """A program of `serialize`, on a device of the same plugin.

    The bytes are unpickled: load only what you trust.
    """
    import numpy as np

    d = pickle.loads(data)
    if not isinstance(d, dict) or d.get("format") != _FORMAT:
        raise ValueError("[aot.load] these bytes are no program of cotan")
    device = _devices.as_device(device)
    consts = [np.frombuffer(b, dtype=t).reshape(s) for t, s, b in d["consts"]]
    program = _core.pjrt_load_program(
        device, d["program"], d["in"], d["out"], d["donated"]
    )
    return LoadedProgram(program, consts, d["in_tree"], d["out_tree"])

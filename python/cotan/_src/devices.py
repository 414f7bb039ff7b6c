"""Devices by platform, and the plugins that bring them.

The CPU is built in. Any other platform is a PJRT plugin, opened when its
devices are first asked for: `devices("tpu")`, `devices("pjrt:NAME")`. It is
looked for in this order: `COTAN_PJRT_PLUGIN`, entry points of the group
`cotan.pjrt`, the packages that are known here.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from cotan import _core

# Packages with a plugin: platform, package, the file in it.
KNOWN = (
    ("tpu", "libtpu", "libtpu.so"),
    ("pjrt:cpu", "lammps_jax_pjrt_cpu", "pjrt_c_api_cpu_plugin.so"),
    ("pjrt:cpu", "xla_plugins.xla_cpu_pjrt", "*.so"),
)

_loaded: dict[str, list] = {}


@dataclasses.dataclass
class Search:
    """Where a plugin was looked for, for the error that says so."""

    platform: str
    path: str | None = None
    tried: list[str] = dataclasses.field(default_factory=list)


def _from_environment(search: Search) -> str | None:
    text = os.environ.get("COTAN_PJRT_PLUGIN", "")
    if not text:
        search.tried.append("COTAN_PJRT_PLUGIN is not set")
        return None
    for item in text.split(","):
        name, separator, path = item.rpartition("=")
        if not separator or search.platform in (name, f"pjrt:{name}"):
            return path
    search.tried.append(f"COTAN_PJRT_PLUGIN={text} names other platforms")
    return None


def _from_entry_points(search: Search) -> str | None:
    import importlib.metadata  # imports a third of what cotan does

    for point in importlib.metadata.entry_points(group="cotan.pjrt"):
        if search.platform in (point.name, f"pjrt:{point.name}"):
            found = point.load()
            return os.fspath(found() if callable(found) else found)
    search.tried.append("no entry point in the group cotan.pjrt")
    return None


def _from_packages(search: Search) -> str | None:
    import importlib.util
    import pathlib

    for platform, package, pattern in KNOWN:
        if platform != search.platform:
            continue
        try:
            spec = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            spec = None
        for folder in (spec and spec.submodule_search_locations) or ():
            for file in sorted(pathlib.Path(folder).glob(pattern)):
                return str(file)
        search.tried.append(f"package {package.split('.')[0]} not installed")
    return None


def find_plugin(platform: str) -> Search:
    """The path of a platform's plugin, or where it was looked for."""
    search = Search(platform)
    for source in (_from_environment, _from_entry_points, _from_packages):
        search.path = source(search)
        if search.path is not None:
            break
    return search


def plugin_path(platform: str) -> str:
    search = find_plugin(platform)
    if search.path is None:
        hint = {
            "tpu": "; pip install cotan[tpu] brings libtpu",
        }.get(platform, "; set COTAN_PJRT_PLUGIN=/path/to/plugin.so")
        raise RuntimeError(
            f"Unknown backend: '{platform}' requested, but no PJRT plugin for "
            f"it was found ({'; '.join(search.tried)}){hint}"
        )
    return search.path


def _options() -> dict[str, Any]:
    """COTAN_PJRT_OPTIONS: name=value, separated by commas."""
    out: dict[str, Any] = {}
    for item in os.environ.get("COTAN_PJRT_OPTIONS", "").split(","):
        name, separator, value = item.partition("=")
        if not separator:
            continue
        if value in ("true", "false"):
            out[name.strip()] = value == "true"
            continue
        try:
            out[name.strip()] = int(value)
        except ValueError:
            out[name.strip()] = value
    return out


def load(
    platform: str,
    path: str | None = None,
    options: dict[str, Any] | None = None,
) -> list:
    """Opens a platform's plugin; gives its devices."""
    if platform not in _loaded:
        where = plugin_path(platform) if path is None else os.fspath(path)
        settings = _options() if options is None else options
        try:
            _loaded[platform] = _core.pjrt_load(platform, where, settings)
        except RuntimeError as error:
            if platform != "tpu":
                raise
            raise RuntimeError(
                f"{error}\nlibtpu was found at {where}, but this machine has "
                "no TPU that it can use. Programs can be compiled for TPUs "
                "here with cotan.aot.topology."
            ) from None
    return _loaded[platform]


def devices(backend: str | None = None) -> list:
    """The devices of a platform: "cpu", "tpu", "pjrt:NAME"; default: of the
    platform that computations run on."""
    if backend is None or backend == "cpu" or backend in _loaded:
        return _core.devices(backend)
    if backend == "tpu" or backend.startswith("pjrt:"):
        return load(backend)
    return _core.devices(backend)


def local_devices(process_index=None, backend=None, host_id=None) -> list:
    """The devices of this process: all of them."""
    del process_index, host_id
    return devices(backend)


def device_count(backend: str | None = None) -> int:
    """The number of devices of a platform."""
    return len(devices(backend))


def local_device_count(backend: str | None = None) -> int:
    """The number of devices of this process."""
    return len(devices(backend))


def as_device(x):
    """A device, from a device, a sharding on one device or a name."""
    if isinstance(x, _core.Device):
        return x
    if hasattr(x, "device_set") and len(x.device_set) == 1:
        return next(iter(x.device_set))
    if isinstance(x, str):
        platform, _, number = x.rpartition(":")
        if platform and number.isdigit():
            return devices(platform)[int(number)]
        return devices(x)[0]
    raise TypeError(
        f"[device] expected a device of cotan.devices(), got {type(x)}"
    )


def placed(x, device, sharding=None):
    """x on the device that its maker was asked for, where it stays. A tracer
    stays what it is: where a program runs is decided outside of it."""
    device = sharding if device is None else device
    return x if device is None else _core.device_put(x, as_device(device))


def choose_default() -> None:
    """COTAN_PLATFORMS: the first platform of the list that works is the
    default one."""
    names = [
        n.strip()
        for n in os.environ.get("COTAN_PLATFORMS", "").split(",")
        if n.strip()
    ]
    failures = []
    for name in names:
        try:
            _core.set_default_device(devices(name)[0])
            return
        except (RuntimeError, ValueError) as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise RuntimeError(
            "COTAN_PLATFORMS names no platform that works:\n"
            + "\n".join(failures)
        )

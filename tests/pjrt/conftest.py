"""Plugins for the tests: XLA's on the CPU where it is installed, and our own
that misbehaves."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from cotan._src import devices

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent


@pytest.fixture(scope="session")
def cpu_plugin():
    """A device of the XLA CPU plugin."""
    search = devices.find_plugin("pjrt:cpu")
    if search.path is None:
        pytest.skip("no PJRT plugin for the CPU: " + "; ".join(search.tried))
    return devices.devices("pjrt:cpu")[0]


@pytest.fixture(scope="session")
def two_devices(cpu_plugin):
    found = devices.devices("pjrt:cpu")
    if len(found) < 2:
        pytest.skip("the plugin has one device")
    return found[:2]


@pytest.fixture(scope="session")
def fake_plugin(tmp_path_factory):
    """Path of our misbehaving plugin."""
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    path = tmp_path_factory.mktemp("plugin") / "fake_plugin.so"
    subprocess.run(
        [
            compiler,
            "-std=c++20",
            "-shared",
            "-fPIC",
            f"-I{ROOT / 'csrc'}",
            str(HERE / "fake_plugin.cpp"),
            "-o",
            str(path),
        ],
        check=True,
    )
    return path


@pytest.fixture
def run_python():
    """Runs a program in a process of its own; gives its output."""

    def run(code, **environment):
        result = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


@pytest.fixture(scope="session")
def topology():
    """Makes TPU topologies by name."""
    if importlib.util.find_spec("libtpu") is None:
        pytest.skip("libtpu is not installed")
    os.environ["ALLOW_MULTIPLE_LIBTPU_LOAD"] = "1"
    from cotan import aot

    return aot.topology

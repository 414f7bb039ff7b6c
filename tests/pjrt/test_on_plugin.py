"""The generated matrices, with a plugin's device as the default one."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest


def run_tests(root, *arguments, **environment):
    result = subprocess.run(
        [
            sys.executable,
            *"-m pytest -q -p no:cacheprovider".split(),
            *"-o faulthandler_timeout=120".split(),
            *arguments,
        ],
        cwd=root,
        env={**os.environ, "COTAN_TEST_DEVICE": "pjrt:cpu", **environment},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert result.returncode == 0, result.stdout[-8000:]


def test_values(cpu_plugin, root):
    run_tests(root, "tests/ops", "-k", "test_value")


def old_plugin():
    """The path of a plugin of 2025 (API 0.81), or None."""
    named = os.environ.get("COTAN_OLD_PJRT_PLUGIN")
    if named:
        return named
    try:
        spec = importlib.util.find_spec("xla_plugins.xla_cpu_pjrt")
    except ModuleNotFoundError:
        return None
    for folder in (spec and spec.submodule_search_locations) or ():
        for file in pathlib.Path(folder).glob("*.so"):
            return str(file)
    return None


def test_values_on_an_old_plugin(root):
    path = old_plugin()
    if path is None:
        pytest.skip("xla-cpu-pjrt is not installed")
    some = (
        "scan while cond sort gather scatter dot_general cumsum argmax "
        "threefry pivots cholesky sin lgamma complex bitcast conv fft"
    )
    run_tests(
        root,
        "tests/ops",
        *("-k", f"test_value and ({' or '.join(some.split())})"),
        COTAN_PJRT_PLUGIN=path,
    )


@pytest.mark.slow
@pytest.mark.parametrize("what", ["tests/ops", "tests/transforms"])
def test_everything(cpu_plugin, root, what):
    run_tests(root, what)
